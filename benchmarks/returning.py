"""Listeners who come and go through all kinds of trouble; see `benchmarks.listeners`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks.harness import free_port, stop, wait_for_port
from benchmarks.pools import new_raffle
from raffles.domain import announcing
from raffles.models import Announcement, Raffle
from raffles.tests.nothing_lost.harness import fork, is_killed
from raffles.tests.notifications.redis_server import Server
from raffles.tests.notifications.returning import Listener, Told, Wrong, compare

_ANNOUNCERS = 4
_SEED = 1
_PATIENCE = 60.0  # seconds until the last listener must have heard the last announcement
_UNLOCKED = "SELECT nextval(pg_get_serial_sequence('raffles_announcement', 'id'))"


def listen_through_trouble(
    clients: int, *, reconnects: int, seconds: float, is_locked: bool, folder: Path
) -> Wrong:
    """Announces for so many seconds; returns what was wrong with what all listeners heard."""
    raffle, started = new_raffle(), time.monotonic()
    ledgers = [folder / f"announcer-{n}" for n in range(_ANNOUNCERS)]
    announcers = [
        fork(partial(announce_on, raffle, ledger, seconds, is_locked=is_locked, seed=n))
        for n, ledger in enumerate(ledgers)
    ]
    (folder / "redis").mkdir()
    port = urlsplit(settings.REDIS_URL).port or 0
    troubles = Troubles(Server(folder / "redis", port=port), free_port())
    with troubles.running():
        listeners = [Listener(troubles.port) for _ in range(clients)]
        asyncio.run(_all(listeners, reconnects, seconds, troubles, announcers, ledgers))
    ledger = [told for path in ledgers for told in read(path)]
    wrong = compare(ledger, [listener.heard for listener in listeners])
    visits = sum(listener.visits for listener in listeners)
    print(
        f"{clients:,} listeners, {visits:,} connections, {len(ledger):,} announcements, "
        f"{troubles}, in {time.monotonic() - started:,.0f} s: {wrong}"
    )
    return wrong


async def _all(
    listeners: list[Listener],
    reconnects: int,
    seconds: float,
    troubles: Troubles,
    announcers: list[int],
    ledgers: list[Path],
) -> None:
    until = time.monotonic() + seconds + _PATIENCE
    chance = Random(_SEED)
    coming = [
        one.come_and_go(
            reconnects, Random(chance.random()), each=2 * seconds / reconnects, until=until
        )
        for one in listeners
    ]
    await asyncio.gather(troubles.make(seconds), *coming)
    for announcer in announcers:
        await asyncio.to_thread(is_killed, announcer)
    count = sum(len(read(path)) for path in ledgers)
    await asyncio.gather(*(one.stay(count, until=until) for one in listeners))


# --- Announcing --------------------------------------------------------------------------


def announce_on(
    raffle: Raffle, ledger: Path, seconds: float, *, is_locked: bool, seed: int
) -> None:
    """Announces several times a second; notes what was committed."""
    if not is_locked:
        announcing._NEXT = _UNLOCKED  # noqa: SLF001
    chance, until, count = Random(seed), time.monotonic() + seconds, 0
    with ledger.open("w", buffering=1) as lines:
        while time.monotonic() < until:
            count += 1
            mark = f"{seed}-{count}"
            with transaction.atomic():
                kind = Announcement.Kind.SEALED
                row = announcing.announce(
                    kind, raffle, {"mark": mark}, at=timezone.now(), by="benchmark"
                )
                time.sleep(chance.random() ** 3 * 0.2)  # now and then, others overtake
                if is_rolled_back := chance.random() < 0.1:
                    transaction.set_rollback(True)
            if not is_rolled_back:
                lines.write(f"{row.sequence} {mark}\n")
            time.sleep(chance.random() * 0.6)


def read(ledger: Path) -> list[Told]:
    """What an announcer committed."""
    lines = (line.split() for line in ledger.read_text().splitlines())
    return [Told(int(number), mark) for number, mark in lines]


# --- Trouble -----------------------------------------------------------------------------


class Troubles:
    """What happens to Redis and to the ASGI process, and how often it did."""

    def __init__(self, server: Server, port: int) -> None:
        self.port = port
        self._redis = server
        self._happened = {"stopped": 0, "killed": 0, "emptied": 0}
        self._ended_in = 0.0
        self._granian: subprocess.Popen[bytes] | None = None

    def __str__(self) -> str:
        redis = ", ".join(f"{what} {times} times" for what, times in self._happened.items())
        return f"Redis {redis}, the ASGI process ended by SIGTERM within {self._ended_in:.1f} s"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Both run in here, unless trouble strikes."""
        self._serve()
        try:
            yield
        finally:
            self._redis.send(signal.SIGCONT)
            self._redis.send(signal.SIGKILL)
            if self._granian:
                stop(self._granian)

    async def make(self, seconds: float) -> None:
        """Trouble with Redis again and again, and in the middle a restart."""
        pause = seconds / 12
        for turn in range(4):
            await asyncio.sleep(pause)
            self._redis.send(signal.SIGSTOP)
            await asyncio.sleep(pause)
            self._redis.send(signal.SIGCONT)
            self._happened["stopped"] += 1
            await asyncio.sleep(pause / 2)
            await asyncio.to_thread(redis.Redis(port=self._redis.port).flushall)
            self._happened["emptied"] += 1
            self._redis.send(signal.SIGKILL)
            self._happened["killed"] += 1
            if turn == 1:
                await asyncio.to_thread(self._restart)
            await asyncio.sleep(pause / 2)
            await asyncio.to_thread(self._redis.start)

    def _restart(self) -> None:
        if self._granian:
            asked = time.monotonic()
            stop(self._granian)
            self._ended_in = time.monotonic() - asked
        self._serve()

    def _serve(self) -> None:
        command = [sys.executable, "-m", "granian", "--interface", "asgi"]
        command += ["--port", str(self.port), "--workers-kill-timeout", "5"]
        command += ["--backlog", "16384", "--backpressure", "16384"]
        self._granian = subprocess.Popen(
            [*command, "rafflesite.asgi:application"],
            env=os.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_port(self.port, self._granian)
