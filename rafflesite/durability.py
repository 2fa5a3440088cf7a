"""System checks that ask the database whether what it acknowledged would outlive a crash.

W005 no flush to disk, W006 a commit that does not wait for it, W007 a standby behind the primary.
Django runs them with `check --database default` and before `migrate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.core.checks import CheckMessage, Warning  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connection


class Promises(NamedTuple):
    """What a PostgreSQL server does before it acknowledges a commit."""

    fsync: str
    synchronous_commit: str  # as this role has it in this database
    asynchronous: int  # standbys that it does not wait for


def check_durability(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Ask the default database, if it is among those asked for and PostgreSQL."""
    if DEFAULT_DB_ALIAS not in (databases or ()) or connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_ASK)
        return list(broken(Promises(*cursor.fetchone())))


# How it stands with a standby is shown to `pg_read_all_stats`; that there is one, to everybody.
_ASK = """
    SELECT current_setting('fsync'), current_setting('synchronous_commit'), count(pid) FILTER (
        WHERE sync_state = 'async' OR current_setting('synchronous_standby_names') = ''
    )
    FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'
"""
_WAITING = ("on", "remote_apply")


def broken(promises: Promises) -> Iterator[CheckMessage]:
    """Yield a warning for each way in which an acknowledged ticket could be lost."""
    if promises.fsync != "on":
        message = "PostgreSQL does not flush to disk: fsync is off."
        hint = "Set fsync = on; after a power cut the whole database may be broken."
        yield Warning(message, hint=hint, id="rafflesite.W005")
    if promises.synchronous_commit not in _WAITING:
        message = f"PostgreSQL does not wait: synchronous_commit is {promises.synchronous_commit}."
        hint = "Set it to on: a ticket that was acknowledged must outlive a crash and a failover."
        yield Warning(message, hint=hint, id="rafflesite.W006")
    if promises.asynchronous:
        message = f"{promises.asynchronous} of its standbys may be behind: asynchronous."
        hint = (
            "Promoted, it would hand out numbers that people hold: set synchronous_standby_names,"
            " or never promote it."
        )
        yield Warning(message, hint=hint, id="rafflesite.W007")
