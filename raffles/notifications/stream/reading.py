"""Reading announcements for the stream: pages after a position, and the last number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import models

from raffles.domain.lineage import since
from raffles.models import Announcement
from raffles.notifications.stream.frames import frame

PAGE = 500  # announcements per query
REPLAYED = 10_000  # announcements that a client may be behind; beyond that it starts anew
_SHOWN = 100  # announcements in a snapshot


class StreamEvent(NamedTuple):
    """An announcement for many clients, rendered once."""

    sequence: int
    raffle: str | None
    event: str | None
    frame: bytes


@dataclass(frozen=True, slots=True)
class Topic:
    """A subset of announcements: of a raffle, of an event (its slug), or all."""

    raffle: UUID | None = None
    event: str | None = None

    def covers(self, event: StreamEvent) -> bool:
        """Return whether an announcement belongs to it."""
        if self.raffle is not None:
            return event.raffle == str(self.raffle)
        return self.event is None or event.event == self.event


def read_head() -> int:
    """Return the number of the last announcement, 0 before the first."""
    newest = Announcement.objects.order_by("-sequence").values_list("sequence", flat=True)
    return newest.first() or 0


def read_after(
    sequence: int, topic: Topic | None = None, *, upto: int | None = None, limit: int = PAGE
) -> list[StreamEvent]:
    """Return at most `limit` announcements of a topic after a number, in order, up to `upto`."""
    rows = _of(topic).filter(sequence__gt=sequence).order_by("sequence")
    if upto is not None:
        rows = rows.filter(sequence__lte=upto)
    return [_event(row) for row in rows[:limit]]


def read_snapshot(topic: Topic, head: int) -> list[Announcement]:
    """Return the latest announcements up to `head`, in order, for a client too far behind."""
    rows = _of(topic).filter(sequence__lte=head).order_by("-sequence")
    return list(rows[:_SHOWN])[::-1]


def is_too_far(last: int | None, head: int) -> bool:
    """Return whether `last` (None: unreadable) is too old to replay from, or no number of ours."""
    return last is None or last > head or head - last > REPLAYED


def _of(topic: Topic | None) -> models.QuerySet[Announcement]:
    rows = Announcement.objects.streamed()
    if topic is None:
        return rows
    if topic.raffle is not None:
        return rows.filter(raffle__uuid=topic.raffle)
    return rows if topic.event is None else rows.filter(payload__event=topic.event)


def _event(row: Announcement) -> StreamEvent:
    payload = row.payload
    return StreamEvent(
        row.sequence, payload.get("raffle"), payload.get("event"), frame(row, since())
    )
