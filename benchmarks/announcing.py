"""Telling many at once: a draw to a thousand listeners, a full outbox to one receiver.

The stream has two floors, with as many sockets, the same clients and a message of the same size.
One is Redis alone: the sockets are subscribed to its channel, and there is no HTTP. The other is
`floor_stream`, the least that a stream over ASGI can be, under the same granian: it subscribes to
Redis too, and hands what comes to the `send` of one client after the other. Neither reads a
database. The floor of the outbox is the same bodies posted over one connection.
"""

from __future__ import annotations

import itertools
import json
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from redis import Redis

from benchmarks.harness import Seen, compared, interleaved, limited, megabytes, timing
from benchmarks.inside import new_raffle
from benchmarks.servers import granian, require
from raffles.domain.announcing import announce
from raffles.domain.clock import database_time
from raffles.domain.keys import current_key_id
from raffles.domain.sealing import NOTHING_SEALED
from raffles.models import Announcement, Delivery, Endpoint, Raffle
from raffles.notifications.delivery import deliver
from raffles.notifications.outbox import spread
from raffles.tests.notifications import redis_server
from raffles.tests.serving import free_port, running

_PATIENCE = 30.0  # seconds
_LISTEN = b"GET /stream/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
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
_numbers = itertools.count(1)


def announce_draw(raffle: Raffle, number: int) -> None:
    """Announce what is as long as a draw with ten winners, known by its number.

    A raffle is drawn once; it is replacements that are said of one again and again.
    """
    announce(
        Announcement.Kind.REPLACED,
        raffle,
        result(number),
        at=timezone.now(),
        by="benchmark",
        commitment_hash=NOTHING_SEALED,
        rank=1,
        by_rank=2,
        reason_hash=NOTHING_SEALED,
    )


def result(number: int) -> dict[str, object]:
    winners = [{"rank": n, "ticket_number": n * 7, "prize": "Bicycle"} for n in range(1, 11)]
    drawn = {
        "commitment_hash": NOTHING_SEALED,
        "late": False,
        "winners_total": 10,
        "winners": winners,
    }
    return drawn | {"mark": f"mark-{number}-"}


# --- The stream --------------------------------------------------------------------------


def stream(*, quick: bool) -> Iterator[Seen]:
    """Milliseconds until the last of so many has heard it, and the memory of one who waits."""
    require("redis-server")
    raffle, clients = new_raffle(), 200 if quick else 1_000
    with ExitStack() as stack:
        redis = redis_server.Server(Path(stack.enter_context(TemporaryDirectory())))
        stack.callback(redis.send, signal.SIGKILL)
        settings.REDIS_URL = f"redis://127.0.0.1:{redis.port}/0"
        listening = partial(listeners, count=clients)
        ours, memory = stack.enter_context(listening("rafflesite.asgi:application"))
        bare, _ = stack.enter_context(listening("benchmarks.floor_stream:application"))
        alone = Crowd(redis.port, clients, b"SUBSCRIBE alone\r\n", b":1\r\n")
        stack.enter_context(closing(alone))
        streamed, asgi, floor = interleaved(
            partial(ours.hear, partial(commit, raffle)),
            partial(bare.hear, partial(publish, "bare")),
            partial(alone.hear, partial(publish, "alone")),
            rounds=7 if quick else 25,
        )
    note = f", {clients:,} clients"
    yield compared("stream_fan_out", (streamed, floor), "ms", 1, note)
    yield compared("stream_over_bare", (streamed, asgi), "ms", 1, note)
    yield limited("stream_memory", [memory], 64, "KiB", note=" a listener")


@contextmanager
def listeners(application: str, count: int) -> Iterator[tuple[Crowd, float]]:
    """Provide clients of one ASGI process as documented, and KiB that it took for each of them."""
    with granian(application, REDIS_URL=settings.REDIS_URL) as served:
        time.sleep(2)  # the listening socket is there before its worker

        def memory() -> float:
            used = sum(megabytes("Private_Dirty", pid) for pid in served.workers())
            return used * 1e6 / 1024 / count

        before = memory()
        with closing(Crowd(served.port, count, _LISTEN, b"\n\n")) as clients:
            yield clients, memory() - before


class Crowd:
    """Sockets that have been let in and wait for the same word."""

    def __init__(self, port: int, count: int, hello: bytes, welcome: bytes) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets = []
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

    def hear(self, act: Callable[[int], float]) -> float:
        """Act on a thread, as another process would; return milliseconds until the last has heard.

        They are counted from the moment (`perf_counter`) that the act returns.
        """
        number, acted = next(_numbers), list[float]()
        acting = threading.Thread(target=lambda: acted.append(act(number)))
        acting.start()
        word, seen = f"mark-{number}-".encode(), dict.fromkeys(self._sockets, b"")
        deadline = time.perf_counter() + _PATIENCE
        while seen and time.perf_counter() < deadline:
            for key, _ in self._selector.select(1):
                piece = key.data.recv(65_536)
                if key.data in seen:  # it has not heard it yet
                    seen[key.data] += piece
                    if word in seen[key.data]:
                        del seen[key.data]
        heard = time.perf_counter()
        if seen:
            raise RuntimeError(f"{len(seen)} clients heard nothing")
        acting.join()
        return (heard - acted[0]) * 1000

    def close(self) -> None:
        self._selector.close()
        for client in self._sockets:
            client.close()


def commit(raffle: Raffle, number: int) -> float:
    """Announce a draw; return the moment after COMMIT, when others are nudged."""
    committed: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.perf_counter()))
        announce_draw(raffle, number)
    return committed[0]


def publish(channel: str, number: int) -> float:
    """Publish a message of the same size; return the moment before."""
    with Redis.from_url(settings.REDIS_URL) as publisher:
        publisher.ping()  # connected
        published = time.perf_counter()
        publisher.publish(channel, json.dumps(result(number)))
    return published


# --- The outbox --------------------------------------------------------------------------


def outbox(*, quick: bool) -> Iterator[Seen]:
    """Seconds for so many announcements to one receiver."""
    raffle, rows = new_raffle(), 1_000 if quick else 10_000
    settings.REDIS_URL = ""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1"]
    spread(now=database_time())  # what went before is nothing to be delivered
    port = free_port()
    with running([sys.executable, "-c", _RECEIVER, str(port)], port):
        Endpoint.objects.create(
            address=f"http://127.0.0.1:{port}/",
            created_at=timezone.now(),
            key_id=current_key_id(),
        )
        acts = partial(delivered, raffle, rows), partial(posted, port, rows)
        sides = interleaved(*acts, rounds=3 if quick else 5)
    yield compared("outbox_posts", sides, "s", 2, f" for {rows:,}")


def delivered(raffle: Raffle, rows: int) -> float:
    """Seconds for spreading and delivering so many announcements."""
    with transaction.atomic():
        for number in range(rows):
            announce_draw(raffle, number)

    def send() -> None:
        spread(now=database_time())
        tally = deliver(clock=database_time)
        if tally.delivered != rows or Delivery.objects.pending().exists():
            raise RuntimeError(str(tally))

    return timing(send)()


def posted(port: int, rows: int) -> float:
    """Seconds for posting the same bodies by Python's own client, over one kept connection."""
    latest = Announcement.objects.order_by("-sequence")[:rows]
    bodies = [json.dumps(announcement.public()).encode() for announcement in latest]

    def post() -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as line:
            for body in bodies:
                line.request("POST", "/", body, {"Content-Type": "application/json"})
                line.getresponse().read()

    return timing(post)()
