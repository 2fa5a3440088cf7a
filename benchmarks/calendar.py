"""Events against the raffles that they are made of: a run of many draws, a list, taking part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

from django.db import connection
from django.test.utils import CaptureQueriesContext

from benchmarks.harness import Seen, compared, interleaved, limited, timing
from benchmarks.inside import ask, new_raffle
from events.domain.due import due_steps, settle_events
from events.domain.due import run as run_steps
from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.drawing import advance
from raffles.domain.entering import enter

_TICKETS = 10  # of each draw
_LISTED = 1000  # events
_numbers = count()


def run(*, quick: bool) -> Iterator[Seen]:
    """See what events add."""
    # Other groups leave sealed pools behind, which would be drawn within the first round.
    list(run_steps(due_steps(now()), now=now(), clock=now, by="benchmark"))
    runs = [partial(run_due, 100 if quick else 1000), partial(run_bare, 100 if quick else 1000)]
    yield compared("events_run", interleaved(*runs, rounds=1 if quick else 3), "s", 2)
    while (events := Event.objects.count()) < _LISTED:
        new_event()
    with CaptureQueriesContext(connection) as queries:
        ask("GET", "/events/upcoming/")
    yield limited("upcoming_queries", [len(queries)], 3, "queries", 0, f" with {events} events")
    yield taking_part(rounds=9 if quick else 25, entries=200)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_event(**values: int) -> Event:
    """Schedule a daily event whose next draw is two minutes from now."""
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


def run_due(draws: int) -> float:
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

    return timing(tick)()


def run_bare(draws: int) -> float:
    """Seconds of as many draws of raffles as an event's dates make them, one after the other."""
    closes_at, due = now() + timedelta(minutes=2), now() + timedelta(minutes=3)
    raffles = []
    for _ in range(draws):
        raffle = new_raffle(100, prizes=[("Coffee", 1)], closes_at=closes_at)
        for number in range(_TICKETS):
            enter(raffle.uuid, identity=f"user:user {number}", now=now())
        raffles.append(raffle.pk)

    def draw_all() -> None:
        for pk in raffles:
            advance(pk, now=due, clock=lambda: due, by="benchmark")

    return timing(draw_all)()


def taking_part(*, rounds: int, entries: int) -> Seen:
    """Time of a request through an event and of one to a raffle, both with every commit durable."""
    event = new_event(max_participants=1_000_000)
    Event.objects.filter(pk=event.pk).update(draw_time="23:59:59")
    raffle = f"/raffles/{new_raffle().uuid}/participate/"

    def by_event() -> None:
        body = json.dumps({"username": f"user {next(_numbers)}"}).encode()
        ask("POST", f"/events/{event.slug}/participate/", body, expected=201)

    def by_raffle() -> None:
        ask("POST", raffle, expected=201)

    acts = [timing(act, times=entries, scale=1000) for act in (by_event, by_raffle)]
    interleaved(*acts, rounds=1)
    return compared("participate_by_event", interleaved(*acts, rounds=rounds), "ms", 2)
