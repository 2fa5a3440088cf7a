"""How fast is it? Each figure compares two things in one run, in alternating rounds.

    python -m benchmarks [NAME ...] [--quick] [--json] [--strict]

Runs all benchmarks, or those named, by figure or by module, on a PostgreSQL that it starts
and removes by itself. Prints a table, or with --json one object a line: name, ratio (the median of
the rounds), low, high, goal, holds. Exit status 0 when they ran, 2 when they could not; with
--strict 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import groupby
from multiprocessing.connection import Connection
from operator import attrgetter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

from benchmarks.harness import Seen, Unavailable, log_to, migrate, set_up
from benchmarks.servers import cluster


class Goal(NamedTuple):
    """What a figure has to keep to, the module that measures it, and the database it wants.

    Modules share a database of the same name: a PostgreSQL, its flushes *slow*, or *sqlite*.
    """

    name: str
    bound: str
    module: str
    database: str = "shared"


# In this order the large pool is filled once, entered while it is open, and sealed last.
GOALS = (
    Goal("participate_requests", ">= 0.68", "participating"),
    Goal("participate_cpu", "<= 1.40", "participating"),
    Goal("receipt_cpu", "<= 1.10", "participating"),
    Goal("participate_10m_over_1k", "<= 1.40", "participating"),
    Goal("create_10m", "<= 1.00", "drawing"),
    Goal("select_100k_of_10m", "<= 1.00", "drawing"),
    Goal("select_memory", "<= 1.00", "drawing"),
    Goal("store_100k_winners", "<= 1.60", "drawing"),
    Goal("seal_1m", "<= 1.00", "sealing"),
    Goal("seal_1m_memory", "<= 1.00", "sealing"),
    Goal("inclusion_10m", "<= 1.00", "sealing"),
    Goal("evidence_memory", "<= 1.00", "sealing"),
    Goal("proof_memory", "<= 1.00", "sealing"),
    Goal("proof_over_tree", "<= 3.00", "sealing"),
    Goal("export_memory", "<= 1.00", "sealing"),
    Goal("export_entries", "<= 2.50", "sealing"),
    Goal("proof_file", "<= 0.02", "files"),
    Goal("leaves_file", "<= 0.02", "files"),
    Goal("home_page", "<= 1.50", "visiting"),
    Goal("home_page_over_sql", "<= 1.50", "visiting"),
    Goal("stream_fan_out", "<= 2.00", "announcing"),
    Goal("stream_over_bare", "<= 2.00", "announcing"),
    Goal("stream_memory", "<= 1.00", "announcing"),
    Goal("outbox_posts", "<= 2.00", "announcing"),
    Goal("events_run", "<= 2.00", "calendar"),
    Goal("upcoming_queries", "<= 1.00", "calendar"),
    Goal("participate_by_event", "<= 1.15", "calendar"),
    Goal("list_queries", "<= 1.00", "listing", "lists"),
    Goal("list_page", "<= 1.40", "listing", "lists"),
    Goal("growth_claim", "<= 3.00", "growth", "large"),
    Goal("growth_tree", "<= 1.50", "growth", "large"),
    Goal("growth_draw", "<= 4.00", "growth", "large"),
    Goal("growth_proof", "<= 25.00", "growth", "large"),
    Goal("growth_verify", "<= 2.00", "growth", "large"),
    Goal("growth_admin", "<= 2.00", "growth", "large"),
    Goal("draw_delays_seal", "<= 1.00", "log", "long"),
    Goal("log_statement", "<= 1.00", "log", "long"),
    Goal("log_consistency_1m", "<= 1.00", "log", "long"),
    Goal("claims_slow_flush", ">= 0.80", "claiming", "slow"),
    Goal("sqlite_claim", ">= 0.60", "claiming", "sqlite"),
    Goal("sqlite_busy", "<= 0.00", "claiming", "sqlite"),
)
NAMES = list(dict.fromkeys(name for goal in GOALS for name in (goal.module, goal.name)))
_fork = multiprocessing.get_context("fork")


def main() -> int:
    """Run what was asked for and judge it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a smaller pool")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not options.json:
        print(machine(), HEADING, sep="\n", flush=True)
    missed = False
    try:
        for figure in measure(set(options.names or NAMES), quick=options.quick):
            print(json.dumps(figure.public()) if options.json else figure.line(), flush=True)
            missed = missed or not figure.holds
    except Unavailable as error:
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


# --- Figures -----------------------------------------------------------------------------

HEADING = f"{'name':<24}{'ratio':>8}  {'min-max':<16}{'goal':<9}{'holds':<6}seen in this run"


class Figure(NamedTuple):
    """One ratio, judged as it is shown, with three digits: the median of its rounds."""

    name: str
    ratio: float
    low: float
    high: float
    goal: str
    detail: str

    @classmethod
    def of(cls, seen: Seen, goal: str) -> Figure:
        middle, low, high = (round(each(seen.ratios), 3) for each in (median, min, max))
        return cls(seen.name, middle, low, high, goal, seen.detail)

    @property
    def holds(self) -> bool:
        side, bound = self.goal.split()
        return self.ratio <= float(bound) if side == "<=" else self.ratio >= float(bound)

    def public(self) -> dict[str, object]:
        """Return the object of ``--json``."""
        shown = self._asdict() | {"holds": self.holds}
        del shown["detail"]
        return shown

    def line(self) -> str:
        """Return the row of the table."""
        spread, verdict = f"{self.low:.3f}-{self.high:.3f}", "yes" if self.holds else "NO"
        row = f"{self.name:<24}{self.ratio:>8.3f}  {spread:<16}{self.goal:<9}{verdict:<6}"
        return row + self.detail


# --- Modules -----------------------------------------------------------------------------


def measure(wanted: set[str], *, quick: bool) -> Iterator[Figure]:
    """Yield the wanted figures as they come; databases are started when they are needed."""
    goals = [goal for goal in GOALS if wanted & {goal.module, goal.name}]
    for database, shared in groupby(goals, key=attrgetter("database")):
        with database_url(database) as url:
            for module, together in groupby(shared, key=attrgetter("module")):
                bounds = {goal.name: goal.bound for goal in together}
                for seen in run_apart(module, url, set(bounds), quick=quick):
                    yield Figure.of(seen, bounds[seen.name])


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """Provide an empty database, gone afterwards."""
    with TemporaryDirectory(prefix="benchmarks-") as name:
        if kind == "sqlite":
            yield f"sqlite:///{name}/db.sqlite3"
        else:
            with cluster(Path(name), slow_flush=kind == "slow") as url:
                yield url


def run_apart(module: str, url: str, names: set[str], *, quick: bool) -> Iterator[Seen]:
    """Run a module in its own process until the named were seen; raises Unavailable if it fails.

    Settings are read once in a process, and the peak of memory is a process's own.
    """
    ours, theirs = _fork.Pipe(duplex=False)
    child = _fork.Process(target=run_here, args=(module, url, names, quick, theirs))
    child.start()
    theirs.close()
    try:
        with suppress(EOFError):
            while True:
                yield ours.recv()
    except BaseException:
        os.kill(child.pid or 0, signal.SIGINT)
        raise
    finally:
        child.join()
    if child.exitcode:
        raise Unavailable(f"{module} failed")


def run_here(module: str, url: str, names: set[str], quick: bool, found: Connection) -> None:
    """Set up the site in this process and send the named figures that the module sees."""
    os.setsid()  # Ctrl-C comes from the parent alone, as SIGINT
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    set_up(url)
    migrate()
    # It imports models, which exist only now.
    with TemporaryFile("w") as log, suppress(KeyboardInterrupt):
        log_to(log)  # it is written, as in life, but nothing to look at
        for seen in import_module(f"benchmarks.{module}").run(quick=quick):
            if seen.name in names:
                found.send(seen)
                names.remove(seen.name)
            if not names:
                break


if __name__ == "__main__":
    sys.exit(main())
