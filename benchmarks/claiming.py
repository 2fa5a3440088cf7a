"""Claims at sixteen connections on a disk whose flush takes two milliseconds more.

This is where a lock that is held across the flush shows: one ticket for each flush, whatever the
hardware. A local disk hides it behind the CPU.
"""

from __future__ import annotations

from functools import partial

from benchmarks.crew import Work, crew
from benchmarks.floor import insert
from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios
from benchmarks.pools import claim, new_raffle
from raffles.domain.entering import Facts

CONNECTIONS = 16


def run(*, quick: bool) -> None:
    """Figure claims_slow_flush."""
    raffle = new_raffle()
    seconds = 2.0 if quick else 5.0

    with crew(CONNECTIONS, {"claim": partial(claim, Facts.of(raffle)), "insert": insert}) as clerks:

        def rate(act: str) -> float:
            return _undisturbed(clerks.do(act, seconds)).rate

        rate("claim"), rate("insert")  # connected and warm
        pairs = interleaved(lambda: rate("claim"), lambda: rate("insert"), 3 if quick else 9)
    emit(Figure.of("claims_slow_flush", ratios(pairs), Goal(">=", 0.80), against(pairs, "/s")))


def _undisturbed(work: Work) -> Work:
    if work.busy:
        raise RuntimeError(f"{work.busy} of {work.done} failed")
    return work
