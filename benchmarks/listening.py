"""Telling many at once: a draw to a thousand listeners of one ASGI process.

There are two floors, with as many sockets, the same clients and a message of the same size. One is
Redis alone: the sockets are subscribed to its channel, and there is no HTTP. The other is BARE, the
least that a stream over ASGI can be, under the same granian: it subscribes to Redis too, and hands
what comes to the `send` of one client after the other. Neither reads a database.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks.harness import Figure, Goal, Unavailable, emit, free_port, stop, wait_for_port
from benchmarks.pools import new_raffle
from raffles.domain.announcing import announce
from raffles.models import Announcement, Raffle

_CLIENTS = 1_000
_MEMORY = 64.0  # KiB for each idle listener, at most
_PATIENCE = 30.0  # seconds
_LISTEN = b"GET /stream/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_numbers = itertools.count(1)


def run(*, quick: bool) -> None:
    """Figures stream_fan_out, stream_over_bare and stream_memory."""
    clients = 200 if quick else _CLIENTS
    raffle = new_raffle()
    with ExitStack() as stack:
        port = stack.enter_context(redis())
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        ours, memory = stack.enter_context(listeners("rafflesite.asgi:application", clients))
        bare, _ = stack.enter_context(listeners("benchmarks.bare_stream:application", clients))
        alone = stack.enter_context(crowd(port, clients, b"SUBSCRIBE alone\r\n", b":1\r\n"))
        rounds = [
            Round(
                reached_by_stream(ours, raffle),
                reached_by_redis(bare, port, b"bare"),
                reached_by_redis(alone, port, b"alone"),
            )
            for _ in range(7 if quick else 25)
        ]
    stream, asgi, floor = (median(side) for side in zip(*rounds, strict=True))
    seen = f"{clients} clients: {stream:.1f} ms against"
    by_redis = [one.stream / one.redis for one in rounds]
    by_asgi = [one.stream / one.asgi for one in rounds]
    emit(Figure.of("stream_fan_out", by_redis, Goal("<=", 2.00), f"{seen} {floor:.1f} ms"))
    emit(Figure.of("stream_over_bare", by_asgi, Goal("<=", 2.00), f"{seen} {asgi:.1f} ms"))
    detail = f"{memory:.1f} KiB a listener against {_MEMORY:.0f}"
    emit(Figure.of("stream_memory", [memory / _MEMORY], Goal("<=", 1.00), detail))


class Round(NamedTuple):
    """Milliseconds until the last of them had heard it."""

    stream: float
    asgi: float
    redis: float


# --- Servers -----------------------------------------------------------------------------


@contextmanager
def process(command: list[str], port: int) -> Iterator[int]:
    """A server that listens on ``port``; yields its pid."""
    server = subprocess.Popen(
        command,
        env=os.environ | {"REDIS_URL": settings.REDIS_URL},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_port(port, server)
        yield server.pid
    finally:
        stop(server)


@contextmanager
def redis() -> Iterator[int]:
    """The port of a Redis of our own."""
    if not shutil.which("redis-server"):
        raise Unavailable("redis-server is not installed")
    port = free_port()
    with TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--save", "", "--dir", folder]
        with process([*command, "--bind", "127.0.0.1"], port):
            yield port


@contextmanager
def listeners(application: str, count: int) -> Iterator[tuple[Crowd, float]]:
    """Clients of one ASGI process as documented, and KiB that it took for each of them."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port)]
    command += ["--workers-kill-timeout", "1", "--backpressure", "16384", "--backlog", "16384"]
    with process([*command, application], port) as pid:
        time.sleep(2)  # the listening socket is there before its worker
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        before = sum(map(resident, children))
        with crowd(port, count, _LISTEN, b"\n\n") as clients:
            yield clients, (sum(map(resident, children)) - before) / count


def resident(pid: str) -> float:
    """KiB of memory that a process has to itself and in use."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (line,) = (line for line in rollup if line.startswith("Private_Dirty:"))
    return float(line.split()[1])


# --- Clients -----------------------------------------------------------------------------


class Crowd:
    """Sockets that wait for the same word."""

    def __init__(self, port: int, count: int, hello: bytes, welcome: bytes) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
            client.sendall(hello)
            self._sockets.append(client)
        for client in self._sockets:
            seen = b""
            while welcome not in seen:
                seen += client.recv(65_536)
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ, client)

    def hear(self, word: bytes) -> float:
        """The moment at which the last of them has heard the word."""
        seen = {client.fileno(): b"" for client in self._sockets}
        waiting = set(seen)
        deadline = time.perf_counter() + _PATIENCE
        while waiting and time.perf_counter() < deadline:
            for key, _ in self._selector.select(1):
                seen[key.fd] += key.data.recv(65_536)
                if word in seen[key.fd]:
                    waiting.discard(key.fd)
        if waiting:
            raise RuntimeError(f"{len(waiting)} clients heard nothing")
        return time.perf_counter()

    def close(self) -> None:
        self._selector.close()
        for client in self._sockets:
            client.close()


@contextmanager
def crowd(port: int, count: int, hello: bytes, welcome: bytes) -> Iterator[Crowd]:
    """So many clients, all of them let in."""
    clients = Crowd(port, count, hello, welcome)
    try:
        yield clients
    finally:
        clients.close()


# --- A draw ------------------------------------------------------------------------------


def mark(number: int) -> str:
    """What one message is known by."""
    return f"mark-{number}-"


def result(number: int) -> dict[str, object]:
    """A draw with ten winners, as it is announced."""
    winners = [{"rank": n, "ticket_number": n * 7, "prize": "Bicycle"} for n in range(1, 11)]
    return {
        "draw_no": 1,
        "late": False,
        "winners_total": 10,
        "winners": winners,
        "mark": mark(number),
    }


def reached_by_stream(listeners: Crowd, raffle: Raffle) -> float:
    """Milliseconds from COMMIT to the last listener."""
    number, committed = next(_numbers), [0.0]

    def note() -> None:
        committed[0] = time.perf_counter()

    def commit() -> None:
        with transaction.atomic():
            transaction.on_commit(note)
            kind = Announcement.Kind.DRAWN
            announce(kind, raffle, result(number), at=timezone.now(), by="benchmark")

    return (_heard_by(listeners, number, commit) - committed[0]) * 1000


def reached_by_redis(subscribers: Crowd, port: int, channel: bytes) -> float:
    """Milliseconds from PUBLISH to the last subscriber, with a message of the same size."""
    number = next(_numbers)
    body = json.dumps(result(number)).encode()
    words = (b"PUBLISH", channel, body)
    command = b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    published = [0.0]

    def publish() -> None:
        with socket.create_connection(("127.0.0.1", port)) as publisher:
            published[0] = time.perf_counter()
            publisher.sendall(command)
            publisher.recv(64)

    return (_heard_by(subscribers, number, publish) - published[0]) * 1000


def _heard_by(clients: Crowd, number: int, act: Callable[[], None]) -> float:
    """Acts on a thread, as another process would, and waits for the last to hear of it."""
    acting = threading.Thread(target=act)
    acting.start()
    heard = clients.hear(mark(number).encode())
    acting.join()
    return heard
