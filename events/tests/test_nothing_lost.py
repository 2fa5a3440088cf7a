"""Races and kills around the dates of events; each check is shown red by a variant without it.

`RUNNER_ROUNDS=100 pytest events/tests/test_nothing_lost.py -k runners` is the long form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet

from events.domain import entering, scheduling, settling
from events.domain.due import due_steps, run, settle_events
from events.domain.entering import Participant, Taken, take_part
from events.domain.scheduling import edit_event, schedule_event
from events.models import Event
from raffles.domain.announcing import announce
from raffles.domain.refusals import Refusal
from raffles.models import Announcement, Raffle, RunLease, State, Ticket
from raffles.tests.factories import clock
from raffles.tests.nothing_lost.harness import (
    die_at,
    flaws,
    fork,
    is_killed,
    moments,
    race,
    tally,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOW = datetime(2026, 2, 10, 6, tzinfo=UTC)
DRAW = NOW + timedelta(hours=1)
DAY = timedelta(days=1)
ROUNDS = int(os.environ.get("RUNNER_ROUNDS", "3"))
_numbers = count()


def new_event(**values: Any) -> Event:
    """Return a draw at seven every day, in UTC."""
    event = Event(
        name="Breakfast",
        slug=f"breakfast-{next(_numbers)}",
        start_date=date(2026, 2, 10),
        draw_time=time(7),
        time_zone="UTC",
        max_participants=20,
        reward_name="Coffee",
        **values,
    )
    return schedule_event(event, now=NOW, by="staff")


def enter(event: Event, username: str, now: datetime = NOW, order_id: str | None = None) -> Taken:
    """Take part as the API does: with the event as it is read now."""
    caller = "ip:198.51.100.1"
    participant = Participant(username, caller=caller, address=caller, order_id=order_id)
    return take_part(Event.objects.get(pk=event.pk), participant, now=now)


def draw(event: Event, now: datetime) -> list[str]:
    """Run what is due of the event once; return the outcomes."""
    done = run(due_steps(now, slug=event.slug), now=now, clock=clock, by="cron")
    outcomes: list[str] = [each.outcome for each in done]
    settle_events(now)
    return outcomes


def faults(event: Event) -> list[str]:
    """Return each promise about an event's dates that is broken in the database; empty is good."""
    raffles = list(Raffle.objects.filter(event_slug=event.slug).select_related("occurrence"))
    rows = event.occurrences.select_related("raffle")
    empty = sum(row.raffle is None for row in rows)
    kept = {
        "a raffle has its date": all(hasattr(raffle, "occurrence") for raffle in raffles),
        "a raffle has a ticket": all(raffle.tickets.exists() for raffle in raffles),
        "a raffle closes when its date draws": all(
            row.raffle is None or row.raffle.closes_at == row.draw_at for row in rows
        ),
        "an empty date is announced once": _of_empty_dates(event).count() == empty,
    }
    return [promise for promise, is_kept in kept.items() if not is_kept] + [
        flaw for raffle in raffles for flaw in flaws(raffle)
    ]


def _of_empty_dates(event: Event) -> QuerySet[Announcement]:
    return Announcement.objects.filter(raffle=None, payload__event=event.slug)


def state(event: Event) -> list[tuple[str, str, int, int, list[str]]]:
    """Return each date's state, tickets, winners and announcements; equal if undisturbed."""
    empties = _of_empty_dates(event)
    return [
        (
            row.date.isoformat(),
            row.raffle.state if row.raffle else "nobody",
            row.raffle.tickets.count() if row.raffle else 0,
            row.raffle.winners.count() if row.raffle else 0,
            list(
                (row.raffle.announcements if row.raffle else empties).values_list("kind", flat=True)
            ),
        )
        for row in event.occurrences.select_related("raffle").order_by("date")
    ]


# --- Kills ---------------------------------------------------------------------------------


def enter_first(event: Event) -> None:
    enter(event, "alice", order_id="A-1")


def enter_second(event: Event) -> None:
    enter(event, "bob", order_id="B-1")


def opened(**values: Any) -> Event:
    event = new_event(**values)
    enter_first(event)
    return event


def run_two_days(event: Event) -> None:
    draw(event, DRAW + DAY)


def opened_on_two_days() -> Event:
    """Return an event with tickets on the first and the third day."""
    event = opened()
    enter(event, "alice", now=DRAW + DAY)
    return event


def pause(event: Event) -> None:
    edit_event(event.pk, {"paused": True}, now=DRAW + DAY, by="staff")


DEEDS: dict[str, tuple[Callable[[], Event], Callable[[Event], object]]] = {
    "open a date": (new_event, enter_first),
    "take part in an open date": (opened, enter_second),
    "draw one missed date and void another": (opened, run_two_days),
    "settle by a pause": (new_event, pause),
}


def killings(name: str, moments: Iterator[int]) -> Iterator[list[str]]:
    """Run an action once for each moment, killed at it, and again; yield what is wrong."""
    prepare, do = DEEDS[name]
    undisturbed = prepare()
    do(undisturbed)
    whole = state(undisturbed)
    for moment in moments:
        event = prepare()
        if not is_killed(fork(partial(do_until, moment, do, event))):
            break
        wrong = [f"killed at {moment}: {fault}" for fault in faults(event)]
        RunLease.objects.update(until=NOW)  # a minute passes
        try:
            do(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it should have gone through
            wrong.append(f"killed at {moment}, then {error!r}")
        if state(event) != whole:
            wrong.append(f"killed at {moment} and done again: {state(event)}")
        yield wrong + [f"killed at {moment} and done again: {fault}" for fault in faults(event)]


def do_until(moment: int, do: Callable[[Event], object], event: Event) -> None:
    die_at(moment)
    do(event)


@pytest.mark.parametrize("name", DEEDS)
def test_killed_anywhere_leaves_nothing_or_the_whole(name: str) -> None:
    wrong = list(killings(name, moments()))
    assert wrong == [[]] * max(len(wrong), 1)


def announce_alone(*fact: Any, **when: Any) -> None:
    """Announce in a transaction of its own, after what it announces."""
    with transaction.atomic():
        announce(*fact, **when)


@pytest.mark.parametrize(
    ("name", "module"), [("open a date", entering), ("settle by a pause", scheduling)]
)
def test_an_act_in_autocommit_is_seen(
    name: str, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    autocommit = SimpleNamespace(
        atomic=nullcontext, set_rollback=lambda _: None, on_commit=lambda act: act()
    )
    monkeypatch.setattr(module, "transaction", autocommit)
    for each in (module, settling):
        monkeypatch.setattr(each, "locked_event", lambda pk: Event.objects.get(pk=pk))
    monkeypatch.setattr(settling, "announce", announce_alone)
    assert any(killings(name, count()))


# --- Races ---------------------------------------------------------------------------------


def test_a_date_is_opened_once_by_whoever_comes_first() -> None:
    for _ in range(ROUNDS):
        event = new_event()
        outcomes = race(*(partial(enter, event, f"user {n}") for n in range(16)))
        assert tally(outcomes) == {"Taken": 16}
        assert len({taken.entry.raffle_id for taken in outcomes}) == 1
        assert state(event) == [("2026-02-10", State.OPEN, 16, 0, [])]
        assert faults(event) == []


def test_a_date_that_is_opened_without_the_lock_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The constraint still holds then, but people get an error instead of a ticket."""
    monkeypatch.setattr(entering, "locked_event", lambda pk: Event.objects.get(pk=pk))
    monkeypatch.setattr(entering, "transaction", SimpleNamespace(atomic=nullcontext))
    outcomes: list[Any] = []
    for _ in range(20):
        event = new_event()
        outcomes += race(*(partial(enter, event, f"user {n}") for n in range(8)))
    assert set(tally(outcomes)) > {"Taken"}
    assert Raffle.objects.filter(occurrence=None).exists()


def test_an_order_and_a_user_get_one_ticket() -> None:
    for _ in range(ROUNDS):
        event = new_event()
        outcomes = race(*[partial(enter, event, "alice", order_id="A-1")] * 16)
        assert tally(outcomes) == {"Taken": 16}
        assert len({taken.entry.verification_code for taken in outcomes}) == 1
        outcomes = race(*(partial(enter, event, "bob", order_id=f"B-{n}") for n in range(16)))
        assert tally(outcomes) == {"Taken": 1, "AlreadyInDraw": 15}
        assert faults(event) == []


def test_an_order_that_opens_another_date_gets_its_first_ticket_again() -> None:
    event = opened()
    outcomes = race(*[partial(enter, event, "alice", DRAW, "A-1")] * 8)

    assert tally(outcomes) == {"Taken": 8}
    assert {taken.entry.is_repeat for taken in outcomes} == {True}
    assert state(event) == [("2026-02-10", State.OPEN, 1, 0, [])]


def test_sixteen_runners_draw_each_date_once() -> None:
    for _ in range(ROUNDS):
        event = opened_on_two_days()
        outcomes = race(*[partial(draw, event, DRAW + 2 * DAY)] * 16)
        assert tally(outcomes) == {"list": 16}
        assert not any("failed" in each for each in outcomes)
        draw(event, DRAW + 2 * DAY)  # the rest, where all were busy with each other
        sealed_and_drawn = ["draw.sealed", "draw.drawn"]
        assert state(event) == [
            ("2026-02-10", State.DRAWN, 1, 1, sealed_and_drawn),
            ("2026-02-11", "nobody", 0, 0, ["draw.voided"]),
            ("2026-02-12", State.DRAWN, 1, 1, sealed_and_drawn),
        ]
        assert faults(event) == []


def test_an_empty_date_is_announced_twice_without_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control of the one before: look, then write, nothing held."""

    def settle(pk: int, day: date, draw_at: datetime, *, now: datetime, by: str) -> bool:
        event = Event.objects.get(pk=pk)
        settling._void(event, day, draw_at, now=now, by=by)
        return True

    monkeypatch.setattr("events.domain.due.settle_date", settle)
    outcomes: list[Any] = []
    for _ in range(5):
        outcomes += race(*[partial(draw, new_event(), DRAW)] * 8)
    assert any("failed" in each for each in outcomes if isinstance(each, list))


def test_entering_races_the_run_at_the_boundary() -> None:
    """Clocks differ by a second: some enter before the draw's time, some run after it."""
    for _ in range(ROUNDS):
        event = new_event()
        before = DRAW - timedelta(seconds=1)
        outcomes = race(
            *(partial(enter, event, f"user {n}", before) for n in range(8)),
            *[partial(draw, event, DRAW)] * 8,
        )
        assert tally(outcomes) == {"Taken": 8, "list": 8}
        draw(event, DRAW)
        (first, *later) = state(event)
        assert first[0] == "2026-02-10"
        assert first[1] in (State.DRAWN, "nobody")
        assert [row[:2] for row in later] in ([], [("2026-02-11", State.OPEN)])
        assert first[2] + sum(row[2] for row in later) == 8
        assert faults(event) == []


def test_entering_races_an_edit() -> None:
    """The date keeps the time that its first ticket was given under; nobody gets an error."""
    for n in range(ROUNDS * 3):
        event = new_event()
        at = time(8 + n % 3)
        outcomes = race(
            *(partial(enter, event, f"user {n}") for n in range(6)),
            partial(edit_event, event.pk, {"draw_time": at}, now=NOW, by="staff"),
            partial(edit_event, event.pk, {"max_participants": 6}, now=NOW, by="staff"),
        )
        assert tally(outcomes) == {"Taken": 6, "tuple": 2}
        row = event.occurrences.get()
        assert row.draw_at.time() in (time(7), at)
        assert Ticket.objects.filter(raffle=row.raffle).count() == 6
        assert faults(event) == []


def test_faults_are_seen() -> None:
    """Break by hand what the checks of this module look at."""
    event = opened()
    Announcement.objects.create(
        sequence=99, kind="draw.voided", payload={"event": event.slug}, announced_at=NOW
    )
    assert faults(event) == [
        "an empty date is announced once",
        "the log has no gap and no number twice",
    ]
    with pytest.raises(Refusal):
        enter(event, "alice")
