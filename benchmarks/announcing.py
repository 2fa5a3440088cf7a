"""A full outbox to one receiver; the floor is the same bodies posted over one connection."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks.harness import (
    Figure,
    Goal,
    against,
    emit,
    free_port,
    interleaved,
    ratios,
    timed,
)
from benchmarks.listening import process, result
from benchmarks.pools import new_raffle
from raffles.domain.announcing import announce
from raffles.domain.keys import current_key_id
from raffles.models import Announcement, Delivery, Endpoint, Raffle
from raffles.notifications.delivery import database_clock, deliver
from raffles.notifications.outbox import spread

_TIMEOUT = 15.0  # seconds, as webhooks have
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
    """Figure outbox_posts."""
    emit_posts(new_raffle(), rows=1_000 if quick else 10_000, rounds=3 if quick else 5)


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
    """Seconds for posting the same bodies by Python's own client, over one kept connection."""
    latest = Announcement.objects.order_by("-sequence")[:rows]
    bodies = [json.dumps(announcement.public()).encode() for announcement in latest]
    headers = {"Content-Type": "application/json"}

    def post() -> None:
        line = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        for body in bodies:
            line.request("POST", "/", body, headers)
            line.getresponse().read()
        line.close()

    return timed(post)
