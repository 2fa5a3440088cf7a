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
from contextlib import contextmanager, redirect_stderr, suppress
from importlib import import_module
from itertools import groupby
from multiprocessing.connection import Connection
from operator import attrgetter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

from benchmarks.harness import Seen, migrate, set_up
from benchmarks.servers import Unavailable, cluster


class Goal(NamedTuple):
    """A figure's bound, the function that measures it, and the database it wants.

    Functions share a database of the same name: a PostgreSQL, its flushes *slow*, or *sqlite*.
    """

    act: str  # module.function
    name: str
    bound: str
    database: str = "shared"

    @property
    def module(self) -> str:
        return self.act.partition(".")[0]

    def holds(self, ratio: float) -> bool:
        side, bound = self.bound.split()
        return ratio <= float(bound) if side == "<=" else ratio >= float(bound)


# In this order the large pool is filled once, entered while it is open, and sealed last.
GOALS = (
    Goal("participating.against_floors", "participate_requests", ">= 0.68"),
    Goal("participating.against_floors", "participate_cpu", "<= 1.40"),
    Goal("participating.receipt", "receipt_cpu", "<= 1.10"),
    Goal("participating.by_size", "participate_10m_over_1k", "<= 1.40"),
    Goal("drawing.create", "create_10m", "<= 1.00"),
    Goal("drawing.pick", "select_100k_of_10m", "<= 1.00"),
    Goal("drawing.pick", "select_memory", "<= 1.00"),
    Goal("drawing.store", "store_100k_winners", "<= 1.60"),
    Goal("drawing.seal_million", "seal_1m", "<= 1.00"),
    Goal("drawing.seal_million", "seal_1m_memory", "<= 1.00"),
    Goal("drawing.inclusion", "inclusion_10m", "<= 1.00"),
    Goal("drawing.evidence", "evidence_memory", "<= 1.00"),
    Goal("drawing.proof", "proof_memory", "<= 1.00"),
    Goal("drawing.proof", "proof_over_tree", "<= 3.00"),
    Goal("drawing.proof", "proof_file", "<= 0.02"),
    Goal("drawing.proof", "leaves_file", "<= 0.02"),
    Goal("drawing.bring", "list_1m", "<= 1.00"),
    Goal("drawing.bring", "list_memory", "<= 1.00"),
    Goal("drawing.entries", "export_memory", "<= 1.00"),
    Goal("drawing.entries", "export_entries", "<= 2.50"),
    Goal("pages.home", "home_page", "<= 1.50"),
    Goal("pages.home", "home_page_over_sql", "<= 1.50"),
    Goal("announcing.stream", "stream_fan_out", "<= 2.00"),
    Goal("announcing.stream", "stream_over_bare", "<= 2.00"),
    Goal("announcing.stream", "stream_memory", "<= 1.00"),
    Goal("announcing.outbox", "outbox_posts", "<= 2.00"),
    Goal("calendar.due", "events_run", "<= 2.00"),
    Goal("pages.upcoming", "upcoming_queries", "<= 1.00"),
    Goal("calendar.entries", "participate_by_event", "<= 1.15"),
    Goal("pages.lists", "list_queries", "<= 1.00"),
    Goal("pages.lists", "list_page", "<= 1.40"),
    Goal("growth.sizes", "growth_claim", "<= 3.00", "large"),
    Goal("growth.sizes", "growth_tree", "<= 1.50", "large"),
    Goal("growth.sizes", "growth_draw", "<= 4.00", "large"),
    Goal("growth.sizes", "growth_proof", "<= 25.00", "large"),
    Goal("growth.sizes", "growth_verify", "<= 2.00", "large"),
    Goal("growth.sizes", "growth_admin", "<= 2.00", "large"),
    Goal("log.run", "draw_delays_seal", "<= 1.00", "long"),
    Goal("log.run", "log_statement", "<= 1.00", "long"),
    Goal("log.run", "log_consistency_1m", "<= 1.00", "long"),
    Goal("participating.slow_flush", "claims_slow_flush", ">= 0.80", "slow"),
    Goal("participating.sqlite", "sqlite_claim", ">= 0.60", "sqlite"),
    Goal("participating.sqlite", "sqlite_busy", "<= 0.00", "sqlite"),
)
NAMES = list(dict.fromkeys(name for goal in GOALS for name in (goal.module, goal.name)))
HEADING = f"{'name':<24}{'ratio':>8}  {'min-max':<16}{'goal':<9}{'holds':<6}seen in this run"
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
    wanted = [goal for goal in GOALS if {goal.module, goal.name} & set(options.names or NAMES)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not options.json:
        print(machine(), HEADING, sep="\n", flush=True)
    missed = False
    try:
        for goal, seen in measure(wanted, quick=options.quick):
            shown, holds = judged(goal, seen, as_json=options.json)
            print(shown, flush=True)
            missed = missed or not holds
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if not options.json:
        print(machine())
    return 1 if missed and options.strict else 0


def machine() -> str:
    """Say where and how disturbed: with more load than cores, absolute figures say little."""
    one, five, _ = os.getloadavg()
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {one:.1f} (1 min) {five:.1f} (5 min)"
    )


def judged(goal: Goal, seen: Seen, *, as_json: bool) -> tuple[str, bool]:
    """Return a figure's line, and whether its ratio, as it is shown, holds."""
    ratio, low, high = (round(each(seen.ratios), 3) for each in (median, min, max))
    holds = goal.holds(ratio)
    if as_json:
        shown = {"name": goal.name, "ratio": ratio, "low": low, "high": high, "goal": goal.bound}
        return json.dumps(shown | {"holds": holds}), holds
    spread, verdict = f"{low:.3f}-{high:.3f}", "yes" if holds else "NO"
    row = f"{goal.name:<24}{ratio:>8.3f}  {spread:<16}{goal.bound:<9}{verdict:<6}"
    return row + seen.detail, holds


# --- Functions that measure --------------------------------------------------------------


def measure(wanted: list[Goal], *, quick: bool) -> Iterator[tuple[Goal, Seen]]:
    """Yield the wanted figures as they come; databases are started when they are needed."""
    for database, shared in groupby(wanted, key=attrgetter("database")):
        with database_url(database) as url:
            for act, together in groupby(shared, key=attrgetter("act")):
                goals = {goal.name: goal for goal in together}
                for seen in run_apart(act, url, set(goals), quick=quick):
                    yield goals[seen.name], seen


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """Provide an empty database, gone afterwards."""
    with TemporaryDirectory(prefix="benchmarks-") as name:
        if kind == "sqlite":
            yield f"sqlite:///{name}/db.sqlite3"
        else:
            with cluster(Path(name), slow_flush=kind == "slow") as url:
                yield url


def run_apart(act: str, url: str, names: set[str], *, quick: bool) -> Iterator[Seen]:
    """Run a function in its own process until the named were seen; raise Unavailable if it fails.

    Settings are read once in a process, and the peak of memory is a process's own.
    """
    ours, theirs = _fork.Pipe(duplex=False)
    child = _fork.Process(target=run_here, args=(act, url, names, quick, theirs))
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
        raise Unavailable(f"{act} failed")


def run_here(act: str, url: str, names: set[str], quick: bool, found: Connection) -> None:
    """Set up the site in this process and send the named figures that the function sees."""
    os.setsid()  # Ctrl-C comes from the parent alone, as SIGINT
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with TemporaryFile("w") as log, suppress(KeyboardInterrupt):
        with redirect_stderr(log):  # it is written, as in life, but nothing to look at
            set_up(url)
        migrate()
        module, _, function = act.partition(".")
        # It imports models, which exist only now.
        for seen in getattr(import_module(f"benchmarks.{module}"), function)(quick=quick):
            if seen.name in names:
                found.send(seen)
                names.remove(seen.name)
            if not names:
                break


if __name__ == "__main__":
    sys.exit(main())
