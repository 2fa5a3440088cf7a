"""manage.py draw_list: from a spreadsheet to a certificate, as a stranger would use it."""

from __future__ import annotations

import csv
import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from raffles.fairness import verify
from raffles.fairness.verify import time_of_round
from raffles.management.commands import draw_list
from raffles.models import LogEntry, Raffle, Ticket
from raffles.tests.fairness.relay import Relay

pytestmark = pytest.mark.django_db

FILES = ["certificate.html", "evidence-{}.zip", "proof.json", "winners.csv"]


@pytest.fixture(autouse=True)
def lasting(settings: Settings) -> None:
    settings.EPHEMERAL_SECRETS = frozenset()


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand elsewhere: without --out a draw is written to where one stands."""
    monkeypatch.chdir(tmp_path)


def table(folder: Path, *changed: tuple[int, str]) -> Path:
    """Write a table of 200 lines under its heading, some of them changed, as Excel would."""
    lines = ["Number;Name;Town", *(f"K-{n};Zoë {n};Köln" for n in range(2, 202))]
    for number, line in changed:
        lines[number - 1] = line
    path = folder / "Spring fair.csv"
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    return path


def run(path: Path, *arguments: object, err: StringIO | None = None) -> str:
    """Draw the list with what a later argument does not say otherwise; return what was told."""
    out = StringIO()
    usual = ("--prizes=1 Phone, 3 Mug", "--alternates=5", "--column=holder=number")
    call_command("draw_list", path, *usual, *arguments, stdout=out, stderr=err or StringIO())
    return out.getvalue()


def test_two_bad_lines_are_named_and_the_mended_table_is_drawn(tmp_path: Path) -> None:
    bad = table(tmp_path, (51, "k-7;Twice;Bonn"), (121, ";Nobody;Bonn"))
    err = StringIO()
    with pytest.raises(CommandError, match="2 bad lines; nothing was entered"):
        run(bad, err=err)
    assert err.getvalue().splitlines() == [
        "Read as Windows-1252, since it is not UTF-8.",
        "line 51: the same holder as line 7",
        "line 121: holder: it is empty",
    ]
    assert Raffle.objects.count() == 0

    folder = tmp_path / "drawn"
    said = run(table(tmp_path), "--out", folder)
    raffle = Raffle.objects.get()
    assert (raffle.name, raffle.state, raffle.tickets.count()) == ("Spring fair", "drawn", 200)
    assert "VALID, randomness vouched for by the operator only" in said
    assert sorted(path.name for path in folder.iterdir()) == [
        name.format(raffle.uuid) for name in FILES
    ]
    with (folder / "winners.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["prize"] for row in rows] == ["Phone", "Mug", "Mug", "Mug", "", "", "", "", ""]
    assert len({row["holder"] for row in rows}) == 9
    for row, winner in zip(rows, raffle.winners.order_by("rank"), strict=True):
        assert int(row["ticket number"]) == winner.ticket_number()
        assert (row["holder"], row["name"]) == (f"K-{row['line']}", f"Zoë {row['line']}")
        assert winner.slot == int(row["line"]) - 2
    page = (folder / "certificate.html").read_text()
    assert "Spring fair" in page
    assert ".certificate" in page  # its styles are in it
    assert not {"<link", "<script", "src="} & set(page.split())
    assert "Zoë" not in page
    with ZipFile(folder / f"evidence-{raffle.uuid}.zip") as evidence:
        assert evidence.read("proof.json") == (folder / "proof.json").read_bytes()
    command = [sys.executable, "-I", verify.__file__, str(folder / "proof.json")]
    checked = subprocess.run(command, check=True, capture_output=True).stdout
    assert checked.splitlines()[-1] == (b"VALID, randomness vouched for by the operator only")


def test_the_same_command_again_writes_the_same(tmp_path: Path) -> None:
    path, folder = table(tmp_path), tmp_path / "drawn"
    run(path, "--out", folder, "--names=full")
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert "Zoë" in before["certificate.html"].decode()
    run(path, "--out", folder, "--names=full")
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
    with pytest.raises(CommandError, match="is not empty"):
        run(path, "--out", folder, "--name=Another")
    assert (Raffle.objects.count(), Ticket.objects.count()) == (1, 200)


def test_personal_links_are_written_only_when_asked_for_and_for_nobody_else(
    tmp_path: Path,
) -> None:
    path, folder = table(tmp_path), tmp_path / "links"
    said = run(path, "--out", folder, "--links", "--no-draw")
    assert f"{folder}/entries.csv has links to http://testserver; it is secret." in said
    raffle = Raffle.objects.get()
    assert (raffle.state, raffle.tickets.count()) == ("open", 200)
    assert [each.name for each in folder.iterdir()] == ["entries.csv"]
    secret = folder / "entries.csv"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    before = secret.read_bytes()
    rows = list(csv.DictReader(StringIO(before.decode("utf-8-sig"), newline="")))
    assert [row["holder"] for row in rows] == [f"K-{n}" for n in range(2, 202)]
    assert rows[0]["link"] == (
        f"http://testserver/r/{raffle.uuid}/ticket/#{rows[0]['number']}.{rows[0]['code']}"
    )
    killed = folder / "entries.csv.part"  # by a run that anybody could read
    killed.write_text("half")
    assert "VALID" in run(path, "--out", folder, "--links")
    assert (secret.read_bytes(), stat.S_IMODE(secret.stat().st_mode)) == (before, 0o600)
    assert not killed.exists()
    assert LogEntry.objects.filter(action="links.exported").count() == 2
    assert {each.name for each in folder.iterdir()} == {
        "entries.csv",
        *(name.format(raffle.uuid) for name in FILES),
    }


def test_a_dry_run_leaves_nothing(tmp_path: Path) -> None:
    said = run(table(tmp_path), "--dry-run")
    assert said == "200 entrants and no bad line; nothing was entered.\n"
    assert Raffle.objects.count() == 0


def test_entrants_may_have_several_tickets(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Customer,tickets,channel\na,5,paid\nb,,postal\nc,2,paid\n")
    column = "--column=holder=Customer"
    err = StringIO()
    with pytest.raises(CommandError, match="1 bad line"):
        run(path, column, "--tickets-per-holder=4", err=err)
    assert err.getvalue() == "line 2: tickets: at most 4 for a holder\n"
    dry = run(path, column, "--prizes=2 Mug", "--dry-run")
    assert (
        dry == "3 entrants with 8 tickets, 5 at the most, and no bad line; nothing was entered.\n"
    )

    folder = tmp_path / "drawn"
    run(path, column, "--prizes=2 Mug", "--max-wins-per-holder=1", "--out", folder)
    raffle = Raffle.objects.get()
    assert (raffle.total_tickets, raffle.tickets_per_holder, raffle.max_wins_per_holder) == (
        8,
        5,
        1,
    )
    with (folder / "winners.csv").open(encoding="utf-8-sig", newline="") as file:
        assert sorted(row["holder"] for row in csv.DictReader(file)) == ["a", "b", "c"]
    proof = json.loads((folder / "proof.json").read_text())
    assert (len(proof["winners"]), len(proof["skipped"])) == (3, 5)


def test_what_cannot_be_is_told(tmp_path: Path, settings: Settings) -> None:
    path = table(tmp_path)
    for argument, sentence in (
        ("--prizes=201 Mug", "Too many prizes"),
        ("--column=holder=numbr", "1 bad line; nothing"),
        ("--prizes=Phone", "Write a number and a name"),
        ("--column=email=E-mail", "Write holder="),
        ("--tickets-per-holder=two", "Write a number from 0"),
        ("--max-wins-per-holder=1000001", "Write a number from 0"),
    ):
        with pytest.raises(CommandError, match=sentence):
            run(path, argument)
    with pytest.raises(CommandError, match="No such file"):
        run(tmp_path / "none.csv")
    settings.EPHEMERAL_SECRETS = frozenset({"TICKET_KEY"})
    with pytest.raises(CommandError, match="Set TICKET_KEY first"):
        run(path)
    assert Raffle.objects.count() == 0


def test_a_list_waits_for_the_beacon_and_goes_on_later(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw_list, "_WAITS", 0.0)
    path, folder = table(tmp_path), tmp_path / "drawn"
    with Relay() as relay, time_machine.travel(time_of_round(42) - 60, tick=False) as clock:
        settings.DRAND_RELAYS = [relay.url]
        with pytest.raises(CommandError, match="Sealed for round 42") as waits:
            run(path, "--entropy=drand", "--out", folder)
        assert (waits.value.returncode, Raffle.objects.get().state) == (75, "sealed")
        clock.shift(61)
        assert "VALID" in run(path, "--entropy=drand", "--out", folder)
    assert Raffle.objects.get().state == "drawn"
    assert len(list(folder.iterdir())) == 4


def test_rules_are_in_the_terms_of_what_is_drawn(tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_bytes("\ufeffOne ticket for each order.\r\nFrom 18 years on.\r\n".encode())
    text = "One ticket for each order.\nFrom 18 years on.\n"
    folder = tmp_path / "drawn"
    run(table(tmp_path), "--rules", rules, "--out", folder)
    proof = json.loads((folder / "proof.json").read_text())
    digest = sha256(text.encode()).hexdigest()
    assert proof["commitment"]["terms"]["rules_hash"] == digest
    assert f"/rules/{digest}.txt" in (folder / "certificate.html").read_text()
    with ZipFile(folder / f"evidence-{Raffle.objects.get().uuid}.zip") as evidence:
        assert evidence.read("rules.txt").decode() == text
    run(table(tmp_path), "--rules", rules)  # again, into a folder of its own
    assert Raffle.objects.count() == 1
    run(table(tmp_path), "--out", tmp_path / "other")
    assert sorted(Raffle.objects.values_list("rules_hash", flat=True)) == ["", digest]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_entered(tmp_path: Path) -> None:
    file = table(tmp_path)
    for folder in (file / "there", Path("/proc/there")):
        with pytest.raises(CommandError, match=str(folder)) as refused:
            run(file, "--out", folder)
        assert refused.value.returncode == 2
    new = tmp_path / "new"
    with pytest.raises(CommandError, match="1 bad line"):
        run(table(tmp_path, (51, "k-7;Twice;Bonn")), "--out", new)
    assert not new.exists()
    assert not Raffle.objects.exists()


def test_a_file_whose_name_cannot_be_the_raffles_asks_for_another(tmp_path: Path) -> None:
    odd = table(tmp_path).rename(tmp_path / "bad\u202ename.csv")
    with pytest.raises(CommandError, match="--name"):
        run(odd)
    assert "VALID" in run(odd, "--name=Good name")


@pytest.mark.django_db(transaction=True)
def test_twice_at_once_each_file_is_whole_whenever_it_is_there(tmp_path: Path) -> None:
    file, folder = table(tmp_path), tmp_path / "out"
    whole = run(file, "--out", folder, "--links") and (folder / "entries.csv").read_bytes()
    seen = set()

    def again() -> None:
        try:
            for _ in range(3):
                run(file, "--out", folder, "--links")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(again) for _ in range(2)]
        while not all(each.done() for each in runs):
            seen.add((folder / "entries.csv").read_bytes())
    for each in runs:
        each.result()
    assert seen == {whole}
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("option", ["--rules", "--out", "the list"])
def test_a_name_that_is_empty_is_asked_for(tmp_path: Path, option: str) -> None:
    words = ("",) if option == "the list" else (table(tmp_path), option, "")
    with pytest.raises(CommandError, match=r"Write a name; this is empty\."):
        run(*words)
    assert not Raffle.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory."),
        (b"\xff\xfe", "is not UTF-8."),
        (b" \r\n", "is empty."),
        ("a\n\u202eb".encode(), "Line 2: Control, bidirectional"),
        (b"x" * 50_001, "At most 50,000 characters."),
    ],
)
def test_rules_that_cannot_be_kept_are_told_before_anything_is_entered(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    rules = tmp_path / "rules.txt"
    if content is not None:
        rules.write_bytes(content)
    with pytest.raises(CommandError, match=f"rules.txt:? {said}"):
        run(table(tmp_path), "--rules", rules)
    assert not Raffle.objects.exists()
