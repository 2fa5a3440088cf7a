"""What never changes: a whole request for it, against making it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from benchmarks.harness import Seen, compared, interleaved, timing
from benchmarks.inside import ask
from benchmarks.sealing import drawn_raffle, take
from raffles.domain.proofs import drawn, stream_leaves, stream_proof


def run(*, quick: bool) -> Iterator[Seen]:
    """See the CPU of a proof with a winner for each tenth ticket, and of all the leaves."""
    tickets = 100_000 if quick else 1_000_000
    draw = drawn(drawn_raffle(tickets, tickets // 10).uuid)
    place = f"/raffles/{draw.raffle.uuid}"
    yield read_over_made("proof_file", f"{place}/proof/", lambda: stream_proof(draw))
    yield read_over_made("leaves_file", f"{place}/leaves/", lambda: stream_leaves(draw))


def read_over_made(name: str, path: str, made: Callable[[], Iterable[str | bytes]]) -> Seen:
    """Compare the CPU of reading what was made once with that of making it."""
    length = len(ask("GET", path))
    acts = (
        timing(lambda: ask("GET", path), times=10, scale=1_000, clock=time.process_time),
        timing(lambda: take(made()), scale=1_000, clock=time.process_time),
    )
    return compared(name, interleaved(*acts, rounds=3), "ms", 1, f", {length / 1e6:,.1f} MB")
