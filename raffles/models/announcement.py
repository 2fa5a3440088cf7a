"""The operator's log, which is the outbox too: public statements in one total order."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from raffles.models.raffle import Raffle

PUT_BACK = "put back after a restore"  # who announced what the tables know nothing of


class StreamCounter(models.Model):
    """A single row: `last` is the highest sequence number, `at` its time in UNIX seconds.

    Whoever announces locks it. A serial id would not do: a later id can commit first, and a reader
    that resumes from it would lose the earlier one for good.
    """

    last = models.BigIntegerField(default=0)
    at = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="stream_counter_one"),)

    def __str__(self) -> str:
        return str(self.last)


class AnnouncementQuerySet(models.QuerySet["Announcement"]):
    """Queries on announcements."""

    def streamed(self) -> AnnouncementQuerySet:
        """Return those for the stream, feeds, webhooks and mail: all but statements on keys."""
        return self.exclude(kind__in=(Announcement.Kind.KEY, Announcement.Kind.KEY_RETIRED))

    def of_winners(self) -> AnnouncementQuerySet:
        """Return the draws and replacements whose winners are known: a restore may lose some."""
        kinds = (Announcement.Kind.DRAWN, Announcement.Kind.REPLACED)
        return self.filter(kind__in=kinds).exclude(announced_by=PUT_BACK)


class Announcement(models.Model):
    """A public fact, written in the transaction that made it true.

    `statement` is its line in the operator's log (draw protocol, section 7), number
    `sequence - 1`: no name, no address, no ticket number. `payload` is what the stream shows with
    it; names in it can be erased. Its subject is a raffle, an event's date that nobody entered, or
    one of the operator's keys; statements on keys are not streamed.
    """

    class Kind(models.TextChoices):
        """The kinds of statements."""

        SOLD_OUT = "raffle.sold_out", _("Sold Out")
        SEALED = "draw.sealed", _("Sealed")
        DRAWN = "draw.drawn", _("Drawn")
        VOIDED = "draw.voided", _("Voided")
        REPLACED = "winner.replaced", _("Replaced")
        KEY = "key", _("Key")
        KEY_RETIRED = "key_retired", _("Key Retired")

    sequence = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="announcements", null=True)
    statement = models.BinaryField(max_length=65_535, unique=True)
    payload = models.JSONField()
    announced_at = models.DateTimeField()
    announced_by = models.CharField(max_length=200)

    objects = AnnouncementQuerySet.as_manager()

    class Meta:
        ordering = ("sequence",)
        indexes = (
            models.Index(
                fields=("sequence",),
                condition=Q(kind__in=["key", "key_retired"]),
                name="announcement_keys",
            ),
            models.Index(
                fields=("sequence",),
                condition=Q(kind__in=["draw.drawn", "winner.replaced"]),
                name="announcement_winners",
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("raffle", "kind"),
                condition=~Q(kind="winner.replaced"),
                name="announced_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "raffle.sold_out",
                        "draw.sealed",
                        "draw.drawn",
                        "draw.voided",
                        "winner.replaced",
                        "key",
                        "key_retired",
                    ]
                ),
                name="announcement_kind_is_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"

    def public(self) -> dict[str, Any]:
        """Return the stream, webhook and mail form of it: type, timestamp, sequence and data."""
        return {
            "type": self.kind,
            "timestamp": self.announced_at.isoformat(),
            "sequence": self.sequence,
            "data": self.payload,
        }


class LogNode(models.Model):
    """A node of the log's tree that no later statement can change: hash `index` of a level.

    Only levels 8, 16 and 24 are stored; a node between them is computed from at most 256 hashes.
    """

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("level", "index"), name="log_node_once"),)

    def __str__(self) -> str:
        return f"node {self.index} of level {self.level}"
