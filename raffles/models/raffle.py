"""A raffle: its terms, its prizes, and the striped counter that is its gate."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from raffles.fairness.verify import CHAIN, PAUSE, first_round_at
from raffles.web.zones import zone_of

MAX_TICKETS = 10_000_000
MAX_PRIZES = 100_000
MAX_PRIZE_KINDS = 1_000
MAX_ALTERNATES = 1_000
MAX_CLAIM_DAYS = 366
MAX_REASON = 200  # characters: what the protocol calls a text


class State(models.TextChoices):
    """A raffle's state; its transitions are those that the `raffle_moves_forward` guard allows."""

    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")
    SEALED = "sealed", _("Sealed")
    DRAWN = "drawn", _("Drawn")
    VOID = "void", _("Void")


ENTERABLE = frozenset({State.OPEN})
UNDER_WAY = frozenset({State.CLOSED, State.SEALED})
FINISHED = frozenset({State.DRAWN, State.VOID})


class Entropy(models.TextChoices):
    """Where the randomness of a draw comes from."""

    SYSTEM = "system", _("System")
    DRAND = "drand", _("Drand")


class Privacy(models.TextChoices):
    """How much of the participants' names is public."""

    FULL = "full", _("Full names")
    INITIALS = "initials", _("Initials")
    NUMBER = "number", _("Ticket numbers only")


class EntryMode(models.TextChoices):
    """How people enter, in the words of the signed terms."""

    ADDRESS = "address", _("Address")
    USERNAME = "username", _("Username")
    LIST = "list", _("List")
    PARTNER = "partner", _("Partner")


class RaffleQuerySet(models.QuerySet["Raffle"]):
    """Queries on raffles."""

    def with_available(self) -> RaffleQuerySet:
        """Add `available`: the tickets left, a sum over at most 64 stripes of each raffle."""
        left = {"available": sum_of_stripes(F("cap") - F("issued"))}
        return self.annotate(**left)

    def with_issued(self) -> RaffleQuerySet:
        """Add `issued`: the number of tickets handed out."""
        taken = {"issued": sum_of_stripes(F("issued"))}
        return self.annotate(**taken)

    def due(self, now: datetime) -> RaffleQuerySet:
        """Return raffles with a step to take at `now`: to close, or closed or sealed before.

        Earliest closing time first; those without one come before them.
        """
        return self.filter(
            Q(state__in=UNDER_WAY) | Q(state=State.OPEN, closes_at__lte=now)
        ).order_by(F("closes_at").asc(nulls_first=True), "pk")


def sum_of_stripes(expression: models.F | CombinedExpression, of: str = "pk") -> Coalesce:
    """Return a sum over the stripes (at most 64) of the raffle in column `of`."""
    stripes = Stripe.objects.filter(raffle=models.OuterRef(of)).order_by().values("raffle")
    return Coalesce(models.Subquery(stripes.annotate(sum=models.Sum(expression)).values("sum")), 0)


class ClaimTerms(models.Model):
    """By when and where a winner may claim a prize, and what happens otherwise.

    Empty means no deadline. All three are nullable: to add a NOT NULL column SQLite would rebuild
    the table, and its triggers would be lost with the old one.
    """

    claim_days = models.PositiveSmallIntegerField(
        _("claim within"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CLAIM_DAYS)],
        help_text=_(
            "Days after the draw; a prize not claimed by then is forfeited. Empty: no limit."
        ),
    )
    claim_place = models.CharField(  # noqa: DJ001 - see above
        _("claim at"),
        max_length=200,
        null=True,
        blank=True,
        help_text=_("Where winners come, in public."),
    )
    promotes_alternates = models.BooleanField(
        _("promote alternates"),
        null=True,
        blank=True,
        help_text=_("A forfeited prize goes to the next alternate by itself."),
    )

    class Meta:
        abstract = True

    def claim_terms(self) -> dict[str, Any]:
        """Return the three terms as keyword arguments."""
        return {name: getattr(self, name) for name in CLAIM_TERMS}


CLAIM_TERMS = ("claim_days", "claim_place", "promotes_alternates")


class Raffle(ClaimTerms):
    """A pool of numbered tickets with a gate.

    `uuid` is its public id. `numbering_key` permutes the order in which numbers are handed out;
    `ticket_key_id` names the environment's key that holder tags and codes are derived from.
    `event_slug` names the event that it is a date of, and through which it is entered; `privacy` is
    that event's.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    total_tickets = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_TICKETS)]
    )
    alternates = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(MAX_ALTERNATES)],
        help_text=_("Entries drawn beyond the prizes, to replace winners who do not come."),
    )
    entropy = models.CharField(max_length=8, choices=Entropy.choices, default=Entropy.SYSTEM)
    closes_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Empty: drawn when sold out. Whole seconds.")
    )
    time_zone = models.CharField(  # noqa: DJ001 - see below; null is the site's
        max_length=64,
        null=True,
        blank=True,
        help_text=_("Its times are shown and typed on these clocks."),
    )
    event_slug = models.CharField(  # noqa: DJ001 - a default would make SQLite lose the triggers
        max_length=50, null=True, editable=False
    )
    operator = models.CharField(max_length=200, editable=False)
    entry = models.CharField(
        max_length=10, choices=EntryMode.choices, default=EntryMode.ADDRESS, editable=False
    )
    witnesses = models.JSONField(default=dict, editable=False)
    privacy = models.CharField(
        max_length=8, choices=Privacy.choices, default=Privacy.NUMBER, editable=False
    )
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.OPEN, editable=False
    )
    numbering_key = models.BinaryField(max_length=32, default=secrets.token_bytes, editable=False)
    ticket_key_id = models.CharField(max_length=16, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=200, editable=False)
    request_tag = models.BinaryField(max_length=16, null=True, editable=False)
    request_digest = models.BinaryField(max_length=32, null=True, editable=False)
    voided_at = models.DateTimeField(null=True, editable=False)
    void_reason = models.CharField(max_length=MAX_REASON, blank=True, default="", editable=False)
    available: int  # of `with_available`
    issued: int  # of `with_issued`

    objects = RaffleQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("run_raffle", _("Can seal and draw raffles")),
            ("void_raffle", _("Can void raffles")),
            ("export_raffle", _("Can export entries, winners and evidence")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(total_tickets__range=(1, MAX_TICKETS)), name="raffle_has_tickets"
            ),
            models.CheckConstraint(
                condition=Q(alternates__lte=MAX_ALTERNATES), name="raffle_alternates_within_limit"
            ),
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="raffle_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(entropy__in=Entropy.values), name="raffle_entropy_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state=State.VOID, voided_at__isnull=False) & ~Q(void_reason="")
                | ~Q(state=State.VOID) & Q(voided_at__isnull=True, void_reason=""),
                name="raffle_void_has_reason",
            ),
            models.UniqueConstraint(fields=("request_tag",), name="raffle_created_once"),
            models.CheckConstraint(
                condition=Q(request_tag__isnull=True, request_digest__isnull=True)
                | Q(request_tag__isnull=False, request_digest__isnull=False),
                name="raffle_request_is_whole",
            ),
        )
        indexes = (
            models.Index(
                fields=("closes_at",),
                condition=~Q(state__in=[State.DRAWN, State.VOID]),
                name="raffle_unfinished",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_drawn(self) -> bool:
        """Return whether its winners are final."""
        return self.state == State.DRAWN

    @property
    def is_finished(self) -> bool:
        """Return whether it is drawn or void, and so changes no more."""
        return self.state in FINISHED

    def claim_until(self, since: datetime) -> datetime | None:
        """Return until when a prize won at `since` is kept; None without a deadline."""
        return since + timedelta(days=self.claim_days) if self.claim_days else None

    def zone(self) -> ZoneInfo:
        """Return on whose clocks its times are shown: its own, or the site's (`TIME_ZONE`)."""
        return zone_of(self.time_zone or settings.RAFFLE_ZONE)

    def closes_at_seconds(self) -> int:
        """Return the closing time in whole UNIX seconds, 0 without one."""
        return int(self.closes_at.timestamp()) if self.closes_at else 0

    def planned_round(self) -> int | None:
        """Return the beacon round planned for the closing time; None without either."""
        if self.entropy != Entropy.DRAND or self.closes_at is None:
            return None
        return first_round_at(self.closes_at_seconds() + PAUSE)

    def terms(self, prizes: Sequence[Prize] | None = None) -> dict[str, Any]:
        """Return the terms that a participant agrees to (draw protocol, section 3).

        The first ticket freezes them. `prizes` stand in for those stored.
        """
        listed = self.prizes.all() if prizes is None else prizes
        entropy = {"source": str(self.entropy)}
        is_public = self.entropy == Entropy.DRAND
        if is_public:
            entropy["chain"] = CHAIN
        return {
            "raffle_id": self.uuid.hex,
            "name": self.name,
            "operator": self.operator,
            "capacity": self.total_tickets,
            "opens_at": 0,
            "closes_at": self.closes_at_seconds(),
            "entry": str(self.entry),
            "tickets_per_holder": 1,
            "max_wins_per_holder": 0,
            "prizes": [{"name": prize.name, "amount": prize.amount} for prize in listed],
            "alternates": self.alternates,
            "claim": {
                "days": self.claim_days or 0,
                "promotes_alternates": int(bool(self.promotes_alternates)),
            },
            "rules_hash": "",
            "entropy": entropy,
            "cosigners": self.witnesses.get("cosigners", []) if is_public else [],
            "authorities": self.witnesses.get("authorities", []) if is_public else [],
        }


class Prize(models.Model):
    """One kind of prize, `amount` times; ranks follow the order of `position`."""

    raffle = models.ForeignKey(Raffle, models.CASCADE, related_name="prizes", db_index=False)
    position = models.PositiveSmallIntegerField(editable=False)
    name = models.CharField(max_length=200)
    amount = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_PRIZES)]
    )

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("raffle", "position"), name="prize_position_once"),
            models.CheckConstraint(
                condition=Q(amount__range=(1, MAX_PRIZES)), name="prize_amount_positive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount} × {self.name}"


class Stripe(models.Model):
    """One of up to 64 counters of a raffle: slots `lo` to `lo + cap - 1`, `issued` of them taken.

    A claim updates one stripe, so claims seldom wait for each other. Closing sets `cap = issued`
    on all of them: that is the gate.
    """

    raffle = models.ForeignKey(Raffle, models.CASCADE, related_name="stripes", db_index=False)
    stripe = models.PositiveSmallIntegerField()
    lo = models.PositiveIntegerField()
    cap = models.PositiveIntegerField()
    issued = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("raffle", "stripe"), name="stripe_once"),
            models.CheckConstraint(
                condition=Q(issued__lte=F("cap")), name="stripe_issued_within_capacity"
            ),
        )

    def __str__(self) -> str:
        return f"{self.issued} of {self.cap} from {self.lo}"


class RunLease(models.Model):
    """The turn of a run with a raffle that is due, until it ends it or `until` has come."""

    raffle = models.OneToOneField(Raffle, models.CASCADE, primary_key=True, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.raffle_id} until {self.until}"
