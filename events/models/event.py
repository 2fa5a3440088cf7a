"""The calendar: an event, the rewards of its dates, and the dates that were opened or settled."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from events.schedule import MAX_RULE, Schedule, local
from raffles.models import Raffle, State
from raffles.models.raffle import (
    MAX_PRIZES,
    MAX_TICKETS,
    ClaimTerms,
    HolderTerms,
    Privacy,
    holder_limits,
    sum_of_stripes,
)
from raffles.web.versions import version_of
from raffles.web.zones import zone_of

MAX_REST_DAYS = 366
TOO_MANY_REWARDS = gettext_noop("A reward's amount can't be larger than max_participants")
SLUG_IS_RESERVED = gettext_noop("This word is taken by the site.")
RESERVED = frozenset({"upcoming", "winners", "update_events"})  # words used in URLs


class Rewarding(models.Model):
    """A reward: of one date, or the default of an event's dates."""

    reward_name = models.CharField(_("reward"), max_length=200)
    reward_amount = models.PositiveIntegerField(
        _("amount"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_PRIZES)],
        help_text=_("How many are given away on a date, each to another ticket."),
    )
    reward_description = models.CharField(_("description"), max_length=1000, blank=True, default="")
    reward_picture = models.URLField(_("picture"), max_length=500, blank=True, default="")

    class Meta:
        abstract = True

    def reward(self) -> dict[str, str | int]:
        """Return the reward's values, as keyword arguments."""
        return {
            "reward_name": self.reward_name,
            "reward_amount": self.reward_amount,
            "reward_description": self.reward_description,
            "reward_picture": self.reward_picture,
        }

    def version(self) -> str:
        """Return a version of what staff can change; another one after each change."""
        edited = (field for field in self._meta.concrete_fields if field.editable)
        return version_of({field.attname: field.value_from_object(self) for field in edited})


def _has_amount(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(reward_amount__range=(1, MAX_PRIZES)), name=name)


class EventQuerySet(models.QuerySet["Event"]):
    """Queries on events."""

    def running(self) -> EventQuerySet:
        """Return those that are not paused."""
        return self.filter(paused_at__isnull=True)


class Event(Rewarding, ClaimTerms, HolderTerms):
    """A recurring lucky draw; its own reward is the default for its dates.

    No date up to `settled_until` needs a run any more. It is the latest of the event's creation,
    its last change of schedule, pause or resume, and the last date that was settled.
    """

    class Entry(models.TextChoices):
        """Who may ask for tickets."""

        OPEN = "open", _("Anybody")
        PARTNER = "partner", _("Partners with an API key")

    name = models.CharField(max_length=180)
    slug = models.SlugField(
        max_length=50, unique=True, help_text=_("Part of the event's address; it can't be changed.")
    )
    start_date = models.DateField()
    draw_time = models.TimeField(help_text=_("On the clocks of the time zone, all year."))
    time_zone = models.CharField(max_length=64, help_text=_("Such as Europe/Paris."))
    frequency = models.CharField(
        max_length=MAX_RULE,
        default="daily",
        help_text=_("daily, weekly, monthly, yearly, or an RFC 5545 rule: FREQ=MONTHLY;BYDAY=-1FR"),
    )
    until = models.DateField(null=True, blank=True, help_text=_("The last date; empty: no end."))
    max_participants = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_TICKETS)],
        help_text=_("Tickets of each date."),
    )
    entry = models.CharField(max_length=8, choices=Entry.choices, default=Entry.OPEN)
    one_per_address = models.BooleanField(
        default=False, help_text=_("An address holds one ticket of a date at the most.")
    )
    privacy = models.CharField(max_length=8, choices=Privacy.choices, default=Privacy.FULL)
    rest_days = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(MAX_REST_DAYS)],
        help_text=_("Days for which a winner can't take part again; 0: none."),
    )
    # Null is none: a default would make SQLite rebuild the table.
    rules_hash = models.CharField(_("rules"), max_length=64, null=True, blank=True)  # noqa: DJ001
    paused_at = models.DateTimeField(null=True, editable=False)
    settled_until = models.DateTimeField(editable=False)
    ticket_key_id = models.CharField(max_length=16, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=200, editable=False)
    changed_at = models.DateTimeField(editable=False)
    changed_by = models.CharField(max_length=200, editable=False)

    # Set for an answer: the next draw, and the dates that a change left alone.
    next_draw: Any
    kept: list[date]

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(max_participants__range=(1, MAX_TICKETS)), name="event_has_tickets"
            ),
            _has_amount("event_reward_amount_positive"),
            models.CheckConstraint(
                condition=Q(reward_amount__lte=F("max_participants")),
                name="event_reward_within_tickets",
                violation_error_message=_(TOO_MANY_REWARDS),
            ),
            *holder_limits("event"),
            models.CheckConstraint(
                condition=Q(entry__in=["open", "partner"]), name="event_entry_is_known"
            ),
            models.CheckConstraint(
                condition=Q(privacy__in=Privacy.values), name="event_privacy_is_known"
            ),
            models.CheckConstraint(
                condition=Q(rest_days__lte=MAX_REST_DAYS), name="event_rest_within_limit"
            ),
            models.CheckConstraint(
                condition=~Q(slug__in=sorted(RESERVED)),
                name="event_slug_is_free",
                violation_error_message=_(SLUG_IS_RESERVED),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def paused(self) -> bool:
        """Return whether it is paused: no date is added."""
        return self.paused_at is not None

    def version(self) -> str:
        """Return a version of what staff can change, a pause included."""
        return version_of({"of_fields": super().version(), "paused_at": self.paused_at})

    def zone(self) -> ZoneInfo:
        """Return on whose clocks its times are shown."""
        return zone_of(self.time_zone)

    def schedule(self) -> Schedule:
        """Return its dates and their instants, as if it were never paused."""
        return Schedule(self.frequency, self.start_date, self.until, self.draw_time, self.time_zone)


class Reward(Rewarding):
    """The reward of one date."""

    event = models.ForeignKey(Event, models.CASCADE, related_name="rewards", db_index=False)
    date = models.DateField()

    class Meta:
        ordering = ("date",)
        constraints = (
            models.UniqueConstraint(fields=("event", "date"), name="reward_once_a_date"),
            _has_amount("reward_amount_positive"),
        )

    def __str__(self) -> str:
        return f"{self.date}: {self.reward_name}"


class OccurrenceQuerySet(models.QuerySet["Occurrence"]):
    """Queries on occurrences."""

    def recent(self, now: datetime) -> OccurrenceQuerySet:
        """Return those whose draw can still be to come, in any time zone and after any edit."""
        return self.filter(date__gte=(now - timedelta(days=2)).date())

    def with_participants(self) -> OccurrenceQuerySet:
        """Add `participants`: the number of tickets handed out."""
        return self.annotate(participants=sum_of_stripes(F("issued"), of="raffle"))


class Occurrence(Rewarding):
    """A date whose time and reward are fixed: it has a ticket, or it passed without one.

    With tickets it has a raffle, which holds the rest; without a raffle it is void.
    """

    event = models.ForeignKey(Event, models.PROTECT, related_name="occurrences", db_index=False)
    date = models.DateField()
    draw_at = models.DateTimeField()
    time_zone = models.CharField(max_length=64)
    raffle = models.OneToOneField(Raffle, models.PROTECT, related_name="occurrence", null=True)
    max_participants = models.PositiveIntegerField()

    objects = OccurrenceQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("event", "date"), name="occurrence_once_a_date"),
        )

    def __str__(self) -> str:
        return f"{self.date}"

    def local(self) -> datetime:
        """Return its draw time in its time zone."""
        return local(self.draw_at, self.time_zone)

    def rules_hash(self) -> str:
        """Return the hash of the rules that its participants accept, "" without any."""
        return self.raffle.rules_hash if self.raffle else ""

    def state(self) -> str:
        """Return its raffle's state; void without one."""
        return self.raffle.state if self.raffle else State.VOID
