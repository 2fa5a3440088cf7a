"""Claims by several processes at once, where the database is the bottleneck.

On a disk whose flush takes two milliseconds more, a lock that is held across the flush shows: one
ticket for each flush, whatever the hardware. A local disk hides it behind the CPU. SQLite has one
writer: how fast is it alone, and do eight at once get through?
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from django.db import OperationalError, connection, connections

from benchmarks.floor import insert, make_bare_table
from benchmarks.harness import Seen, compared, interleaved
from benchmarks.inside import claim, new_raffle
from raffles.domain.entering import Facts

_fork = multiprocessing.get_context("fork")
Act = Callable[[], object]


def run(*, quick: bool) -> Iterator[Seen]:
    """See claims against inserts, on the database at hand."""
    make_bare_table()
    acts: list[Act] = [partial(claim, Facts.of(new_raffle())), insert]
    if connection.vendor == "postgresql":
        rounds, seconds = (3, 2.0) if quick else (9, 5.0)
        yield claims("claims_slow_flush", acts, 16, rounds=rounds, seconds=seconds)
        return
    yield claims("sqlite_claim", acts, 1, rounds=5 if quick else 15, seconds=1.0 if quick else 3.0)
    with crew(8) as work:
        done = work(acts[0], 5.0 if quick else 20.0)
    detail = f"{done.busy} busy errors in {done.acts:,} claims of 8 processes"
    yield Seen("sqlite_busy", [done.busy], detail)


def claims(name: str, acts: list[Act], size: int, *, rounds: int, seconds: float) -> Seen:
    """Claims a second of so many processes against their inserts."""
    with crew(size) as work:

        def rate(act: Act, seconds: float) -> float:
            done = work(act, seconds)
            if done.busy:
                raise RuntimeError(f"{done.busy} of {done.acts} failed")
            return done.rate

        sides = [partial(rate, act) for act in acts]
        for side in sides:
            side(0.5)  # connected and warm
        seen = interleaved(*(partial(side, seconds) for side in sides), rounds=rounds)
    return compared(name, seen, "/s")


class Work(NamedTuple):
    """What a crew did: acts a second, how many there were, and how many found the database busy."""

    rate: float
    acts: int
    busy: int


@contextmanager
def crew(size: int) -> Iterator[Callable[[Act, float], Work]]:
    """Provide so many forked processes that repeat an act at once for so many seconds."""
    connections.close_all()  # a connection must not be shared
    with _fork.Pool(size) as workers:

        def work(act: Act, seconds: float) -> Work:
            # Each takes one: nobody is done before the last has begun.
            done = workers.map(partial(repeat, act), [seconds] * size, chunksize=1)
            rates, acts, busy = zip(*done, strict=True)
            return Work(sum(rates), sum(acts), sum(busy))

        yield work


def repeat(act: Act, seconds: float) -> Work:
    """Do it again and again, as often as the seconds allow."""
    done = busy = 0
    started = now = time.perf_counter()
    while now - started < seconds:
        try:
            act()
        except OperationalError:
            busy += 1
        done += 1
        now = time.perf_counter()
    return Work(done / (now - started), done, busy)
