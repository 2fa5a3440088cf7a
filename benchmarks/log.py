"""The operator's log: what a statement costs, a proof over a million, and who waits for whom."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from django.db import connection, connections, transaction
from django.utils import timezone

from benchmarks.harness import Seen, interleaved, limited, timing
from benchmarks.inside import fill, new_raffle, seal_now
from raffles.domain.drawing import store_draw
from raffles.domain.log import HEIGHT, LogTree, origin, size, take_turn, write
from raffles.fairness.verify import TreeBuilder, hash_leaf, make_statement
from raffles.models import Announcement, Draw, StreamCounter
from raffles.models.raffle import MAX_PRIZES

_NOBODY = {
    "raffle_id": "0" * 32,
    "commitment_hash": "0" * 64,
    "reason_hash": hashlib.sha256(b"Nobody took part").hexdigest(),
}
_COPY = (
    "COPY raffles_announcement (sequence, kind, statement, payload, announced_at, announced_by)"
    " FROM STDIN"
)
_BARE = (
    "INSERT INTO raffles_announcement (sequence, kind, statement, payload, announced_at,"
    " announced_by) VALUES (%s, %s, %s, %s, %s, %s)"
)
_NODES = 'COPY raffles_lognode (level, "index", hash) FROM STDIN'
MILLION = 1_000_000


def run(*, quick: bool) -> Iterator[Seen]:
    """See what the log costs."""
    yield delays(rounds=2 if quick else 5)
    lengthen(MILLION)
    yield statements(rounds=5 if quick else 15)
    yield consistency(rounds=5 if quick else 15)


def statements(*, rounds: int, many: int = 100) -> Seen:
    """Milliseconds of a statement, beside the act whose transaction it ends, and of its floor."""

    def state() -> None:
        write(take_turn(timezone.now()), Announcement.Kind.VOIDED, dict(_NOBODY))

    ours, least = interleaved(
        partial(costs, state, many), partial(costs, bare, many), rounds=rounds
    )
    milliseconds, busy = zip(*ours, strict=True)
    floor, floor_busy = (median(side) for side in zip(*least, strict=True))
    note = (
        f", {median(busy):.2f} ms of it our CPU; a bare INSERT of the row takes {floor:.2f} ms,"
        f" {floor_busy:.2f} ms of CPU; {size():,} statements before it"
    )
    return limited("log_statement", milliseconds, 1, "ms", 2, note)


def costs(act: Callable[[], object], many: int) -> tuple[float, float]:
    """Return the median milliseconds of an act and those of our CPU; what it wrote is undone."""
    seen = []
    for _ in range(many):
        with transaction.atomic():
            started, busy = time.perf_counter(), time.process_time()
            act()
            seen.append((time.perf_counter() - started, time.process_time() - busy))
            transaction.set_rollback(True)
    seconds, busy_seconds = (median(side) for side in zip(*seen, strict=True))
    return seconds * 1000, busy_seconds * 1000


def bare() -> None:
    """Insert a row of a statement's size, with nothing locked, signed, dated or counted."""
    row: list[Any] = [MILLION * 2, "draw.voided", b"x" * 330, "{}", timezone.now(), "benchmark"]
    with connection.cursor() as cursor:
        cursor.execute(_BARE, row)


def consistency(*, rounds: int, asked: int = 40) -> Seen:
    """Milliseconds of a consistency proof from anywhere to the end."""
    anywhere = random.Random(1)

    def prove() -> None:
        LogTree(size()).consistency(anywhere.randrange(1, size()))

    one = timing(prove, scale=1000)
    medians = [median(one() for _ in range(asked)) for _ in range(rounds)]
    note = f", {size():,} statements"
    return limited("log_consistency_1m", medians, 10, "ms", note=note)


def delays(*, rounds: int) -> Seen:
    """Milliseconds that the list is held while 100,000 winners are stored: the longest wait."""
    waits = [longest_wait(drawing()) for _ in range(rounds)]
    return limited("draw_delays_seal", waits, 100, "ms")


def drawing() -> Callable[[], object]:
    """Return what draws a sealed raffle of 100,000 winners."""
    raffle = new_raffle(MAX_PRIZES, prizes=(("Book", MAX_PRIZES),), alternates=0)
    seal_now(fill(raffle, MAX_PRIZES))
    draw = Draw.objects.select_related("raffle__pool").get(raffle=raffle)
    return partial(
        store_draw, draw, randomness=bytes(32), signature=None, clock=timezone.now, by="benchmark"
    )


def longest_wait(act: Callable[[], object]) -> float:
    """Return the most milliseconds that another process waited for a turn meanwhile."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    connections.close_all()
    waiting = fork.Process(target=take_turns, args=(theirs,))
    waiting.start()
    ours.recv()
    act()
    ours.send(None)
    longest: float = ours.recv()
    waiting.join()
    return longest


def take_turns(told: Connection) -> None:
    """Take the end of the list again and again until told, and tell the longest wait."""
    longest, is_warm = 0.0, False
    while not told.poll():
        with transaction.atomic():
            started = time.perf_counter()
            take_turn(timezone.now())
            waited = (time.perf_counter() - started) * 1000
            transaction.set_rollback(True)
        if is_warm:
            longest = max(longest, waited)
        else:
            is_warm = True
            told.send(None)
        time.sleep(0.001)
    told.send(longest)


def lengthen(end: int) -> None:
    """Have the log be so long: dates that nobody came to, and the nodes that are kept of them."""
    first, name = size(), origin()
    now = timezone.now()
    at, builder = int(now.timestamp()), TreeBuilder(HEIGHT)
    rows = io.StringIO()
    for old in Announcement.objects.order_by("sequence").values_list("statement", flat=True):
        builder.add(hash_leaf(bytes(old)))
    for n in range(first, end):
        line = make_statement("voided", origin=name, n=n, at=at, **_NOBODY)
        builder.add(hash_leaf(line))
        rows.write(f"{n + 1}\tdraw.voided\t\\\\x{line.hex()}\t{{}}\t{now.isoformat()}\tbenchmark\n")
    tree = builder.finish()
    nodes = "".join(
        f"{level}\t{at // 32}\t\\\\x{tree.levels[level - HEIGHT][at : at + 32].hex()}\n"
        for level in range(HEIGHT, end.bit_length(), HEIGHT)
        for at in range((first >> level) * 32, (end >> level) * 32, 32)
    )
    rows.seek(0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.copy_expert(_COPY, rows)
        cursor.copy_expert(_NODES, io.StringIO(nodes))
        StreamCounter.objects.filter(pk=1).update(last=end, at=at)
