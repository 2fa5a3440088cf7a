"""What the documents tell people to write runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.core.management import BaseCommand, get_commands, load_command_class
from django.urls import resolve

from raffles.management.walkthrough import served
from rafflesite.tests.documents import DOCUMENTS, ROOT

pytestmark = pytest.mark.bare

BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
MANAGE = re.compile(r"manage\.py ([a-z_]+)((?: [^`\n#]*)?)")
TABLE = re.compile(r"^\| (\w+) (.*)$")
# What stands for the reader's own, in commands that are read and not run.
OWN = {
    "RAFFLE|FILE": "proof.json",
    "ip:…": "ip:203.0.113.7",
    "UUID": "9d3a4c5e-0000-4000-8000-000000000000",
}
# As `make run` serves it. Everything of the site that answers with a problem stops the script.
CURL = """
set -euo pipefail
curl() { command curl -sS --max-time 20 --fail-with-body "$@"; }
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
"""


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(document: Path) -> set[str]:
    """Return what a link into a document can name, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    lost = []
    for path, anchor in LINK.findall(document.read_text()):
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


def test_the_book_has_every_document() -> None:
    """In its reading order; README of the folder is it."""
    book = ROOT / "docs" / "README.md"
    named = {path for path, _ in LINK.findall(book.read_text())}
    documents = {each.name for each in book.parent.glob("*.md")} - {"README.md"}
    assert documents - named == set()


def for_a_shell(text: str) -> Iterator[str]:
    """Yield what a document has for a shell to run: whole blocks, and the code of its tables."""
    for part in re.split(rf"({BLOCK.pattern})|\n", text, flags=re.MULTILINE):
        if part is None:
            continue
        if part.startswith("    "):
            lines = [line[4:] for line in part.splitlines()]
            if lines[0].startswith(("URL=", "curl", "get()")):
                yield "\n".join(lines)
        elif part.startswith("| "):
            yield from (code.replace(r"\|", "|") for code in CODE.findall(part) if "$" in code)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_lines_of_the_readme_and_of_events_run_from_top_to_bottom(
    tmp_path: Path, settings: LazySettings
) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    settings.MANAGER_IPS, settings.ALLOWED_HOSTS = ["127.0.0.1"], ["127.0.0.1"]
    with served() as port:
        site = f"http://127.0.0.1:{port}"
        lines = [CURL, f"SITE={site}"]
        for name in ("README.md", "docs/events.md"):
            lines += for_a_shell((ROOT / name).read_text())
        script = "\n".join(lines).replace("http://127.0.0.1:8000", site)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    assert len(lines) > 30
    assert "verify.py: OK" in done.stdout
    assert "\nVALID, randomness vouched for by the operator only" in done.stdout
    assert '"replaced_by"' in done.stdout
    assert '"winners"' not in (tmp_path / "statements").read_text()
    assert (tmp_path / "leaves.bin").stat().st_size == 3 * 32


def manage_lines() -> list[tuple[str, str]]:
    """Return the commands of `manage.py` that the documents name, with their arguments."""
    found = []
    for document in DOCUMENTS:
        if document.name == "staff-accounts.md" and not settings.HAS_ACCOUNTS:
            continue  # its commands come with an optional extra
        text = document.read_text()
        code = "\n".join([*CODE.findall(text), *BLOCK.findall(text)])
        found += MANAGE.findall(code)
    names = get_commands()
    for line in (ROOT / "README.md").read_text().splitlines():
        if (row := re.match(r"\| `(\w+)([^`]*)`", line)) and row[1] in names:
            found.append((row[1], row[2].replace(r"\|", "|")))
    return sorted({(name, more.strip()) for name, more in found})


@pytest.mark.parametrize(("name", "more"), manage_lines())
def test_command_of_the_documents_takes_its_arguments(name: str, more: str) -> None:
    app = get_commands()[name]
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)

    arguments = [OWN.get(word, word) for word in shlex.split(more)]
    if not arguments:  # named in a sentence
        return
    command.create_parser("manage.py", name).parse_args(arguments)


def test_addresses_of_the_documents_lead_somewhere() -> None:
    place = re.compile(r"https://draws\.example\.org(/[\w<>./-]*)")
    found = {path for document in DOCUMENTS for path in place.findall(document.read_text())}
    raffle = "9d3a4c5e-0000-4000-8000-000000000000"
    for path in found - {"/"}:
        if "..." in path:  # where the reader's own follows
            continue
        resolve(path.replace("<id>", raffle).replace("<slug>", "daily"))
    assert len(found) > 2


def test_options_of_the_verifier_that_the_documents_name_exist() -> None:
    verifier = ROOT / "raffles" / "fairness" / "verify.py"
    usage = subprocess.run(
        [sys.executable, verifier, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200"},
    ).stdout
    for document in DOCUMENTS:
        for line in re.findall(r"verify\.py proof\.json((?:[^`\n]|\n +--)*)", document.read_text()):
            for option in re.findall(r"--[a-z]+", line):
                assert option in usage, (document.name, option)
