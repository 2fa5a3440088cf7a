"""`manage.py import_rewards`: every line of a table, or none."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from events.models import Reward

from .acting import DRAW, NOW, at, manage, scheduled, taken

pytestmark = pytest.mark.django_db
GOOD = "date,name,amount\n2026-02-10,Phone,1\n2026-02-11,Washing Machine,2\n"


def load(tmp_path: Path, text: str, *options: str, encoding: str = "utf-8") -> tuple[str, str]:
    """Imports a file; returns what was written, and each bad line with why it failed."""
    file = tmp_path / "rewards.csv"
    file.write_text(text, encoding=encoding, newline="")
    out, err = StringIO(), StringIO()
    with at(NOW):
        try:
            call_command(
                *("import_rewards", str(file), "--event=breakfast", *options),
                stdout=out,
                stderr=err,
            )
        except CommandError as error:
            return str(error), err.getvalue()
    return out.getvalue(), err.getvalue()


def rewards() -> list[tuple[str, str, int]]:
    return [(r.date.isoformat(), r.reward_name, r.reward_amount) for r in Reward.objects.all()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_all_lines_are_set(tmp_path: Path, encoding: str) -> None:
    scheduled()
    assert load(tmp_path, GOOD, encoding=encoding) == ("2 rewards set.\n", "")
    assert rewards() == [("2026-02-10", "Phone", 1), ("2026-02-11", "Washing Machine", 2)]
    # Again, with another amount: rewards are replaced.
    load(tmp_path, GOOD.replace("Phone,1", "Phone,3"))
    assert rewards()[0] == ("2026-02-10", "Phone", 3)


def test_a_dry_run_sets_nothing(tmp_path: Path) -> None:
    scheduled()
    assert load(tmp_path, GOOD, "--dry-run") == ("2 rewards would be set.\n", "")
    assert rewards() == []


def test_every_bad_line_is_told_and_nothing_is_set(tmp_path: Path) -> None:
    scheduled(frequency="weekly")
    taken("alice")
    text = (
        "date,name,amount\n"
        "2026-02-17,Fine,1\n"
        "2026-02-10,Has tickets,1\n"
        "2026-02-18,Not a Tuesday,1\n"
        "2026-02-24,Too many,4\n"
        "2026-02-17,Twice,1\n"
        "17.2.2026,Date,1\n"
        "2026-03-03,,1\n"
        "2026-03-03,Amount,1.5\n"
        "2026-03-03,Amount,0\n"
        "2026-03-03,Few\n"
        "2026-03-03,Many,1,1\n"
        '2026-03-03,"a\u202eb",1\n'
    )
    assert load(tmp_path, text)[0] == "11 bad lines; nothing was set."
    assert load(tmp_path, text)[1] == (
        "line 3: The date has tickets or is over, so its reward can't be changed\n"
        "line 4: The event has no coming draw on this date\n"
        "line 5: A reward's amount can't be larger than max_participants\n"
        "line 6: this date is in the file already\n"
        "line 7: date: write a date such as 2030-01-31\n"
        "line 8: name: At least one visible character is needed.\n"
        "line 9: amount: write a number from 1 to 100000\n"
        "line 10: amount: write a number from 1 to 100000\n"
        "line 11: 3 values are needed\n"
        "line 12: 3 values are needed\n"
        "line 13: name: Control, bidirectional and zero-width characters are not allowed.\n"
    )
    assert rewards() == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: the columns must be date,name,amount\n"),
        ("day,name,amount\n", "line 1: the columns must be date,name,amount\n"),
        ('date,name,amount\n2026-02-10,"Phone,1\n', "line 2: unexpected end of data\n"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, fault: str) -> None:
    scheduled()
    assert load(tmp_path, text) == ("1 bad lines; nothing was set.", fault)


def test_usage_is_2(tmp_path: Path) -> None:
    scheduled()
    (tmp_path / "latin.csv").write_bytes("date,name,amount\n2026-02-10,Café,1".encode("latin-1"))
    for file, event in (
        ("nowhere.csv", "breakfast"),
        ("latin.csv", "breakfast"),
        (".", "breakfast"),
        ("latin.csv", "nowhere"),
    ):
        with pytest.raises(CommandError) as refusal:
            call_command("import_rewards", str(tmp_path / file), f"--event={event}")
        assert refusal.value.returncode == 2


def test_an_imported_reward_is_drawn(tmp_path: Path) -> None:
    scheduled()
    load(tmp_path, GOOD)
    taken("alice")
    with at(DRAW):
        call_command("draw_winners", verbosity=0)
    with at(DRAW):
        (winner,) = manage("get", "/events/winners/", now=DRAW).json()
    assert winner["reward"] == "Phone"
