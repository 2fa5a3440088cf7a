"""Every block of the documents that people copy is run, or says why it is not.

README and events are played as one story by `test_documents`; all others here, beside one server.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.conf import LazySettings
from django.conf import settings as site_settings
from django.db import connection
from django.urls import resolve
from standardwebhooks import Webhook

from benchmarks.__main__ import NAMES
from raffles.fairness import verify
from raffles.management.walkthrough import Client, served
from raffles.tests.fairness.draw_vectors import CASES
from raffles.tests.serving import database_url, free_port, running
from raffles.web.environment import items
from rafflesite.tests.documents import DOCUMENTS, REASONS, ROOT, Block, blocks
from rafflesite.tests.test_documents import CURL

pytestmark = [pytest.mark.bare, pytest.mark.slow]

BLOCKS = list(blocks())
TOLD = ("README.md", "docs/events.md")  # by test_documents
PUBLIC = "https://draws.example.org"
# What stands for the reader's own.
OWN = {
    "61b9...0c": "f1" * 32,
    "90b3...4d": "f2" * 32,
    "; shop.example ...": "",
    "CLIENT_SECRET=…": "CLIENT_SECRET=secret",
}
LIST = {
    "name": "Club",
    "total_tickets": 200,
    "prizes": [{"name": "Cup", "amount": 1}],
    "tickets_per_holder": 2,
    "rules": "Whoever is of age.",
}
EVENT = {
    "name": "Luck",
    "start_date": "2030-01-31",
    "draw_time": "08:00",
    "time_zone": "UTC",
    "frequency": "daily",
    "max_participants": 9,
    "tickets_per_holder": 2,
    "default_reward": {"name": "Tea", "amount": 1},
}


def of_kind(kind: str) -> list[Block]:
    """Return the blocks of a kind that are run here."""
    here = [each for each in BLOCKS if each.kind == kind and not each.reason]
    return [each for each in here if each.document not in TOLD or kind in ("request", "answer")]


def own(text: str) -> str:
    """Return a text with the reader's own words in it."""
    for theirs, ours in OWN.items():
        text = text.replace(theirs, ours)
    return text


@pytest.fixture
def machine(tmp_path: Path, settings: LazySettings) -> Iterator[Path]:
    """Yield the folder that the documents call /srv/raffles, in whose shells commands run."""
    folder = tmp_path / "srv"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") or entry.name == ".env.example":
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".env").touch()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
            "ENV_FILE": str(folder / ".env"),
            "DATABASE_URL": database_url(),
            "REDIS_URL": os.environ.get("REDIS_URL", ""),
            "DRAW_ENTROPY": "system",
            "SECRET_KEY": "not a secret of anybody, but as long as one has to be",
            "TICKET_KEY": settings.TICKET_KEYS[0].hex(),
            "RECEIPT_KEY": settings.RECEIPT_SEEDS[0].hex(),
        }.items():
            patch.setenv(name, value)
        yield folder


def in_a_shell(folder: Path, script: str) -> str:
    """Run a script of bash there, and return what it printed."""
    manage = f'manage.py() {{ {sys.prefix}/bin/python manage.py "$@"; }}'
    anybody = 'runuser() { shift 3; "$@"; }'
    done = subprocess.run(
        ["bash", "-c", f"{CURL}{manage}\n{anybody}\n{script}".replace("/srv/raffles", str(folder))],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_block_is_run_or_says_why_not(document: Path) -> None:
    here = [each for each in BLOCKS if each.document == str(document.relative_to(ROOT))]
    # None hides behind a heading.
    assert not re.search(r"^#.*\n {4}", document.read_text(), re.MULTILINE)
    assert [each for each in here if not each.reason and not each.kind] == []
    assert {each.reason for each in here} <= REASONS | {""}
    if document.relative_to(ROOT).as_posix() in TOLD:
        assert {each.kind for each in here if not each.reason} <= {
            "shell",
            "request",
            "answer",
        }


def test_documents_run_the_site_s_commands_as_its_user() -> None:
    """Or by cron, in a container, or by the word for it: the site cannot write what root makes."""
    ways = r"\* raffles cd .*|(runuser -u raffles -- \.venv/bin/|exec web )python manage\.py"
    for document in sorted((ROOT / "docs").glob("*.md")):
        assert "python manage.py" not in re.sub(ways, "", document.read_text()), document.name


def test_a_block_that_is_not_run_can_be_read() -> None:
    """By the shell, and by the tool that it belongs to."""
    kept = [each for each in BLOCKS if each.reason and each.kind == "shell"]
    assert len(kept) >= 6
    for block in kept:
        subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
        for line in block.text.replace("\\\n", "").splitlines():
            program, *words = shlex.split(line, comments=True) or [""]
            if program == "make":
                subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, capture_output=True)
            elif words[:2] == ["-m", "benchmarks"]:
                assert {word for word in words[2:] if not word.startswith("-")} <= set(NAMES)
            for file in re.findall(r"-r (\S+)", line):
                assert (ROOT / file).exists()


# Past a pooler: what pg_dump sets for its session would come to the commands after it.
@pytest.mark.usefixtures("unpooled")
def test_commands_run_as_they_stand(machine: Path, settings: LazySettings) -> None:
    """Beside a site, in the order of the documents, with files that a participant has kept."""
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    settings.MANAGER_IPS, settings.ALLOWED_HOSTS = ["127.0.0.1"], ["127.0.0.1"]
    keep_files(machine)
    (machine / "entrants.csv").write_text("holder,name\nA-17,Ann\nA-18,Bea\nA-19,Cy\nA-20,Di\n")
    with served() as port:
        client, site = Client(port), f"http://127.0.0.1:{port}"
        _, raffle = client.call("POST", "/raffles/", LIST)
        client.call("POST", "/events/", {**EVENT, "slug": "luck"})
        theirs = {
            PUBLIC: site,
            "<id>": raffle["id"],
            "<slug>": "luck",
            "<hash>": raffle["rules_hash"],
        }
        cron = (ROOT / "deploy/cron.d/raffles").read_text()
        draw = cron.partition("* * * * * raffles ")[2].partition("\n")[0] + "\n"
        script = draw
        for block in of_kind("shell"):
            text = block.text
            for word, ours in theirs.items():
                text = text.replace(word, ours)
            if "pg_dump" in text:
                text = text.replace("custom raffles", f"custom {database_url()}")
                if connection.vendor != "postgresql" or not shutil.which("pg_dump"):
                    continue
            # Minutes after the first run, on a machine that is busy.
            script += draw + text if "check_draws" in text else text
        said = in_a_shell(machine, script)

    assert "VALID, the only seal, witnessed before the randomness by 1 of 1" in said
    assert "Our log, as a witness of it names it in WITNESS_LOGS:" in said
    assert re.search(r"^WITNESS_KEY=[0-9a-f]{64}$", (machine / ".env").read_text(), re.MULTILINE)
    assert len(list(machine.glob("*/winners.csv"))) == 1


def keep_files(folder: Path) -> None:
    """Put the files beside `verify.py` that its command names."""
    case = next(case for case in CASES if case.name == "all-files")
    command = next(each for each in of_kind("shell") if "verify.py" in each.text)
    _, _, proof, *options = shlex.split(command.text.replace("\\\n", ""))
    kept = dict(zip(options[1::2], options[::2], strict=True)) | {proof: "--proof"}
    for name, option in kept.items():
        (folder / name).write_bytes(case.files[option.removeprefix("--")])
    (folder / "verify.py").symlink_to(verify.__file__)


@pytest.mark.django_db(transaction=True)
def test_consoles_show_what_is_printed(machine: Path) -> None:
    key = next(each for each in of_kind("shell") if "WITNESS_KEY" in each.text)
    for block in of_kind("console"):
        command, *expected = block.text.splitlines()
        said = in_a_shell(machine, key.text + command.removeprefix("$ "))
        shape = re.escape("\n".join(expected))
        for theirs in (r"draws\\\.b\\\.example", r"[0-9a-f]+(\\\.){3}[0-9a-f]+"):
            shape = re.sub(theirs, r"[\\w./:-]+", shape)
        assert re.search(shape.replace(r"https://", "https?://"), said), said


def test_settings_are_taken(machine: Path) -> None:
    lines = [
        own(block.text)
        for block in of_kind("settings")
        if "staff-accounts" not in block.document or site_settings.HAS_ACCOUNTS
    ]
    assert len(lines) >= 3
    (machine / ".env").write_text("".join(lines))
    in_a_shell(machine, "manage.py check --fail-level WARNING")


def exchanges() -> Iterator[tuple[str, str, Any, int, dict[str, Any]]]:
    """Yield method, path and body of each request, and status and body of its answer."""
    pending = ""
    for block in BLOCKS:
        if block.kind not in ("request", "answer") or block.reason:
            continue
        pending += block.text
        asked, found, answer = pending.partition("\n20")
        if not found:
            continue
        method, path, body = asked.split(maxsplit=2)
        told = re.sub(r", …|…(?=[]}])", "", own(answer).replace(": …", ": null"))
        status, expected = f"20{told}".split(" ", 1)
        yield method, path, json.loads(body), int(status), json.loads(expected)
        pending = ""


@pytest.mark.django_db(transaction=True)
def test_requests_and_frames_are_answered(settings: LazySettings) -> None:
    settings.MANAGER_IPS, settings.ALLOWED_HOSTS = ["127.0.0.1"], ["127.0.0.1"]
    embedding = next(each for each in of_kind("settings") if "EMBED_ORIGINS" in each.text)
    origins = settings.EMBED_ORIGINS = items(embedding.text.partition("=")[2].strip())
    with served() as port:
        client = Client(port)
        _, raffle = client.call("POST", "/raffles/", LIST)
        client.call("POST", "/events/", {**EVENT, "slug": "morning-luck"})
        raffles = {"entries": raffle}
        for asked, entry in (("participate", "email"), ("invitations", "invitation")):
            wanted = LIST | {"entry": entry, "tickets_per_holder": 1}
            _, raffles[asked] = client.call("POST", "/raffles/", wanted)
        for method, address, body, status, told in exchanges():
            asked = address.rstrip("/").rpartition("/")[2]
            path = address.replace("<id>", raffles[asked]["id"]).replace("<slug>", "morning-luck")
            came = client.call(method, path, body)
            assert (came[0], came[1].keys()) == (status, told.keys()), came
            for name, rows in told.items():
                if isinstance(rows, list):
                    assert came[1][name][0].keys() == rows[0].keys()
        for frame in of_kind("frame"):
            [source] = re.findall(r'src="([^"]+)"', frame.text)
            address = re.sub(r"(?<=/r/)[0-9a-f-]{36}", raffle["id"], source)
            with urlopen(address.replace(PUBLIC, f"http://127.0.0.1:{port}")) as answered:
                policy = answered.headers["Content-Security-Policy"]
                assert f"frame-ancestors {' '.join(origins)}" in policy
    for place in of_kind("address"):
        resolve(place.text.strip().removeprefix(PUBLIC))


def test_receiver_of_webhooks_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    [block] = of_kind("python")
    port, secret = free_port(), "whsec_Ynl0ZXM="
    receiver = tmp_path / "receiver.py"
    receiver.write_text(
        block.text.replace("whsec_...", secret).replace('("", 8080)', f'("127.0.0.1", {port})')
    )
    body = json.dumps({"type": "draw.drawn", "data": {}})
    now = datetime.now(tz=UTC)
    with running([sys.executable, str(receiver)], port):
        statuses = []
        for signed in (body, body.replace("drawn", "voided")):
            headers = {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Webhook(secret).sign("msg_1", now, body),
            }
            asking = HTTPConnection("127.0.0.1", port, timeout=20)
            asking.request("POST", "/", signed, headers)
            statuses.append(asking.getresponse().status)
    assert statuses == [204, 400]
