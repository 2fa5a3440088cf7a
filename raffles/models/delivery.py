"""Who is notified, what is still to be delivered to them, and how each attempt went."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from raffles.models.announcement import Announcement
from raffles.models.raffle import Raffle
from raffles.models.winner import Winner
from raffles.web.formats import shown

# Seconds from one attempt to the next, the first at once: the schedule of Standard Webhooks.
SCHEDULE = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
GIVE_UP_AFTER = timedelta(seconds=sum(SCHEDULE))
WATCHED_EVERY = timedelta(seconds=15)
_LONGEST_REST = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(hours=24)  # the longest that a receiver may ask for


class Outbox(models.Model):
    """A single row: the last announcement that has its deliveries. Whoever makes them locks it.

    `watched_at` is when a worker (`deliver_announcements --watch`) last looked for new ones, within
    `WATCHED_EVERY`; null where none ever ran.
    """

    spread = models.BigIntegerField(default=0)
    watched_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(pk=1), name="outbox_one"),)

    def __str__(self) -> str:
        return str(self.spread)


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    """Queries on endpoints."""

    def enabled(self) -> EndpointQuerySet:
        """Return those that are notified."""
        return self.filter(is_enabled=True)

    def claimable(self, now: datetime) -> EndpointQuerySet:
        """Return the enabled ones that no worker holds and that are not resting."""
        return self.enabled().filter(
            Q(leased_until=None) | Q(leased_until__lte=now),
            Q(rests_until=None) | Q(rests_until__lte=now),
        )

    def with_due(self, now: datetime) -> EndpointQuerySet:
        """Return those with a delivery that is due."""
        return self.filter(Exists(Delivery.objects.due(now).filter(endpoint=OuterRef("pk"))))


class Endpoint(models.Model):
    """A receiver of announcements, and its lane: it gets one message after another.

    The worker that increments `fence` holds the lane until `leased_until`, and may store results
    only while the fence is unchanged. The secret is not stored: it is derived from
    `secret_version` and from the ticket key that `key_id` names in the environment.
    """

    class Channel(models.TextChoices):
        """How to reach it; `WINNERS` is a single row, for mail to winners who left an address."""

        WEBHOOK = "webhook", _("webhook")
        MAIL = "mail", _("e-mail to staff")
        WINNERS = "winners", _("e-mail to winners")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.WEBHOOK)
    address = models.CharField(
        max_length=500, blank=True, default="", help_text=_("A URL, or an e-mail address.")
    )
    kinds = models.JSONField(
        default=list, blank=True, help_text=_("Which announcements; nothing chosen means all.")
    )
    topic = models.CharField(
        max_length=100, blank=True, default="", help_text=_("Only this event (its slug), or all.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
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
    rests_because = models.CharField(max_length=200, blank=True, default="", editable=False)

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
            models.CheckConstraint(
                condition=Q(channel__in=["webhook", "mail", "winners"]),
                name="endpoint_channel_is_known",
            ),
        )

    def __str__(self) -> str:
        return self.address or self.get_channel_display()

    def wanted(self, announcements: models.QuerySet[Announcement]) -> models.QuerySet[Announcement]:
        """Return those announcements that it subscribes to."""
        if self.kinds:
            announcements = announcements.filter(kind__in=self.kinds)
        if self.topic:
            announcements = announcements.filter(payload__event=self.topic)
        return announcements

    def succeed(self) -> None:
        """Forget earlier failures."""
        self.failures, self.failing_since = 0, None
        self.rests_until, self.rests_because = None, ""

    def fail(self, now: datetime) -> None:
        """Count a failure; disable an endpoint that has been failing for the whole schedule."""
        self.failures += 1
        self.failing_since = self.failing_since or now
        if now - self.failing_since >= GIVE_UP_AFTER:
            self.disable(f"failing since {shown(self.failing_since)}")

    def rest(self, now: datetime, *, why: str, asked: timedelta | None = None) -> None:
        """Pause it: for as long as it `asked`, at most 24 hours, or else longer with each failure.

        Without a request of its own the pause is at most 5 minutes.
        """
        after_failures = timedelta(seconds=SCHEDULE[min(self.failures, len(SCHEDULE) - 1)])
        pause = min(after_failures, _LONGEST_REST) if asked is None else min(asked, _LONGEST_PAUSE)
        self.rests_until, self.rests_because = now + pause, why[:200]

    def disable(self, why: str) -> None:
        """Stop notifying it, and store why."""
        self.is_enabled, self.disabled_because = False, why[:200]


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Queries on deliveries."""

    def pending(self) -> DeliveryQuerySet:
        """Return those still to be sent, now or later."""
        return self.filter(state=Delivery.State.PENDING)

    def due(self, now: datetime) -> DeliveryQuerySet:
        """Return those to be sent by `now`."""
        return self.pending().filter(next_try_at__lte=now)

    def send_again(self, now: datetime) -> int:
        """Restart the schedule of those that are dead; return how many."""
        return self.filter(state=Delivery.State.DEAD).update(
            state=Delivery.State.PENDING, attempts=0, next_try_at=now, finished_at=None
        )


class Delivery(models.Model):
    """One announcement for one endpoint, or a test message where `announcement` is null.

    `message_id` is the same in every attempt, so that a receiver can drop duplicates. `winner` is
    set in mail to winners. The last attempt's result is stored here; `last_status` is the
    receiver's (HTTP or SMTP), null when there was none.
    """

    class State(models.TextChoices):
        """Pending until delivered, or dead when given up; staff can send a dead one again."""

        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Dead")

    message_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, related_name="deliveries", db_index=False
    )
    # Neither is used for lookups: both are permanent, and each index costs every row twice.
    announcement = models.ForeignKey(
        Announcement, models.PROTECT, related_name="deliveries", null=True, db_index=False
    )
    winner = models.ForeignKey(Winner, models.PROTECT, related_name="+", null=True, db_index=False)
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    last_attempt_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_milliseconds = models.PositiveIntegerField(null=True)
    last_detail = models.CharField(max_length=200, blank=True, default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = _("deliveries")
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
        what = self.announcement or _("test")
        return _("%(what)s to %(endpoint)s") % {"what": what, "endpoint": self.endpoint}


class Attempt(models.Model):
    """A failed attempt; a successful one is stored on its delivery alone."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="log")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    detail = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("delivery", "id")

    def __str__(self) -> str:
        said = {"number": self.number, "result": self.status or self.detail}
        return _("attempt %(number)s: %(result)s") % said


class Contact(models.Model):
    """The e-mail address given with an entry for news of a prize, kept apart from the ticket.

    It is deleted once there is nothing left to send, and when its holder is erased.
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
