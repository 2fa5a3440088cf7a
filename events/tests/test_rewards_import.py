"""`manage.py import_rewards`: every line of a table, or none."""

from __future__ import annotations

import re
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from events.domain.rewards_import import import_rewards, rewards_table
from events.models import Event, Reward
from events.tests.acting import DRAW, NOW, at, manage, scheduled, taken
from raffles.models import LogEntry

pytestmark = pytest.mark.django_db
GOOD = "date,name,amount\n2026-02-10,Phone,1\n2026-02-11,Washing Machine,2\n"


def load(tmp_path: Path, text: str, *options: str, encoding: str = "utf-8") -> tuple[str, str]:
    """Import a file; return what was written, and each bad line with why it failed."""
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
    assert load(tmp_path, GOOD, encoding=encoding) == ("2 rewards set, 3 prizes.\n", "")
    assert rewards() == [("2026-02-10", "Phone", 1), ("2026-02-11", "Washing Machine", 2)]
    # Again, with another amount: rewards are replaced.
    load(tmp_path, GOOD.replace("Phone,1", "Phone,3"))
    assert rewards()[0] == ("2026-02-10", "Phone", 3)


def test_a_dry_run_sets_nothing(tmp_path: Path) -> None:
    scheduled()
    assert load(tmp_path, GOOD, "--dry-run") == ("2 rewards would be set, 3 prizes.\n", "")
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
        "17.2.26,Date,1\n"
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
        "line 6: this date is in the table already\n"
        "line 7: date (A7): write a date such as 2030-01-31\n"
        "line 8: name (B8): At least one visible character is needed.\n"
        "line 9: amount (C9): write a number from 1 to 100000\n"
        "line 10: amount (C10): write a number from 1 to 100000\n"
        "line 11: 3 values are needed\n"
        "line 12: 3 values are needed\n"
        "line 13: name (B13): Control, bidirectional and zero-width characters are not allowed.\n"
    )
    assert rewards() == []


COLUMNS = "line 1: the columns must be date,name,amount, and may be description,picture\n"
OPEN = "line 2: this is not CSV (unexpected end of data); is a quotation mark left open?\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", COLUMNS),
        ("day,name,amount\n", COLUMNS),
        ("date,name,amount,name\n2026-02-10,Phone,1,Phone\n", COLUMNS),
        ("date,name\n2026-02-10,Phone\n", COLUMNS),
        ('date,name,amount\n2026-02-10,"Phone,1\n', OPEN),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, fault: str) -> None:
    scheduled()
    assert load(tmp_path, text) == ("1 bad lines; nothing was set.", fault)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\n,,\n\n"),
        GOOD.replace("date,name", " Date , NAME "),
        "amount,name,date\n1,Phone,2026-02-10\n2, Washing Machine ,2026-02-11",
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, text: str) -> None:
    scheduled()
    assert load(tmp_path, text) == ("2 rewards set, 3 prizes.\n", "")
    assert rewards() == [("2026-02-10", "Phone", 1), ("2026-02-11", "Washing Machine", 2)]


def test_how_dates_with_slashes_are_meant_is_said_once(tmp_path: Path) -> None:
    scheduled()
    text = "date,name,amount\n10/02/2026,Phone,1\n"
    unclear = "line 2: date (A2): is the day or the month first? Choose it, or write 2030-01-31\n"
    assert load(tmp_path, text) == ("1 bad lines; nothing was set.", unclear)
    assert load(tmp_path, text, "--dates=day-first") == ("1 rewards set, 1 prizes.\n", "")
    assert rewards() == [("2026-02-10", "Phone", 1)]
    # No month has the number 13, so nobody need say it.
    assert load(tmp_path, text + "13/02/2026,Cup,1\n")[0] == "2 rewards set, 2 prizes.\n"


def test_what_is_not_utf_8_is_said(tmp_path: Path) -> None:
    scheduled()
    text = GOOD.replace("Phone", "Café")
    said = "Read as Windows-1252, since it is not UTF-8.\n"
    assert load(tmp_path, text, encoding="cp1252") == ("2 rewards set, 3 prizes.\n", said)
    assert rewards()[0] == ("2026-02-10", "Café", 1)


def test_coming_rewards_are_a_table_that_changes_nothing(tmp_path: Path) -> None:
    event_pk = scheduled()["id"]
    names = ["=1+1", "a;=b", "two  spaces", 'quo"ted, and', "-5"]
    for n, name in enumerate(names):
        load(
            tmp_path,
            "date,name,amount\n" + f'2026-02-{10 + n},"{name.replace(chr(34), chr(34) * 2)}",2\n',
        )
    taken("alice")  # the first date is fixed
    event = Event.objects.get(pk=event_pk)
    text = "".join(rewards_table(event, NOW))
    assert [name for _, name, _ in rewards()] == names
    before = LogEntry.objects.count()
    assert load(tmp_path, text) == ("5 rewards set, 10 prizes.\n", "")
    assert ([name for _, name, _ in rewards()], LogEntry.objects.count()) == (names, before)


def test_a_line_replaces_the_whole_reward(tmp_path: Path) -> None:
    scheduled()
    head, url = "date,name,amount,description,picture", "https://example.org/p.png"
    load(tmp_path, f'{head}\n2026-02-10,Phone,1,"New, black",{url}\n2026-02-11,Cup,1,,\n')
    told = [(r.reward_name, r.reward_description, r.reward_picture) for r in Reward.objects.all()]
    assert told == [("Phone", "New, black", url), ("Cup", "", "")]
    assert load(tmp_path, f"{head}\n2026-02-10,Phone,1,,javascript:x\n")[1] == (
        "line 2: picture (E2): write an address such as https://…\n"
    )

    load(tmp_path, GOOD.replace("Washing Machine,2", "Cup,1"))
    phone, cup = Reward.objects.all()
    assert (phone.reward_description, phone.reward_picture) == ("", "")
    assert cup.reward_name == "Cup"
    # What a date has already is not set again.
    actions = [
        act.details["date"] for act in LogEntry.objects.filter(action="reward.set").order_by("pk")
    ]
    assert actions == ["2026-02-10", "2026-02-11", "2026-02-10"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"x" * 1_000_001, "The file has more than 1,000,000 bytes."),
        (b"PK\x03\x04...", "This is a spreadsheet or an archive. Save it as CSV (UTF-8) first."),
        (b"date,name\0,amount", "This is not text. Save the table as CSV (UTF-8)."),
        (b"date,name,\x81", "This is not text. Save the table as CSV (UTF-8)."),
    ],
)
def test_what_is_no_text_is_told(tmp_path: Path, content: bytes, fault: str) -> None:
    scheduled()
    file = tmp_path / "rewards.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=re.escape(fault)):
        call_command("import_rewards", str(file), "--event=breakfast")


def test_too_many_lines_are_told(tmp_path: Path) -> None:
    scheduled()
    days = (date(2027, 1, 1) + timedelta(days=n) for n in range(5_001))
    text = "date,name,amount\n" + "".join(f"{day},Cup,1\n" for day in days)
    assert load(tmp_path, text)[1] == (
        "line 5002: at most 5,000 lines at once; this and all below\n"
    )


@pytest.mark.parametrize("count", [1, 3])
def test_looking_at_a_table_takes_three_queries(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    event = scheduled()
    text = "date,name,amount\n" + "".join(f"2026-02-{10 + n},Cup,1\n" for n in range(count))
    with django_assert_num_queries(3 + 2):  # with the savepoint of the transaction
        table = import_rewards(event["id"], text, now=NOW, by="test", is_dry=True)
    assert len(table.changes()) == count


def test_usage_is_2(tmp_path: Path) -> None:
    scheduled()
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\x0d\x0a\x1a\x0a\0")
    for file, event in (
        ("nowhere.csv", "breakfast"),
        ("image.csv", "breakfast"),
        (".", "breakfast"),
        ("image.csv", "nowhere"),
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
