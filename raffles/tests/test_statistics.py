"""Entries by day: what counting every ticket would say, without looking at every ticket."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from raffles.domain.drawing import void_raffle
from raffles.domain.statistics import entries_by_day
from raffles.models import Raffle, Stripe, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 2, 1), date(2026, 2, 14)
DAYS = [FIRST + timedelta(days=n) for n in range(14)]


def filled(moments: list[datetime]) -> Raffle:
    """Return a raffle whose tickets were handed out at these moments, in this order."""
    raffle = RaffleFactory.create(total_tickets=max(3, len(moments)))
    stripes = list(raffle.stripes.order_by("stripe"))
    slots: dict[int, int] = dict.fromkeys((stripe.stripe for stripe in stripes), 0)
    for n, moment in enumerate(sorted(moments)):
        free = [stripe for stripe in stripes if slots[stripe.stripe] < stripe.cap]
        stripe = free[n % len(free)]
        number = n.to_bytes(16, "big")
        slot = stripe.lo + slots[stripe.stripe]
        Ticket.objects.create(
            raffle=raffle, slot=slot, holder_tag=number, code_tag=number, issued_at=moment
        )
        slots[stripe.stripe] += 1
    for stripe in stripes:
        Stripe.objects.filter(pk=stripe.pk).update(issued=slots[stripe.stripe])
    return raffle


def test_nothing_is_nothing_on_each_day() -> None:
    assert entries_by_day(FIRST, LAST) == dict.fromkeys(DAYS, 0)


@pytest.mark.parametrize("seed", range(6))
def test_days_are_counted_as_if_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    begin = datetime(2026, 1, 25, tzinfo=UTC)
    for size in (1, 2, 7, 150):
        spread = chance.choice([0.001, 2, 20])
        filled([begin + timedelta(days=6 + chance.random() * spread) for _ in range(size)])
    counted = Counter(at.date() for at in Ticket.objects.values_list("issued_at", flat=True))
    assert entries_by_day(FIRST, LAST) == {day: counted[day] for day in DAYS}


def test_days_are_utc_to_the_microsecond() -> None:
    midnight = datetime(2026, 2, 3, tzinfo=UTC)
    filled([midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=23.99)])
    found = entries_by_day(FIRST, LAST)
    assert (found[date(2026, 2, 2)], found[date(2026, 2, 3)]) == (1, 2)


def test_raffles_that_ended_within_the_days_count_and_older_are_not_looked_at() -> None:
    drawn = RaffleFactory.create(tickets=2, state="drawn")
    void = RaffleFactory.create(tickets=1)
    void_raffle(void.uuid, reason="Rain", now=NOW, by=STAFF)
    enter_nth(RaffleFactory.create(), 1)
    assert (drawn.state, NOW.date()) == ("drawn", date(2026, 2, 10))
    assert sum(entries_by_day(FIRST, LAST).values()) == 4
    assert sum(entries_by_day(date(2026, 2, 11), LAST).values()) == 0


def test_one_query_however_many_raffles() -> None:
    for count in (1, 3):
        for _ in range(count):
            RaffleFactory.create(tickets=1)
        with CaptureQueriesContext(connection) as queries:
            entries_by_day(FIRST, LAST)
        assert len(queries) == 1
