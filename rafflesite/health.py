"""Liveness and readiness, for load balancers and orchestrators."""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from events.domain import due
from raffles.domain.witnesses.ours.named import disagreeing, left_out_of_terms
from raffles.notifications import outbox
from raffles.web.outages import is_outage
from raffles.web.problems import problem, unavailable

logger = logging.getLogger(__name__)

# Clocks that differ by more than this make draws noticeably early or late.
CLOCK_TOLERANCE = timedelta(seconds=5)


@require_safe
@never_cache
def livez(_request: HttpRequest) -> HttpResponse:
    """Answer that the process serves, without checking anything."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer 503 if requests would fail: no database, or one with a missing migration or right.

    A database that can only be read counts as none.

    Everything else that needs attention is a warning in a 200, since taking a server out of
    rotation would not help.
    """
    try:
        missing = _expected_migrations() - MigrationRecorder(connection).applied_migrations().keys()
        obstacles = [] if missing else list(_obstacles())  # which need every table
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Not ready: %s", error)
        return unavailable()
    if missing:
        names = ", ".join(sorted(".".join(name) for name in missing))
        return problem(503, "not_migrated", f"Migrations are not applied: {names}.")
    if obstacles:
        logger.warning("Not ready: %s", " ".join(obstacles))
        connection.close()  # the next may lead to another server
        return unavailable()
    return JsonResponse({"status": "ok", "warnings": warnings()})


def _obstacles() -> Iterator[str]:
    """Yield a sentence for each thing that keeps this database from being written."""
    if connection.vendor != "postgresql":
        file = Path(connection.settings_dict["NAME"])
        if file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
            yield f"{file} or its folder can only be read."
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
        )
        if cursor.fetchone() == (True,):
            yield "The database can only be read: it is a standby, or its default says so."
        cursor.execute(_WITHOUT_RIGHT, [connection.introspection.django_table_names()])
        for (table,) in cursor.fetchall():
            yield f"The role {connection.settings_dict['USER']} may not write to {table}."


_ONLY_READS = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
_WITHOUT_RIGHT = """
    SELECT name FROM unnest(%s) AS name
    WHERE NOT (has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT'))
"""


@lru_cache(maxsize=1)
def _expected_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app, as (app, name)."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def warnings() -> list[str]:
    """Return a sentence for each thing that is wrong now."""
    return [
        sentence
        for warn in (clock_warnings, due.warnings, outbox.warnings, witness_warnings)
        for sentence in _ask(warn)
    ]


def _ask(warn: Callable[[], list[str]]) -> list[str]:
    try:
        return warn()
    except Exception as error:  # a broken warning must not look like a broken service
        if is_outage(error):
            raise
        name = f"{warn.__module__}.{warn.__name__}"
        logger.exception("The warning %s failed", name)
        return [f"{name} failed; see the log."]


def witness_warnings() -> list[str]:
    """Name each listed witness that no raffle names, or that has signed another log than ours."""
    apart = [
        f"The witness {name} has signed statements that this log does not have: the database was"
        " restored from an older state, or another one goes on from the same log. Find the one that"
        ' has them all and serve it ("When a witness holds another log" in docs/witnessing.md).'
        for name in disagreeing()
    ]
    return apart + left_out_of_terms(timezone.now())


def clock_warnings() -> list[str]:
    """Return a sentence if this machine's clock is off from the database's; never with SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
    ahead = timezone.now() - theirs
    if abs(ahead) <= CLOCK_TOLERANCE:
        return []
    seconds = round(ahead.total_seconds())
    side = "ahead of" if seconds > 0 else "behind"
    return [f"This machine's clock is {abs(seconds)} s {side} the database's."]
