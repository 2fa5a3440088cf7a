"""API keys of partners, who hand out tickets of events that are not open to everybody."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Queries on API keys."""

    def valid(self, now: datetime) -> ApiKeyQuerySet:
        """Return those that have not expired."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


class ApiKey(models.Model):
    """A partner's key: only its SHA-256 is stored, and its first characters as `hint`."""

    name = models.CharField(max_length=200, help_text=_("Whose it is."))
    key_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    rate = models.CharField(
        max_length=20,
        blank=True,
        default="",
        help_text=_("Such as 600/min; empty: the usual rate of keys."),
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: never."))
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=200, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        db_table = "events_apikey"  # the table was created by the events app
        verbose_name = _("API key")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"
