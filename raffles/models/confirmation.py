"""Mails with a link to confirm an address: how many went there lately, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

MOST_MAILS, WITHIN = 3, timedelta(hours=1)


class SentMailQuerySet(models.QuerySet["SentMail"]):
    """Queries on sent mails."""

    def past(self, now: datetime) -> SentMailQuerySet:
        """Return those that count no more."""
        return self.filter(sent_at__lte=now - WITHIN)


class SentMail(models.Model):
    """One of the mails to an address within the hour; `address_tag` is a keyed pseudonym of it.

    An address has three places, and a mail takes one: what an hour may bring is a constraint.
    """

    address_tag = models.BinaryField(max_length=16)
    place = models.PositiveSmallIntegerField()
    sent_at = models.DateTimeField(db_index=True)

    objects = SentMailQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("address_tag", "place"), name="sent_mail_place_once"),
            models.CheckConstraint(
                condition=Q(place__lt=MOST_MAILS), name="sent_mail_within_limit"
            ),
        )

    def __str__(self) -> str:
        return f"mail {self.place} of {self.sent_at}"
