"""Sealing a million tickets, and showing that one ticket is in a sealed pool of ten million."""

from __future__ import annotations

import random
import time
from pathlib import Path
from statistics import median

from django.utils import timezone

from benchmarks.calling import ask
from benchmarks.harness import Figure, Goal, emit, timed
from benchmarks.pools import FULL, QUICK, pool
from raffles.domain.pool import Pages, build_tree
from raffles.domain.sealing import close, seal
from raffles.fairness.numbering import numbering
from raffles.models import Raffle, State

_SEAL_LIMIT = 20.0  # seconds
_MEMORY_LIMIT = 64.0  # MB
_INCLUSION_LIMIT = 0.020  # seconds


def run(*, quick: bool) -> None:
    """Figures seal_1m, seal_1m_memory and inclusion_10m."""
    seal_million(pool(1_000_000))
    inclusion(pool(QUICK if quick else FULL), rounds=5 if quick else 15)


def seal_million(raffle: Raffle) -> None:
    """Seconds and memory from the open pool to the stored seal, once: a pool is sealed for good."""
    baseline = megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    cpu = time.process_time()
    seconds = timed(lambda: seal_now(raffle))
    cpu = time.process_time() - cpu
    grown = megabytes("VmHWM") - baseline
    detail = f"{seconds:.1f} s of 20 s, {cpu:.1f} s of CPU"
    emit(Figure.of("seal_1m", [seconds / _SEAL_LIMIT], Goal("<=", 1.0), detail))
    detail = f"{grown:.1f} MB of 64 MB"
    emit(Figure.of("seal_1m_memory", [grown / _MEMORY_LIMIT], Goal("<=", 1.0), detail))


def seal_now(raffle: Raffle) -> None:
    """Closes, hashes and seals an open raffle."""
    close(raffle.pk, now=timezone.now(), by="benchmark")
    seal(raffle.pk, build_tree(raffle), clock=timezone.now, by="benchmark")


def megabytes(name: str) -> float:
    """A line of what the system knows of this process, such as VmHWM."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024 / 1e6


def inclusion(raffle: Raffle, *, rounds: int, asked: int = 40) -> None:
    """Seconds on the server for the path of one ticket, any ticket, against twenty milliseconds."""
    raffle.refresh_from_db()
    if raffle.state == State.OPEN:
        seal_now(raffle)
    pages = Pages(raffle)
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    anywhere = random.Random(1)

    def seconds() -> float:
        ticket = number(pages.slot_of(anywhere.randrange(pages.size)))
        path = f"/raffles/{raffle.uuid}/tickets/{ticket}/inclusion/"
        started = time.perf_counter()
        status, body = ask("GET", path)
        taken = time.perf_counter() - started
        if status != 200:
            raise RuntimeError(body)
        return taken

    seconds()
    medians = [median(seconds() for _ in range(asked)) for _ in range(rounds)]
    detail = f"{median(medians) * 1000:.1f} ms of 20 ms, {pages.size:,} tickets"
    emit(
        Figure.of("inclusion_10m", [m / _INCLUSION_LIMIT for m in medians], Goal("<=", 1.0), detail)
    )
