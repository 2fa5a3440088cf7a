"""Copies: the rewards of a week for the weeks after it, and an event for another one."""

from __future__ import annotations

from copy import copy
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from events.models import Event, Reward
from raffles.domain.recording import record

from .calendar import locked_event
from .rewarding import Change, foresee_rewards, set_rewards
from .scheduling import schedule_event

WEEK = timedelta(days=7)
MAX_WEEKS = 52
COPY_OF = "Copy of "
_LONGEST_NAME, _LONGEST_SLUG = 180, 50


def monday_of(day: date) -> date:
    """The day that its week begins on."""
    return day - timedelta(days=day.weekday())


def weeks_with_rewards(event: Event) -> list[date]:
    """The Mondays of the weeks that have rewards of their own, latest first."""
    days = event.rewards.values_list("date", flat=True)
    return sorted({monday_of(day) for day in days}, reverse=True)


def foresee_copy(event: Event, monday: date, *, weeks: int, now: datetime) -> list[Change]:
    """What copying that week's own rewards to each of the ``weeks`` after it would do."""
    own = event.rewards.filter(date__range=(monday, monday + WEEK - timedelta(days=1)))
    wanted = {
        reward.date + WEEK * n: reward.reward() for reward in own for n in range(1, weeks + 1)
    }
    return foresee_rewards(event, wanted, now=now)


def copy_week(
    event_pk: int, monday: date, *, weeks: int, now: datetime, by: str, agreed_to: str | None = None
) -> list[Change]:
    """Copies a week's rewards forward; what has a fault keeps what it has.

    ``agreed_to`` as in `set_rewards`. Returns what became of each date.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        changes = foresee_copy(event, monday, weeks=weeks, now=now)
        set_rewards(event, changes, now=now, by=by, agreed_to=agreed_to)
    return changes


class Duplicate(NamedTuple):
    """A new event, and what became of the rewards that were to come with it."""

    event: Event
    rewards: list[Change]


def coming_rewards(event: Event, now: datetime) -> dict[date, Reward]:
    """The rewards of dates that are not over in any zone."""
    coming = event.rewards.filter(date__gte=(now - timedelta(days=1)).date())
    return {reward.date: reward for reward in coming}


def duplicate_event(
    event_pk: int,
    *,
    name: str,
    slug: str,
    has_rewards: bool,
    is_paused: bool,
    now: datetime,
    by: str,
) -> Duplicate:
    """Schedules another event on the terms of one, with its coming rewards where wanted.

    Raises Unfit, SlugTaken.
    """
    with transaction.atomic():
        source = locked_event(event_pk)
        event = copy(source)
        event.pk, event.name, event.slug = None, name, slug
        event.paused_at = now if is_paused else None
        schedule_event(event, now=now, by=by)
        record(event, "event.copied", at=now, by=by, source=source.slug)
        changes = []
        if has_rewards:
            wanted = {day: own.reward() for day, own in coming_rewards(source, now).items()}
            changes = foresee_rewards(event, wanted, now=now)
            set_rewards(event, changes, now=now, by=by, agreed_to=None)
    return Duplicate(event, changes)


def name_of_copy(event: Event) -> str:
    """What a copy is called until staff say otherwise."""
    return f"{COPY_OF}{event.name}"[:_LONGEST_NAME]


def slug_of_copy(event: Event) -> str:
    """A slug that no event has: the event's own with the first free number."""
    stem = event.slug[: _LONGEST_SLUG - 6]
    taken = set(Event.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{stem}-{n}") not in taken)
