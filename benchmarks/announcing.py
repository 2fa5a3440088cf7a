"""Telling many at once: a draw to a thousand listeners, and a full outbox to one receiver.

The floor of the stream is Redis alone: as many sockets subscribed to a channel, one PUBLISH. The
floor of the outbox is the same bodies posted one after the other over one connection.
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
from contextlib import contextmanager
from http.client import HTTPConnection
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks.harness import (
    Figure,
    Goal,
    Unavailable,
    against,
    emit,
    free_port,
    interleaved,
    ratios,
    stop,
    timed,
    wait_for_port,
)
from benchmarks.pools import new_raffle
from raffles.domain.announcing import announce
from raffles.domain.delivering import database_clock, deliver
from raffles.domain.keys import current_key_id
from raffles.domain.spreading import spread
from raffles.models import Announcement, Delivery, Endpoint, Raffle

_CLIENTS = 1_000
_MEMORY = 64.0  # KiB for each idle listener, at most
_PATIENCE = 30.0  # seconds
_RECEIVER = """
import asyncio, sys
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = next(l for l in head.lower().split(b"\\r\\n") if l[:15] == b"content-length:")
            await reader.readexactly(int(length[15:]))
            writer.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    except asyncio.IncompleteReadError:
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


def run(*, quick: bool) -> None:
    """Figures stream_fan_out, stream_memory and outbox_posts."""
    clients = 200 if quick else _CLIENTS
    raffle = new_raffle()
    with redis() as port:
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        with streaming(settings.REDIS_URL) as (stream, workers):
            before = sum(map(resident, workers))
            with crowd(stream, clients, _LISTEN, b"\n\n") as listeners:
                each = (sum(map(resident, workers)) - before) / clients
                subscribe = b"SUBSCRIBE draws\r\n"
                with crowd(port, clients, subscribe, b":1\r\n") as subscribers:
                    pairs = interleaved(
                        lambda: reached_by_stream(listeners, raffle),
                        lambda: reached_by_redis(subscribers, port),
                        5 if quick else 15,
                    )
    detail = f"{clients} clients: {against(pairs, 'ms', 1)}"
    emit(Figure.of("stream_fan_out", ratios(pairs), Goal("<=", 2.00), detail))
    detail = f"{each:.1f} KiB a listener against {_MEMORY:.0f}"
    emit(Figure.of("stream_memory", [each / _MEMORY], Goal("<=", 1.00), detail))
    emit_posts(raffle, rows=1_000 if quick else 10_000, rounds=3 if quick else 5)


# --- Servers -----------------------------------------------------------------------------


@contextmanager
def process(command: list[str], port: int, **environment: str) -> Iterator[int]:
    """A server that listens on ``port``; yields its pid."""
    server = subprocess.Popen(
        command,
        env=os.environ | environment,
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
def streaming(redis_url: str) -> Iterator[tuple[int, list[int]]]:
    """The port of one ASGI process with the streams, and the pids of its workers."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port)]
    command += ["--workers-kill-timeout", "1", "--backpressure", "4096", "--backlog", "4096"]
    with process([*command, "rafflesite.asgi:application"], port, REDIS_URL=redis_url) as pid:
        time.sleep(1)  # the listening socket is there before its worker
        children = f"/proc/{pid}/task/{pid}/children"
        with open(children) as file:
            yield port, [int(child) for child in file.read().split()]


def resident(pid: int) -> float:
    """KiB of memory that a process has to itself and in use."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line and "kB" in line)
    return float(lines["Private_Dirty"].split()[0])


# --- A draw to a thousand listeners ------------------------------------------------------

_LISTEN = b"GET /stream/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_numbers = itertools.count(1)


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


def reached_by_redis(subscribers: Crowd, port: int) -> float:
    """Milliseconds from PUBLISH to the last subscriber, with a message of the same size."""
    number = next(_numbers)
    body = json.dumps(result(number)).encode()
    published = [0.0]

    def publish() -> None:
        with socket.create_connection(("127.0.0.1", port)) as publisher:
            published[0] = time.perf_counter()
            publisher.sendall(
                b"*3\r\n$7\r\nPUBLISH\r\n$5\r\ndraws\r\n$%d\r\n%s\r\n" % (len(body), body)
            )
            publisher.recv(64)

    return (_heard_by(subscribers, number, publish) - published[0]) * 1000


def _heard_by(clients: Crowd, number: int, act: Callable[[], None]) -> float:
    """Acts on a thread, as another process would, and waits for the last to hear of it."""
    acting = threading.Thread(target=act)
    acting.start()
    heard = clients.hear(mark(number).encode())
    acting.join()
    return heard


# --- Ten thousand rows to one receiver ---------------------------------------------------


def emit_posts(raffle: Raffle, *, rows: int, rounds: int) -> None:
    """Figure outbox_posts."""
    settings.REDIS_URL = ""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1"]
    spread(now=database_clock())  # what went before is nothing to be delivered
    port = free_port()
    with process([sys.executable, "-c", _RECEIVER, str(port)], port):
        Endpoint.objects.create(
            address=f"http://127.0.0.1:{port}/",
            created_at=timezone.now(),
            key_id=current_key_id(),
        )
        pairs = interleaved(lambda: delivered(raffle, rows), lambda: posted(port, rows), rounds)
    detail = f"{rows:,} messages: {against(pairs, 's', 2)}"
    emit(Figure.of("outbox_posts", ratios(pairs), Goal("<=", 1.50), detail))


def delivered(raffle: Raffle, rows: int) -> float:
    """Seconds for spreading and delivering so many announcements."""
    with transaction.atomic():
        for number in range(rows):
            announce(
                Announcement.Kind.DRAWN, raffle, result(number), at=timezone.now(), by="benchmark"
            )

    def send() -> None:
        spread(now=database_clock())
        tally = deliver(clock=database_clock)
        if tally.delivered != rows or Delivery.objects.pending().exists():
            raise RuntimeError(str(tally))

    return timed(send)


def posted(port: int, rows: int) -> float:
    """Seconds for posting as many bodies of that size."""
    bodies = [json.dumps(result(number)).encode() for number in range(rows)]
    headers = {"Content-Type": "application/json"}

    def post() -> None:
        line = HTTPConnection("127.0.0.1", port)
        for body in bodies:
            line.request("POST", "/", body, headers)
            line.getresponse().read()
        line.close()

    return timed(post)
