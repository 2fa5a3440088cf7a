"""Drawing 100,000 of 10,000,000: the selection, its memory, and storing the winners."""

from __future__ import annotations

import io
import tracemalloc
from collections import deque
from collections.abc import Callable
from random import SystemRandom
from typing import Any

from django.db import connection, transaction

from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios, timed
from benchmarks.pools import FULL, QUICK, pool
from raffles.domain.drawing import store_winners
from raffles.domain.pool import Pages
from raffles.fairness.verify import select
from raffles.models import Prize, Raffle, State, Winner
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS

_SEED = bytes(range(32))
_MEMORY_LIMIT = 20_000_000  # bytes
_TERMS: dict[str, Any] = {
    "prizes": [{"name": "Book", "amount": MAX_PRIZES}],
    "alternates": 0,
    "max_wins_per_holder": 0,
}
_COPY = 'COPY raffles_winner (raffle_id, rank, slot, "index", prize_id, leaf) FROM STDIN'


def run(*, quick: bool) -> None:
    """Figures select_100k_of_10m, select_memory and store_100k_winners."""
    select_winners(rounds=5 if quick else 15)
    memory()
    store(pool(QUICK if quick else FULL), rounds=3 if quick else 7)


def consume_selection() -> None:
    """The selection as a draw uses it: one pick after the other, none kept here."""
    deque(select(_TERMS, _SEED, MAX_TICKETS), maxlen=0)


def select_winners(rounds: int) -> None:
    """Seconds of the selection against a sample that nobody could check."""
    sample = SystemRandom().sample
    pairs = interleaved(
        lambda: timed(consume_selection),
        lambda: timed(lambda: sample(range(MAX_TICKETS), MAX_PRIZES)),
        rounds,
    )
    emit(Figure.of("select_100k_of_10m", ratios(pairs), Goal("<=", 1.0), against(pairs, "s", 3)))


def memory() -> None:
    """The most that Python held during the selection, against twenty megabytes."""
    tracemalloc.start()
    consume_selection()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    detail = f"{peak / 1e6:.1f} MB of 20 MB"
    emit(Figure.of("select_memory", [peak / _MEMORY_LIMIT], Goal("<=", 1.0), detail))


def store(raffle: Raffle, *, rounds: int) -> None:
    """Seconds to store the winners against a COPY of lines that are ready; both are rolled back.

    Constraints that wait for the commit are made to speak before it.
    """
    prize = raffle.prizes.get()
    winners = _winners(raffle, prize)
    lines = "".join(
        f"{raffle.pk}\t{w.rank}\t{w.slot}\t{w.index}\t{prize.pk}\t\\\\x{w.leaf.hex()}\n"
        for w in winners
    )

    def copy() -> None:
        with connection.cursor() as cursor:
            cursor.copy_expert(_COPY, io.StringIO(lines))

    pairs = interleaved(
        lambda: _rolled_back(raffle, lambda: store_winners(winners)),
        lambda: _rolled_back(raffle, copy),
        rounds,
    )
    emit(Figure.of("store_100k_winners", ratios(pairs), Goal("<=", 1.60), against(pairs, "s", 3)))


def _winners(raffle: Raffle, prize: Prize) -> list[Winner]:
    pages = Pages(raffle)
    return [
        Winner(
            raffle=raffle,
            rank=pick.rank,
            index=pick.index,
            slot=pages.slot_of(pick.index),
            prize=prize,
            leaf=bytes(56),
        )
        for pick in select(_TERMS, _SEED, pages.size)
        if pick.rank
    ]


def _rolled_back(raffle: Raffle, act: Callable[[], object]) -> float:
    """Seconds of storing winners of a sealed raffle, in a transaction that leaves nothing."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no guard of states
            cursor.execute(
                "UPDATE raffles_raffle SET state = %s WHERE id = %s", [State.SEALED, raffle.pk]
            )
            cursor.execute("SET LOCAL session_replication_role = origin")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        seconds = timed(act)
        transaction.set_rollback(True)
    return seconds
