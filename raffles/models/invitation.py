"""Invitations: codes that somebody hands out, each for tickets of one raffle, and used once."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from raffles.models.raffle import Channel, Raffle


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Queries on invitations."""

    def unused(self) -> InvitationQuerySet:
        """Return those that may still bring tickets."""
        return self.filter(used_at=None, withdrawn_at=None)


class Invitation(models.Model):
    """A code for a number of tickets, in a channel; of the code only its tag is stored.

    The codes made at once are a batch, whose random name only its maker knows: `batch` is a tag of
    it, too. The tickets' holder is the invitation itself.
    """

    raffle = models.ForeignKey(Raffle, models.CASCADE, related_name="invitations", db_index=False)
    batch = models.BinaryField(max_length=16)
    n = models.PositiveIntegerField()  # within the batch, from 0
    code_tag = models.BinaryField(max_length=16)
    tickets = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    channel = models.CharField(max_length=8, choices=Channel.choices, null=True)  # noqa: DJ001
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    used_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        constraints = (
            models.UniqueConstraint(fields=("raffle", "code_tag"), name="invitation_code_once"),
            models.UniqueConstraint(fields=("raffle", "batch", "n"), name="invitation_batch_once"),
            models.CheckConstraint(condition=Q(tickets__gte=1), name="invitation_has_tickets"),
            models.CheckConstraint(
                condition=Q(channel__in=Channel.values), name="invitation_channel_is_known"
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True) | Q(withdrawn_at__isnull=True),
                name="invitation_used_or_withdrawn",
            ),
        )

    def __str__(self) -> str:
        return f"invitation {self.pk}"
