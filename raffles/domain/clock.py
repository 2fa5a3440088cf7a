"""The clock that signed times come from: the database's, which all machines share."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection


def signed_time(now: datetime) -> datetime:
    """Return the database's time, or on SQLite, which has no clock of its own, the caller's `now`.

    Tests travel in time, which no server follows: with the setting `CLOCK` at `process` they get
    their `now` on either engine.
    """
    if not is_database_asked():
        return now
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


def is_database_asked() -> bool:
    """Return whether statements read the database's clock themselves."""
    return connection.vendor == "postgresql" and settings.CLOCK == "database"
