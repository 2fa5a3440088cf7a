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

from raffles.fairness.verify import CHAIN, LATE, PAUSE, first_round_at
from raffles.web.outages import CLOCKS_APART
from raffles.web.pictures import shown_picture
from raffles.web.zones import zone_of

MAX_TICKETS = 10_000_000
MAX_PRIZES = 100_000
MAX_PRIZE_KINDS = 1_000
MAX_ALTERNATES = 1_000
MAX_A_HOLDER = 1_000_000  # tickets, or wins: what the protocol calls a limit
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
    EMAIL = "email", _("E-mail")
    INVITATION = "invitation", _("Invitation")
    LIST = "list", _("List")
    PARTNER = "partner", _("Partner")


class Channel(models.TextChoices):
    """The way by which a ticket reached its holder, as whoever gave it says; odds are the same."""

    ONLINE = "online", _("online")
    PAID = "paid", _("paid")
    FREE = "free", _("free")
    POSTAL = "postal", _("by post")
    PAPER = "paper", _("on paper")
    PARTNER = "partner", _("by a partner")
    LIST = "list", _("from a list")


_OWN_CHANNELS: dict[str, Channel] = {
    EntryMode.LIST: Channel.LIST,
    EntryMode.PARTNER: Channel.PARTNER,
}


# Of raffles that are no event's.
OWN_WAYS = (EntryMode.ADDRESS, EntryMode.EMAIL, EntryMode.INVITATION, EntryMode.LIST)


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


class HolderTerms(models.Model):
    """How many tickets one holder may have, and how many ranks those may take in a draw."""

    tickets_per_holder = models.PositiveIntegerField(
        _("tickets per holder"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_A_HOLDER)],
        help_text=_("How many tickets one person may have; each is a chance of its own."),
    )
    max_wins_per_holder = models.PositiveIntegerField(
        _("wins per holder"),
        default=0,
        validators=[MaxValueValidator(MAX_A_HOLDER)],
        help_text=_(
            "How often one person may be drawn, as an alternate too. "
            "0: no limit beyond one prize a ticket."
        ),
    )

    class Meta:
        abstract = True

    def holder_terms(self) -> dict[str, Any]:
        """Return both terms as keyword arguments."""
        return {name: getattr(self, name) for name in HOLDER_TERMS}


HOLDER_TERMS = ("tickets_per_holder", "max_wins_per_holder")


def holder_limits(of: str) -> tuple[models.CheckConstraint, ...]:
    """Return the constraints on the two terms of a table, named after what it holds."""
    return (
        models.CheckConstraint(
            condition=Q(tickets_per_holder__range=(1, MAX_A_HOLDER)),
            name=f"{of}_tickets_per_holder_within_limit",
        ),
        models.CheckConstraint(
            condition=Q(max_wins_per_holder__lte=MAX_A_HOLDER),
            name=f"{of}_max_wins_per_holder_within_limit",
        ),
    )


class Raffle(ClaimTerms, HolderTerms):
    """A pool of numbered tickets with a gate.

    `uuid` is its public id. `numbering_key` permutes the order in which numbers are handed out;
    `ticket_key_id` names the environment's key that holder tags and codes are derived from.
    `event_slug` names the event that it is a date of, and through which it is entered; `privacy` is
    that event's. `rules_hash` is the SHA-256 (hex) of the rules that its participants accept.
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
    opens_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Empty: at once. Whole seconds.")
    )
    closes_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Empty: drawn when sold out. Whole seconds.")
    )
    rules_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
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
        _("way in"), max_length=10, choices=EntryMode.choices, default=EntryMode.ADDRESS
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
                condition=Q(entry__in=EntryMode.values), name="raffle_entry_is_known"
            ),
            models.CheckConstraint(
                condition=Q(privacy__in=Privacy.values), name="raffle_privacy_is_known"
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
            models.CheckConstraint(
                condition=Q(opens_at__isnull=True)
                | Q(closes_at__isnull=True)
                | Q(opens_at__lt=F("closes_at")),
                name="raffle_opens_before_it_closes",
            ),
            *holder_limits("raffle"),
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

    @property
    def keeps_names(self) -> bool:
        """Return whether it has the names of holders: those of an event's users, or of a list's."""
        return self.event_slug is not None or self.privacy != Privacy.NUMBER

    def own_channel(self) -> Channel:
        """Return the channel of the tickets that name none: the way in that its terms name."""
        return _OWN_CHANNELS.get(self.entry, Channel.ONLINE)

    def claim_until(self, since: datetime) -> datetime | None:
        """Return until when a prize won at `since` is kept; None without a deadline."""
        return since + timedelta(days=self.claim_days) if self.claim_days else None

    def zone(self) -> ZoneInfo:
        """Return on whose clocks its times are shown: its own, or the site's (`TIME_ZONE`)."""
        return zone_of(self.time_zone or settings.RAFFLE_ZONE)

    def opens_at_seconds(self) -> int:
        """Return the opening time in whole UNIX seconds, 0 without one."""
        return int(self.opens_at.timestamp()) if self.opens_at else 0

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
            "opens_at": self.opens_at_seconds(),
            "closes_at": self.closes_at_seconds(),
            "entry": str(self.entry),
            **self.holder_terms(),
            "prizes": [{"name": prize.name, "amount": prize.amount} for prize in listed],
            "alternates": self.alternates,
            "claim": {
                "days": self.claim_days or 0,
                "promotes_alternates": int(bool(self.promotes_alternates)),
            },
            "rules_hash": self.rules_hash,
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
    # Of no term, and yet as frozen as they are: who enters sees what is given away.
    picture = models.URLField(
        _("picture"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_("Address of a picture on this site; others are not shown."),
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

    def shown_picture(self) -> str:
        """Return the URL of its picture as far as pages show it, else an empty string."""
        return shown_picture(self.picture)


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


class RunLeaseQuerySet(models.QuerySet["RunLease"]):
    """Queries on leases of runs."""

    def over(self, now: datetime) -> RunLeaseQuerySet:
        """Return those that nobody renewed, and those from a time to come: a clock was wrong."""
        return self.filter(Q(until__lte=now) | Q(since__gt=now + CLOCKS_APART))

    def overdue(self, now: datetime) -> RunLeaseQuerySet:
        """Return those that are renewed for longer than any pool takes to be hashed."""
        return self.filter(until__gt=now, since__lt=now - timedelta(seconds=LATE))


class RunLease(models.Model):
    """The turn of a run with a raffle that is due, until it ends it or `until` has come."""

    raffle = models.OneToOneField(Raffle, models.CASCADE, primary_key=True, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()

    objects = RunLeaseQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.raffle_id} until {self.until}"
