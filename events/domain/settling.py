"""Settling dates that nobody entered: void, announced, and never entered again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import takewhile

from django.db import transaction

from events.domain.calendar import locked_event
from events.domain.refusals import DatesLeft
from events.models import Event, Occurrence, Reward
from events.models.event import OccurrenceQuerySet
from raffles.domain.announcing import announce
from raffles.domain.sealing import NOBODY_CAME, NOTHING_SEALED
from raffles.fairness.verify import hash_reason
from raffles.models import Announcement
from raffles.models.draw import LATE_AFTER

Due = tuple[date, datetime]

# An event's empty dates that are called off at once. More are not due after a bad week, but by a
# clock that is far ahead, and a date once called off stays so: somebody should look first.
MOST = 7


def due_dates(event: Event, now: datetime) -> list[Due]:
    """Return the dates, with or without tickets, that fell due after the last settled one."""
    if event.paused_at is not None or now <= event.settled_until:
        return []
    return list(takewhile(lambda due: due[1] <= now, event.schedule().after(event.settled_until)))


def empty_dates(event: Event, now: datetime) -> list[Due]:
    """Return the due dates that nobody entered. Raises DatesLeft for more than `MOST`."""
    if not (due := due_dates(event, now)):
        return []
    opened = opened_since(event.settled_until).filter(event=event)
    taken = set(opened.values_list("date", flat=True))
    empty = [(day, draw_at) for day, draw_at in due if day not in taken]
    if len(empty) > MOST:
        raise DatesLeft(event.slug, len(empty), empty[0][0])
    return empty


def settle(event: Event, *, now: datetime, by: str) -> None:
    """Void each empty date of a locked event up to `now`, oldest first. Raises DatesLeft."""
    for day, draw_at in empty_dates(event, now):
        _void(event, day, draw_at, now=now, by=by)
    if due := due_dates(event, now):
        event.settled_until = due[-1][1]
        event.save(update_fields=["settled_until"])


def settle_date(event_pk: int, day: date, draw_at: datetime, *, now: datetime, by: str) -> bool:
    """Void one date if it is still due and empty; return whether this call did.

    Call it oldest first: every date up to `draw_at` then counts as settled.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        is_due = (day, draw_at) in due_dates(event, draw_at)
        if not is_due or event.occurrences.filter(date=day).exists():
            return False
        _void(event, day, draw_at, now=now, by=by)
        event.settled_until = draw_at
        event.save(update_fields=["settled_until"])
    return True


def opened_since(moment: datetime) -> OccurrenceQuerySet:
    """Return the opened and settled dates among which all those after `moment` are."""
    return Occurrence.objects.filter(date__gte=(moment - timedelta(days=2)).date())


def _void(event: Event, day: date, draw_at: datetime, *, now: datetime, by: str) -> None:
    reward = Reward.objects.filter(event=event, date=day).first() or event
    row = Occurrence.objects.create(
        event=event,
        date=day,
        draw_at=draw_at,
        time_zone=event.time_zone,
        max_participants=event.max_participants,
        **reward.reward(),
    )
    payload = {
        "event": event.slug,
        "name": event.name,
        "draw_at": row.local().isoformat(),
        "reward": row.reward_name,
        "reason": NOBODY_CAME,
        "late": now > draw_at + LATE_AFTER,
    }
    announce(
        Announcement.Kind.VOIDED,
        None,
        payload,
        at=now,
        by=by,
        commitment_hash=NOTHING_SEALED,
        reason_hash=hash_reason(NOBODY_CAME).hex(),
    )
