"""Finding one's own ticket: personal links of a list, and its identifiers beside numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

import pytest
from django.test import Client
from pytest_django import Settings

from raffles.domain.creating import Request
from raffles.domain.entering_lists import create_from_list, enter_list
from raffles.domain.erasing import erase_holder
from raffles.domain.exports import export_links_of_list
from raffles.domain.finding import find_ticket
from raffles.domain.keys import KeyMissing
from raffles.domain.prizes import check_ticket
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import InvalidCode
from raffles.models import EntryMode, LogEntry, Raffle, State
from raffles.tests.factories import NOW, STAFF, RaffleFactory, take_to
from raffles.tests.pages.visiting import notice, press, text_of, ticket_on

pytestmark = pytest.mark.django_db

LINES = [
    Line(2, "A-1"),
    Line(3, "zoë@example.org", tickets=2),
    Line(4, "3"),  # the number of somebody's ticket, too
    Line(5, "=1+1"),
]
WRONG = (
    "Number or identifier and code do not belong together. Compare both with the message from the "
    "organiser. Capital letters and hyphens do not matter."
)


@pytest.fixture
def raffle() -> Raffle:
    terms = {"name": "Spring list", "prizes": [("Phone", 1)]}
    request = Request("tests", "list", {})
    return create_from_list(LINES, request=request, terms=terms, now=NOW, by=STAFF)


def links(raffle: Raffle) -> list[dict[str, str]]:
    pieces: Iterator[str] = export_links_of_list(raffle.uuid, LINES, now=NOW, by=STAFF)
    return list(csv.DictReader(StringIO("".join(pieces).removeprefix("\ufeff"), newline="")))


def test_every_ticket_has_a_row_with_the_link_of_its_holder(raffle: Raffle) -> None:
    rows = links(raffle)
    holders = ["A-1", "zoë@example.org", "zoë@example.org", "3", "'=1+1"]
    assert [row["holder"] for row in rows] == holders
    assert sorted(row["number"] for row in rows) == ["1", "2", "3", "4", "5"]
    page = f"http://testserver/r/{raffle.uuid}/ticket/"
    for row in rows:
        assert row["link"] == f"{page}#{row['number']}.{row['code']}"
    record = LogEntry.objects.get(action="links.exported")
    assert (record.by, record.subject) == (STAFF, f"raffle {raffle.uuid}")
    take_to(State.DRAWN, raffle)
    assert links(raffle) == rows
    prizes = [
        check_ticket(raffle.uuid, ticket_number=int(row["number"]), code=row["code"])
        for row in rows
    ]
    assert sorted(str(prize and prize.name) for prize in prizes) == ["None"] * 4 + ["Phone"]


def test_who_was_erased_is_left_out(raffle: Raffle) -> None:
    erase_holder("list:zoë@example.org", now=NOW, raffles=[raffle])
    assert [row["holder"] for row in links(raffle)] == ["A-1", "3", "'=1+1"]
    take_to(State.DRAWN, raffle)
    assert [row["holder"] for row in links(raffle)] == ["A-1", "3", "'=1+1"]


def test_without_its_key_nothing_is_written_or_found(raffle: Raffle, settings: Settings) -> None:
    code = links(raffle)[0]["code"]
    settings.TICKET_KEYS = [b"another" * 5]
    with pytest.raises(KeyMissing):
        links(raffle)
    assert LogEntry.objects.filter(action="links.exported").count() == 1
    with pytest.raises(InvalidCode):
        find_ticket(raffle, said="A-1", code=code)


def test_identifier_or_number_with_the_code_opens_the_ticket(raffle: Raffle) -> None:
    path = f"/r/{raffle.uuid}/ticket/"
    page = text_of(Client().get(path))
    assert "Number or identifier" in page
    for row in links(raffle):
        ticket = (int(row["number"]), row["code"])
        holder = row["holder"].removeprefix("'")
        for said in (row["number"], holder, f" {holder.upper()} "):
            answer = press(path, ticket_number=said, verification_code=row["code"].lower())
            assert (answer.status_code, ticket_on(answer)) == (200, ticket)
            assert answer["Cache-Control"] == "no-store"


def test_nothing_is_told_of_whoever_is_on_the_list(raffle: Raffle) -> None:
    path = f"/r/{raffle.uuid}/ticket/"
    mine, hers = links(raffle)[0], links(raffle)[1]
    other = next(n for n in (1, 2) if str(n) != str(mine["number"]))
    pages = set()
    for said, code in (
        ("A-1", hers["code"]),
        ("A-1", "0000-0000-0000-0000-0000"),
        ("A-1", "no code"),
        ("A-2", mine["code"]),
        ("99999999", mine["code"]),
        ("9" * 150, mine["code"]),
        (chr(ord("٠") + other), mine["code"]),
        ("zoë", hers["code"]),
    ):
        answer = press(path, ticket_number=said, verification_code=code)
        pages.add((answer.status_code, notice(answer)))
    assert pages == {(400, WRONG)}
    for said in ("", "x" * 201, "a\x00b"):
        answer = press(path, ticket_number=said, verification_code=mine["code"])
        assert answer.status_code == 400
        assert not notice(answer)
    bare = press(path, ticket_number="A-1")
    assert (bare.status_code, "This field is required." in text_of(bare)) == (400, True)


def test_tries_are_limited_as_they_are_of_numbers(raffle: Raffle, settings: Settings) -> None:
    settings.THROTTLE_VERIFY = "2/min"
    path = f"/r/{raffle.uuid}/ticket/"
    tries = [
        press(path, ticket_number=said, verification_code="no code").status_code
        for said in ("A-1", "A-2", "A-1")
    ]
    assert tries == [400, 400, 429]


def test_elsewhere_only_the_number_counts() -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    given = enter_list(raffle.uuid, [Line(2, "A-1")], now=NOW, by=STAFF)
    (entry,) = given["A-1"]
    path = f"/r/{raffle.uuid}/ticket/"
    answer = press(path, ticket_number="A-1", verification_code=entry.verification_code)
    assert (answer.status_code, notice(answer)) == (400, "")
    assert raffle.entry == EntryMode.ADDRESS
    with pytest.raises(InvalidCode):
        find_ticket(raffle, said="A-1", code=entry.verification_code)
    number, _ = find_ticket(raffle, said=str(entry.ticket_number), code=entry.verification_code)
    assert number == entry.ticket_number
