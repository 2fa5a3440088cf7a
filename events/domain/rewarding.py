"""Rewards of many dates at once: first what would become of each, then all that can be set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from events.models import Event, Reward
from raffles.domain.recording import record
from raffles.domain.refusals import Refusal

from .refusals import PlanChanged, RewardFrozen, RewardTooLarge
from .scheduling import refuse_unless_planned


@dataclass(frozen=True, slots=True)
class Change:
    """The reward that a date is to have, the one of its own that it has, and why it keeps that.

    Without a ``fault`` the new one can be set.
    """

    day: date
    reward: Mapping[str, Any]
    before: Reward | None
    fault: str = ""

    def is_none(self) -> bool:
        """Whether the date has exactly this reward already."""
        return self.before is not None and self.before.reward() == self.reward


def foresee_rewards(
    event: Event, wanted: Mapping[date, Mapping[str, Any]], *, now: datetime
) -> list[Change]:
    """What would become of each date, in order; two queries, whatever the dates.

    None for an event that is yet to be saved.
    """
    own: dict[date, Reward] = {}
    frozen: set[date] = set()
    if wanted and event.pk:
        span = (min(wanted), max(wanted))
        own = {reward.date: reward for reward in event.rewards.filter(date__range=span)}
        opened = event.occurrences.filter(date__range=span)
        frozen = set(opened.values_list("date", flat=True))
    return [
        Change(day, reward, own.get(day), _fault(event, day, reward, frozen, now))
        for day, reward in sorted(wanted.items())
    ]


def _fault(
    event: Event, day: date, reward: Mapping[str, Any], frozen: set[date], now: datetime
) -> str:
    if day in frozen:
        return RewardFrozen.sentence
    if reward["reward_amount"] > event.max_participants:
        return RewardTooLarge.sentence
    try:
        refuse_unless_planned(event, day, now)
    except Refusal as refusal:
        return str(refusal)
    return ""


def set_rewards(
    event: Event, changes: Iterable[Change], *, now: datetime, by: str, agreed_to: str | None
) -> None:
    """Sets what was foreseen of a locked event and has no fault.

    ``agreed_to`` is the fingerprint of what somebody has seen and agreed to: if it is no longer
    what would happen, PlanChanged is raised.
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
    """The same for the same changes of the same rewards, and for no other."""
    told = [
        (change.day, dict(change.reward), change.before and change.before.reward(), change.fault)
        for change in changes
    ]
    return hashlib.sha256(repr(told).encode()).hexdigest()
