"""The one place that `now` comes from: the database's clock, which all machines share.

Signed times and the runs of commands are the database's. A process that serves takes its own clock,
which costs no query, and refuses to act when that is more than `CLOCKS_APART` off: it is compared
when a connection opens. SQLite has no clock of its own, so there the process's is the database's.
Tests travel in time, which no server follows: with the setting `CLOCK` at `process` they get the
process's on either engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from raffles.web.outages import CLOCKS_APART, Unavailable


class ClockOff(Unavailable):
    """This process's clock is off from the database's: what it did would be early, late or void."""

    code = "clock_off"
    sentence = _("This server's clock is wrong, so nothing can be changed here. Try again later.")

    def __init__(self, ahead: timedelta) -> None:
        super().__init__(ahead)
        self.ahead = ahead

    def for_operators(self) -> str:
        """Return how far off it is, for logs and commands."""
        return f"This machine's clock is {described(self.ahead)} the database's; set it (NTP)."


def described(ahead: timedelta) -> str:
    """Return `73 s ahead of`, or `73 s behind`."""
    seconds = round(ahead.total_seconds())
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"


# --- The database's


def is_database_asked() -> bool:
    """Return whether statements read the database's clock themselves."""
    return connection.vendor == "postgresql" and settings.CLOCK == "database"


def database_time() -> datetime:
    """Return the time by the database's clock; it takes one query."""
    return signed_time(timezone.now())


def signed_time(now: datetime) -> datetime:
    """Return the database's time, or the caller's `now` where the database has no clock."""
    return _read(connection) if is_database_asked() else now


def _read(through: BaseDatabaseWrapper) -> datetime:
    with through.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


# --- A process's own, compared with it


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The database's time, and the process's monotonic clock at that moment."""

    theirs: datetime
    at: float

    def theirs_now(self) -> datetime:
        return self.theirs + timedelta(seconds=time.monotonic() - self.at)


_last: list[_Comparison] = []  # of this process; empty until a connection opens


def compare(opened: BaseDatabaseWrapper) -> None:
    """Remember the time of a database that a connection was opened to."""
    if opened.vendor == "postgresql" and settings.CLOCK == "database":
        _last[:] = [_Comparison(_read(opened), time.monotonic())]


def ahead_of_database() -> timedelta:
    """Return how far this process's clock is ahead, negative if behind, as it is now.

    It takes no query. The wall clock may be set at any time, the monotonic one is not, so that a
    jump shows without asking again; and where it seems to, the database is asked again, since the
    monotonic one stands still while a machine sleeps.
    """
    if not is_database_asked():
        return timedelta(0)
    connection.ensure_connection()  # which compares
    if not _last or abs(timezone.now() - _last[0].theirs_now()) > CLOCKS_APART:
        compare(connection)
    return timezone.now() - _last[0].theirs_now()


def acting_time() -> datetime:
    """Return `now` for an act of a process that serves. Raises ClockOff."""
    ahead = ahead_of_database()
    if abs(ahead) > CLOCKS_APART:
        raise ClockOff(ahead)
    return timezone.now()


def command_clock() -> Callable[[], datetime]:
    """Return the clock of a command: the database's, read once, which goes on by itself.

    Raises ClockOff: who lets a machine's clock run far off should learn it from the first run.
    """
    acting_time()
    if not is_database_asked():
        return timezone.now
    compare(connection)
    return _last[0].theirs_now


def command_time() -> datetime:
    """Return `now` for a command that acts at one moment. Raises ClockOff."""
    return command_clock()()
