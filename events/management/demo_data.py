"""Demo data: a raffle to enter, one sold out, one drawn, one that draws within a minute, and a
daily draw whose first date comes with the next minute.

It is created through the domain with idempotency keys, so that a second run finds the first one's.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event, set_reward
from events.models import Event
from raffles.domain.creating import Request, create_raffle
from raffles.domain.due import draw_now
from raffles.domain.entering import Entry, enter
from raffles.domain.refusals import AlreadyDrawn, AlreadyEntered
from raffles.domain.sealing import Clock
from raffles.models import Raffle

BY = "demo"
EVENT = "morning-luck"
DRAWS_IN = timedelta(seconds=45)


@dataclass(frozen=True)
class Demo:
    """The four raffles, a ticket of the drawn one, and the daily draw."""

    open: Raffle
    sold_out: Raffle
    drawn: Raffle
    soon: Raffle
    ticket: Entry
    event: Event


def make_demo_data(clock: Clock) -> Demo:
    """Create what is missing, and return all of it."""
    now = clock()
    open_ = _raffle("open", "Summer fair", 100, [("Telescope", 1), ("Kettle", 5)], now)
    sold_out = _raffle("sold out", "Village hall roof", 5, [("Hamper", 1), ("Jam", 2)], now)
    drawn = _raffle("drawn", "School trip", 8, [("Bicycle", 1), ("Book", 3)], now)
    # One a minute at most, however often somebody starts the demo.
    minute = now.replace(second=0, microsecond=0).isoformat()
    soon = _raffle(
        f"soon {minute}", f"Last call, {minute[11:16]}", 20, [("Cake", 1)], now, now + DRAWS_IN
    )
    for raffle, tickets in ((sold_out, 5), (drawn, 8), (soon, 6)):
        for host in range(1, tickets + 1):
            with suppress(AlreadyEntered):
                enter(raffle.uuid, identity=f"ip:192.0.2.{host}", now=now, request_key="demo")
    with suppress(AlreadyDrawn):
        draw_now(drawn.uuid, now=now, clock=clock, by=BY)
    ticket = enter(drawn.uuid, identity="ip:192.0.2.1", now=now, request_key="demo")
    return Demo(open_, sold_out, drawn, soon, ticket, _event(now))


def _event(now: datetime) -> Event:
    """Return a daily draw, the first at the next full minute with a reward of its own."""
    if made := Event.objects.filter(slug=EVENT).first():
        return made
    first = (now + timedelta(seconds=80)).replace(second=0, microsecond=0)
    event = schedule_event(
        Event(
            name="Morning luck",
            slug=EVENT,
            start_date=first.date(),
            draw_time=first.time(),
            time_zone="UTC",
            max_participants=50,
            reward_name="Breakfast for two",
        ),
        now=now,
        by=BY,
    )
    set_reward(event.pk, first.date(), {"reward_name": "Phone", "reward_amount": 1}, now=now, by=BY)
    for username in ("alice", "bob", "chloé"):
        take_part(event, Participant(username, BY, BY), now=now)
    return event


def _raffle(
    key: str,
    name: str,
    tickets: int,
    prizes: list[tuple[str, int]],
    now: datetime,
    closes_at: datetime | None = None,
) -> Raffle:
    return create_raffle(
        name=name,
        total_tickets=tickets,
        prizes=prizes,
        alternates=2,
        closes_at=closes_at,
        now=now,
        by=BY,
        request=Request(caller=BY, key=key, body={}),
    )
