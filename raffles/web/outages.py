"""Whether a failure says that the database cannot be used now: away, busy, or only to be read."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError, connection

_READ_ONLY = "25006"  # SQLSTATE of a write on a standby, or on a primary that became one


def is_outage(error: BaseException | None) -> bool:
    """Return whether asking again in a few seconds may help.

    A connection to a server that only reads is closed: it works, so that nothing else would, and
    the next one leads to the primary.
    """
    if isinstance(error, InternalError) and _sqlstate(error) == _READ_ONLY:
        connection.close()
        return True
    return isinstance(error, OperationalError | InterfaceError)


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error.__cause__, "pgcode", None)
