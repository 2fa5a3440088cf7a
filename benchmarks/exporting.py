"""Exporting a million entries; the proof and the evidence of 100,000 winners."""

from __future__ import annotations

import csv
import ctypes
import gc
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from django.db import connection
from django.utils import timezone

from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios, timed
from benchmarks.pools import fill, new_raffle, pool
from benchmarks.sealing import megabytes, seal_now
from raffles.domain.drawing import advance
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_entries
from raffles.domain.pool import build_tree
from raffles.domain.proofs import drawn, stream_proof
from raffles.models import Raffle
from raffles.models.raffle import MAX_PRIZES

ENTRIES = 1_000_000
_MEMORY_LIMIT = 32.0  # MB
_CHUNK = 2_000
_SELECT = "SELECT slot, issued_at, username, erased_at FROM raffles_ticket WHERE raffle_id = {:d} "


class Bin:
    """What is written to it is counted and forgotten."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, text: str | bytes) -> int:
        self.size += len(text)
        return len(text)


def run(*, quick: bool) -> None:
    """Figures evidence_memory, proof_memory, proof_over_tree, export_memory, export_entries."""
    evidence(10_000 if quick else MAX_PRIZES)
    proof(100_000 if quick else ENTRIES, rounds=3)
    raffle = pool(ENTRIES)
    memory("export_memory", lambda: take(entries_of(raffle)))
    export(raffle, rounds=3 if quick else 7)


def entries_of(raffle: Raffle) -> Iterable[str]:
    """The table as staff get it."""
    return export_entries(raffle.uuid, full_names=True, now=timezone.now(), by="benchmark")


def take(pieces: Iterable[str | bytes]) -> int:
    """Takes all of it, as a server does that passes it on, and says how much it was."""
    taken = Bin()
    for piece in pieces:
        taken.write(piece)
    return taken.size


def export(raffle: Raffle, *, rounds: int) -> None:
    """Seconds of the table of entries against a csv.writer over the same cursor."""
    select = _SELECT.format(raffle.pk)

    def bare() -> None:
        lines = csv.writer(Bin())
        with connection.chunked_cursor() as cursor:
            cursor.execute(f"{select} ORDER BY slot")
            while rows := cursor.fetchmany(_CHUNK):
                lines.writerows(rows)

    pairs = interleaved(
        lambda: timed(lambda: take(entries_of(raffle))), lambda: timed(bare), rounds
    )
    emit(Figure.of("export_entries", ratios(pairs), Goal("<=", 2.5), against(pairs, "s", 2)))


def evidence(winners: int) -> None:
    """Memory, and once the time, of the archive of a draw in which every ticket wins."""
    raffle = drawn_raffle(winners, winners)
    memory(
        "evidence_memory",
        lambda: take(export_evidence(raffle.uuid, now=timezone.now(), by="benchmark")),
    )


def proof(tickets: int, *, rounds: int) -> None:
    """Memory and seconds of the proof of a tenth of all tickets against hashing them all once."""
    raffle = drawn_raffle(tickets, tickets // 10)
    draw = drawn(raffle.uuid)
    memory("proof_memory", lambda: take(stream_proof(draw)))
    pairs = interleaved(
        lambda: timed(lambda: take(stream_proof(draw))),
        lambda: timed(lambda: build_tree(raffle)),
        rounds,
    )
    emit(Figure.of("proof_over_tree", ratios(pairs), Goal("<=", 3.0), against(pairs, "s", 1)))


def drawn_raffle(tickets: int, winners: int) -> Raffle:
    """Sold out and drawn."""
    raffle = new_raffle(tickets, prizes=(("Book", winners),))
    fill(raffle, tickets)
    seal_now(raffle)
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by="benchmark")
    return raffle


def memory(name: str, act: Callable[[], int]) -> None:
    """By how many megabytes the process grows at the most, and once the size and time."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else it would take what others have left
    baseline = megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    started = time.perf_counter()
    size = act()
    seconds = time.perf_counter() - started
    grown, peak = megabytes("VmHWM") - baseline, megabytes("VmHWM")
    detail = f"{grown:.1f} MB of {_MEMORY_LIMIT:.0f} MB, {peak:.0f} MB in all; "
    detail += f"{size / 1e6:.0f} MB in {seconds:.0f} s"
    emit(Figure.of(name, [grown / _MEMORY_LIMIT], Goal("<=", 1.0), detail))
