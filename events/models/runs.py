"""What runs store: when the last one finished, and failures that are retried."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from events.models.event import Event
from raffles.models import Raffle
from raffles.web.outages import CLOCKS_APART

_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


class Heartbeat(models.Model):
    """A single row: when `draw_winners` last finished, on any machine."""

    ran_at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(pk=1), name="heartbeat_one"),)

    def __str__(self) -> str:
        return self.ran_at.isoformat()


class SetbackQuerySet(models.QuerySet["Setback"]):
    """Queries on setbacks."""

    def resting(self, now: datetime) -> SetbackQuerySet:
        """Return those whose next try is still to come.

        One that failed at a time to come does not rest: a clock was wrong, or is.
        """
        return self.filter(failed_at__lte=now + CLOCKS_APART, next_try_at__gt=now)


class Setback(models.Model):
    """A raffle, or an event's empty dates, that failed `attempts` times in a row.

    The pause between tries is 1, 2, 4, ... minutes, an hour at most. Success deletes the row.
    """

    raffle = models.OneToOneField(Raffle, models.CASCADE, related_name="setback", null=True)
    event = models.OneToOneField(Event, models.CASCADE, related_name="setback", null=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500)
    failed_at = models.DateTimeField()
    next_try_at = models.DateTimeField()

    objects = SetbackQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(raffle__isnull=True) ^ Q(event__isnull=True), name="setback_of_one"
            ),
        )

    def __str__(self) -> str:
        return self.error

    def fail_again(self, error: str, now: datetime) -> None:
        """Count a failure at `now`, and set the next try."""
        pause = min(_FIRST_PAUSE * 2 ** min(self.attempts, 10), _LONGEST_PAUSE)
        self.attempts += 1
        self.error = error[:500]
        self.failed_at, self.next_try_at = now, now + pause
        self.save()
