"""Claims on SQLite, which has one writer: how fast alone, and whether eight at once get through."""

from __future__ import annotations

from functools import partial

from benchmarks.crew import crew
from benchmarks.floor import insert
from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios
from benchmarks.pools import claim, new_raffle
from raffles.domain.entering import Facts

_PROCESSES = 8


def run(*, quick: bool) -> None:
    """Figures sqlite_claim and sqlite_busy."""
    raffle = new_raffle()
    seconds = 1.0 if quick else 3.0

    with crew(1, {"claim": partial(claim, Facts.of(raffle)), "insert": insert}) as clerk:
        clerk.do("claim", 0.2)
        pairs = interleaved(
            lambda: clerk.do("claim", seconds).rate,
            lambda: clerk.do("insert", seconds).rate,
            5 if quick else 15,
        )
    emit(Figure.of("sqlite_claim", ratios(pairs), Goal(">=", 0.60), against(pairs, "/s")))
    with crew(_PROCESSES, {"claim": partial(claim, Facts.of(raffle))}) as clerks:
        work = clerks.do("claim", 5.0 if quick else 20.0)
    detail = f"{work.busy} busy errors in {work.done:,} claims of {_PROCESSES} processes"
    emit(Figure.of("sqlite_busy", [work.busy], Goal("<=", 0.0), detail))
