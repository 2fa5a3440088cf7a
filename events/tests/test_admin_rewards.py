"""Rewards of many dates in the admin: from a table, and from a week to those after it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from events.domain.refusals import RewardFrozen
from events.domain.scheduling import set_reward
from events.models import Event, Reward
from events.tests.acting import NOW, at, scheduled, taken
from events.tests.test_admin import texts
from raffles.models import LogEntry
from raffles.web.callers import address_tag

SAM = f"staff sam from {address_tag('127.0.0.1')}"
pytestmark = pytest.mark.django_db
HEAD = "date,name,amount\n"
GOOD = HEAD + "2026-02-10,Phone,1\n2026-02-11,Washing Machine,2\n"


@pytest.fixture
def staff(client: Client) -> Client:
    with at(NOW):
        client.force_login(User.objects.create_superuser("sam"))
    return client


def page_of(name: str) -> str:
    return reverse(f"admin:events_event_{name}", args=[Event.objects.get(slug="breakfast").pk])


def send(staff: Client, name: str, **fields: Any) -> str:
    """Post to one of the pages; return the page that follows."""
    with at(NOW):
        answer = staff.post(page_of(name), fields, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def look(staff: Client, name: str, query: str = "") -> str:
    with at(NOW):
        answer = staff.get(page_of(name) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def agreed(page: str) -> str:
    """Return the fingerprint of what the page shows, as its form sends it back."""
    return page.split('name="agreed_to" value="')[1].split('"')[0]


def changes(page: str) -> list[str]:
    """Return the rows of the table of what happens."""
    return texts(page.split("<tbody>")[1].split("</tbody>")[0], "<tr.*?</tr>")


def given(day: str, name: str, amount: int = 1) -> None:
    reward = {"reward_name": name, "reward_amount": amount}
    event = Event.objects.get(slug="breakfast")
    set_reward(event.pk, NOW.date().fromisoformat(day), reward, now=NOW, by="test")


def rewards() -> list[str]:
    return [f"{r}, {r.reward_amount}" for r in Reward.objects.order_by("date")]


def test_a_table_is_shown_before_it_is_set(staff: Client) -> None:
    scheduled()
    given("2026-02-11", "Cup")
    given("2026-02-12", "Book")
    text = GOOD + "2026-02-12,Book,1\n"

    page = send(staff, "import", file=SimpleUploadedFile("rewards.csv", text.encode("utf-8-sig")))
    assert changes(page) == [
        "2 Tue 2026-02-10 1 × Phone new",
        "3 Wed 2026-02-11 2 × Washing Machine instead of 1 × Cup",
        "4 Thu 2026-02-12 1 × Book as it is already",
    ]
    assert "2 rewards will be set, with 4 prizes in all. 1 date has its reward already." in page
    assert rewards() == ["2026-02-11: Cup, 1", "2026-02-12: Book, 1"]

    page = send(staff, "import", text=text, agreed_to=agreed(page))
    assert "2 rewards set." in page
    assert "1 dates had theirs already." in page
    assert rewards() == [
        "2026-02-10: Phone, 1",
        "2026-02-11: Washing Machine, 2",
        "2026-02-12: Book, 1",
    ]
    told = [
        (act.action, act.details["date"]) for act in LogEntry.objects.filter(by=SAM).order_by("pk")
    ]
    assert told == [("reward.set", "2026-02-10"), ("reward.set", "2026-02-11")]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_file_of_another_encoding_is_shown_before_it_is_set(staff: Client, encoding: str) -> None:
    scheduled()
    content = 'sep=;\r\nDate;Name;Amount;;\r\n10.02.2026;"Café\r\nCrème";1,0;;\r\n'
    page = send(staff, "import", file=SimpleUploadedFile("x.csv", content.encode(encoding)))
    name = {"cp1252": "Windows-1252", "utf-16": "UTF-16"}[encoding]
    assert f"The file is not UTF-8 and was read as {name}." in page
    assert changes(page) == ["3 Tue 2026-02-10 1 × Café Crème new"]
    send(staff, "import", text=content, agreed_to=agreed(page))
    assert rewards() == ["2026-02-10: Café Crème, 1"]


def test_how_dates_with_slashes_are_meant_is_asked_once(staff: Client) -> None:
    scheduled()
    text = HEAD + "02/10/2026,Phone,1\n02/11/2026,Cup,1\n"
    page = send(staff, "import", text=text)
    assert "Say below how the dates with slashes are meant" in page
    assert 'name="agreed_to"' not in page
    page = send(staff, "import", text=text, order="month")
    assert changes(page) == [
        "2 Tue 2026-02-10 1 × Phone new",
        "3 Wed 2026-02-11 1 × Cup new",
    ]
    send(staff, "import", text=text, order="month", agreed_to=agreed(page))
    assert rewards() == ["2026-02-10: Phone, 1", "2026-02-11: Cup, 1"]
    assert "Select a valid choice" in send(staff, "import", text=text, order="year")


def test_coming_rewards_are_downloaded_as_a_table(staff: Client) -> None:
    scheduled()
    given("2026-02-11", "Cup")
    with at(NOW):
        answer = staff.get(page_of("import") + "?file=rewards")
    assert answer["Content-Disposition"] == 'attachment; filename="rewards-breakfast.csv"'
    page = send(staff, "import", file=SimpleUploadedFile("r.csv", answer.getvalue()))
    assert "Every date has its reward already; there is nothing to set." in page


def test_with_a_bad_line_nothing_can_be_set(staff: Client) -> None:
    scheduled()
    taken("alice")
    text = GOOD + "2026-02-12,<b>Cup</b>,9\n31.2.2026;Cup;1\n"

    page = send(staff, "import", text=text)
    assert "3 of 4 lines can't be set, so nothing was." in page
    assert changes(page) == [
        f"2 Tue 2026-02-10 1 × Phone {RewardFrozen.sentence}",
        "3 Wed 2026-02-11 2 × Washing Machine new",
        "4 Thu 2026-02-12 9 × <b>Cup</b> A reward's amount can't be larger than max_participants",
        "5 31.2.2026;Cup;1 3 values are needed",
    ]
    assert 'name="agreed_to"' not in page
    assert text in page.replace("&lt;", "<").replace("&gt;", ">")  # to be mended
    assert "3 of 4 lines" in send(staff, "import", text=text, agreed_to="x")
    assert rewards() == []


@pytest.mark.parametrize("changed", ["2026-02-10", "2026-02-11"])
def test_what_was_not_agreed_to_is_shown_again(staff: Client, changed: str) -> None:
    scheduled()
    page = send(staff, "import", text=GOOD)
    given(changed, "Cup")

    page = send(staff, "import", text=GOOD, agreed_to=agreed(page))
    assert "Something has changed since you looked; look again and confirm" in page
    assert "instead of 1 × Cup" in page
    assert rewards() == [f"{changed}: Cup, 1"]
    assert "2 rewards set." in send(staff, "import", text=GOOD, agreed_to=agreed(page))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The submitted file is empty."),
        (b"x" * 5_000_000, "The file has more than 1,000,000 bytes."),
        (b"PK\x03\x04\x00", "This is a spreadsheet or an archive."),
        (bytes(range(256)), "This is not text."),
        (b"<html>", "the columns must be date,name,amount"),
        (HEAD.encode(), "The table has no lines below the names of its columns."),
    ],
)
def test_files_that_hold_no_table_are_told(staff: Client, content: bytes, sentence: str) -> None:
    scheduled()
    file = SimpleUploadedFile("rewards.csv", content)
    assert sentence in send(staff, "import", file=file)


def test_nothing_sent_is_told(staff: Client) -> None:
    scheduled()
    assert "Choose a file, or write the lines" in send(staff, "import", text=" \n")
    assert "Null characters are not allowed" in send(staff, "import", text="date\0")


def test_a_week_is_copied_to_the_weeks_after_it(staff: Client) -> None:
    scheduled(until="2026-02-24")
    for day, name in (("10", "Phone"), ("11", "Cup"), ("12", "Book")):
        given(f"2026-02-{day}", name)
    given("2026-02-18", "Cup")
    given("2026-02-19", "Pen")
    taken("alice")

    page = look(staff, "copy_week", "?week=2026-02-09&weeks=2")
    assert changes(page) == [
        "Tue 2026-02-17 1 × Phone new",
        "Wed 2026-02-18 1 × Cup as it is already",
        "Thu 2026-02-19 1 × Book instead of 1 × Pen",
        "Tue 2026-02-24 1 × Phone new",
        "Wed 2026-02-25 1 × Cup The event has no coming draw on this date",
        "Thu 2026-02-26 1 × Book The event has no coming draw on this date",
    ]
    assert "3 rewards will be set. 2 dates stay as they are." in page
    assert len(rewards()) == 5

    fields = {"week": "2026-02-09", "weeks": 2, "agreed_to": agreed(page)}
    page = send(staff, "copy_week", **fields)
    assert "3 rewards set." in page
    assert "1 dates had theirs already." in page
    assert "Left as they are: 2026-02-25 (The event has no coming draw" in page
    assert rewards()[3:] == [
        "2026-02-17: Phone, 1",
        "2026-02-18: Cup, 1",
        "2026-02-19: Book, 1",
        "2026-02-24: Phone, 1",
    ]
    assert "look again and confirm" in send(staff, "copy_week", **fields)  # a second click


def test_the_latest_week_is_proposed(staff: Client) -> None:
    scheduled()
    assert "so there is nothing to copy" in look(staff, "copy_week")
    given("2026-02-10", "Phone")
    given("2026-02-16", "Cup")
    assert changes(look(staff, "copy_week")) == ["Mon 2026-02-23 1 × Cup new"]


@pytest.mark.parametrize("query", ["?week=2026-02-10&weeks=1", "?week=x&weeks=1", "?weeks=53"])
def test_what_is_no_week_is_told(staff: Client, query: str) -> None:
    scheduled()
    given("2026-02-10", "Phone")
    page = look(staff, "copy_week", query)
    assert "errorlist" in page
    assert "agreed_to" not in page


@pytest.mark.parametrize("count", [1, 3])
def test_queries_do_not_grow(
    staff: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    scheduled()
    text = HEAD
    for n in range(count):
        given(f"2026-02-{10 + n}", "Phone")
        text += f"2026-02-{10 + n},Cup,1\n"
    with at(NOW), django_assert_num_queries(9):
        staff.post(page_of("import"), {"text": text})
    with at(NOW), django_assert_num_queries(8):
        staff.get(page_of("copy_week"))
