"""Every page speaks its languages whole: nothing untranslated, nothing guessed."""

from __future__ import annotations

import ast
import gettext
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.template.loader import get_template
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils.translation import gettext as django_gettext
from django.utils.translation import override

from raffles.admin.told import WORDS, word
from raffles.domain.drawing import void_raffle
from raffles.domain.prizes import forfeit_overdue
from raffles.domain.sealing import NOBODY_CAME
from raffles.models import State
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.pages.visiting import text_of, visitor
from raffles.web.languages import LANGUAGES

CATALOGUES = [Path(settings.LOCALE_PATHS[0], language, "LC_MESSAGES") for language in LANGUAGES[1:]]
ROOT = Path(settings.BASE_DIR)
ONE = {"_", "gettext", "gettext_lazy", "gettext_noop"}
MARKS = ONE | {"ngettext", "pgettext_lazy"}
# What looks like a sentence, or a word by itself, and is for a machine.
FOR_MACHINES = re.compile(
    r"text/csv.*|attachment; .*|.*<(dl|progress|span).*|somebody from .*|\* \* .*|Any|User|Request"
)


def sources(*patterns: str) -> list[Path]:
    """Return modules of ours by pattern, without tests and migrations."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path for path in found if not {"tests", "migrations"} & set(path.parts))


def is_mark(node: ast.AST) -> bool:
    """Return whether a node calls a function that marks a text for translation."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS


def marked_in_code() -> set[str]:
    """Return what is marked in modules; of a plural the singular."""
    calls = (
        node
        for path in sources("raffles/**/*.py", "events/**/*.py", "rafflesite/**/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if is_mark(node)
    )
    first = {"pgettext_lazy": 1}
    texts = (call.args[first.get(call.func.id, 0)] for call in calls)  # type: ignore[attr-defined]
    return {str(text.value) for text in texts if isinstance(text, ast.Constant)}


def marked_in_templates() -> set[str]:
    """Return what is marked in templates; of a plural the singular."""
    found = set()
    for path in ROOT.glob("templates/**/*.html"):
        template: Any = get_template(str(path.relative_to(ROOT / "templates")))
        nodes = template.template.nodelist
        for node in nodes.get_nodes_by_type(TranslateNode):
            said = node.filter_expression.var
            found.add(said if isinstance(said, str) else str(said.literal))
        found |= {
            node.render_token_list(node.singular)[0]
            for node in nodes.get_nodes_by_type(BlockTranslateNode)
        }
    return found


def names() -> set[str]:
    """Return the names of all models, and of the fields that the back office shows."""
    ours = [apps.get_app_config(app) for app in ("raffles", "events")]
    shown = {*admin.site._registry}
    shown |= {inline.model for each in admin.site._registry.values() for inline in each.inlines}
    with override(None):
        kinds = {str(model._meta.verbose_name) for app in ours for model in app.get_models()}
        return kinds | {
            str(name)
            for model in shown
            if model._meta.app_label != "auth"
            for name in (
                *(model._meta.verbose_name, model._meta.verbose_name_plural),
                *(field.verbose_name for field in model._meta.concrete_fields if field.editable),
            )
            if str(name) != "ID"
        }


@pytest.mark.django_db
def test_every_detail_of_the_record_has_its_word() -> None:
    calls = (
        node
        for path in sources("raffles/**/*.py", "events/**/*.py", "rafflesite/**/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("record", "_record")
    )
    known = {"at", "by", "why", "now", None}
    keys = {word.arg for call in calls for word in call.keywords} - known
    keys |= RaffleFactory.create().terms().keys() | WORDS.keys()
    keys.discard("raffle_id")
    with override("en"):
        english = {key: word(key) for key in keys if key}
    with override("de"):
        same = {said for key, said in english.items() if word(key) == said}
    assert same == {"ID", "Name", "Superuser"}


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
    # What stands in Django's templates, which ours change, is in its own.
    djangos = Path(admin.__file__).parent / "locale" / catalogue.relative_to(catalogue.parents[1])
    known = {
        (key if isinstance(key, str) else key[0]).rpartition("\4")[2]
        for folder in (catalogue, djangos)
        for key in _messages((folder / "django.mo").read_bytes())
    }

    said = [marked_in_code(), marked_in_templates(), names()]
    with override(catalogue.parent.name):
        missing = [
            text
            for each in said
            for text in each
            # Templates that repeat one of Django's have its sentences, and its German.
            if text not in known and django_gettext(text) == text
        ]

    assert missing == [], "run makemessages"
    # They find what is marked.
    assert [len(each) > least for each, least in zip(said, (500, 400, 90), strict=True)] == [
        True
    ] * 3


def test_back_office_marks_all_its_sentences() -> None:
    rooms = ("*/admin/*.py", "rafflesite/dashboard.py", "rafflesite/tasks.py")
    code = {text for path in sources(*rooms, "rafflesite/admin_site.py") for text in unmarked(path)}
    templates = {
        f"{path.name}: {text}"
        for path in ROOT.glob("templates/admin/**/*.html")
        for text in unmarked_in_template(path.read_text("utf-8"))
    }

    assert {text for text in code if not FOR_MACHINES.fullmatch(text)} == set()
    assert templates == set()


def unmarked(path: Path) -> Iterator[str]:
    """Yield what a module says in words without marking it."""
    found: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while found:
        node = found.pop()
        if is_mark(node) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        text = node.value if isinstance(node, ast.Constant) else ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(getattr(each, "value", "{}") for each in node.values if is_text(each))
        if isinstance(text, str) and re.search(r"[A-Za-z]{2,}[,:;]? [a-z]{2,}|^[A-Z][a-z]+$", text):
            yield text
        found += ast.iter_child_nodes(node)


def is_text(node: ast.AST) -> bool:
    """Return whether a part of an f-string is written out."""
    return isinstance(node, ast.Constant)


def unmarked_in_template(text: str) -> list[str]:
    """Return the words of a template that are in no tag, and no name of a class."""
    text = re.sub("(?s){% blocktranslate.*?{% endblocktranslate %}", "", text)
    text = re.sub("{% block bodyclass %}.*?{% endblock %}", "", text)
    text = re.sub("(?s){%.*?%}|{{.*?}}", "", text)
    text = re.sub(r"(?s)<(code|pre)>.*?</\1>|<[^>]*>|&\w+;", " ", text)
    return re.findall("[A-Za-z]{3,}", text)


def _messages(compiled: bytes) -> dict[Any, str]:
    """Return the texts of a catalogue by msgid, without contexts; a plural's once for each form."""
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

    pages = [f"/de{path}", f"/de{path}ticket/1/state/", f"/de{path}certificate/", "/de/log/"]
    read = [text_of(visitor().get(page)) for page in pages]

    for said, text in zip(
        ("abgesagt. ", "abgesagt. ", "Grund ", "Begründung: "), read, strict=True
    ):
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
