"""Events against the raffles that they are made of: a run of many draws, and taking part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

from django.test import override_settings

from benchmarks.harness import Seen, compared, interleaved, timing
from benchmarks.inside import ask, new_raffle
from events.domain.due import due_steps, settle_events
from events.domain.due import run as run_steps
from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.drawing import advance
from raffles.domain.entering import enter

_TICKETS = 10  # of each draw
_numbers = count()


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_event(**values: int) -> Event:
    """Schedule a daily event whose next draw is two minutes from now."""
    soon, number = now() + timedelta(minutes=2), Event.objects.count()
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


def enter_many(event: Event, people: int) -> None:
    """Let so many people take part."""
    for number in range(people):
        who = Participant(f"user {number}", caller="ip:10.0.0.1", address="ip:10.0.0.1")
        take_part(event, who, now=now())


# Draws of a time to come: the database's clock, by which seals are dated, would refuse them.
ahead_of_time = partial(override_settings, CLOCK="process")


def due(*, quick: bool) -> Iterator[Seen]:
    """Seconds of one run with many events due, and of the draws alone."""
    # Other benchmarks leave pools and events behind, which would be drawn within the first round.
    soon = now() + timedelta(minutes=3)
    with ahead_of_time():
        list(run_steps(due_steps(soon), now=soon, clock=lambda: soon, by="benchmark"))
        runs = [partial(run, 100 if quick else 1000) for run in (run_due, run_bare)]
        seen = interleaved(*runs, rounds=1 if quick else 3)
    yield compared("events_run", seen, "s", 2)


def run_due(draws: int) -> float:
    """Seconds of one run with so many events due, each with its tickets."""
    for _ in range(draws):
        enter_many(new_event(), _TICKETS)
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


def entries(*, quick: bool) -> Iterator[Seen]:
    """Time of a request through an event and of one to a raffle, both with every commit durable."""
    event = new_event(max_participants=1_000_000)
    Event.objects.filter(pk=event.pk).update(draw_time="23:59:59")
    raffle = f"/raffles/{new_raffle().uuid}/participate/"

    def by_event() -> None:
        body = json.dumps({"username": f"user {next(_numbers)}"}).encode()
        ask("POST", f"/events/{event.slug}/participate/", body, expected=201)

    def by_raffle() -> None:
        ask("POST", raffle, expected=201)

    acts = [timing(act, times=200, scale=1000) for act in (by_event, by_raffle)]
    interleaved(*acts, rounds=1)
    yield compared("participate_by_event", interleaved(*acts, rounds=9 if quick else 25), "ms", 2)
