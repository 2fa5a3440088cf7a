"""A check before `migrate`: a database that stopped within migrations that are one by now.

Django takes such a migration out of the plan without a word, and everything after it with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


def check_squashes(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return an error for each app of which the default database has a part."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    applied = MigrationRecorder(connection).applied_migrations().keys()
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    found: list[CheckMessage] = []
    for (app, name), migration in sorted(known.items()):
        missing = [each for each in migration.replaces if each not in applied]
        if (app, name) not in applied and 0 < len(missing) < len(migration.replaces):
            message = f"The database stopped before {app}.{name}: {missing[0][1]} is not applied."
            hint = (
                'Run `migrate` of the last version that has it, then this one ("1.0.0" in'
                " docs/upgrading.md). Nothing was changed."
            )
            found.append(Error(message, hint=hint, id="rafflesite.E010"))
    return found
