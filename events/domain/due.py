"""Running what is due, and recording failures: the work of `manage.py draw_winners`.

A run is a list of steps, oldest first: a raffle to close, seal and draw, or a date that nobody
entered. Each step is conditional on the state that it finds, so any number of runs has the same
result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from uuid import UUID

from django.utils.translation import gettext as _

from events.domain.refusals import DatesLeft
from events.domain.settling import MOST, Due, due_dates, opened_since, settle_date
from events.models import Event, Heartbeat, Setback
from events.models.event import EventQuerySet
from events.schedule import is_zone
from raffles.domain.clock import database_time
from raffles.domain.due import Outcome, run_due
from raffles.domain.pool import Progress
from raffles.domain.prizes import forfeit_overdue
from raffles.domain.sealing import NOBODY_CAME, Clock
from raffles.fairness.verify import first_round_at
from raffles.models import Draw, Handover, Raffle, RunLease, State, Winner
from raffles.models.draw import LATE_AFTER, DrawQuerySet
from raffles.models.raffle import RaffleQuerySet
from raffles.web.formats import shown
from raffles.web.outages import CLOCKS_APART, Unavailable

log = logging.getLogger(__name__)
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DueStep:
    """A step that is due: a raffle, or an `event`'s `date` without one.

    `due_at` is None for a raffle without a closing time. Both it and `date` are None for an event
    whose due dates are unknown, since this machine does not know its time zone. `left` is the
    number of an event's empty dates of which `date` is the first and none is settled, see `MOST`.
    """

    due_at: datetime | None
    raffle: Raffle | None = None
    event: Event | None = None
    date: date | None = None
    left: int = 0

    def __str__(self) -> str:
        if self.raffle:
            return self.raffle.name
        return f"{self.event}, {self.date}" if self.date else str(self.event)

    def subject(self) -> dict[str, Raffle | Event | None]:
        """Return the subject of its setback, should it fail."""
        return {"raffle": self.raffle, "event": self.event}


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of a step."""

    step: DueStep
    outcome: Outcome | Literal["left", "forfeited"]
    detail: str = ""


def due_steps(
    now: datetime,
    *,
    raffle_id: UUID | None = None,
    slug: str | None = None,
    is_catching_up: bool = False,
) -> list[DueStep]:
    """Return everything due at `now`, oldest first, of one raffle or one event if given.

    What has failed waits for its next try, unless it is given by name. More than `MOST` empty
    dates of an event are one step at the end, which leaves them, unless `is_catching_up`.
    """
    steps = [DueStep(raffle.closes_at, raffle) for raffle in _due_raffles(now, raffle_id, slug)]
    if raffle_id is None:
        steps += _empty_dates(now, slug, is_catching_up)
    return sorted(steps, key=lambda step: (step.left > 0, step.due_at or _BEGINNING))


def settle_events(now: datetime) -> None:
    """Advance events whose due dates have all been opened, so that no run checks those again."""
    due = _due_events(Event.objects.all(), now)
    opened = _opened(due)
    settled: dict[datetime, list[int]] = {}
    for event, dates in due.items():
        if all((event.pk, day) in opened for day, _ in dates):
            settled.setdefault(dates[-1][1], []).append(event.pk)
    for last, events in settled.items():
        Event.objects.filter(pk__in=events, settled_until__lt=last).update(settled_until=last)


def _due_raffles(now: datetime, raffle_id: UUID | None, slug: str | None) -> RaffleQuerySet:
    due = Raffle.objects.due(now)
    if raffle_id is not None:
        return due.filter(uuid=raffle_id)
    if slug is not None:
        return due.filter(event_slug=slug)
    return due.exclude(setback__in=Setback.objects.resting(now))


def _empty_dates(now: datetime, slug: str | None, is_catching_up: bool) -> list[DueStep]:
    """Return a step for each due date without tickets, and for each event in an unknown zone."""
    events = Event.objects.all()
    if slug is not None:
        events = events.filter(slug=slug)
    else:
        events = events.exclude(setback__in=Setback.objects.resting(now))
    steps: list[DueStep] = []
    for event, dates in _empty(events, now).items():
        if len(dates) > MOST and not is_catching_up:
            steps.append(DueStep(dates[0][1], event=event, date=dates[0][0], left=len(dates)))
        else:
            steps += [DueStep(draw_at, event=event, date=day) for day, draw_at in dates]
    return steps + [DueStep(None, event=event) for event in events.running() if not _knows(event)]


def _knows(event: Event) -> bool:
    return is_zone(event.time_zone)


def _due_events(events: EventQuerySet, now: datetime) -> dict[Event, list[Due]]:
    running = events.running().filter(settled_until__lt=now)
    return {event: dates for event in running if (dates := due_dates(event, now))}


def _empty(events: EventQuerySet, now: datetime) -> dict[Event, list[Due]]:
    """Return the due dates that nobody entered, of each event that has any."""
    due = _due_events(events, now)
    opened = _opened(due)
    return {
        event: empty
        for event, dates in due.items()
        if (empty := [date for date in dates if (event.pk, date[0]) not in opened])
    }


def _opened(due: dict[Event, list[Due]]) -> set[tuple[int, date]]:
    """Return the dates of these events that were opened or settled, as (event, date)."""
    if not due:
        return set()
    rows = opened_since(min(event.settled_until for event in due)).filter(event__in=due)
    return set(rows.values_list("event_id", "date"))


def run(
    steps: list[DueStep],
    *,
    now: datetime,
    clock: Clock,
    by: str,
    progress: Callable[[Raffle], Progress] | None = None,
) -> Iterator[Done]:
    """Take each step; a failure is recorded with its next try and does not stop the rest.

    Only the same event's later empty dates wait for it, so that they stay in order.
    """
    waiting: set[int] = set()
    for step in steps:
        if step.event is not None and step.event.pk in waiting:
            continue
        done = (
            _draw(step, step.raffle, now, clock, by, progress)
            if step.raffle
            else _void(step, now, by)
        )
        _remember(done, now)
        if done.outcome == "failed" and step.event is not None:
            waiting.add(step.event.pk)
        yield done


def _draw(
    step: DueStep,
    raffle: Raffle,
    now: datetime,
    clock: Clock,
    by: str,
    progress: Callable[[Raffle], Progress] | None,
) -> Done:
    (run,) = run_due([raffle], now=now, clock=clock, by=by, progress=progress)
    return Done(step, run.outcome, run.detail)


def _void(step: DueStep, now: datetime, by: str) -> Done:
    if step.left:
        return Done(step, "left", f"{step.left} dates without tickets, see --catch-up")
    if step.event and not _knows(step.event):
        return Done(step, "failed", f"This machine does not know {step.event.time_zone}.")
    if step.event is None or step.date is None or step.due_at is None:
        raise TypeError("a step without a raffle is a date of an event")
    try:
        settle_date(step.event.pk, step.date, step.due_at, now=now, by=by)
    except Unavailable:
        raise  # nothing else will go better
    except Exception as error:  # the rest is due too; this one is retried
        log.exception("%s of %s failed", step.date, step.event.slug)
        return Done(step, "failed", f"{type(error).__name__}: {error}")
    return Done(step, "void", NOBODY_CAME)


def _remember(done: Done, now: datetime) -> None:
    subject = done.step.subject()
    if done.outcome == "failed":
        defaults = {"failed_at": now, "next_try_at": now}
        setback, _ = Setback.objects.get_or_create(**subject, defaults=defaults)
        setback.fail_again(done.detail, now)
    elif done.outcome in ("drawn", "void"):
        Setback.objects.filter(**subject).delete()


def due_forfeits(now: datetime) -> Iterator[tuple[DueStep, str]]:
    """Yield each prize that was not claimed in time: a step with its raffle, and a sentence."""
    overdue = Winner.objects.filter(handover__in=Handover.objects.overdue(now))
    for winner in overdue.with_state().select_related("raffle"):
        yield (
            DueStep(winner.claim_until(), winner.raffle),
            f"forfeits ticket {winner.ticket_number()}",
        )


def forfeit(*, now: datetime, by: str) -> Iterator[Done]:
    """Forfeit them, and pass them on where the raffle promotes alternates."""
    for winner, replacement in forfeit_overdue(now=now, by=by):
        successor = (
            f"to ticket {replacement.alternate.ticket_number()}" if replacement else "to nobody"
        )
        detail = f"ticket {winner.ticket_number()}, {successor}"
        yield Done(DueStep(winner.claim_until(), winner.raffle), "forfeited", detail)


def beat(now: datetime) -> None:
    """Record that a whole run has finished."""
    Heartbeat.objects.update_or_create(pk=1, defaults={"ran_at": now})


_BEACON_TAKES = timedelta(seconds=30)  # to publish and spread a round; relays lag by a few


def warnings() -> list[str]:
    """Return a sentence for each thing that is wrong now."""
    now = database_time()
    return [
        *missed_runs(now),
        *_overdue_draws(now),
        *_late_beacon(now),
        *_left_dates(now),
        *_busy_runs(now),
        *_unknown_zones(),
    ]


def missed_runs(now: datetime) -> list[str]:
    """Return a sentence if no run has finished for too long, or one has at a time to come.

    A clock that was far ahead would otherwise silence this until it is caught up with.
    """
    ran_at = last_run()
    if ran_at is None:
        return [_("draw_winners has never run.")]
    if ran_at > now + CLOCKS_APART:
        said = _("draw_winners ran at %(at)s, which is still to come: a clock is wrong, or was.")
        return [said % {"at": shown(ran_at)}]
    if now - ran_at <= LATE_AFTER:
        return []
    return [_("draw_winners has not run since %(at)s.") % {"at": shown(ran_at)}]


def last_run() -> datetime | None:
    """Return when a whole run last finished, on any machine."""
    return Heartbeat.objects.values_list("ran_at", flat=True).first()


def overdue_draws(now: datetime, *, after: timedelta = LATE_AFTER) -> RaffleQuerySet:
    """Return the draws that wait for a run since `after` their closing time, the oldest first.

    Waiting for the beacon is not overdue.
    """
    due = Raffle.objects.due(now).filter(closes_at__lte=now - after)
    return due.exclude(state=State.SEALED, draw__in=waiting_for_beacon())


def waiting_for_beacon() -> DrawQuerySet:
    """Return the draws that are sealed for a round of the beacon, the earliest round first."""
    return Draw.objects.waiting().filter(round__isnull=False).order_by("round")


def _overdue_draws(now: datetime) -> list[str]:
    """Return a sentence on draws that wait for a run."""
    overdue = overdue_draws(now)
    if not (oldest := overdue.first()):
        return []
    return [f"{_draws(overdue.count())} overdue, the oldest since {shown(oldest.closes_at)}."]


def _late_beacon(now: datetime) -> list[str]:
    """Return a sentence on draws whose round should be public but is still awaited."""
    public = first_round_at(int((now - _BEACON_TAKES).timestamp()))
    late = waiting_for_beacon().filter(round__lt=public)
    if not (oldest := late.first()):
        return []
    return [f"{_draws(late.count())} waiting for the beacon, the oldest for round {oldest.round}."]


def _left_dates(now: datetime) -> list[str]:
    """Return a sentence for each event with more empty dates than a run calls off by itself."""
    events = Event.objects.filter(settled_until__lt=now - timedelta(days=MOST))  # one a day at most
    return [
        str(DatesLeft(event.slug, len(dates), dates[0][0]))
        for event, dates in _empty(events, now).items()
        if len(dates) > MOST
    ]


def _busy_runs(now: datetime) -> list[str]:
    """Return a sentence for each raffle that a run has been at for too long."""
    return [
        f"A run of draw_winners has been at {lease.raffle.name} since {shown(lease.since)}."
        for lease in RunLease.objects.overdue(now).select_related("raffle")
    ]


def _unknown_zones() -> list[str]:
    """Return a sentence for each time zone of an event that this machine does not know.

    Only draws in such a zone wait.
    """
    zones = Event.objects.running().order_by("time_zone").values_list("time_zone", flat=True)
    unknown = [zone for zone in zones.distinct() if not is_zone(zone)]
    return [f"This machine does not know the time zone {zone} of an event." for zone in unknown]


def _draws(count: int) -> str:
    return "1 draw is" if count == 1 else f"{count} draws are"
