"""Every page speaks its languages whole: nothing untranslated, nothing guessed."""

from __future__ import annotations

import gettext
import re
import shutil
import subprocess
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from raffles.domain.drawing import void_raffle
from raffles.domain.prizes import forfeit_overdue
from raffles.domain.sealing import NOBODY_CAME
from raffles.models import State
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.pages.visiting import text_of, visitor
from raffles.web.languages import LANGUAGES

CATALOGUES = [Path(settings.LOCALE_PATHS[0], language, "LC_MESSAGES") for language in LANGUAGES[1:]]
# What gettext marks in templates and in Python.
IN_TEMPLATES = re.compile(r'{%\s*translate\s+"([^"]+)"')
IN_CODE = re.compile(r'\b_\(\s*"([^"]+)"\s*\)')


def marked() -> set[str]:
    """Return the sentences of pages that stand in one piece; the admin is Django's and English."""
    root = Path(settings.BASE_DIR)
    templates = set(root.glob("templates/**/*.html")) - set(root.glob("templates/admin/**/*.html"))
    sources = [(path, IN_TEMPLATES) for path in templates]
    sources += [(path, IN_CODE) for path in root.glob("*/pages/*.py")]
    return {text for path, pattern in sources for text in pattern.findall(path.read_text("utf-8"))}


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=str)
def test_catalogue_is_whole(catalogue: Path, tmp_path: Path) -> None:
    if not shutil.which("msgfmt"):
        pytest.skip("needs Debian's package gettext")
    compiled = tmp_path / "django.mo"

    done = subprocess.run(
        ["msgfmt", "--check-format", "--statistics", "-o", compiled, catalogue / "django.po"],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C"},
    )

    assert re.fullmatch(r"\d+ translated messages\.", done.stderr.strip()), done.stderr
    kept = (catalogue / "django.mo").read_bytes()
    assert _messages(kept) == _messages(compiled.read_bytes()), "run compilemessages"


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=str)
def test_every_sentence_is_in_the_catalogue(catalogue: Path) -> None:
    known = _messages((catalogue / "django.mo").read_bytes())

    missing = {text for text in marked() if text not in known}

    assert not missing, "run makemessages"
    assert len(marked()) > 150  # the patterns find what is marked


def _messages(compiled: bytes) -> dict[Any, str]:
    catalogue = dict(gettext.GNUTranslations(BytesIO(compiled))._catalog)  # type: ignore[attr-defined]
    del catalogue[""]  # the head, with the time of the run
    return catalogue


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("stored", "shown"), [(NOBODY_CAME, "Niemand hat teilgenommen"), ("Draw", "Draw")]
)
def test_reason_of_ours_is_translated_where_it_is_read(stored: str, shown: str) -> None:
    raffle = RaffleFactory.create()
    void_raffle(raffle.uuid, reason=stored, now=NOW, by=STAFF)
    path = f"/r/{raffle.uuid}/"

    pages = [f"/de{path}", f"/de{path}certificate/", "/de/log/"]
    read = [text_of(visitor().get(page)) for page in pages]

    for said, text in zip(("abgesagt. ", "Grund ", "Begründung: "), read, strict=True):
        assert f"{said}{shown}" in text
    assert visitor().get(f"/raffles/{raffle.uuid}/").json()["void_reason"] == stored


@pytest.mark.django_db
def test_reason_of_a_prize_passed_on_is_translated_too() -> None:
    claim = {"claim_days": 1, "promotes_alternates": True}
    raffle = RaffleFactory.create(claim=claim, state=State.DRAWN)
    assert len(list(forfeit_overdue(now=NOW + timedelta(days=2), by=STAFF))) > 0
    path = f"/de/r/{raffle.uuid}/"

    result, stage = visitor().get(f"{path}result/"), visitor().get(f"{path}stage/")

    assert "weitergegeben: Nicht rechtzeitig abgeholt" in text_of(result)
    assert "&quot;Not claimed in time&quot;: &quot;Nicht recht" in stage.content.decode()
