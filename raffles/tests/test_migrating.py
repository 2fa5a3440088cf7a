"""`manage.py migrate` on databases from before version 1.0, whose migrations are one since."""

from __future__ import annotations

import lzma
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The last commit before the release, on SQLite.
BEFORE = Path(__file__).parent / "fixtures" / "before_1_0.sql.xz"


def migrate(database: Path, *target: str) -> subprocess.CompletedProcess[str]:
    """Migrate that SQLite file in a process of its own."""
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", *target],
        cwd=ROOT,
        env=os.environ | {"ENV_FILE": "", "DATABASE_URL": f"sqlite:///{database}", "DEBUG": "true"},
        capture_output=True,
        text=True,
        check=False,
    )


def before(folder: Path, *statements: str) -> Path:
    """Return a database from before the release, changed by `statements`."""
    database = folder / "before.sqlite3"
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.executescript(lzma.decompress(BEFORE.read_bytes()).decode())
        for statement in statements:
            opened.execute(statement)
    return database


def contents(database: Path) -> list[str]:
    """Return the whole database as SQL."""
    with closing(sqlite3.connect(database)) as opened:
        return list(opened.iterdump())


def schema(database: Path) -> list[tuple[str, str, list[str]]]:
    """Return what there is of ours: type, name, and the parts of its definition in any order."""
    with closing(sqlite3.connect(database)) as opened:
        found = opened.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
            " AND (tbl_name LIKE 'raffles%' OR tbl_name LIKE 'events%')"
            # Later triggers run first: their order counts.
            " ORDER BY type, CASE type WHEN 'trigger' THEN rowid END, name"
        ).fetchall()
    return [
        # What SQLite does not look at was longer for a while.
        (kind, name, sorted(re.split(r", |\(|\)", sql.replace("(500) NOT NULL", "(200) NOT NULL"))))
        for kind, name, sql in found
    ]


@pytest.mark.slow
def test_a_database_from_before_is_as_a_new_one_and_stays_as_it_is(tmp_path: Path) -> None:
    database, new = before(tmp_path), tmp_path / "new.sqlite3"
    was = schema(database)

    done = [migrate(database, "events", "0001_release"), migrate(new, "events", "0001_release")]

    assert [(each.returncode, each.stderr) for each in done] == [(0, ""), (0, "")]
    assert schema(database) == was
    assert schema(new) == was
    assert len(was) > 100
    with closing(sqlite3.connect(database)) as opened:
        recorded = opened.execute(
            "SELECT app FROM django_migrations WHERE name = '0001_release_1_0' ORDER BY app"
        ).fetchall()
    assert recorded == [("events",), ("raffles",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "first"), [("raffles", "0012_draw_protocol_2"), ("events", "0007_rules")]
)
def test_a_database_that_stopped_in_between_is_refused_and_left_as_it_is(
    app: str, first: str, tmp_path: Path
) -> None:
    """Django alone says "No migrations to apply", or names a key to nowhere."""
    stop = f"DELETE FROM django_migrations WHERE app = '{app}' AND name >= '{first}'"
    database = before(tmp_path, stop)
    was = contents(database)

    refused = migrate(database)

    assert refused.returncode == 1
    assert (
        f"(rafflesite.E010) The database stopped before {app}.0001_release_1_0: {first}"
        in refused.stderr
    )
    assert "Traceback" not in refused.stderr
    assert contents(database) == was
