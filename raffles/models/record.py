"""The record: who changed what, when, from where, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from raffles.models.raffle import Raffle


class LogEntryQuerySet(models.QuerySet["LogEntry"]):
    """Queries on the record."""

    def about(self, subject: models.Model) -> LogEntryQuerySet:
        """Return all entries about a row, oldest first."""
        return self.filter(subject=subject_of(subject)).order_by("pk")

    def revisions(self, subjects: Iterable[str]) -> dict[str, tuple[int, datetime]]:
        """Return how many entries there are about each subject, and the time of the last.

        The record only grows, so both rise with each change.
        """
        about = self.filter(subject__in=list(subjects)).order_by().values_list("subject")
        rows = about.annotate(entries=models.Count("pk"), last=models.Max("at"))
        return {subject: (entries, last) for subject, entries, last in rows}


class LogEntry(models.Model):
    """One change, written in the transaction that made it and never touched again.

    `subject` is the changed row's public name, so that the record outlives the row; `by` is who
    did it, with a keyed pseudonym of their address. Participants appear by ticket number only:
    their data can be erased, the record cannot.
    """

    subject = models.CharField(max_length=120)
    action = models.CharField(max_length=40)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    why = models.CharField(max_length=500, blank=True, default="")
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    objects = LogEntryQuerySet.as_manager()

    class Meta:
        db_table = "raffles_act"  # its first name
        verbose_name_plural = _("log entries")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("subject", "id"), name="act_by_subject"),
            models.Index(fields=("action", "id"), name="act_by_deed"),
        )

    def __str__(self) -> str:
        return f"{self.subject}: {self.action}"


def subject_of(row: models.Model) -> str:
    """Return the name by which the record knows a row: `raffle 5f...`, `event daily`."""
    kind = row._meta.verbose_name_raw
    if isinstance(row, Raffle):
        return f"{kind} {row.uuid}"
    name: Any = getattr(row, "slug", None) or row.pk
    return f"{kind} {name}"


# A loose index scan, from one action to the next: DISTINCT would read every row.
_ACTIONS = """
    WITH RECURSIVE known AS (
        SELECT min(action) AS action FROM raffles_act
        UNION ALL
        SELECT (SELECT min(action) FROM raffles_act WHERE action > known.action) FROM known
        WHERE known.action IS NOT NULL
    ) SELECT action FROM known WHERE action IS NOT NULL
"""


def actions() -> list[str]:
    """Return the distinct actions in the record, sorted."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIONS)
        return [action for (action,) in cursor.fetchall()]


def record(
    subject: models.Model | str,
    action: str,
    *,
    at: datetime,
    by: str,
    why: str = "",
    **details: Any,
) -> LogEntry:
    """Record that `by` did `action` to `subject`; `details` name no participant."""
    return LogEntry.objects.create(
        subject=subject if isinstance(subject, str) else subject_of(subject),
        action=action,
        at=at,
        by=by,
        why=why,
        details=details,
    )
