"""Who is told, what they still have to be told, and every try at it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from raffles.models.announcement import Announcement
from raffles.models.raffle import Raffle
from raffles.models.winner import Winner
from raffles.web.formats import shown

# Seconds from one try to the next; the first is at once. Standard Webhooks recommends them.
SCHEDULE = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
GIVE_UP_AFTER = timedelta(seconds=sum(SCHEDULE))
_LONGEST_REST = timedelta(minutes=5)


class Outbox(models.Model):
    """One row: up to which announcement deliveries were made, taken under its lock."""

    spread = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(pk=1), name="outbox_one"),)

    def __str__(self) -> str:
        return str(self.spread)


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    """Query words of endpoints."""

    def enabled(self) -> EndpointQuerySet:
        """Those that are told."""
        return self.filter(is_enabled=True)

    def claimable(self, now: datetime) -> EndpointQuerySet:
        """Enabled ones that nobody is telling now and that do not rest after a failure."""
        return self.enabled().filter(
            Q(leased_until=None) | Q(leased_until__lte=now),
            Q(rests_until=None) | Q(rests_until__lte=now),
        )

    def with_due(self, now: datetime) -> EndpointQuerySet:
        """Those that something is due for."""
        return self.filter(Exists(Delivery.objects.due(now).filter(endpoint=OuterRef("pk"))))


class Endpoint(models.Model):
    """Somebody who asked to be told, and the lane in which they are, one message after another.

    Whoever raises ``fence`` by one holds the lane until ``leased_until`` and writes results only
    while the fence is still theirs. The secret is not stored: it is derived from a ticket key of
    the environment, which ``key_id`` names, and from ``secret_version``.
    """

    class Channel(models.TextChoices):
        """By which way; ``WINNERS`` is one row, the mail to winners who gave an address."""

        WEBHOOK = "webhook", "webhook"
        MAIL = "mail", "e-mail to staff"
        WINNERS = "winners", "e-mail to winners"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.WEBHOOK)
    address = models.CharField(
        max_length=500, blank=True, default="", help_text="A URL, or an e-mail address."
    )
    kinds = models.JSONField(
        default=list, blank=True, help_text="What they are told; nothing chosen means everything."
    )
    topic = models.CharField(
        max_length=100, blank=True, default="", help_text="Only this event (its slug), or all."
    )
    is_enabled = models.BooleanField("enabled", default=True)
    disabled_because = models.CharField(max_length=200, blank=True, default="", editable=False)
    created_at = models.DateTimeField(editable=False)
    key_id = models.CharField(max_length=16, editable=False)
    secret_version = models.PositiveIntegerField(default=1, editable=False)
    previous_key_id = models.CharField(max_length=16, blank=True, default="", editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    fence = models.BigIntegerField(default=0, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("channel",), condition=Q(channel="winners"), name="endpoint_winners_one"
            ),
            models.CheckConstraint(
                condition=Q(channel="winners", address="") | ~Q(channel="winners") & ~Q(address=""),
                name="endpoint_has_address",
            ),
        )

    def __str__(self) -> str:
        return self.address or self.get_channel_display()

    def wanted(self, announcements: models.QuerySet[Announcement]) -> models.QuerySet[Announcement]:
        """Those of the announcements that they asked to be told."""
        if self.kinds:
            announcements = announcements.filter(kind__in=self.kinds)
        if self.topic:
            announcements = announcements.filter(payload__event=self.topic)
        return announcements

    def succeed(self) -> None:
        """Forgets the failures before."""
        self.failures, self.failing_since, self.rests_until = 0, None, None

    def fail(self, now: datetime, *, is_silent: bool) -> None:
        """Counts a failure; one who does not answer rests, so that the others need not wait."""
        self.failures += 1
        self.failing_since = self.failing_since or now
        if is_silent:
            pause = timedelta(seconds=SCHEDULE[min(self.failures, len(SCHEDULE) - 1)])
            self.rests_until = now + min(pause, _LONGEST_REST)
        if now - self.failing_since >= GIVE_UP_AFTER:
            self.disable(f"failing since {shown(self.failing_since)}")

    def disable(self, why: str) -> None:
        """Stops telling them."""
        self.is_enabled, self.disabled_because = False, why


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Query words of deliveries."""

    def pending(self) -> DeliveryQuerySet:
        """Those to be sent, now or later."""
        return self.filter(state=Delivery.State.PENDING)

    def due(self, now: datetime) -> DeliveryQuerySet:
        """Those to be sent now."""
        return self.pending().filter(next_try_at__lte=now)

    def finish(self, now: datetime) -> None:
        """Counts the try that was accepted."""
        self.pending().update(
            state=Delivery.State.DELIVERED, attempts=F("attempts") + 1, finished_at=now
        )

    def fail(self, attempts: int, now: datetime) -> None:
        """Counts the failed try of that number and sets the next, or gives up after the last."""
        if attempts < len(SCHEDULE):
            next_try_at = now + timedelta(seconds=SCHEDULE[attempts])
            self.pending().update(attempts=attempts, next_try_at=next_try_at)
        else:
            self.pending().update(attempts=attempts, state=Delivery.State.DEAD, finished_at=now)

    def send_again(self, now: datetime) -> int:
        """Puts dead ones back to the start of the schedule; returns how many."""
        return self.filter(state=Delivery.State.DEAD).update(
            state=Delivery.State.PENDING, attempts=0, next_try_at=now, finished_at=None
        )


class Delivery(models.Model):
    """One announcement for one endpoint; without an announcement it is a test.

    ``message_id`` is the same at every try, so that a message that arrives twice counts once.
    ``winner`` is set in the mail to winners.
    """

    class State(models.TextChoices):
        """Where it stands; a dead one was given up and can be sent again by staff."""

        PENDING = "pending"
        DELIVERED = "delivered"
        DEAD = "dead"

    message_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, related_name="deliveries", db_index=False
    )
    # Neither is looked up by: both stand for good, and each index costs every row twice.
    announcement = models.ForeignKey(
        Announcement, models.PROTECT, related_name="deliveries", null=True, db_index=False
    )
    winner = models.ForeignKey(Winner, models.PROTECT, related_name="+", null=True, db_index=False)
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        constraints = (
            models.UniqueConstraint(
                fields=("endpoint", "announcement"),
                condition=Q(winner__isnull=True),
                name="delivery_once",
            ),
            models.UniqueConstraint(
                fields=("endpoint", "announcement", "winner"),
                condition=Q(winner__isnull=False),
                name="delivery_once_a_winner",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "dead"]),
                name="delivery_state_is_known",
            ),
        )
        indexes = (
            models.Index(
                fields=("endpoint", "next_try_at"),
                condition=Q(state="pending"),
                name="delivery_pending",
            ),
            models.Index(fields=("id",), condition=Q(state="dead"), name="delivery_dead"),
        )

    def __str__(self) -> str:
        return f"{self.announcement or 'test'} to {self.endpoint}"


class Attempt(models.Model):
    """One try: when, how long it took, and what was answered (``status`` empty: nobody did)."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="log")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    detail = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("delivery", "id")

    def __str__(self) -> str:
        return f"try {self.number}: {self.status or self.detail}"


class Contact(models.Model):
    """The e-mail address that an entry gave to be told by, kept apart from the ticket.

    It goes once there is nothing left to tell, and with an erasure.
    """

    raffle = models.ForeignKey(Raffle, models.CASCADE, related_name="+", db_index=False)
    slot = models.PositiveIntegerField()
    email = models.EmailField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("raffle", "slot"), name="contact_ticket_once"),
        )

    def __str__(self) -> str:
        return f"contact of slot {self.slot}"
