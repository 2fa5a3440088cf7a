"""Whether a failure says that asking again later may help: the database is away, busy or full."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils.translation import gettext

# SQLSTATEs of a database that is another one for the moment, or not all there: a write on a standby
# or on a primary that became one, tables and functions that a restore has not made yet, and a right
# that a role has lost. SQLite calls the same operational errors.
_NOT_AS_IT_SHOULD_BE = {"25006", "42P01", "42883", "42501"}


# Clocks of machines that work together may differ by this.
CLOCKS_APART = timedelta(seconds=60)


class Unavailable(Exception):
    """Nothing can be changed here now, for a reason other than a failure; reading goes on (503).

    Its text is in the language of whoever reads it; that of the API is always English.
    """

    code: ClassVar[str]
    sentence: ClassVar[str]

    def __str__(self) -> str:
        return gettext(self.sentence)

    def for_operators(self) -> str:
        """Return one line for logs and commands."""
        return self.sentence


def is_outage(error: BaseException | None) -> bool:
    """Return whether asking again in a few seconds may help.

    A connection to such a database is closed: it works, so that nothing else would, and the next
    one may lead to the right one.
    """
    if isinstance(error, DatabaseError) and _sqlstate(error) in _NOT_AS_IT_SHOULD_BE:
        connection.close()
        return True
    return isinstance(error, OperationalError | InterfaceError)


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error.__cause__, "pgcode", None)
