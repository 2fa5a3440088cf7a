"""Tables to take away: what is in them, what is not, and that no cell is a formula."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.tests.acting import DAY, DRAW, run, scheduled, taken
from events.tests.acting import NOW as MORNING
from raffles.domain.claiming import Entrant
from raffles.domain.entering import enter
from raffles.domain.erasing import erase_holder
from raffles.domain.exports import (
    EVERYTHING,
    cell,
    export_entries,
    export_record,
    export_winners,
    export_winners_of_event,
    table,
)
from raffles.domain.prizes import claim_prize, hand_over, replace_winner
from raffles.domain.refusals import NotDrawn
from raffles.models import LogEntry, Raffle, State
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, enter_nth, take_to

pytestmark = pytest.mark.django_db

AT_NOON = "2026-02-10 12:00:00"


def rows(text: str) -> list[list[str]]:
    assert text[0] == "\ufeff"
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def entries_of(raffle: Raffle, *, full_names: bool = True) -> list[list[str]]:
    written = export_entries(raffle.uuid, full_names=full_names, now=NOW, by=STAFF)
    return rows("".join(written))


def winners_of(raffle: Raffle) -> list[list[str]]:
    return rows("".join(export_winners(raffle.uuid, full_names=True, now=NOW, by=STAFF)))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-5, -5),
        (0, 0),
        (None, ""),
        (NOW, AT_NOON),
        (NOW.astimezone(tz=None), AT_NOON),
        ("alice", "alice"),
        ("a=b-c+d@e", "a=b-c+d@e"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("  =1", "'  =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠x", "'＠x"),
        ("x;=cmd|'/c calc'!A1", "x;'=cmd|'/c calc'!A1"),
        ("x;  @x", "x;'  @x"),
        ("x\t-1", "x\t'-1"),
        ("a;b", "a;b"),
        ('="x"', '\'="x"'),
        ("'=1", "'=1"),
        ("", ""),
    ],
)
def test_cell_is_no_formula(value: object, written: object) -> None:
    assert cell(value) == written


def test_table_is_what_a_spreadsheet_reads() -> None:
    text = "".join(table(("a", "b"), [(1, 'Ann "A", B'), (None, "Zoë")]))
    assert text == '\ufeffa,b\r\n1,"Ann ""A"", B"\r\n,Zoë\r\n'
    assert "".join(table(("a",), [])) == "\ufeffa\r\n"


def test_table_comes_in_pieces_however_long() -> None:
    pieces = list(table(("n",), ((n,) for n in range(4_001))))
    assert [piece.count("\r\n") for piece in pieces] == [1, 2_000, 2_000, 1]


def test_entries_hold_no_code_tag_nor_address() -> None:
    raffle = RaffleFactory.create(total_tickets=4)
    held = [enter_nth(raffle, n) for n in range(3)]
    erase_holder(f"ip:{address(1)}", now=NOW + DAY, raffles=[raffle])
    heading, *found = entries_of(raffle)
    assert heading == ["ticket number", "issued at (UTC)", "name", "erased at (UTC)"]
    erased = {held[1].ticket_number: "2026-02-11 12:00:00"}
    assert sorted(found) == sorted(
        [str(n), AT_NOON, "", erased.get(n, "")] for n in (entry.ticket_number for entry in held)
    )


def test_entries_are_in_the_order_of_the_tree() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, total_tickets=40, tickets=40)
    index = {str(winner.ticket_number()): winner.index for winner in raffle.winners.all()}
    numbers = [row[0] for row in entries_of(raffle)[1:]]
    assert {number: numbers.index(number) for number in index} == index


def test_export_costs_as_many_queries_with_three_rows_as_with_one() -> None:
    counts = []
    for total in (1, 3):
        raffle = RaffleFactory.create(state=State.DRAWN, total_tickets=total)
        for export in (entries_of, winners_of):
            with CaptureQueriesContext(connection) as queries:
                export(raffle)
            counts.append(len(queries))
    # The raffle, the record, the rows, and on PostgreSQL their transaction's begin and end.
    assert counts == [5 if connection.vendor == "postgresql" else 3] * 4


def test_winners_say_what_became_of_each_prize() -> None:
    raffle = RaffleFactory.create(
        total_tickets=4,
        prizes=(("Car", 1), ("=Cake", 2)),
        alternates=1,
        claim={"claim_days": 7},
    )
    entries = {entry.ticket_number: entry for entry in (enter_nth(raffle, n) for n in range(4))}
    take_to(State.DRAWN, raffle)
    car, cake, other, spare = (winner.ticket_number() for winner in raffle.winners.all())
    later = NOW + timedelta(hours=1)
    act: dict[str, Any] = {"now": later, "by": STAFF}
    claim_prize(raffle.uuid, ticket_number=car, code=entries[car].verification_code, **act)
    hand_over(raffle.uuid, ticket_number=cake, code=entries[cake].verification_code, **act)
    replace_winner(raffle.uuid, ticket_number=other, reason="-ill", **act)
    heading, *found = winners_of(raffle)
    assert heading == [
        *("raffle", "drawn at (UTC)", "rank", "ticket number", "name", "drawn for", "state"),
        *("holds", "claim until (UTC)", "notified at (UTC)", "claimed at (UTC)"),
        *("handed over at (UTC)", "forfeited at (UTC)", "replaced by", "reason"),
    ]
    drawn, one, until = ["Spring raffle", AT_NOON], "2026-02-10 13:00:00", "2026-02-17 12:00:00"
    assert found == [
        [*drawn, "1", f"{car}", "", "Car", "claimed", "Car", until, "", one, "", "", "", ""],
        [
            *(*drawn, "2", f"{cake}", "", "'=Cake", "handed over", "'=Cake", until, "", one, one),
            *("", "", ""),
        ],
        [
            *(*drawn, "3", f"{other}", "", "'=Cake", "replaced", "", until, "", "", "", one),
            *(f"{spare}", "'-ill"),
        ],
        [
            *(*drawn, "4", f"{spare}", "", "", "drawn", "'=Cake", "2026-02-17 13:00:00"),
            *("", "", "", "", "", ""),
        ],
    ]


def test_winners_before_the_draw_are_refused_and_not_recorded() -> None:
    raffle = RaffleFactory.create(state=State.SEALED)
    with pytest.raises(NotDrawn):
        winners_of(raffle)
    assert not LogEntry.objects.filter(action="winners.exported").exists()


def test_no_raffle_of_that_name() -> None:
    for export in (export_entries, export_winners):
        with pytest.raises(Raffle.DoesNotExist):
            export(uuid4(), full_names=True, now=NOW, by=STAFF)


@pytest.mark.parametrize(
    ("privacy", "full_names", "shown"),
    [
        ("full", True, "Ann Archer"),
        ("initials", True, "Ann Archer"),
        ("number", True, "Ann Archer"),
        ("full", False, "Ann Archer"),
        ("initials", False, "A. A."),
        ("number", False, ""),
    ],
)
def test_names_are_as_full_as_the_reader_may_see(
    privacy: str, full_names: bool, shown: str
) -> None:
    scheduled(privacy=privacy)
    taken("Ann Archer")
    run(DRAW)
    raffle = Raffle.objects.get()
    found = entries_of(raffle, full_names=full_names)
    assert [row[2] for row in found[1:]] == [shown]
    period: dict[str, Any] = {"since": MORNING, "until": DRAW + DAY}
    winners = export_winners_of_event(
        "breakfast", **period, full_names=full_names, now=NOW, by=STAFF
    )
    assert [row[4] for row in rows("".join(winners))[1:]] == [shown]


def test_raffle_that_stands_alone_shows_no_name() -> None:
    raffle = RaffleFactory.create()
    entrant = Entrant(username="=Ann")
    enter(raffle.uuid, identity="user:ann", now=NOW, entrant=entrant)
    assert [row[2] for row in entries_of(raffle, full_names=False)[1:]] == [""]
    assert [row[2] for row in entries_of(raffle)[1:]] == ["'=Ann"]


def test_winners_of_an_event_in_a_period() -> None:
    scheduled()
    for day in range(3):
        taken(f"user {day}", now=MORNING + day * DAY)
        run(DRAW + day * DAY)
    period: dict[str, Any] = {"since": DRAW + DAY, "until": DRAW + 2 * DAY}
    act: dict[str, Any] = {"full_names": True, "now": NOW, "by": STAFF}
    found = rows("".join(export_winners_of_event("breakfast", **period, **act)))
    assert [(row[0], row[4], row[5]) for row in found[1:]] == [
        ("Breakfast, 2026-02-11", "user 1", "Coffee")
    ]
    act_of_it = LogEntry.objects.get(action="winners.exported")
    assert (act_of_it.subject, act_of_it.by) == ("event breakfast", STAFF)
    with pytest.raises(NotDrawn):
        export_winners_of_event("dinner", **period, **act)
    with pytest.raises(NotDrawn):
        export_winners_of_event("breakfast", since=NOW - DAY, until=MORNING, **act)


def test_record_of_a_raffle_and_of_everything() -> None:
    raffle, other = RaffleFactory.create(), RaffleFactory.create(state=State.VOID)
    found = rows("".join(export_record(raffle.uuid, now=NOW, by="=staff")))
    assert [row[:5] for row in found] == [
        ["at (UTC)", "subject", "action", "by", "why"],
        [AT_NOON, f"raffle {raffle.uuid}", "raffle.created", STAFF, ""],
        [AT_NOON, f"raffle {raffle.uuid}", "record.exported", "'=staff", ""],
    ]
    assert found[1][5].startswith('{"terms": {"alternates": 1, "authorities": [], "capacity": 3, ')
    everything = rows("".join(export_record(None, now=NOW, by=STAFF)))
    assert [row[1:3] for row in everything[1:]] == [
        [f"raffle {raffle.uuid}", "raffle.created"],
        [f"raffle {other.uuid}", "raffle.created"],
        [f"raffle {other.uuid}", "draw.voided"],
        [f"raffle {raffle.uuid}", "record.exported"],
        [EVERYTHING, "record.exported"],
    ]


def test_every_export_is_recorded_before_its_first_line() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    act: dict[str, Any] = {"now": NOW, "by": STAFF}
    written = [
        export_entries(raffle.uuid, full_names=True, **act),
        export_winners(raffle.uuid, full_names=False, **act),
        export_record(raffle.uuid, **act),
    ]
    exported = LogEntry.objects.about(raffle).filter(action__endswith=".exported")
    assert [(line.action, line.details) for line in exported] == [
        ("entries.exported", {"full_names": True}),
        ("winners.exported", {"full_names": False}),
        ("record.exported", {}),
    ]
    assert len(written) == 3
