"""Liveness and readiness, for load balancers and orchestrators."""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from shutil import disk_usage

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from events.domain import due
from raffles.domain import lineage
from raffles.domain.clock import acting_time, ahead_of_database, compare, described
from raffles.domain.excluding import keys_still_needed
from raffles.domain.witnesses.ours.named import disagreeing, left_out_of_terms
from raffles.notifications import outbox
from raffles.web.outages import Unavailable, is_outage
from raffles.web.problems import problem, translate, unavailable
from rafflesite.draining import is_draining

logger = logging.getLogger(__name__)

_FULL = 4 * 1024 * 1024  # bytes: less is left for the next statement or two
_LOW = 64 * 1024 * 1024
_NIGHTS = timedelta(days=2)  # without a backup

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

    Migrations that this version does not know are those of a newer one, which may be served
    meanwhile: otherwise the first `migrate` of an upgrade would take every server out.

    A database that can only be read, or whose disk is full, counts as none, and a clock that is off
    keeps from every act. So does a server that is about to stop.

    Everything else that needs attention is a warning in a 200, since taking a server out of
    rotation would not help.
    """
    if is_draining():
        return problem(503, "stopping", "This server is about to stop.")
    try:
        missing = _expected_migrations() - MigrationRecorder(connection).applied_migrations().keys()
        obstacles = [] if missing else list(_obstacles())  # which need every table
        compare(connection)
        acting_time()
    except Unavailable as reason:
        return translate(reason) or unavailable()
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
    """Yield a sentence for each thing that keeps this database from being written.

    Raises OperationalError where its disk is full.
    """
    if connection.vendor != "postgresql":
        yield from _obstacles_of_file(Path(connection.settings_dict["NAME"]))
        return
    with connection.cursor() as cursor:
        cursor.execute(_ONLY_READS)
        if cursor.fetchone() == (True,):
            yield "The database can only be read: it is a standby, or its default says so."
            return
        cursor.execute(_WITHOUT_RIGHT, [connection.introspection.django_table_names()])
        for (table,) in cursor.fetchall():
            yield f"The role {connection.settings_dict['USER']} may not write to {table}."
        cursor.execute(_SPILL)


def _obstacles_of_file(file: Path) -> Iterator[str]:
    if file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        yield f"{file} or its folder can only be read."
    if file.exists() and disk_usage(file.parent).free < _FULL:
        yield f"The disk of {file} is full."


_ONLY_READS = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
_WITHOUT_RIGHT = """
    SELECT name FROM unnest(%s) AS name
    WHERE NOT (
        has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT')
        AND has_table_privilege(name, 'UPDATE') AND has_table_privilege(name, 'DELETE')
    )
"""
# Sorts a megabyte in less memory, so that the server writes it to the database's disk, and forgets
# it: no table is needed and nothing is left to be vacuumed.
_SPILL = """
    SET LOCAL work_mem = '64kB';
    SELECT sum(length(filler)) FROM (
        SELECT repeat('x', 1000) AS filler FROM generate_series(1, 1000) AS n ORDER BY n DESC
    ) AS sorted
"""


@lru_cache(maxsize=1)
def _expected_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app, as (app, name)."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def warnings() -> list[str]:
    """Return a sentence for each thing that is wrong now."""
    return [sentence for found in _found().values() for sentence in found]


def counted_warnings() -> dict[str, int]:
    """Return how many there are, by what they are about."""
    return {about: len(found) for about, found in _found().items()}


def _found() -> dict[str, list[str]]:
    asked = {
        "restored": lineage.warnings,
        "clock": clock_warnings,
        "disk": disk_warnings,
        "backup": backup_warnings,
        "draws": due.warnings,
        "announcements": outbox.warnings,
        "witnesses": witness_warnings,
        "exclusions": exclusion_warnings,
    }
    return {about: _ask(warn) for about, warn in asked.items()}


def exclusion_warnings() -> list[str]:
    """Say how many exclusions hold no more, since their key was taken out of TICKET_KEY."""
    lost = keys_still_needed(timezone.now())
    return [
        f"TICKET_KEY no longer holds the key {key}, without which {count} exclusions in force let"
        " everybody in: put the key back behind the first, or make them again."
        for key, count in sorted(lost.items())
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


def disk_warnings() -> list[str]:
    """Return a sentence if the disk of STATE_DIR, where this machine's files are, is near full."""
    folder = next(
        each for each in (settings.STATE_DIR, *settings.STATE_DIR.parents) if each.exists()
    )
    free = disk_usage(folder).free
    if free >= _LOW:
        return []
    return [f"The disk of STATE_DIR ({settings.STATE_DIR}) has {free // 1024**2} MB left."]


def backup_warnings() -> list[str]:
    """Return a sentence if deploy/backup, which was run here, has not succeeded lately."""
    noted = settings.STATE_DIR / "backup"
    try:
        seconds = timezone.now().timestamp() - noted.stat().st_mtime
    except FileNotFoundError:
        return []
    if (age := timedelta(seconds=seconds)) <= _NIGHTS:
        return []
    return [
        (
            f"No backup has succeeded on this machine for {age.days} days: run deploy/backup as its"
            f" user to see why. Where backups are made elsewhere, remove {noted}."
        )
    ]


def clock_warnings() -> list[str]:
    """Return a sentence if this machine's clock is off from the database's; never with SQLite."""
    ahead = ahead_of_database()
    if abs(ahead) <= CLOCK_TOLERANCE:
        return []
    return [f"This machine's clock is {described(ahead)} the database's."]
