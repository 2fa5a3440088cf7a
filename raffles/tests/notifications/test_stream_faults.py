"""Redis killed, stopped and flushed, and clients that come and go: nothing lost, twice or out of
order. With a real redis-server; skipped where none is installed.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from pytest_django import Settings

from raffles.domain import announcing
from raffles.notifications.stream import hub
from raffles.notifications.stream.serving import StreamApplication
from raffles.tests.notifications.acting import announced
from raffles.tests.notifications.listening import listening, parse, streaming
from raffles.tests.notifications.redis_server import Server

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server"),
]
CLIENTS, RECONNECTS, ROUNDS = 40, 10, 12


@pytest.fixture
def server(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path)
    settings.REDIS_URL = f"redis://127.0.0.1:{server.port}/0"
    monkeypatch.setattr(announcing, "_paused_until", 0.0)
    yield server
    server.send(signal.SIGCONT)
    server.send(signal.SIGKILL)


def _announce(count: int, **payload: Any) -> None:
    try:
        announced(count, **payload)
    finally:
        connection.close()


announce = sync_to_async(_announce, thread_sensitive=False)


async def subscribed(server: Server) -> None:
    """Wait until the reader of the stream listens to Redis."""
    with redis.Redis(port=server.port) as client:
        while client.pubsub_numsub(announcing.CHANNEL)[0][1] == 0:
            await asyncio.sleep(0.02)


async def hear_all(application: StreamApplication, total: int, chance: random.Random) -> list[int]:
    """Run a client that reconnects RECONNECTS times, each time from the last id it saw."""
    heard: list[int] = []
    last = "0"
    for _ in range(RECONNECTS):
        async with listening(application, **{"last-event-id": last}) as client:
            await asyncio.sleep(chance.random() * 0.4)
        events, last = parse(client.body)
        heard += [int(one.id) for one in events if one.event != "reset"]
    async with listening(application, **{"last-event-id": last}) as client:
        events = await client.hear(total - len(heard))
    return heard + [int(one.id) for one in events]


async def trouble(server: Server) -> None:
    for _ in range(2):
        server.send(signal.SIGSTOP)
        await asyncio.sleep(0.6)
        server.send(signal.SIGCONT)
        await asyncio.sleep(0.2)
        server.send(signal.SIGKILL)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(redis.Redis(port=server.port).flushall)


def test_no_trouble_with_redis_loses_or_doubles_anything(server: Server) -> None:
    total = ROUNDS * 3

    async def act() -> list[list[int]]:
        async with streaming() as application:
            clients = [
                asyncio.create_task(hear_all(application, total, random.Random(seed)))
                for seed in range(CLIENTS)
            ]
            troubled = asyncio.create_task(trouble(server))
            for _ in range(ROUNDS):
                await announce(3)
                await asyncio.sleep(0.2)
            await troubled
            return await asyncio.gather(*clients)

    heard = asyncio.run(asyncio.wait_for(act(), 120))

    assert heard == [list(range(2, total + 2))] * CLIENTS


@pytest.mark.parametrize(("poll", "heard"), [(0.5, [2, 3, 4]), (3_600.0, [2])])
def test_reader_that_only_listens_to_redis_is_caught(
    poll: float, heard: list[int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL", poll)

    async def act() -> list[int]:
        async with streaming() as application, listening(application) as client:
            await subscribed(server)
            await announce(1)
            await client.hear(1)
            server.send(signal.SIGKILL)
            await announce(2)
            with suppress(TimeoutError):
                await asyncio.wait_for(client.hear(3), 3 if len(heard) < 3 else 30)
            return [int(one.id) for one in parse(client.body)[0]]

    assert asyncio.run(asyncio.wait_for(act(), 60)) == heard


@pytest.mark.postgres
def test_a_slow_announcement_delays_the_next_rather_than_being_lost(server: Server) -> None:
    is_written, may_commit = Event(), Event()

    def announce_slowly() -> None:
        with transaction.atomic():
            announced(1, mark="a")
            is_written.set()
            may_commit.wait(10)
        connection.close()

    async def act() -> list[str]:
        async with streaming() as application, listening(application) as client:
            slow = asyncio.create_task(asyncio.to_thread(announce_slowly))
            await asyncio.to_thread(is_written.wait, 10)
            quick = asyncio.create_task(announce(1, mark="b"))
            await asyncio.sleep(0.5)
            assert not quick.done()
            may_commit.set()
            await asyncio.gather(slow, quick)
            await announce(1, mark="c")
            return [one.data["data"]["mark"] for one in await client.hear(3)]

    assert asyncio.run(asyncio.wait_for(act(), 60)) == ["a", "b", "c"]


def test_nudge_by_redis_is_quicker_than_looking(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL", 3_600.0)

    async def act() -> list[int]:
        async with streaming() as application, listening(application) as client:
            await subscribed(server)
            for count in range(1, 6):
                await announce(1)
                await client.hear(count)
            return [int(one.id) for one in parse(client.body)[0]]

    assert asyncio.run(asyncio.wait_for(act(), 60)) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_act_waits_for_a_redis_that_is_away_once_and_briefly(
    server: Server, how: signal.Signals
) -> None:
    announced(1)
    server.send(how)
    started = time.monotonic()

    for _ in range(40):  # if each of them waited, twenty seconds
        announced(1)

    assert time.monotonic() - started < 10
