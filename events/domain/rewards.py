"""Rewards of many dates at once: first a preview for each date, then all that can be set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from events.domain.calendar import locked_event
from events.domain.refusals import PlanChanged, RewardFrozen, RewardTooLarge
from events.domain.scheduling import refuse_unless_planned, schedule_event
from events.models import Event, Reward
from raffles.domain.refusals import Refusal
from raffles.models.record import record


@dataclass(frozen=True, slots=True)
class Change:
    """A date's wanted reward, the reward of its own that it has, and why it would keep that.

    Without a `fault` the wanted one can be set.
    """

    day: date
    reward: Mapping[str, Any]
    before: Reward | None
    fault: str = ""

    def is_none(self) -> bool:
        """Return whether the date has exactly this reward already."""
        return self.before is not None and self.before.reward() == self.reward


def preview_rewards(
    event: Event, wanted: Mapping[date, Mapping[str, Any]], *, now: datetime
) -> list[Change]:
    """Return what would happen to each date, in order; two queries for any number of dates.

    An unsaved event takes none.
    """
    own: dict[date, Reward] = {}
    frozen: set[date] = set()
    if wanted and event.pk:
        span = (min(wanted), max(wanted))
        own = {reward.date: reward for reward in event.rewards.filter(date__range=span)}
        opened = event.occurrences.filter(date__range=span)
        frozen = set(opened.values_list("date", flat=True))
    changes = [Change(day, reward, own.get(day)) for day, reward in sorted(wanted.items())]
    return [
        change
        if change.is_none()
        else replace(change, fault=_fault(event, change.day, change.reward, frozen, now))
        for change in changes
    ]


def _fault(
    event: Event, day: date, reward: Mapping[str, Any], frozen: set[date], now: datetime
) -> str:
    if day in frozen:
        return str(RewardFrozen())
    if reward["reward_amount"] > event.max_participants:
        return str(RewardTooLarge())
    try:
        refuse_unless_planned(event, day, now)
    except Refusal as refusal:
        return str(refusal)
    return ""


def set_rewards(
    event: Event, changes: Iterable[Change], *, now: datetime, by: str, agreed_to: str | None
) -> None:
    """Set those rewards of a locked event that were previewed without a fault.

    `agreed_to` is the fingerprint of the preview that somebody agreed to, None without one. Raises
    PlanChanged if the result would differ from it.
    """
    changes = list(changes)
    if agreed_to is not None and agreed_to != fingerprint(changes):
        raise PlanChanged
    settable = [change for change in changes if not change.fault and not change.is_none()]
    rows = [Reward(event=event, date=change.day, **change.reward) for change in settable]
    Reward.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=("event", "date"),
        update_fields=tuple(event.reward()),
    )
    for change in settable:
        record(event, "reward.set", at=now, by=by, date=change.day, **change.reward)


def fingerprint(changes: Iterable[Change]) -> str:
    """Return a digest that is equal for equal changes and different for all others."""
    seen = [
        (change.day, dict(change.reward), change.before and change.before.reward(), change.fault)
        for change in changes
    ]
    return hashlib.sha256(repr(seen).encode()).hexdigest()


WEEK = timedelta(days=7)
MAX_WEEKS = 52
_LONGEST_NAME, _LONGEST_SLUG = 180, 50


def monday_of(day: date) -> date:
    """Return the Monday of a date's week."""
    return day - timedelta(days=day.weekday())


def weeks_with_rewards(event: Event) -> list[date]:
    """Return the Mondays of weeks with rewards of their own, latest first."""
    days = event.rewards.values_list("date", flat=True)
    return sorted({monday_of(day) for day in days}, reverse=True)


def preview_copy(event: Event, monday: date, *, weeks: int, now: datetime) -> list[Change]:
    """Return what copying that week's own rewards to each of the next `weeks` would do."""
    own = event.rewards.filter(date__range=(monday, monday + WEEK - timedelta(days=1)))
    wanted = {
        reward.date + WEEK * n: reward.reward() for reward in own for n in range(1, weeks + 1)
    }
    return preview_rewards(event, wanted, now=now)


def copy_week(
    event_pk: int, monday: date, *, weeks: int, now: datetime, by: str, agreed_to: str | None = None
) -> list[Change]:
    """Copy a week's rewards to the next weeks; dates with a fault keep theirs.

    `agreed_to` as in `set_rewards`. Returns the outcome for each date.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        changes = preview_copy(event, monday, weeks=weeks, now=now)
        set_rewards(event, changes, now=now, by=by, agreed_to=agreed_to)
    return changes


class Duplicate(NamedTuple):
    """A new event, and what became of the rewards copied with it."""

    event: Event
    rewards: list[Change]


def coming_rewards(event: Event, now: datetime) -> dict[date, Reward]:
    """Return an event's rewards by date, without dates that are over in every time zone."""
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
    """Schedule a copy of an event under another name, with its coming rewards if wanted.

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
            changes = preview_rewards(event, wanted, now=now)
            set_rewards(event, changes, now=now, by=by, agreed_to=None)
    return Duplicate(event, changes)


def name_of_copy(event: Event) -> str:
    """Return the suggested name of a copy."""
    return (_("Copy of %(name)s") % {"name": event.name})[:_LONGEST_NAME]


def slug_of_copy(event: Event) -> str:
    """Return an unused slug: the event's own with the first free number."""
    stem = event.slug[: _LONGEST_SLUG - 6]
    taken = set(Event.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{stem}-{n}") not in taken)
