"""A raffle of 10,000,000: creating it, selecting 100,000 winners, and storing them."""

from __future__ import annotations

import io
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from random import SystemRandom
from typing import Any

from django.db import connection, transaction

from benchmarks.harness import Seen, compared, interleaved, limited, timing
from benchmarks.inside import FULL, QUICK, new_raffle, pool
from raffles.domain.drawing import store_winners
from raffles.domain.pool import Pages
from raffles.fairness.verify import select
from raffles.models import Raffle, State, Winner
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS

_SEED = bytes(range(32))
_TERMS: dict[str, Any] = {
    "prizes": [{"name": "Book", "amount": MAX_PRIZES}],
    "alternates": 0,
    "max_wins_per_holder": 0,
}
_COPY = 'COPY raffles_winner (raffle_id, rank, slot, "index", prize_id, leaf) FROM STDIN'


def run(*, quick: bool) -> Iterator[Seen]:
    """See what a draw takes."""
    new_raffle()  # connected and warm
    create = timing(new_raffle, scale=1000)
    yield limited("create_10m", [create() for _ in range(15 if quick else 50)], 10, "ms")
    sample = partial(SystemRandom().sample, range(MAX_TICKETS), MAX_PRIZES)
    sides = interleaved(timing(consume_selection), timing(sample), rounds=5 if quick else 15)
    yield compared("select_100k_of_10m", sides, "s", 3)
    yield limited("select_memory", [peak_of_selection()], 20, "MB")
    yield store(pool(QUICK if quick else FULL), rounds=3 if quick else 7)


def consume_selection() -> None:
    """Select as a draw does: one pick after the other, none kept here."""
    deque(select(_TERMS, _SEED, MAX_TICKETS), maxlen=0)


def peak_of_selection() -> float:
    """Return the most megabytes that Python held meanwhile."""
    tracemalloc.start()
    consume_selection()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def store(raffle: Raffle, *, rounds: int) -> Seen:
    """Seconds to store the winners against a COPY of lines that are ready; both are rolled back.

    Constraints that wait for the commit are made to speak before it.
    """
    pages, prize = Pages(raffle), raffle.prizes.get()
    winners = [
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
    lines = "".join(
        f"{raffle.pk}\t{w.rank}\t{w.slot}\t{w.index}\t{prize.pk}\t\\\\x{w.leaf.hex()}\n"
        for w in winners
    )

    def copy() -> None:
        with connection.cursor() as cursor:
            cursor.copy_expert(_COPY, io.StringIO(lines))

    acts = [partial(rolled_back, raffle, act) for act in (partial(store_winners, winners), copy)]
    return compared("store_100k_winners", interleaved(*acts, rounds=rounds), "s", 3)


def rolled_back(raffle: Raffle, act: Callable[[], object]) -> float:
    """Seconds of storing winners of a sealed raffle, in a transaction that leaves nothing."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no guard of states
            cursor.execute(
                "UPDATE raffles_raffle SET state = %s WHERE id = %s", [State.SEALED, raffle.pk]
            )
            cursor.execute("SET LOCAL session_replication_role = origin")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        seconds = timing(act)()
        transaction.set_rollback(True)
    return seconds
