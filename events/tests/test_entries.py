"""Entering a list of users in the next draw of an event."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from events.domain.entering import enter_users
from events.models import Event, Occurrence
from events.tests.acting import (
    DAY,
    DRAW,
    ENTERED,
    FULL,
    MANAGER,
    NO_DRAW,
    NOW,
    at,
    caller,
    manage,
    participate,
    refused,
    run,
    scheduled,
    taken,
)
from raffles.domain.api_keys import make_key
from raffles.domain.reading_lists import Line
from raffles.models import ApiKey, Channel, LogEntry, Raffle, Ticket
from raffles.tests.api.acting import faults
from raffles.tests.nothing_lost.harness import flaws, race, tally

pytestmark = pytest.mark.django_db
PATH = "/events/breakfast/entries/"
USERS = [{"holder": "Alice", "tickets": 2}, {"holder": "bob", "channel": "paid"}]
KEY: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "5f2b9c1e-8a41-4f5c-9a5e-3f0f3f6f0a11"}


def entries(body: Any = USERS, now: datetime = NOW, who: str = MANAGER, **headers: Any) -> Any:
    with at(now):
        return caller(who).post(PATH, body, **headers)


def test_users_get_their_tickets_of_the_next_draw() -> None:
    scheduled(max_participants=9, tickets_per_holder=2)
    answer = entries()
    body = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert (body["event"], body["draw_at"]) == ("breakfast", "2026-02-10T08:00:00+01:00")
    assert [(each["holder"], len(each["tickets"])) for each in body["entries"]] == [
        ("Alice", 2),
        ("bob", 1),
    ]
    raffle = Raffle.objects.get(uuid=body["raffle_id"])
    assert (raffle.tickets_per_holder, raffle.entry) == (2, "username")
    stored = raffle.tickets.order_by("slot").values_list("username", "nth", "channel")
    assert [*stored] == [("Alice", 0, "list"), ("Alice", 1, "list"), ("bob", 0, "paid")]
    assert refused(participate("alice")) == ENTERED  # by whichever way
    assert participate("BOB").status_code == 201
    assert flaws(raffle) == []
    run(DRAW)
    assert flaws(raffle) == []


def test_terms_of_an_event_hold_for_dates_without_a_ticket() -> None:
    scheduled()
    taken("alice")
    assert refused(participate("alice")) == ENTERED
    manage("patch", "/events/breakfast/", {"tickets_per_holder": 3, "max_wins_per_holder": 1})
    assert refused(participate("alice")) == ENTERED
    for _ in range(3):
        assert participate("alice", now=DRAW).status_code == 201
    assert refused(participate("alice", now=DRAW))[0] in (403, 410)
    limits = Raffle.objects.order_by("pk").values_list("tickets_per_holder", "max_wins_per_holder")
    assert [*limits] == [(1, 0), (3, 1)]


def test_an_order_gets_one_of_several_tickets() -> None:
    scheduled(tickets_per_holder=2)
    first, second = (participate("alice", order) for order in ("A", "B"))
    assert (first.status_code, second.status_code) == (201, 201)
    again = participate("alice", "B")
    assert (again.status_code, again.json()) == (200, second.json())
    assert refused(participate("alice", "C")) == ENTERED
    assert Ticket.objects.count() == 2


def test_an_address_brings_one_holder() -> None:
    scheduled(tickets_per_holder=2, one_per_address=True, max_participants=9)
    assert participate("alice").status_code == 201
    assert refused(participate("bob"))[0] == 403
    assert participate("alice").status_code == 201
    assert participate("alice", address="198.51.100.2").status_code == 403
    assert participate("bob", address="198.51.100.2").status_code == 201


def test_the_same_request_again_is_the_same_tickets_after_the_draw_too() -> None:
    scheduled(max_participants=9, tickets_per_holder=2)
    first = entries(**KEY)
    for now in NOW, DRAW:
        assert entries(now=now, **KEY).json() == first.json()
    run(DRAW)
    for now in DRAW + DAY / 2, DRAW + 400 * DAY:
        assert entries(now=now, **KEY).json() == first.json()
        assert refused(entries([{"holder": "x"}], now, **KEY))[0] == 422
    assert Ticket.objects.count() == 3
    other = entries(now=DRAW, who="127.0.0.2", **KEY)  # whose key it is, too
    assert (other.status_code, Ticket.objects.count()) == (201, 6)


def test_what_cannot_be_entered_opens_no_date() -> None:
    scheduled(max_participants=3)
    assert faults(entries()) == {"0.tickets": ["at most 1 for a holder"]}
    assert faults(entries([{"holder": "a"}, {"holder": "upcoming"}, {"holder": "A", "name": "x"}]))
    twice = entries([{"holder": "a"}, {"holder": "A"}])
    assert faults(twice) == {"1.holder": ["the same holder as line 0"]}
    assert entries([]).status_code == 400
    assert refused(entries([{"holder": f"user {n}"} for n in range(4)])) == FULL
    assert (Occurrence.objects.count(), Raffle.objects.count()) == (0, 0)
    manage("patch", "/events/breakfast/", {"paused": True})
    assert refused(entries([{"holder": "a"}])) == NO_DRAW
    assert entries([{"holder": "a"}], who="198.51.100.7").status_code == 401


def test_a_partner_s_entries_count_as_theirs() -> None:
    scheduled(max_participants=9)
    key = make_key(ApiKey(name="Shop"), now=timezone.now(), by="staff")
    bearer: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    assert entries([{"holder": "a"}], who="198.51.100.7", **bearer).status_code == 201
    assert participate("b", **bearer).status_code == 201
    assert participate("c").status_code == 201
    channels = Ticket.objects.order_by("username").values_list("channel", flat=True)
    assert [*channels] == ["partner", "partner", None]
    assert LogEntry.objects.get(action="entries.added").by == "partner Shop"


def test_who_won_recently_rests() -> None:
    scheduled(rest_days=3, max_participants=9)
    taken("alice")
    run(DRAW)
    answer = entries([{"holder": "bob"}, {"holder": "ALICE"}], now=DRAW + DAY / 2)
    said = "You have won recently and can take part again from 2026-02-13"
    assert faults(answer) == {"1.holder": [said]}


@pytest.mark.django_db(transaction=True)
def test_lists_and_users_at_once_open_one_date() -> None:
    with at(NOW):
        scheduled(max_participants=200, tickets_per_holder=3)
        event = Event.objects.get()
        lines = [Line(n, f"user {n}", tickets=2) for n in range(20)]
        how: dict[str, Any] = {"now": NOW, "by": "tests", "channel": Channel.LIST}
        lists = [partial(enter_users, event, lines, **how)] * 3
        users = [partial(participate, f"user {n % 20}") for n in range(24)]
        outcomes = tally(race(*lists, *users))
    raffle = Raffle.objects.get()
    assert Occurrence.objects.count() == 1
    assert outcomes.get("Listed", 0) + outcomes.get("BadLines", 0) == 3
    assert flaws(raffle) == []
