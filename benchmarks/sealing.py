"""Large pools: sealing one, a ticket's place in it, its proof, its evidence, its entries."""

from __future__ import annotations

import csv
import ctypes
import gc
import random
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from statistics import median

from django.db import connection
from django.utils import timezone

from benchmarks.harness import (
    Seen,
    compared,
    forget_peak,
    interleaved,
    limited,
    megabytes,
    timing,
)
from benchmarks.inside import FULL, QUICK, ask, fill, new_raffle, pool, seal_now
from raffles.domain.drawing import advance
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_entries
from raffles.domain.pool import Pages, build_tree
from raffles.domain.proofs import drawn, stream_proof
from raffles.fairness.numbering import numbering
from raffles.models import Raffle, State
from raffles.models.raffle import MAX_PRIZES

_MEMORY = 32.0  # MB
_CHUNK = 2_000
_SELECT = "SELECT slot, issued_at, username, erased_at FROM raffles_ticket WHERE raffle_id = {:d} "


def run(*, quick: bool) -> Iterator[Seen]:
    """See what large pools take, in time and in memory."""
    million = pool(1_000_000)
    yield from seal_million(million)
    yield inclusion(pool(QUICK if quick else FULL), rounds=5 if quick else 15)

    winners = 10_000 if quick else MAX_PRIZES
    won = drawn_raffle(winners, winners).uuid
    evidence = partial(export_evidence, won, now=timezone.now(), by="benchmark")
    yield memory("evidence_memory", evidence)

    tickets = 100_000 if quick else 1_000_000
    raffle = drawn_raffle(tickets, tickets // 10)
    proof = partial(stream_proof, drawn(raffle.uuid))
    yield memory("proof_memory", proof)
    sides = interleaved(
        timing(lambda: take(proof())), timing(partial(build_tree, raffle)), rounds=3
    )
    yield compared("proof_over_tree", sides, "s", 1)

    entries = partial(
        export_entries, million.uuid, full_names=True, now=timezone.now(), by="benchmark"
    )
    yield memory("export_memory", entries)
    acts = timing(lambda: take(entries())), timing(partial(write_entries, million))
    yield compared("export_entries", interleaved(*acts, rounds=3 if quick else 7), "s", 2)


# --- Sealed ------------------------------------------------------------------------------


def seal_million(raffle: Raffle) -> Iterator[Seen]:
    """Seconds and memory from the open pool to the stored seal, once: a pool is sealed for good."""
    baseline, cpu = forget_peak(), time.process_time()
    seconds = timing(partial(seal_now, raffle))()
    cpu = time.process_time() - cpu
    yield limited("seal_1m", [seconds], 20, "s", note=f", {cpu:.1f} s of CPU")
    yield limited("seal_1m_memory", [megabytes("VmHWM") - baseline], 64, "MB")


def inclusion(raffle: Raffle, *, rounds: int, asked: int = 40) -> Seen:
    """Milliseconds on the server for the path of one ticket, any ticket."""
    raffle.refresh_from_db()
    if raffle.state == State.OPEN:
        seal_now(raffle)
    pages = Pages(raffle)
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    anywhere = random.Random(1)

    def ask_for_one() -> None:
        ticket = number(pages.slot_of(anywhere.randrange(pages.size)))
        ask("GET", f"/raffles/{raffle.uuid}/tickets/{ticket}/inclusion/")

    one = timing(ask_for_one, scale=1000)
    one()
    medians = [median(one() for _ in range(asked)) for _ in range(rounds)]
    return limited("inclusion_10m", medians, 20, "ms", note=f", {pages.size:,} tickets")


# --- Written -----------------------------------------------------------------------------


def drawn_raffle(tickets: int, winners: int) -> Raffle:
    """Make one that is sold out and drawn."""
    raffle = fill(new_raffle(tickets, prizes=(("Book", winners),)), tickets)
    seal_now(raffle)
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by="benchmark")
    return raffle


def take(pieces: Iterable[str | bytes]) -> int:
    """Take all of it, as a server does that passes it on, and say how much it was."""
    return sum(map(len, pieces))


class Bin:
    """Forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


def write_entries(raffle: Raffle) -> None:
    """Write the table of entries by a csv.writer, as the cursor gives it."""
    lines = csv.writer(Bin())
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"{_SELECT.format(raffle.pk)} ORDER BY slot")
        while rows := cursor.fetchmany(_CHUNK):
            lines.writerows(rows)


def memory(name: str, write: Callable[[], Iterable[str | bytes]]) -> Seen:
    """By how many megabytes the process grows at the most, and once the size and time."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else it would take what others have left
    baseline, started = forget_peak(), time.perf_counter()
    size = take(write())
    seconds, peak = time.perf_counter() - started, megabytes("VmHWM")
    note = f", {peak:.0f} MB in all; {size / 1e6:.0f} MB in {seconds:.0f} s"
    return limited(name, [peak - baseline], _MEMORY, "MB", note=note)
