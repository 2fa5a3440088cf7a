"""The sealed pool, and the draws over it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from raffles.fairness.verify import first_round_at, time_of_round
from raffles.models.raffle import Entropy, Raffle

BEACON_DELAY = 60  # seconds from the seal to its round, at the least (draw protocol, section 3)
LATE_AFTER = timedelta(minutes=3)  # cron runs each minute; two missed runs are late


class Pool(models.Model):
    """The frozen tickets of a raffle: how many, their tree's root, and its levels from 8 upwards.

    ``levels`` is the concatenation of the levels' hashes, lowest first, so that one ticket's path
    costs one range of 256 rows and a few slices.
    """

    raffle = models.OneToOneField(Raffle, models.PROTECT, primary_key=True, related_name="pool")
    tickets = models.PositiveIntegerField()
    root = models.BinaryField(max_length=32)
    levels = models.BinaryField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(tickets__gte=1), name="pool_is_not_empty"),
        )

    def __str__(self) -> str:
        return f"{self.tickets} tickets, root {bytes(self.root).hex()[:16]}"


class DrawQuerySet(models.QuerySet["Draw"]):
    """Query words of draws."""

    def live(self) -> DrawQuerySet:
        """The draws that count: at most one for each raffle."""
        return self.filter(voided_at__isnull=True)


class Draw(models.Model):
    """A commitment to a pool and, later, the randomness that decides it.

    It is sealed when made, then drawn or void; ``number`` counts the draws over one pool and
    ``prev`` chains them. ``closed_at`` is the clock read in the sealing transaction.
    """

    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="draws", db_index=False)
    number = models.PositiveSmallIntegerField(default=1)
    prev = models.BinaryField(max_length=32)
    closed_at = models.DateTimeField()
    round = models.BigIntegerField(null=True)
    commitment_hash = models.BinaryField(max_length=32, unique=True)
    signed_at = models.DateTimeField()
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField(max_length=64)
    randomness = models.BinaryField(max_length=32, null=True)
    beacon_signature = models.BinaryField(max_length=48, null=True)
    drawn_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=500, blank=True, default="")
    void_key_id = models.CharField(max_length=16, blank=True, default="")
    void_signature = models.BinaryField(max_length=64, null=True)

    objects = DrawQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(
                fields=("drawn_at",), condition=Q(drawn_at__isnull=False), name="draw_by_time"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("raffle", "number"), name="draw_number_once"),
            models.UniqueConstraint(
                fields=("raffle",), condition=Q(voided_at__isnull=True), name="draw_one_live"
            ),
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
        return f"draw {self.number}"

    def commitment(self) -> dict[str, Any]:
        """The published commitment, put together again from its inputs (section 3)."""
        return commitment_of(
            self.raffle,
            number=self.number,
            prev=bytes(self.prev),
            tickets=self.raffle.pool.tickets,
            root=bytes(self.raffle.pool.root),
            closed_at=int(self.closed_at.timestamp()),
            round_=self.round,
        )

    def seal(self) -> dict[str, Any]:
        """The signed commitment hash, as it was announced."""
        return {
            "commitment_hash": bytes(self.commitment_hash).hex(),
            "signed_at": int(self.signed_at.timestamp()),
            "key_id": self.key_id,
            "signature": bytes(self.signature).hex(),
        }

    def void(self) -> dict[str, Any] | None:
        """The signed end of a draw that was called off; None for one that counts."""
        if self.voided_at is None:
            return None
        return {
            "commitment_hash": bytes(self.commitment_hash).hex(),
            "reason": self.void_reason,
            "voided_at": int(self.voided_at.timestamp()),
            "key_id": self.void_key_id,
            "signature": bytes(self.void_signature or b"").hex(),
        }

    def draws_at(self) -> int | None:
        """The UNIX second in which the beacon's round appears; None without a beacon."""
        return None if self.round is None else time_of_round(self.round)

    def is_late(self) -> bool:
        """Whether a raffle with a closing time was sealed later than promised."""
        planned = planned_round(self.raffle)
        if planned is not None and self.round is not None:
            return self.round > planned
        closes_at = self.raffle.closes_at
        return closes_at is not None and self.closed_at > closes_at + LATE_AFTER


def commitment_of(
    raffle: Raffle,
    *,
    number: int,
    prev: bytes,
    tickets: int,
    root: bytes,
    closed_at: int,
    round_: int | None,
) -> dict[str, Any]:
    """The commitment of section 3, from a raffle's frozen terms and its sealed pool."""
    commitment: dict[str, Any] = {
        "v": "raffle-draw-v1",
        "terms": raffle.terms(),
        "draw_no": number,
        "prev": prev.hex(),
        "tickets": tickets,
        "root": root.hex(),
        "closed_at": closed_at,
    }
    if round_ is not None:
        commitment["round"] = round_
    return commitment


def planned_round(raffle: Raffle) -> int | None:
    """The beacon round that a raffle with a known closing time promises; None without either."""
    if raffle.entropy != Entropy.DRAND or raffle.closes_at is None:
        return None
    return first_round_at(raffle.closes_at_seconds() + BEACON_DELAY)
