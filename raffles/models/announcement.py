"""The outbox: what was announced, in one order for everybody."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from raffles.models.raffle import Raffle


class StreamCounter(models.Model):
    """One row, whose ``last`` is taken under its lock by whoever announces.

    A serial id would not do: a later id can commit first, and a reader who resumes from it would
    lose the earlier one for good.
    """

    last = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="stream_counter_one"),)

    def __str__(self) -> str:
        return str(self.last)


class Announcement(models.Model):
    """A public fact, written in the transaction that made it true.

    It is about a raffle, or about a date of an event that nobody came to, which has none.
    """

    class Kind(models.TextChoices):
        """What happened."""

        SOLD_OUT = "raffle.sold_out"
        SEALED = "draw.sealed"
        DRAWN = "draw.drawn"
        VOIDED = "draw.voided"
        REPLACED = "winner.replaced"

    sequence = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="announcements", null=True)
    payload = models.JSONField()
    announced_at = models.DateTimeField()
    announced_by = models.CharField(max_length=200)

    class Meta:
        ordering = ("sequence",)
        constraints = (
            models.UniqueConstraint(
                fields=("raffle",),
                condition=Q(kind="raffle.sold_out"),
                name="sold_out_announced_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"

    def public(self) -> dict[str, Any]:
        """As everybody is told it: in the stream, by webhook and by mail."""
        return {
            "type": self.kind,
            "timestamp": self.announced_at.isoformat(),
            "sequence": self.sequence,
            "data": self.payload,
        }
