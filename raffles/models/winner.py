"""Who was drawn, who took whose place, and what became of each prize."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q

from raffles.models.raffle import Prize, Raffle
from raffles.models.ticket import Ticket


class WinnerState(models.TextChoices):
    """How a winner stands; read from what is stored, the last that applies."""

    ALTERNATE = "alternate"
    DRAWN = "drawn"
    NOTIFIED = "notified"
    CLAIMED = "claimed"
    HANDED_OVER = "handed over"
    FORFEITED = "forfeited"
    REPLACED = "replaced"


class WinnerQuerySet(models.QuerySet["Winner"]):
    """Query words of winners."""

    def of_prizes(self) -> WinnerQuerySet:
        """Those who were drawn for a prize, without the alternates."""
        return self.filter(prize__isnull=False)

    def with_state(self) -> WinnerQuerySet:
        """With what `state` and its kin read, in the same query."""
        return self.select_related("prize", "replacement", "replaces__prize", "handover")

    def unclaimed(self) -> WinnerQuerySet:
        """Those whose prize is kept for them without a deadline, and who have not come."""
        nobody_came = {"handover__claimed_at": None, "handover__forfeited_at": None}
        mine = Q(prize__isnull=False) | Q(replaces__isnull=False)
        return self.filter(mine, replacement=None, handover__claim_until=None, **nobody_came)

    def state(self, state: str) -> WinnerQuerySet:
        """Those who stand so."""
        return self.filter(_STATE[WinnerState(state)])


class Winner(models.Model):
    """The entry drawn for a rank; beyond the prizes it is an alternate (``prize`` is empty).

    ``leaf`` is a copy of the committed leaf, kept so that the proof outlives an erasure.
    The key to the ticket is (raffle, slot): the database itself holds that a winner is a ticket of
    the same raffle.
    """

    raffle = models.ForeignKey(
        Raffle, models.PROTECT, related_name="winners", db_index=False, db_constraint=False
    )
    rank = models.PositiveIntegerField()
    slot = models.PositiveIntegerField()
    index = models.PositiveIntegerField()
    prize = models.ForeignKey(
        Prize, models.PROTECT, related_name="winners", null=True, db_index=False
    )
    leaf = models.BinaryField(max_length=56)
    ticket = models.ForeignObject(
        Ticket,
        models.PROTECT,
        from_fields=("raffle", "slot"),
        to_fields=("raffle", "slot"),
        related_name="+",
    )

    objects = WinnerQuerySet.as_manager()

    class Meta:
        ordering = ("rank",)
        permissions = (("hand_over_prize", "Can check codes and hand over prizes"),)
        constraints = (
            models.UniqueConstraint(fields=("raffle", "rank"), name="winner_rank_once"),
            models.UniqueConstraint(fields=("raffle", "slot"), name="winner_ticket_once"),
            models.CheckConstraint(condition=Q(rank__gte=1), name="winner_rank_positive"),
        )

    def __str__(self) -> str:
        return f"rank {self.rank}"

    def current_prize(self) -> Prize | None:
        """The prize drawn or passed on to this rank, unless it was passed on from it."""
        if getattr(self, "replacement", None):
            return None
        replaces = getattr(self, "replaces", None)
        return replaces.prize if replaces else self.prize

    def held_prize(self) -> Prize | None:
        """The prize that is theirs now."""
        is_forfeited = self.state() == WinnerState.FORFEITED
        return None if is_forfeited else self.current_prize()

    def state(self) -> WinnerState:
        """What became of the prize."""
        handover = getattr(self, "handover", None)
        if getattr(self, "replacement", None):
            return WinnerState.REPLACED
        reached: WinnerState | None = handover.reached() if handover else None
        if reached:
            return reached
        return WinnerState.DRAWN if self.current_prize() else WinnerState.ALTERNATE

    def claim_until(self) -> datetime | None:
        """Until when the prize is kept for them; None without a deadline."""
        handover = getattr(self, "handover", None)
        return handover.claim_until if handover else None

    def ticket_number(self) -> int:
        """The number on the ticket, 1..N; it is part of the leaf."""
        return int.from_bytes(bytes(self.leaf)[16:24], "big")


class Replacement(models.Model):
    """A public line: the prize of ``winner`` went to ``alternate``, and why. Never edited."""

    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="replacements")
    winner = models.OneToOneField(Winner, models.PROTECT, related_name="replacement")
    alternate = models.OneToOneField(Winner, models.PROTECT, related_name="replaces")
    prize = models.ForeignKey(Prize, models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=500)
    replaced_at = models.DateTimeField()
    actor = models.CharField(max_length=200)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="replacement_has_reason"),
            models.CheckConstraint(
                condition=~Q(winner=F("alternate")), name="replacement_is_another"
            ),
        )

    def __str__(self) -> str:
        return self.reason

    def public(self) -> dict[str, Any]:
        """The public line."""
        return {
            "prize": self.prize.name,
            "rank": self.winner.rank,
            "ticket_number": self.winner.ticket_number(),
            "replaced_by": self.alternate.ticket_number(),
            "reason": self.reason,
            "replaced_at": self.replaced_at.isoformat(),
        }


UNDONE_WITHIN = timedelta(minutes=1)


class HandoverQuerySet(models.QuerySet["Handover"]):
    """Query words of handovers."""

    def unclaimed(self) -> HandoverQuerySet:
        """Those whose prize is kept until a deadline for somebody who has not come."""
        return self.filter(
            claim_until__isnull=False,
            claimed_at=None,
            forfeited_at=None,
            winner__replacement=None,
        )

    def overdue(self, now: datetime) -> HandoverQuerySet:
        """Those whose prize nobody has asked for in time, oldest first."""
        return self.filter(
            claim_until__lte=now, claimed_at__isnull=True, forfeited_at__isnull=True
        ).order_by("claim_until", "pk")


class Handover(models.Model):
    """What became of a winner's prize. Each moment is set once and never moves.

    The deadline may be extended until somebody has claimed or forfeited the prize; a hand-over may
    be taken back for `UNDONE_WITHIN`.

    Where prizes have a deadline the row comes with the prize, elsewhere with its first moment.
    """

    winner = models.OneToOneField(Winner, models.PROTECT, related_name="handover")
    claim_until = models.DateTimeField(null=True)
    notified_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(null=True)
    forfeited_at = models.DateTimeField(null=True)

    objects = HandoverQuerySet.as_manager()

    class Meta:
        permissions = (("claim_without_code", "Can note a claim without the code"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(handed_over_at__isnull=True) | Q(claimed_at__isnull=False),
                name="handover_after_claim",
            ),
            models.CheckConstraint(
                condition=Q(handed_over_at__isnull=True) | Q(forfeited_at__isnull=True),
                name="handover_or_forfeit",
            ),
        )
        indexes = (
            models.Index(
                fields=("claim_until",),
                condition=Q(
                    claim_until__isnull=False, claimed_at__isnull=True, forfeited_at__isnull=True
                ),
                name="handover_pending",
            ),
        )

    def __str__(self) -> str:
        return self.reached() or WinnerState.DRAWN

    def is_overdue(self, now: datetime) -> bool:
        """Whether nobody has claimed it, and the time for it is over."""
        is_late = self.claim_until is not None and self.claim_until <= now
        return is_late and self.claimed_at is None

    def can_be_undone(self, now: datetime) -> bool:
        """Whether the prize was handed over just now, perhaps by a slip."""
        return self.handed_over_at is not None and now - self.handed_over_at <= UNDONE_WITHIN

    def reached(self) -> WinnerState | None:
        """The furthest it has come; None before the first moment."""
        reached = (state for state, moment in MOMENTS if getattr(self, moment))
        return next(reached, None)


# What a handover has reached, the furthest first, and the moment that says so.
MOMENTS = (
    (WinnerState.FORFEITED, "forfeited_at"),
    (WinnerState.HANDED_OVER, "handed_over_at"),
    (WinnerState.CLAIMED, "claimed_at"),
    (WinnerState.NOTIFIED, "notified_at"),
)


def _conditions() -> dict[WinnerState, Q]:
    """`Winner.state` as conditions: each excludes those that go further."""
    has_prize = Q(prize__isnull=False) | Q(replaces__isnull=False)
    conditions = {WinnerState.REPLACED: Q(replacement__isnull=False)}
    further = Q(replacement__isnull=True)
    for state, moment in MOMENTS:
        conditions[state] = further & Q(**{f"handover__{moment}__isnull": False})
        further &= Q(**{f"handover__{moment}__isnull": True})
    conditions[WinnerState.DRAWN] = further & has_prize
    conditions[WinnerState.ALTERNATE] = further & ~has_prize
    return conditions


_STATE = _conditions()
