"""Lists that somebody brings: entered whole, or not at all with every bad line named."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain
from typing import Any

import pytest
from django.test import Client

from raffles.domain.creating import Request
from raffles.domain.entering import Entry
from raffles.domain.entering_lists import create_from_list, enter_list
from raffles.domain.erasing import erase_holder
from raffles.domain.prizes import check_ticket
from raffles.domain.reading_lists import Line, read_list
from raffles.domain.refusals import (
    BadLines,
    ByOrganiser,
    GateShut,
    RequestMismatch,
    SoldOut,
    ThroughEvent,
    TooFewLeft,
)
from raffles.models import EntryMode, LogEntry, Privacy, Raffle, State, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to
from raffles.tests.nothing_lost.harness import flaws, race, tally

pytestmark = pytest.mark.django_db

TERMS: dict[str, Any] = {"name": "Spring list", "prizes": [("Phone", 1), ("Mug", 2)]}


def lines_of(*holders: str) -> list[Line]:
    return [Line(number, holder) for number, holder in enumerate(holders, 2)]


def members(count: int) -> list[Line]:
    return lines_of(*(f"member {n}" for n in range(count)))


def request(key: str = "list", **body: Any) -> Request:
    return Request("tests", key, body)


def brought(lines: Iterable[Line], key: str = "list", **terms: Any) -> Raffle:
    asked = request(key, **terms)
    return create_from_list(lines, request=asked, terms=TERMS | terms, now=NOW, by=STAFF)


def entered(raffle: Raffle, lines: list[Line], key: str = "") -> list[Entry]:
    asked = request(key, lines=[line.holder for line in lines]) if key else None
    tickets = enter_list(raffle.uuid, lines, now=NOW, by=STAFF, request=asked)
    assert list(tickets) == [line.holder for line in lines]
    return list(chain.from_iterable(tickets.values()))


def bad(text: str, **called: str) -> list[tuple[int, str]]:
    lines = read_list(text.splitlines(keepends=True), called)
    return [(line.number, line.fault) for line in lines if line.fault]


# --- Reading


def test_a_table_and_lines_of_json_are_read() -> None:
    table = "Holder;Name;tickets\nA-1;Änne;\n\nb@example.org;;1\n"
    json = '{"holder": "A-1", "name": "Änne"}\n\n{"holder": "b@example.org", "tickets": 1}\n'
    for text, first in (table, 2), (json, 1):
        assert list(read_list(text.splitlines(keepends=True))) == [
            Line(first, "A-1", "Änne"),
            Line(first + 2, "b@example.org"),
        ]


def test_columns_may_be_called_something_else_and_the_others_are_passed_over() -> None:
    text = "Ort,E-Mail,Ort,tickets\nBonn,a@example.org,Köln,1\n"
    called = {"holder": "e-mail"}
    assert list(read_list(text.splitlines(), called)) == [Line(2, "a@example.org")]
    text = '{"mail": "a@example.org", "age": 3}\n'
    assert list(read_list([text], {"holder": "mail"})) == [Line(1, "a@example.org")]
    for text in "Holder,E-Mail\nx,a\n", '{"E-Mail": "a", "holder": "x"}\n':
        lines = [line[1] for line in read_list(text.splitlines(), {"holder": "E-Mail"})]
        assert lines == ["a"]
    assert bad("E-Mail\na\n", holder="mail") == [(1, "there is no column mail")]
    keys = "the keys must be mail, name, tickets, channel"
    assert bad('{"holder": "a"}', holder="mail") == [(1, keys)]
    assert bad('{"": 1, "holder": "a"}') == [(1, keys.replace("mail", "holder"))]
    assert bad('{"mail": "a", "name": "x"}', holder="mail", name="Name") == []
    twice = [(1, "the columns must be holder, and may be name,tickets,channel")]
    assert bad("Mail,holder,mail\na,b,c\n", holder="mail") == twice
    assert bad("E-Mail,tickets\na,two\n", holder="e-mail")[0][0] == 2


def test_what_cannot_be_held_is_a_fault_of_its_line() -> None:
    columns = "the columns must be holder, and may be name,tickets,channel"
    assert bad("holder,email\na,b\n") == [(1, columns)]
    assert bad(f"holder,name,tickets\n,x,\na,b\u202e,\n{'y' * 201},,\na,b\nc,d,0\n") == [
        (2, "holder: it is empty"),
        (3, "name: Control, bidirectional and zero-width characters are not allowed."),
        (4, "holder: at most 200 characters"),
        (5, "3 values are needed"),
        (6, "tickets: write a number from 1 to 1,000,000"),
    ]
    many = "tickets: write a number from 1 to 1,000,000"
    for tickets in "1.0", '"1e3"', "-1", '"-1"', "true", "1000001", '"²"', "[]", "{}":
        assert bad(f'{{"holder": "a", "tickets": {tickets}}}') == [(1, many)]
    ways = "channel: write one of online, paid, free, postal, paper, partner, list"
    assert bad("holder,channel\na,Paid\nb,luck\nc,\nd,paid\n") == [(3, ways)]
    for nothing in "0", "false", "[]", "{}":
        assert bad(f'{{"holder": "a", "channel": {nothing}}}') == [(1, ways)]
        assert bad(f'{{"holder": "a", "name": {nothing}}}') == [(1, "name: write a text")]
        assert bad(f'{{"holder": {nothing}}}') == [(1, "holder: write a text")]
    for nothing in "null", '""':
        more = f'"channel": {nothing}, "name": {nothing}, "tickets": {nothing}'
        assert bad(f'{{"holder": "a", {more}}}') == []
    keys = "the keys must be holder, name, tickets, channel"
    faults = bad('{"holder": 1}\n{"name": "x"}\n{"holder": "a", "way": "post"}\n{"holder"\n')
    assert faults[:3] == [(1, "holder: write a text"), (2, keys), (3, keys)]
    assert faults[3][1].startswith("this is not a line of JSON: The body is not valid JSON")


# --- A raffle of a list


def test_each_line_is_a_ticket_of_its_slot() -> None:
    raffle = brought(members(130))
    assert (raffle.total_tickets, raffle.entry, raffle.privacy) == (130, "list", "number")
    tickets = raffle.tickets.order_by("slot")
    assert [*tickets.values_list("slot", "username")] == [(slot, None) for slot in range(130)]
    actions = LogEntry.objects.about(raffle).values_list("action", "details__amount")
    assert [*actions] == [("raffle.created", None), ("entries.added", 130)]
    take_to(State.DRAWN, raffle)
    assert flaws(raffle) == []


def test_names_are_kept_where_the_raffle_shows_them() -> None:
    lines = [Line(2, "a", "Ann\\e"), Line(3, "b")]
    raffle = brought(lines, prizes=[("Phone", 1)], privacy=Privacy.FULL)
    named = raffle.tickets.order_by("slot")
    assert [*named.values_list("username", flat=True)] == ["Ann\\e", None]


def test_every_bad_line_is_told_and_nothing_is_there() -> None:
    lines = [*lines_of("a", "b", "Ａ", "b"), Line(6, fault="too long"), Line(7, "B")]
    with pytest.raises(BadLines) as refused:
        brought(lines)
    assert refused.value.faults == [
        (4, "the same holder as line 2"),
        (5, "the same holder as line 3"),
        (6, "too long"),
        (7, "the same holder as line 3"),
    ]
    with pytest.raises(BadLines) as refused:
        brought([])
    assert refused.value.faults == [(1, "there is no entrant")]
    assert (Raffle.objects.count(), Ticket.objects.count()) == (0, 0)
    assert brought(members(3)).tickets.count() == 3  # what staged the others is gone


def test_of_many_bad_lines_the_first_are_told() -> None:
    with pytest.raises(BadLines) as refused:
        brought(lines_of(*["a"] * 1_500))
    assert (refused.value.count, len(refused.value.faults)) == (1_499, 1_000)


def test_the_same_request_again_reads_no_line() -> None:
    first = brought(members(5))
    assert brought(iter(lambda: pytest.fail("read"), None)) == first
    assert brought(members(5), "another") != first
    with pytest.raises(RequestMismatch):
        brought(members(5), alternates=2)


def test_only_the_organiser_enters_in_a_raffle_of_a_list() -> None:
    raffle = RaffleFactory.create(entry=EntryMode.LIST)
    with pytest.raises(ByOrganiser):
        enter_nth(raffle, 0)
    assert len(entered(raffle, members(3))) == 3
    with pytest.raises(ByOrganiser):
        enter_nth(raffle, 0)


# --- Entries in a raffle under way


def test_entries_are_beside_those_of_addresses() -> None:
    raffle = RaffleFactory.create(total_tickets=200, tickets=5)
    entries = entered(raffle, members(150)) + entered(raffle, lines_of("x"))
    assert len({entry.ticket_number for entry in entries}) == 151
    for entry in entries[::50]:
        ticket = {"ticket_number": entry.ticket_number, "code": entry.verification_code}
        with pytest.raises(Exception, match="not been drawn yet"):
            check_ticket(raffle.uuid, **ticket)  # type: ignore[arg-type]
    enter_nth(raffle, 77)
    assert flaws(raffle) == []


def test_a_holder_enters_once() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, lines_of("a", "b"))
    with pytest.raises(BadLines) as refused:
        entered(raffle, lines_of("c", "B", "a"))
    assert refused.value.faults == [
        (3, "this holder has a ticket already"),
        (4, "this holder has a ticket already"),
    ]
    assert raffle.tickets.count() == 2


def test_the_same_request_again_is_the_same_tickets() -> None:
    raffle = RaffleFactory.create(total_tickets=5)
    first = entered(raffle, lines_of("a", "b", "c"), "key")
    take_to(State.OPEN, raffle)
    assert entered(raffle, lines_of("a", "b", "c"), "key") == first
    with pytest.raises(RequestMismatch):
        entered(raffle, lines_of("d"), "key")
    assert raffle.tickets.count() == 3
    (details,) = LogEntry.objects.filter(action="entries.added").values_list("details", flat=True)
    assert (details["amount"], len(details["request"]), len(details["body"])) == (3, 32, 32)


def test_fewer_left_than_lines_is_none() -> None:
    raffle = RaffleFactory.create(total_tickets=3, tickets=1)
    with pytest.raises(TooFewLeft):
        entered(raffle, members(3))
    assert raffle.tickets.count() == 1
    entered(raffle, members(2))
    with pytest.raises(SoldOut) as gone:
        entered(raffle, [Line(1, "another")])
    assert gone.type is SoldOut
    assert flaws(raffle) == []


def test_entries_after_the_gate_or_around_an_event_are_refused() -> None:
    with pytest.raises(GateShut):
        entered(RaffleFactory.create(state=State.DRAWN), members(1))
    with pytest.raises(ThroughEvent):
        entered(RaffleFactory.create(event_slug="daily"), members(1))


def test_a_holder_of_a_list_is_erased_by_their_identity() -> None:
    raffle = brought(lines_of("a", "b", "c"), prizes=[("Phone", 1)])
    assert erase_holder("list:b", now=NOW, raffles=[raffle]) == 1
    assert raffle.tickets.get(erased_at__isnull=False).slot == 1


@pytest.mark.parametrize(
    ("privacy", "shown"), [(Privacy.INITIALS, ["A. A."]), (Privacy.NUMBER, [])]
)
def test_stage_learns_the_names_of_a_list_as_far_as_it_shows_them(
    client: Client, privacy: Privacy, shown: list[str]
) -> None:
    raffle = brought([Line(2, "A-17", "Alice Archer")], prizes=[("Phone", 1)], privacy=privacy)
    take_to(State.DRAWN, raffle)
    names = f"/r/{raffle.uuid}/names/"
    assert list(client.get(names).json().values()) == shown
    stage = client.get(f"/r/{raffle.uuid}/stage/").content.decode()
    assert (f'data-names="{names}"' in stage) == bool(shown)


# --- Races


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_a_list_at_once_are_one() -> None:
    outcomes = race(*[partial(brought, members(300))] * 4)
    (raffle,) = Raffle.objects.all()
    assert (outcomes, raffle.tickets.count()) == ([raffle] * 4, 300)
    assert flaws(raffle) == []


@pytest.mark.django_db(transaction=True)
def test_lists_and_claims_at_once_all_land() -> None:
    raffle = RaffleFactory.create(total_tickets=400)
    lists = [partial(entered, raffle, members(150), "key")] * 2
    lists += [partial(entered, raffle, lines_of(*map(str, range(150))))]
    claims = [partial(enter_many, raffle, range(k, 40, 4)) for k in range(4)]
    outcomes = race(*lists, *claims)
    assert outcomes[0] == outcomes[1]
    assert tally(outcomes) == {"list": 3, "NoneType": 4}
    assert raffle.tickets.count() == 340
    assert flaws(raffle) == []


def enter_many(raffle: Raffle, ns: range) -> None:
    for n in ns:
        enter_nth(raffle, n)
