"""Pages in another language have words for every sentence that a step of the check says."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from django.conf import settings

from raffles.fairness import verify
from raffles.tests.fairness.draw_vectors import CASES
from raffles.tests.fairness.test_vectors import write_files

SCRIPT = Path(settings.BASE_DIR, "raffles", "static", "raffles", "computed.js").read_text()
WORDS = Path(settings.BASE_DIR, "templates", "raffles", "_computed.html").read_text()
SENTENCE = re.compile(r"^  (\w+): /(.+)/,$", re.MULTILINE)
# No case says these.
UNHEARD = (
    "ticket 4, rank 3, an alternate",
    "ticket 4, skipped, its holder has as many ranks as the terms allow",
    "a ticket has index 1 in the committed tree",
)
LANGUAGELESS = re.compile(r"[0-9a-f]{64}|[\d, ]+|[\d :-]+UTC")


def test_every_sentence_has_words(tmp_path: Path) -> None:
    sentences = {
        name: re.compile(pattern.replace("(?<", "(?P<"))
        for name, pattern in SENTENCE.findall(SCRIPT)
    }
    places = dict(re.findall(r'data-computed="(\w+)" data-words="{% translate "(.+)" %}"', WORDS))
    assert places.keys() == sentences.keys() | {"named"}
    for name, sentence in sentences.items():
        open_places = set(re.findall(r"\{(\w+)\}", places[name]))
        assert open_places == sentence.groupindex.keys() - {"named"}

    said = {*UNHEARD}
    for number, case in enumerate(CASES):
        if case.expected["exit"] in (0, 3):
            folder = tmp_path / str(number)
            folder.mkdir()
            with redirect_stdout(StringIO()) as out:
                verify.main(write_files(case.files, folder))
            said |= {_computed(line) for line in out.getvalue().splitlines()[:-1]}
    strange = [
        line
        for line in said
        if not LANGUAGELESS.fullmatch(line)
        and not any(sentence.search(line) for sentence in sentences.values())
    ]
    assert strange == []
    unheard = {
        name
        for name, sentence in sentences.items()
        if not any(sentence.search(line) for line in said)
    }
    assert unheard == set()


def _computed(line: str) -> str:
    """Return a line of `verify.py` without the name of its step."""
    return re.sub(r"^[a-z]+ {2,}", "", line)
