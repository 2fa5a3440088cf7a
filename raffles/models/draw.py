"""The sealed pool, and its one draw."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from raffles.fairness.receipts import Seal, Void
from raffles.fairness.verify import BEFORE_ROUND, LATE, VERSION, first_round_at, time_of_round
from raffles.models.raffle import MAX_REASON, Channel, Raffle

LATE_AFTER = timedelta(seconds=LATE)  # cron runs every minute; two missed runs are late


class Pool(models.Model):
    """A raffle's frozen tickets: their number, and their Merkle tree's root and upper levels.

    `levels` concatenates the hashes of the levels from 8 upwards, lowest first, so that a ticket's
    path costs one range of 256 rows and a few slices. `channels` counts the tickets by the channel
    that they name; the others came by the raffle's own.
    """

    raffle = models.OneToOneField(Raffle, models.PROTECT, primary_key=True, related_name="pool")
    tickets = models.PositiveIntegerField()
    root = models.BinaryField(max_length=32)
    levels = models.BinaryField()
    channels = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(tickets__gte=1), name="pool_is_not_empty"),
        )

    def __str__(self) -> str:
        return f"{self.tickets} tickets, root {bytes(self.root).hex()[:16]}"

    def by_channel(self, own: Channel) -> list[tuple[Channel, int]]:
        """Return how many tickets came by each channel, `own` being the raffle's; empty for one."""
        named = {channel: self.channels.get(channel, 0) for channel in Channel}
        named[own] += self.tickets - sum(self.channels.values())
        counted = [(channel, count) for channel, count in named.items() if count]
        return counted if self.channels else []


class DrawQuerySet(models.QuerySet["Draw"]):
    """Queries on draws."""

    def waiting(self) -> DrawQuerySet:
        """Return those that are sealed, and neither drawn nor void."""
        return self.filter(drawn_at=None, voided_at=None)

    def to_be_witnessed(self, now: datetime) -> DrawQuerySet:
        """Waiting for a round that an answer of a witness can still be in time for."""
        earliest = first_round_at(math.ceil(now.timestamp()) + BEFORE_ROUND)
        return self.waiting().filter(round__gte=earliest)


class Draw(models.Model):
    """A raffle's one commitment to its pool and, later, the randomness that decides it.

    It is created sealed, and ends drawn or void. `closed_at` is the time of its statement in the
    operator's log, whose number is `statement`. `log` is the part of a beacon draw's proof that
    shows who saw the seal; it is frozen when the winners are stored.
    """

    raffle = models.OneToOneField(Raffle, models.PROTECT, related_name="draw")
    closed_at = models.DateTimeField()
    round = models.BigIntegerField(null=True)
    commitment_hash = models.BinaryField(max_length=32, unique=True)
    public_key = models.CharField(max_length=64)
    signature = models.BinaryField(max_length=64)
    statement = models.BigIntegerField()
    log = models.JSONField(null=True)
    randomness = models.BinaryField(max_length=32, null=True)
    beacon_signature = models.BinaryField(max_length=48, null=True)
    drawn_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=MAX_REASON, blank=True, default="")
    void_public_key = models.CharField(max_length=64, blank=True, default="")
    void_signature = models.BinaryField(max_length=64, null=True)

    objects = DrawQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(
                fields=("drawn_at",), condition=Q(drawn_at__isnull=False), name="draw_by_time"
            ),
            models.Index(
                fields=("round",),
                condition=Q(drawn_at__isnull=True, voided_at__isnull=True),
                name="draw_waiting",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(drawn_at__isnull=True, randomness__isnull=True)
                | Q(drawn_at__isnull=False, randomness__isnull=False, voided_at__isnull=True),
                name="draw_drawn_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(randomness__isnull=True, beacon_signature__isnull=True)
                | Q(randomness__isnull=False, round__isnull=True, beacon_signature__isnull=True)
                | Q(randomness__isnull=False, round__isnull=False, beacon_signature__isnull=False),
                name="draw_beacon_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(voided_at__isnull=True, void_reason="", void_signature__isnull=True)
                | Q(voided_at__isnull=False, void_signature__isnull=False) & ~Q(void_reason=""),
                name="draw_void_has_reason",
            ),
        )

    def __str__(self) -> str:
        return _("draw of %(raffle)s") % {"raffle": self.raffle}

    def commitment(self) -> dict[str, Any]:
        """Return the published commitment, reassembled from its inputs (section 3)."""
        return commitment_of(
            self.raffle,
            tickets=self.raffle.pool.tickets,
            root=bytes(self.raffle.pool.root),
            closed_at=int(self.closed_at.timestamp()),
            round_=self.round,
        )

    def seal(self) -> Seal:
        """Return the operator's signature over the commitment."""
        return {"public_key": self.public_key, "signature": bytes(self.signature).hex()}

    def void(self) -> Void | None:
        """Return the signed void of a draw that was called off; None for any other."""
        if self.voided_at is None:
            return None
        return {
            "commitment_hash": bytes(self.commitment_hash).hex(),
            "reason": self.void_reason,
            "voided_at": int(self.voided_at.timestamp()),
            "public_key": self.void_public_key,
            "signature": bytes(self.void_signature or b"").hex(),
        }

    def draws_at(self) -> int | None:
        """Return the UNIX second of the beacon's round; None without a beacon."""
        return None if self.round is None else time_of_round(self.round)

    def is_late(self) -> bool:
        """Return whether a raffle with a closing time was sealed too late (over `LATE_AFTER`)."""
        closes_at = self.raffle.closes_at
        return closes_at is not None and self.closed_at > closes_at + LATE_AFTER


def commitment_of(
    raffle: Raffle, *, tickets: int, root: bytes, closed_at: int, round_: int | None
) -> dict[str, Any]:
    """Return the commitment of section 3, made of a raffle's frozen terms and its pool."""
    commitment: dict[str, Any] = {
        "v": VERSION,
        "terms": raffle.terms(),
        "tickets": tickets,
        "root": root.hex(),
        "closed_at": closed_at,
    }
    return commitment if round_ is None else commitment | {"round": round_}
