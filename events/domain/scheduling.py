"""Scheduling events and the rewards of their dates, for the API and the admin.

A date's time, reward and size are fixed from its first ticket on; everything else may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from events.domain.calendar import forget_events, is_enterable, locked_event
from events.domain.refusals import NoSuchDate, RewardFrozen, RewardTooLarge, SlugTaken
from events.domain.settling import settle
from events.models import Event, Occurrence, Reward
from events.models.event import RESERVED, SLUG_IS_RESERVED
from events.schedule import BadSchedule, check, local
from raffles.domain.keys import current_key_id
from raffles.domain.privacy import forget_names
from raffles.domain.refusals import ChangedMeanwhile
from raffles.domain.rules import keep_rules
from raffles.models import Raffle
from raffles.models.record import record
from raffles.web.versions import fits

_TIMING = ("start_date", "until", "draw_time", "time_zone", "frequency")


class Unfit(ValueError):
    """Validation errors of an event: a sentence by field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def refuse_unfit(event: Event, now: datetime) -> None:
    """Raise Unfit for an event with invalid values; it takes no query."""
    errors = {}
    try:
        check(event.schedule(), now.date())
    except BadSchedule as fault:
        errors[fault.field] = str(fault)
    if event.until is not None and event.until < event.start_date:
        errors["until"] = _("The last date can't be before the first.")
    if event.reward_amount > event.max_participants:
        errors["reward_amount"] = str(RewardTooLarge())
    if event.slug in RESERVED:
        errors["slug"] = _(SLUG_IS_RESERVED)
    if errors:
        raise Unfit(errors)


def schedule_event(event: Event, *, now: datetime, by: str, rules: str | None = None) -> Event:
    """Store a new event, whose dates begin after `now`; `rules` None are those it has.

    Raises Unfit, SlugTaken.
    """
    refuse_unfit(event, now)
    event.settled_until = event.created_at = event.changed_at = now
    event.created_by = event.changed_by = by
    event.ticket_key_id = current_key_id()
    try:
        with transaction.atomic():
            if rules is not None:
                event.rules_hash = keep_rules(rules, now=now, by=by)
            event.save(force_insert=True)
            record(event, "event.scheduled", at=now, by=by)
    except IntegrityError:
        if Event.objects.filter(slug=event.slug).exists():
            raise SlugTaken from None
        raise
    return event


def edit_event(
    event_pk: int,
    changes: Mapping[str, Any],
    *,
    now: datetime,
    by: str,
    seen: frozenset[str] | None = None,
) -> tuple[Event, list[Occurrence]]:
    """Change an event; return it with the coming dates that keep what they were opened with.

    `changes` are values by field, `paused`, and the text of `rules`. Past dates are settled by the
    old schedule; the new one begins after `now`. `seen` are versions of which one must be stored;
    None: any. Raises Unfit, RewardTooLarge, ChangedMeanwhile, DatesLeft.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        if not fits(event.version(), seen):
            raise ChangedMeanwhile
        settle(event, now=now, by=by)
        changes = _with_rules_kept(changes, now=now, by=by)
        before = {name: getattr(event, name) for name in (*_TIMING, "paused_at")}
        changed = {name: value for name, value in changes.items() if getattr(event, name) != value}
        for name, value in changes.items():
            if name == "paused":
                event.paused_at = (event.paused_at or now) if value else None
            else:
                setattr(event, name, value)
        refuse_unfit(event, now)
        if event.rewards.filter(reward_amount__gt=event.max_participants).exists():
            raise RewardTooLarge
        if any(getattr(event, name) != value for name, value in before.items()):
            event.settled_until = max(event.settled_until, now)
        event.changed_at, event.changed_by = now, by
        event.save()
        if "privacy" in changed:
            raffles = Raffle.objects.filter(occurrence__event=event)
            raffles.update(privacy=event.privacy)
            forget_names(raffles)
        if changed:
            record(event, "event.changed", at=now, by=by, **changed)
        transaction.on_commit(forget_events)
        opened = event.occurrences.recent(now).select_related("raffle").order_by("date")
        return event, [row for row in opened if is_enterable(row, now)]


def _with_rules_kept(changes: Mapping[str, Any], *, now: datetime, by: str) -> dict[str, Any]:
    """Return the changes with the hash of rules in the place of their text."""
    kept = dict(changes)
    if "rules" in kept:
        kept["rules_hash"] = keep_rules(kept.pop("rules"), now=now, by=by)
    return kept


def end_event(
    event_pk: int, last: date | None, *, now: datetime, by: str
) -> tuple[Event, list[Occurrence]]:
    """Let no date come after `last`, or from now on; return the same as `edit_event`.

    Raises Unfit, whose errors are of `until`, and DatesLeft.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        if last is None:
            last = _last_until(event, now)
        elif last < local(now, event.time_zone).date():
            raise Unfit({"until": _("Choose today or a later date, or none to end it now.")})
        elif event.until is not None and last > event.until:
            raise Unfit({"until": _("It ends on %(day)s already.") % {"day": event.until}})
        return edit_event(event_pk, {"until": last}, now=now, by=by)


def first_free(event: Event, now: datetime) -> date | None:
    """Return the first date to come that has no tickets, as if the event were not paused."""
    opened = set(event.occurrences.recent(now).values_list("date", flat=True))
    coming = (day for day, _at in event.schedule().after(max(now, event.settled_until)))
    return next((day for day in coming if day not in opened), None)


def _last_until(event: Event, now: datetime) -> date | None:
    """Return the last date of an event that gets no further one, but keeps those with tickets."""
    free = first_free(event, now)
    if free is None:
        return event.until
    if free <= event.start_date:
        raise Unfit({"until": _("Its first date is still to come: delete it, or choose a date.")})
    today = local(now, event.time_zone).date()
    return max(min(free - timedelta(days=1), today), event.start_date)


def set_reward(
    event_pk: int,
    day: date,
    reward: Mapping[str, Any],
    *,
    now: datetime,
    by: str,
    seen: frozenset[str] | None = None,
) -> tuple[Reward, bool]:
    """Set the reward of a coming date; return it, and whether it is new.

    `seen` as in `edit_event`. Raises RewardFrozen, NoSuchDate, RewardTooLarge, ChangedMeanwhile.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        stored = Reward.objects.filter(event=event, date=day).first() if seen is not None else None
        if not fits(stored.version() if stored else None, seen):
            raise ChangedMeanwhile
        refuse_unless_coming(event, day, now)
        if reward["reward_amount"] > event.max_participants:
            raise RewardTooLarge
        record(event, "reward.set", at=now, by=by, date=day, **reward)
        return Reward.objects.update_or_create(event=event, date=day, defaults=reward)


def remove_reward(
    event_pk: int, day: date, *, now: datetime, by: str, seen: frozenset[str] | None = None
) -> None:
    """Return a date to the event's default reward.

    `seen` as in `edit_event`. Raises RewardFrozen, Reward.DoesNotExist, ChangedMeanwhile.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        reward = Reward.objects.get(event=event, date=day)
        if not fits(reward.version(), seen):
            raise ChangedMeanwhile
        if event.occurrences.filter(date=day).exists():
            raise RewardFrozen
        reward.delete()
        record(event, "reward.removed", at=now, by=by, date=day)


def refuse_unless_coming(event: Event, day: date, now: datetime) -> None:
    """Raise RewardFrozen or NoSuchDate if a date's reward is fixed; for an unsaved event too."""
    if event.pk and event.occurrences.filter(date=day).exists():
        raise RewardFrozen
    refuse_unless_planned(event, day, now)


def refuse_unless_planned(event: Event, day: date, now: datetime) -> None:
    """Raise NoSuchDate for a date that is over or not in the schedule; it takes no query."""
    planned = event.schedule()
    if next(planned.dates(day), None) != day:
        raise NoSuchDate
    settled_until = event.settled_until if event.pk else now
    if planned.draw_at(day) <= max(now, settled_until):
        raise NoSuchDate
