"""Who was drawn, who was replaced by whom, and what became of each prize."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from raffles.models.raffle import MAX_REASON, Prize, Raffle
from raffles.models.ticket import Ticket


def _part_of_leaf(first: int, length: int) -> models.Func:
    """Return so many bytes of a leaf; all in the SQL, or SQLite would not know the index of it."""
    cut = f"SUBSTR(%(expressions)s, {first}, {length})"
    return models.Func("leaf", template=cut, output_field=models.BinaryField())


# Parts of the leaf that `make_leaf` has put together: ticket number and code's tag.
NUMBER_IN_LEAF, CODE_IN_LEAF = _part_of_leaf(17, 8), _part_of_leaf(41, 16)


class WinnerState(models.TextChoices):
    """A winner's state, derived from what is stored: the last of these that applies."""

    ALTERNATE = "alternate", _("alternate")
    DRAWN = "drawn", _("drawn")
    NOTIFIED = "notified", _("notified")
    CLAIMED = "claimed", _("claimed")
    HANDED_OVER = "handed over", _("handed over")
    FORFEITED = "forfeited", _("forfeited")
    REPLACED = "replaced", _("replaced")


class WinnerQuerySet(models.QuerySet["Winner"]):
    """Queries on winners."""

    def of_prizes(self) -> WinnerQuerySet:
        """Return those who were drawn for a prize, without the alternates."""
        return self.filter(prize__isnull=False)

    def with_state(self) -> WinnerQuerySet:
        """Join the rows that `state` and its siblings read."""
        return self.select_related("prize", "replacement", "replaces__prize", "handover")

    def holding(self) -> WinnerQuerySet:
        """Return those who have a prize, as far as it was not passed on."""
        mine = Q(prize__isnull=False) | Q(replaces__isnull=False)
        return self.filter(mine, ~_passed_on("pk"))

    def unclaimed(self) -> WinnerQuerySet:
        """Return holders of a prize without a deadline, neither claimed nor forfeited."""
        nobody_came = {"handover__claimed_at": None, "handover__forfeited_at": None}
        return self.holding().filter(handover__claim_until=None, **nobody_came)

    def held(self) -> WinnerQuerySet:
        """Return holders of a prize that is neither handed over nor forfeited."""
        is_over = {"handover__handed_over_at": None, "handover__forfeited_at": None}
        return self.holding().filter(**is_over)

    def state(self, state: str) -> WinnerQuerySet:
        """Return those in a state."""
        return self.filter(_conditions()[WinnerState(state)])


class Winner(models.Model):
    """The entry drawn for a rank; an alternate, drawn beyond the prizes, has no `prize`.

    `leaf` is a copy of the committed leaf, so that the proof survives an erasure. A composite
    foreign key, (raffle, slot), guarantees that a winner is a ticket of the same raffle.
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
        permissions = (("hand_over_prize", _("Can check codes and hand over prizes")),)
        constraints = (
            models.UniqueConstraint(fields=("raffle", "rank"), name="winner_rank_once"),
            models.UniqueConstraint(fields=("raffle", "slot"), name="winner_ticket_once"),
            models.CheckConstraint(condition=Q(rank__gte=1), name="winner_rank_positive"),
        )
        indexes = (
            models.Index("raffle", NUMBER_IN_LEAF, name="winner_by_number"),
            models.Index(CODE_IN_LEAF, name="winner_by_code"),
        )

    def __str__(self) -> str:
        return _("rank %(rank)s") % {"rank": self.rank}

    def current_prize(self) -> Prize | None:
        """Return the prize drawn for or passed on to this rank; None once it was passed on."""
        if getattr(self, "replacement", None):
            return None
        replaces = getattr(self, "replaces", None)
        return replaces.prize if replaces else self.prize

    def held_prize(self) -> Prize | None:
        """Return the prize that they hold now, None without one."""
        is_forfeited = self.state() == WinnerState.FORFEITED
        return None if is_forfeited else self.current_prize()

    def state(self) -> WinnerState:
        """Return the winner's state, from rows that `with_state` joins."""
        handover = getattr(self, "handover", None)
        if getattr(self, "replacement", None):
            return WinnerState.REPLACED
        reached: WinnerState | None = handover.reached() if handover else None
        if reached:
            return reached
        return WinnerState.DRAWN if self.current_prize() else WinnerState.ALTERNATE

    def claim_until(self) -> datetime | None:
        """Return until when the prize is kept for them; None without a deadline."""
        handover = getattr(self, "handover", None)
        return handover.claim_until if handover else None

    def ticket_number(self) -> int:
        """Return the number on the ticket, 1..N, which is part of the leaf."""
        return int.from_bytes(bytes(self.leaf)[16:24], "big")


class SkippedEntry(models.Model):
    """An entry that was drawn and passed over: its holder had as many ranks as the terms allow.

    `step` is its place in the order of drawing, from 0, which winners and alternates share; `leaf`
    is a copy of the committed leaf, as theirs.
    """

    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="skipped", db_index=False)
    step = models.PositiveIntegerField()
    slot = models.PositiveIntegerField()
    index = models.PositiveIntegerField()
    leaf = models.BinaryField(max_length=56)

    class Meta:
        ordering = ("step",)
        constraints = (
            models.UniqueConstraint(fields=("raffle", "step"), name="skipped_step_once"),
        )

    def __str__(self) -> str:
        return f"step {self.step}"

    def ticket_number(self) -> int:
        """Return the number on the ticket, 1..N, which is part of the leaf."""
        return int.from_bytes(bytes(self.leaf)[16:24], "big")


class Replacement(models.Model):
    """A public line: the prize of `winner` went to `alternate`, for a reason. Immutable."""

    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="replacements")
    winner = models.OneToOneField(Winner, models.PROTECT, related_name="replacement")
    alternate = models.OneToOneField(Winner, models.PROTECT, related_name="replaces")
    prize = models.ForeignKey(Prize, models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=MAX_REASON)
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
        """Return the public line: prize, rank, both ticket numbers, reason and ISO 8601 time."""
        return {
            "prize": self.prize.name,
            "rank": self.winner.rank,
            "ticket_number": self.winner.ticket_number(),
            "replaced_by": self.alternate.ticket_number(),
            "reason": self.reason,
            "replaced_at": self.replaced_at.isoformat(),
        }


def _passed_on(winner: str) -> Exists:
    """Return the condition that the prize of that winner was passed on.

    A join with nothing on its other side would say the same; PostgreSQL then expects no row at all.
    """
    return Exists(Replacement.objects.filter(winner=OuterRef(winner)))


UNDONE_WITHIN = timedelta(minutes=1)


class HandoverQuerySet(models.QuerySet["Handover"]):
    """Queries on handovers."""

    def unclaimed(self) -> HandoverQuerySet:
        """Return those not yet claimed, forfeited or passed on, with a deadline."""
        return self.filter(
            ~_passed_on("winner"), claim_until__isnull=False, claimed_at=None, forfeited_at=None
        )

    def overdue(self, now: datetime) -> HandoverQuerySet:
        """Return those whose deadline has passed unclaimed, oldest deadline first."""
        return self.filter(
            claim_until__lte=now, claimed_at__isnull=True, forfeited_at__isnull=True
        ).order_by("claim_until", "pk")


class Handover(models.Model):
    """What became of a winner's prize. Each of its times is set once and never changes.

    The deadline may be extended until somebody has claimed or forfeited the prize; a hand-over may
    be taken back for `UNDONE_WITHIN`.

    With a deadline the row is created together with the prize, otherwise with its first event.
    """

    winner = models.OneToOneField(Winner, models.PROTECT, related_name="handover")
    claim_until = models.DateTimeField(null=True)
    notified_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(null=True)
    forfeited_at = models.DateTimeField(null=True)

    objects = HandoverQuerySet.as_manager()

    class Meta:
        permissions = (("claim_without_code", _("Can note a claim without the code")),)
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
        """Return whether the deadline has passed and nobody has claimed the prize."""
        is_late = self.claim_until is not None and self.claim_until <= now
        return is_late and self.claimed_at is None

    def can_be_undone(self, now: datetime) -> bool:
        """Whether the prize was handed over just now, perhaps by a slip."""
        return self.handed_over_at is not None and now - self.handed_over_at <= UNDONE_WITHIN

    def reached(self) -> WinnerState | None:
        """Return the furthest state that it has reached; None before the first."""
        reached = (state for state, moment in MOMENTS if getattr(self, moment))
        return next(reached, None)


# The states of a handover, furthest first, and the column whose value marks each.
MOMENTS = (
    (WinnerState.FORFEITED, "forfeited_at"),
    (WinnerState.HANDED_OVER, "handed_over_at"),
    (WinnerState.CLAIMED, "claimed_at"),
    (WinnerState.NOTIFIED, "notified_at"),
)


def _conditions() -> dict[WinnerState, Q]:
    """Return `Winner.state` as a condition for each state; each excludes the further ones."""
    has_prize = Q(prize__isnull=False) | Q(replaces__isnull=False)
    conditions = {WinnerState.REPLACED: Q(_passed_on("pk"))}
    further = ~Q(_passed_on("pk"))
    for state, moment in MOMENTS:
        conditions[state] = further & Q(**{f"handover__{moment}__isnull": False})
        further &= Q(**{f"handover__{moment}__isnull": True})
    conditions[WinnerState.DRAWN] = further & has_prize
    conditions[WinnerState.ALTERNATE] = further & ~has_prize
    return conditions
