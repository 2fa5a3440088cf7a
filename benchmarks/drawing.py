"""Large raffles: creating, sealing, drawing, and what is written of them, in time and memory."""

from __future__ import annotations

import csv
import ctypes
import gc
import io
import random
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from random import SystemRandom
from secrets import token_hex
from statistics import median
from typing import Any

from django.db import connection, transaction
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
from benchmarks.inside import ask, drawn_raffle, made_once, new_raffle, pool, seal_now
from raffles.domain.creating import Request
from raffles.domain.drawing import store_winners
from raffles.domain.entering_lists import create_from_list
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_entries
from raffles.domain.pool import Pages, build_tree
from raffles.domain.proofs import drawn, stream_leaves, stream_proof
from raffles.domain.reading_lists import read_list
from raffles.fairness.numbering import numbering
from raffles.fairness.verify import select
from raffles.models import Raffle, State, Winner
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS

_MILLION = 1_000_000
_SEED = bytes(range(32))
_TERMS: dict[str, Any] = {
    "prizes": [{"name": "Book", "amount": MAX_PRIZES}],
    "alternates": 0,
    "max_wins_per_holder": 0,
}
_COPY = 'COPY raffles_winner (raffle_id, rank, slot, "index", prize_id, leaf) FROM STDIN'
_ENTRIES = """
    SELECT slot, issued_at, username, erased_at FROM raffles_ticket WHERE raffle_id = {:d}
    ORDER BY slot
"""


# --- A draw ------------------------------------------------------------------------------


def create(*, quick: bool) -> Iterator[Seen]:
    """Milliseconds of creating a raffle of ten million tickets."""
    new_raffle()  # connected and warm
    one = timing(new_raffle, scale=1000)
    yield limited("create_10m", [one() for _ in range(15 if quick else 50)], 10, "ms")


def pick(*, quick: bool) -> Iterator[Seen]:
    """Seconds of selecting winners as a draw does, one after the other, none kept; and memory."""

    def consume() -> None:
        deque(select(_TERMS, _SEED, MAX_TICKETS), maxlen=0)

    sample = partial(SystemRandom().sample, range(MAX_TICKETS), MAX_PRIZES)
    sides = interleaved(timing(consume), timing(sample), rounds=5 if quick else 15)
    yield compared("select_100k_of_10m", sides, "s", 3)
    tracemalloc.start()
    consume()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    yield limited("select_memory", [peak / 1e6], 20, "MB")


def store(*, quick: bool) -> Iterator[Seen]:
    """Seconds to store the winners against a COPY of lines that are ready; both are rolled back.

    Constraints that wait for the commit are made to speak before it.
    """
    raffle = pool(quick=quick)
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
    yield compared("store_100k_winners", interleaved(*acts, rounds=3 if quick else 7), "s", 3)


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


# --- A pool that is sealed ---------------------------------------------------------------


def seal_million(*, quick: bool) -> Iterator[Seen]:  # noqa: ARG001 - once is as quick as it gets
    """Seconds and memory from the open pool to the stored seal, once: a pool is sealed for good."""
    raffle = made_once(_MILLION, MAX_TICKETS, winners=MAX_PRIZES)
    baseline, cpu = forget_peak(), time.process_time()
    seconds = timing(partial(seal_now, raffle))()
    cpu = time.process_time() - cpu
    yield limited("seal_1m", [seconds], 20, "s", note=f", {cpu:.1f} s of CPU")
    yield limited("seal_1m_memory", [megabytes("VmHWM") - baseline], 64, "MB")


def inclusion(*, quick: bool) -> Iterator[Seen]:
    """Milliseconds on the server for the path of one ticket, any ticket."""
    raffle = pool(quick=quick)
    seal_now(raffle)
    pages = Pages(raffle)
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    anywhere = random.Random(1)

    def ask_for_one() -> None:
        ticket = number(pages.slot_of(anywhere.randrange(pages.size)))
        ask("GET", f"/raffles/{raffle.uuid}/tickets/{ticket}/inclusion/")

    one = timing(ask_for_one, scale=1000)
    one()
    medians = [median(one() for _ in range(40)) for _ in range(5 if quick else 15)]
    yield limited("inclusion_10m", medians, 20, "ms", note=f", {pages.size:,} tickets")


# --- What is written ---------------------------------------------------------------------


def evidence(*, quick: bool) -> Iterator[Seen]:
    """Memory for the evidence of many winners."""
    winners = 10_000 if quick else MAX_PRIZES
    won = drawn_raffle(winners, winners).uuid
    write = partial(export_evidence, won, now=timezone.now(), by="benchmark")
    yield memory("evidence_memory", write)


def proof(*, quick: bool) -> Iterator[Seen]:
    """Memory and time for a proof with a winner for each tenth ticket; reading it when it is made.

    All the leaves are read likewise.
    """
    tickets = 100_000 if quick else _MILLION
    raffle = drawn_raffle(tickets, tickets // 10)
    draw = drawn(raffle.uuid)
    write = partial(stream_proof, draw)
    yield memory("proof_memory", write)
    sides = interleaved(
        timing(lambda: take(write())), timing(partial(build_tree, raffle)), rounds=3
    )
    yield compared("proof_over_tree", sides, "s", 1)
    place = f"/raffles/{raffle.uuid}"
    yield read_over_made("proof_file", f"{place}/proof/", write)
    yield read_over_made("leaves_file", f"{place}/leaves/", partial(stream_leaves, draw))


def read_over_made(name: str, path: str, made: Callable[[], Iterable[str | bytes]]) -> Seen:
    """Compare the CPU of reading what was made once with that of making it."""
    length = len(ask("GET", path))
    cpu = partial(timing, scale=1_000, clock=time.process_time)
    acts = cpu(lambda: ask("GET", path), times=10), cpu(lambda: take(made()))
    return compared(name, interleaved(*acts, rounds=3), "ms", 1, f", {length / 1e6:,.1f} MB")


def entries(*, quick: bool) -> Iterator[Seen]:
    """Memory and time for the table of a million entries; ``csv.writer`` over the same cursor."""
    raffle = made_once(_MILLION, MAX_TICKETS, winners=MAX_PRIZES)
    write = partial(export_entries, raffle.uuid, full_names=True, now=timezone.now(), by="bench")
    yield memory("export_memory", write)

    def write_bare() -> None:
        lines = csv.writer(Bin())
        with connection.chunked_cursor() as cursor:
            cursor.execute(_ENTRIES.format(raffle.pk))
            while rows := cursor.fetchmany(2_000):
                lines.writerows(rows)

    acts = timing(lambda: take(write())), timing(write_bare)
    yield compared("export_entries", interleaved(*acts, rounds=3 if quick else 7), "s", 2)


def bring(*, quick: bool) -> Iterator[Seen]:
    """Seconds and memory of a raffle of a list: its lines read, checked, tagged and entered."""
    count, took = 100_000 if quick else _MILLION, []

    def enter() -> Iterator[str]:
        started = time.perf_counter()
        lines = chain(["holder\n"], (f"customer {n}\n" for n in range(count)))
        terms = {"name": "List", "prizes": [("Book", 1)]}
        request, now = Request("benchmark", token_hex(8), {}), timezone.now()
        create_from_list(read_list(lines), request=request, terms=terms, now=now, by="benchmark")
        took.append(time.perf_counter() - started)
        yield ""

    yield memory("list_memory", enter)
    yield limited("list_1m", took, 45 * count / _MILLION, "s")


class Bin:
    """Forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


def take(pieces: Iterable[str | bytes]) -> int:
    """Take all of it, as a server does that passes it on; return how much it was."""
    return sum(map(len, pieces))


def memory(name: str, write: Callable[[], Iterable[str | bytes]]) -> Seen:
    """Compare the most megabytes by which the process grows with 32; note size and time."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else it would take what others have left
    baseline, started = forget_peak(), time.perf_counter()
    size = take(write())
    seconds, peak = time.perf_counter() - started, megabytes("VmHWM")
    note = f", {peak:.0f} MB in all; {size / 1e6:.0f} MB in {seconds:.0f} s"
    return limited(name, [peak - baseline], 32, "MB", note=note)
