"""Events against the raffles that they are made of: a run of many draws, a list, taking part."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

from django.db import connection
from django.test.utils import CaptureQueriesContext

from benchmarks.calling import ask
from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios, timed
from benchmarks.pools import new_raffle
from events.domain.due import due_steps, settle_events
from events.domain.due import run as run_steps
from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.creating import create_raffle
from raffles.domain.drawing import advance
from raffles.domain.entering import enter
from raffles.models import Raffle

_TICKETS = 10  # of each draw
_LISTED = 1000  # events
_QUERIES = 3  # at most
_numbers = count()


def run(*, quick: bool) -> None:
    """Figures events_run, upcoming_queries and participate_by_event."""
    draws = 100 if quick else 1000
    # Other groups leave sealed pools behind, which would be drawn within the first round.
    list(run_steps(due_steps(now()), now=now(), clock=now, by="benchmark"))
    seen = interleaved(partial(run_events, draws), partial(run_bare, draws), 1 if quick else 3)
    emit(Figure.of("events_run", ratios(seen), Goal("<=", 2.0), against(seen, "s", 2)))
    counted = queries_of_upcoming()
    detail = f"{counted} with {Event.objects.count()} events"
    emit(Figure.of("upcoming_queries", [counted / _QUERIES], Goal("<=", 1.0), detail))
    taking_part(rounds=9 if quick else 25, entries=200)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_event(**values: int) -> Event:
    """A daily event whose next draw is two minutes from now."""
    number, soon = next(_numbers), now() + timedelta(minutes=2)
    event = Event(
        name=f"Event {number}",
        slug=f"event-{number}",
        start_date=soon.date(),
        draw_time=soon.time(),
        time_zone="UTC",
        reward_name="Coffee",
        **{"max_participants": 100} | values,
    )
    return schedule_event(event, now=now(), by="benchmark")


def run_events(draws: int) -> float:
    """Seconds of one run with so many events due, each with its tickets."""
    for _ in range(draws):
        event = new_event()
        for number in range(_TICKETS):
            who = Participant(f"user {number}", caller="ip:10.0.0.1", address="ip:10.0.0.1")
            take_part(event, who, now=now())
    due = now() + timedelta(minutes=3)

    def tick() -> None:
        done = run_steps(due_steps(due), now=due, clock=lambda: due, by="benchmark")
        drawn = sum(each.outcome == "drawn" for each in done)
        settle_events(due)
        if drawn != draws:
            raise RuntimeError(f"{drawn} of {draws} were drawn")

    return timed(tick)


def run_bare(draws: int) -> float:
    """Seconds of so many draws of raffles with as many tickets, one after the other."""
    raffles = [bare_raffle() for _ in range(draws)]
    due = now() + timedelta(minutes=3)

    def draw_all() -> None:
        for raffle in raffles:
            advance(raffle.pk, now=due, clock=lambda: due, by="benchmark")

    return timed(draw_all)


def bare_raffle() -> Raffle:
    """A raffle as an event's date makes it."""
    raffle = create_raffle(
        name="Bare",
        total_tickets=100,
        prizes=[("Coffee", 1)],
        closes_at=now() + timedelta(minutes=2),
        now=now(),
        by="benchmark",
    )
    for number in range(_TICKETS):
        enter(raffle.uuid, identity=f"user:user {number}", now=now())
    return raffle


def queries_of_upcoming() -> int:
    """Queries of one look at the coming draws of a thousand events and more."""
    while Event.objects.count() < _LISTED:
        new_event()
    with CaptureQueriesContext(connection) as queries:
        status, body = ask("GET", "/events/upcoming/")
    if status != 200:
        raise RuntimeError(body)
    return len(queries)


def taking_part(*, rounds: int, entries: int) -> None:
    """Time of a request through an event and of one to a raffle, both with every commit durable."""
    event = new_event(max_participants=1_000_000)
    Event.objects.filter(pk=event.pk).update(draw_time="23:59:59")
    by_event = partial(enter_all, f"/events/{event.slug}/participate/", entries, has_name=True)
    by_raffle = partial(enter_all, f"/raffles/{new_raffle().uuid}/participate/", entries)
    by_event(), by_raffle()
    seen = interleaved(by_event, by_raffle, rounds)
    emit(Figure.of("participate_by_event", ratios(seen), Goal("<=", 1.15), against(seen, "ms", 2)))


def enter_all(path: str, entries: int, *, has_name: bool = False) -> float:
    """Milliseconds of one of so many requests, each of another user and address."""
    bodies = [
        json.dumps({"username": f"user {next(_numbers)}"}).encode() if has_name else b""
        for _ in range(entries)
    ]

    def enter_each() -> None:
        for body in bodies:
            status, answer = ask("POST", path, body)
            if status != 201:
                raise RuntimeError(answer)

    return timed(enter_each) / entries * 1000
