"""Exclusions: identities that may not enter, as keyed pseudonyms."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from raffles.models.raffle import Raffle


class ExclusionQuerySet(models.QuerySet["Exclusion"]):
    """Queries on exclusions."""

    def in_force(self, now: datetime) -> ExclusionQuerySet:
        """Return those that have not ended by `now`."""
        return self.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now))

    def from_raffle(self, raffle: Raffle | None) -> ExclusionQuerySet:
        """Return those that keep people out of a raffle: of all, of it, and of its event."""
        found = Q(raffle__isnull=True, event_slug__isnull=True)
        if raffle is not None:
            found |= Q(raffle=raffle) | Q(event_slug__isnull=False, event_slug=raffle.event_slug)
        return self.filter(found)

    def of(self, tags: Collection[bytes]) -> ExclusionQuerySet:
        """Return those of the people with these tags."""
        return self.filter(tag__in=tags)


class Exclusion(models.Model):
    """Somebody who may not enter: everywhere, in one raffle, or in one event's draws.

    `tag` stands for the identity, which is stored nowhere: 16 bytes keyed by the ticket key
    `key_id`, one use of which is this (`raffles.domain.excluding`). Nobody can list from it who is
    excluded, and whoever knows the identity and the key can ask.
    """

    class Kind(models.TextChoices):
        """What identifies the person."""

        ADDRESS = "address", _("Internet address")
        USER = "user", _("Username")
        MAIL = "mail", _("E-mail address")
        LIST = "list", _("Identifier in a list")

    tag = models.BinaryField(max_length=16, editable=False)
    key_id = models.CharField(max_length=16, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, editable=False)
    raffle = models.ForeignKey(
        Raffle, models.CASCADE, null=True, editable=False, related_name="exclusions"
    )
    event_slug = models.CharField(  # noqa: DJ001 - null: not of an event, as of a raffle
        _("event"), max_length=50, null=True, editable=False
    )
    reason = models.CharField(
        _("reason"),
        max_length=200,
        help_text=_("For the staff alone. Write no name: who it is stays unknown here."),
    )
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True, help_text=_("Empty: never."))
    created_at = models.DateTimeField(_("made"), editable=False)
    created_by = models.CharField(_("made by"), max_length=200, editable=False)

    objects = ExclusionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["address", "user", "mail", "list"]),
                name="exclusion_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(raffle__isnull=True) | Q(event_slug__isnull=True),
                name="exclusion_has_one_scope",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="exclusion_has_reason"),
            models.UniqueConstraint(
                fields=("tag",),
                condition=Q(raffle__isnull=True, event_slug__isnull=True),
                name="exclusion_everywhere_once",
            ),
            models.UniqueConstraint(
                fields=("tag", "raffle"),
                condition=Q(raffle__isnull=False),
                name="exclusion_from_raffle_once",
            ),
            models.UniqueConstraint(
                fields=("tag", "event_slug"),
                condition=Q(event_slug__isnull=False),
                name="exclusion_from_event_once",
            ),
        )
        indexes = (models.Index(fields=("tag",), name="exclusion_by_tag"),)

    def __str__(self) -> str:
        scope = self.raffle or self.event_slug or _("everywhere")
        return f"{self.get_kind_display()}, {scope}"

    def is_in_force(self, now: datetime) -> bool:
        """Return whether it has not ended by `now`."""
        return self.ends_at is None or self.ends_at > now
