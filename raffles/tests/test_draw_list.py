"""manage.py draw_list: from a spreadsheet to a certificate, as a stranger would use it."""

from __future__ import annotations

import csv
import subprocess
import sys
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import time_machine
from django.core.management import CommandError, call_command
from pytest_django import Settings

from raffles.fairness import verify
from raffles.fairness.verify import time_of_round
from raffles.management.commands import draw_list
from raffles.models import Raffle, Ticket
from raffles.tests.fairness.relay import Relay

pytestmark = pytest.mark.django_db

FILES = ["certificate.html", "evidence-{}.zip", "proof.json", "winners.csv"]


@pytest.fixture(autouse=True)
def lasting(settings: Settings) -> None:
    settings.EPHEMERAL_SECRETS = frozenset()


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


def test_a_dry_run_leaves_nothing(tmp_path: Path) -> None:
    said = run(table(tmp_path), "--dry-run")
    assert said == "200 entrants and no bad line; nothing was entered.\n"
    assert Raffle.objects.count() == 0


def test_what_cannot_be_is_told(tmp_path: Path, settings: Settings) -> None:
    path = table(tmp_path)
    for argument, sentence in (
        ("--prizes=201 Mug", "Too many prizes"),
        ("--column=holder=numbr", "1 bad line; nothing"),
        ("--prizes=Phone", "Write a number and a name"),
        ("--column=email=E-mail", "Write holder="),
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
