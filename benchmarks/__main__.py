"""How fast is it? Each figure compares two things in one run, in alternating rounds.

    python -m benchmarks [NAME ...] [--quick] [--json] [--strict]

Runs all benchmarks or the named ones, on a PostgreSQL that it starts and removes by itself. Prints
a table, or with --json one object a line: name, ratio (the median of the rounds), low, high, goal,
holds. Exit status 0 when they ran, 2 when they could not; with --strict 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from benchmarks.harness import HEADING, Figure, Unavailable, cluster, stop


class Group(NamedTuple):
    """Figures that one module measures, and the database that it wants."""

    module: str
    figures: tuple[str, ...]
    database: Literal["postgresql", "slow", "sqlite"] = "postgresql"


# In this order the large pool is filled once, entered while it is open, and sealed last.
GROUPS = (
    Group("participating", ("participate_requests", "participate_cpu", "receipt_cpu")),
    Group("growing", ("create_10m", "participate_10m_over_1k")),
    Group("drawing", ("select_100k_of_10m", "select_memory", "store_100k_winners")),
    Group("sealing", ("seal_1m", "seal_1m_memory", "inclusion_10m")),
    Group(
        "exporting",
        (
            *("evidence_memory", "proof_memory", "proof_over_tree"),
            *("export_memory", "export_entries"),
        ),
    ),
    Group("listing", ("list_queries", "list_page")),
    Group("visiting", ("home_page", "home_page_over_sql")),
    Group("listening", ("stream_fan_out", "stream_over_bare", "stream_memory")),
    Group("announcing", ("outbox_posts",)),
    Group("calendar", ("events_run", "upcoming_queries", "participate_by_event")),
    Group("claiming", ("claims_slow_flush",), "slow"),
    Group("embedded", ("sqlite_claim", "sqlite_busy"), "sqlite"),
)
NAMES = [name for group in GROUPS for name in group.figures]


def main() -> int:
    """Run what was asked for and judge it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a smaller pool")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = set(options.names or NAMES)
    if not options.json:
        print(machine(), HEADING, sep="\n", flush=True)
    missed = False
    try:
        for figure in measure(wanted, quick=options.quick):
            print(json.dumps(figure.public()) if options.json else figure.line(), flush=True)
            missed = missed or not figure.holds
    except (Unavailable, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if not options.json:
        print(machine())
    return 1 if missed and options.strict else 0


def machine() -> str:
    """Where and how disturbed: with more load than cores, absolute figures say little."""
    one, five, _ = os.getloadavg()
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {one:.1f} (1 min) {five:.1f} (5 min)"
    )


def measure(wanted: set[str], *, quick: bool) -> Iterator[Figure]:
    """The wanted figures as they come; databases are started when a group needs them."""
    for database in ("postgresql", "slow", "sqlite"):
        groups = [g for g in GROUPS if g.database == database and wanted & set(g.figures)]
        if not groups:
            continue
        with database_url(database) as url:
            for group in groups:
                for figure in figures_of(group.module, url, quick=quick):
                    if figure.name in wanted:
                        yield figure


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """An empty database of that kind, gone afterwards."""
    with TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the cluster runs under another account
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'db.sqlite3'}"
        else:
            with cluster(folder, slow_flush=kind == "slow") as url:
                yield url


def figures_of(module: str, url: str, *, quick: bool) -> Iterator[Figure]:
    """Runs a group in its own process; raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "benchmarks.child", module, *["--quick"] * quick]
    with subprocess.Popen(
        command,
        env=os.environ | environment(url),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            for line in child.stdout or ():
                yield Figure(**json.loads(line))
        except BaseException:
            stop(child, signal.SIGINT)
            raise
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)


SECRETS = {name: secrets.token_hex(32) for name in ("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY")}


def environment(url: str) -> dict[str, str]:
    """A production's environment: everything on, logs too. The client is a trusted proxy."""
    return SECRETS | {
        "ENV_FILE": "",
        "DATABASE_URL": url,
        "DEBUG": "off",
        "LOG_LEVEL": "INFO",
        "MANAGER_IPS": "192.0.2.1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "PUBLIC_URL": "http://127.0.0.1",
    }


if __name__ == "__main__":
    sys.exit(main())
