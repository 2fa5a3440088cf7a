"""Every release's database upgrades to this version, and goes on."""

from __future__ import annotations

import json
import lzma
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from raffles.tests.installations import PostgresqlStore
from raffles.tests.serving import SITE
from rafflesite.tests.releases import ENVIRONMENT, HERE

pytestmark = pytest.mark.slow

SQLITE = sorted(HERE.glob("*.sqlite.xz"))
POSTGRESQL = sorted(HERE.glob("*.postgresql.xz"))


def restored_file(dump: Path, folder: Path) -> str:
    """Put a release's database into a SQLite file, and return its URL."""
    file = folder / "database.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(lzma.decompress(dump.read_bytes()).decode())
    return f"sqlite:///{file}"


@pytest.fixture
def store(tmp_path: Path, unpooled: None) -> Iterator[PostgresqlStore]:
    # Past a pooler: what pg_restore sets for its session would come to the commands after it.
    made = PostgresqlStore("release", tmp_path)
    try:
        yield made
    finally:
        made.drop()


def manage(url: str, folder: Path, *arguments: str) -> str:
    """Run a command of this version there, as production does; return what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=SITE,
        env=os.environ | ENVIRONMENT | {"DATABASE_URL": url, "STATE_DIR": str(folder / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def upgrade(url: str, folder: Path) -> None:
    """Do as docs/upgrading.md says, and let people and managers go on."""
    manage(url, folder, "migrate", "--verbosity=0")
    drawn = manage(url, folder, "shell", "--no-imports", "-c", _NAMES).split()
    assert len(drawn) == 2  # the list, and the event's first date
    for raffle_id in drawn:
        agreed = manage(url, folder, "verify_draw", raffle_id)
        assert agreed.endswith("The database and the proof agree.\n")
    manage(url, folder, "verify_log")

    said = manage(url, folder, "shell", "--no-imports", "-c", _GO_ON).splitlines()[-1]

    assert json.loads(said) == {
        "who has a ticket": "already_entered",
        "who has none": [201] * 10,
        "one too many": "sold_out",
        "drawn again": "already_drawn",
        "drawn": 201,
        "called off": 200,
        "states": {
            "Breakfast, 2026-02-10": "drawn",
            "Breakfast, 2026-02-11": "drawn",
            "Drawn": "drawn",
            "Sealed": "void",
            "Void": "void",
            "Open": "drawn",
        },
    }
    manage(url, folder, "verify_log")


_NAMES = """
from raffles.models import Raffle
for raffle in Raffle.objects.filter(state="drawn"):
    print(raffle.uuid)
"""
_GO_ON = "from rafflesite.tests.releases.going_on import go_on; go_on()"


@pytest.mark.parametrize("dump", SQLITE, ids=lambda dump: dump.name)
def test_a_releases_file_upgrades_and_goes_on(dump: Path, tmp_path: Path) -> None:
    upgrade(restored_file(dump, tmp_path), tmp_path)


@pytest.mark.postgres
@pytest.mark.parametrize("dump", POSTGRESQL, ids=lambda dump: dump.name)
def test_a_releases_database_upgrades_and_goes_on(
    dump: Path, tmp_path: Path, store: PostgresqlStore
) -> None:
    raw = lzma.decompress(dump.read_bytes())
    subprocess.run(
        ["pg_restore", "--no-owner", "--no-acl", "--exit-on-error", "--dbname", store.url],
        input=raw,
        check=True,
    )
    upgrade(store.url, tmp_path)


def test_there_is_a_database_of_this_major_version_for_both_engines() -> None:
    assert {each.name for each in SQLITE} >= {"1.0.0.sqlite.xz"}
    assert {each.name for each in POSTGRESQL} >= {"1.0.0.postgresql.xz"}


def applied(dump: Path) -> set[tuple[str, str]]:
    """Return which migrations a release's database has, by app and name."""
    raw = lzma.decompress(dump.read_bytes())
    if dump in SQLITE:
        rows = re.findall(
            rb"^INSERT INTO \"django_migrations\" VALUES\(\d+,'(\w+)','(\w+)'", raw, re.MULTILINE
        )
    else:
        read = ["pg_restore", "--data-only", "--table", "django_migrations", "--file", "-"]
        said = subprocess.run(read, input=raw, check=True, capture_output=True).stdout
        rows = re.findall(rb"^\d+\t(\w+)\t(\w+)\t", said, re.MULTILINE)
    return {(app.decode(), name.decode()) for app, name in rows}


@pytest.mark.parametrize(
    "dump", sorted(HERE.glob(f"{settings.VERSION}.*.xz")), ids=lambda dump: dump.name
)
def test_this_version_s_database_has_every_migration(dump: Path) -> None:
    """One that comes after a release needs the number of the next one."""
    if dump in POSTGRESQL and not shutil.which("pg_restore"):
        pytest.skip("needs pg_restore")
    ours = {key for key in MigrationLoader(None).disk_migrations if key[0] in ("raffles", "events")}
    assert ours - applied(dump) == set()
