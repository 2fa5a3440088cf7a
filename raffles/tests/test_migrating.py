"""`manage.py migrate` on a database of version 1 of the draw protocol: refused, and unchanged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def migrate(database: Path, *target: str) -> subprocess.CompletedProcess[str]:
    """Migrate that SQLite file in a process of its own."""
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", *target],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": f"sqlite:///{database}", "DEBUG": "true"},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(database: Path) -> list[str]:
    """Return the whole database as SQL."""
    with sqlite3.connect(database) as opened:
        return list(opened.iterdump())


@pytest.mark.slow
def test_a_database_of_version_1_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "old.sqlite3"
    done = migrate(database, "raffles", "0011")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(database) as opened:
        opened.execute(
            "INSERT INTO raffles_raffle (uuid, name, total_tickets, alternates, entropy, privacy,"
            " state, numbering_key, ticket_key_id, created_at, created_by, void_reason)"
            " VALUES ('00', 'Old', 3, 1, 'system', 'number', 'open', x'00', 'k', '2026-01-01',"
            " 'staff', '')"
        )
    before = contents(database)

    refused = migrate(database, "raffles")

    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: This database holds draws of version 1, which was never released: "
        "start with an empty one.\n"
    )
    assert contents(database) == before
