"""Whose clock counts where a time is signed: the database's, which all machines share."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """Return the database's clock, in UTC; of SQLite, which has none, this process's.

    Tests that travel in time set ``CLOCK`` to ``process`` and get that on either.
    """
    if not is_database_asked():
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


def is_database_asked() -> bool:
    """Whether a statement may take the time itself."""
    return connection.vendor == "postgresql" and settings.CLOCK == "database"
