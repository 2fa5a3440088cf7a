"""The database's part of `benchmarks.whole`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from benchmarks.pools import fill
from benchmarks.whole import ROUND, moment
from raffles.domain.creating import create_raffle
from raffles.domain.drawing import Waiting, advance
from raffles.domain.proofs import drawn as drawn_draw
from raffles.domain.proofs import stream_proof
from raffles.fairness.verify import time_of_round
from raffles.tests.fairness.relay import Relay


def drawn(tickets: int, prizes: int) -> bytes:
    """The proof of a raffle that was filled, sealed and drawn."""
    raffle = create_raffle(
        name="A whole draw",
        total_tickets=tickets,
        prizes=[("Prize", prizes)],
        entropy="drand",
        now=timezone.now(),
        by="benchmark",
    )
    fill(raffle, tickets)
    sealed_at, round_at = moment(time_of_round(ROUND) - 60), moment(time_of_round(ROUND))
    with Relay() as relay:
        settings.DRAND_RELAYS = [relay.url]

        def seal() -> None:
            try:
                advance(raffle.pk, now=sealed_at, clock=lambda: sealed_at, by="benchmark")
            except Waiting as waiting:
                print(f"sealed           waits for round {waiting.draw.round}")

        _timed("close and seal", seal)
        _timed(
            "fetch and draw",
            lambda: advance(raffle.pk, now=round_at, clock=lambda: round_at, by="benchmark"),
        )
    pieces: list[str] = []
    _timed("proof", lambda: pieces.extend(stream_proof(drawn_draw(raffle.uuid))))
    return "".join(pieces).encode()


def _timed(what: str, act: Callable[[], object]) -> None:
    started = time.perf_counter()
    act()
    print(f"{what:<16} {time.perf_counter() - started:.2f} s")
