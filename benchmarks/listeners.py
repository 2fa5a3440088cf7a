"""A thousand listeners come and go while Redis fails and their server restarts: is anything lost?

    python -m benchmarks.listeners [--clients 1000] [--reconnects 10] [--seconds 40]

Four processes announce, take their time before they commit, and sometimes roll back; what they
committed is their ledger. Listeners of one ASGI process hang up and come back, and keep theirs.
Meanwhile Redis is stopped (SIGSTOP), killed and emptied, and in the middle the ASGI process is
asked to stop (SIGTERM) and started again. Prints what went missing, came twice or out of order, and
exits 1 when anything did. All servers are its own.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks.apart import running
from benchmarks.inside import new_raffle
from benchmarks.servers import granian, require
from raffles.domain import announcing, log
from raffles.domain.sealing import NOTHING_SEALED
from raffles.models import Announcement, Raffle
from raffles.tests.nothing_lost.harness import fork, is_killed
from raffles.tests.notifications.redis_server import Server
from raffles.tests.notifications.returning import Listener, Told, Wrong, compare
from raffles.tests.serving import free_port

_ANNOUNCERS = 4
_SEED = 1
_PATIENCE = 60.0  # seconds until the last listener must have heard the last announcement


def main() -> int:
    """Start the database and say how many things were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--reconnects", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=40, help="how long it is announced")
    options = parser.parse_args()
    require("redis-server")
    with running() as folder:
        wrong = listen_through_trouble(options.clients, options.reconnects, options.seconds, folder)
    return 1 if any(wrong) else 0


def listen_through_trouble(clients: int, reconnects: int, seconds: float, folder: Path) -> Wrong:
    """Announce for so many seconds; return what was wrong with what all listeners heard."""
    raffle, started = new_raffle(), time.monotonic()
    (folder / "redis").mkdir()
    server = Server(folder / "redis")
    settings.REDIS_URL = f"redis://127.0.0.1:{server.port}/0"
    ledgers = [folder / f"announcer-{n}" for n in range(_ANNOUNCERS)]
    announcers = [
        fork(partial(announce_on, raffle, ledger, seconds, seed=n))
        for n, ledger in enumerate(ledgers)
    ]
    ended_in: list[float] = []
    with ExitStack() as site:
        site.callback(server.send, signal.SIGKILL)
        port = free_port()
        serve = partial(granian, "rafflesite.asgi:application", port, REDIS_URL=settings.REDIS_URL)
        serving = site.enter_context(ExitStack())
        serving.enter_context(serve())
        listeners = [Listener(port) for _ in range(clients)]

        def restart() -> None:
            asked = time.monotonic()
            serving.close()
            ended_in.append(time.monotonic() - asked)
            serving.enter_context(serve())

        async def trouble() -> None:
            """Trouble Redis again and again, and in the middle restart the site."""
            pause = seconds / 12
            for turn in range(4):
                await asyncio.sleep(pause)
                server.send(signal.SIGSTOP)
                await asyncio.sleep(pause)
                server.send(signal.SIGCONT)
                await asyncio.sleep(pause / 2)
                await asyncio.to_thread(redis.Redis(port=server.port).flushall)
                server.send(signal.SIGKILL)
                if turn == 1:
                    await asyncio.to_thread(restart)
                await asyncio.sleep(pause / 2)
                await asyncio.to_thread(server.start)

        async def listen() -> None:
            until, chance = time.monotonic() + seconds + _PATIENCE, Random(_SEED)
            stay = partial(Listener.come_and_go, each=2 * seconds / reconnects, until=until)
            coming = [stay(one, reconnects, Random(chance.random())) for one in listeners]
            await asyncio.gather(trouble(), *coming)
            for announcer in announcers:
                await asyncio.to_thread(is_killed, announcer)
            count = sum(len(read(path)) for path in ledgers)
            await asyncio.gather(*(one.stay(count, until=until) for one in listeners))

        asyncio.run(listen())
    ledger = [told for path in ledgers for told in read(path)]
    wrong = compare(ledger, [listener.heard for listener in listeners])
    visits = sum(listener.visits for listener in listeners)
    print(
        f"{clients:,} listeners, {visits:,} connections, {len(ledger):,} announcements, Redis "
        "stopped, emptied and killed 4 times each, the ASGI process ended by SIGTERM within "
        f"{ended_in[0]:.1f} s, in {time.monotonic() - started:,.0f} s: {wrong}"
    )
    return wrong


def announce_on(raffle: Raffle, ledger: Path, seconds: float, *, seed: int) -> None:
    """Announce several times a second; note what was committed."""
    chance, until, count = Random(seed), time.monotonic() + seconds, 0
    with ledger.open("w", buffering=1) as lines:
        while time.monotonic() < until:
            count += 1
            mark = f"{seed}-{count}"
            with transaction.atomic():
                kind = Announcement.Kind.REPLACED  # what is said of a raffle more than once
                announcing.announce(
                    kind,
                    raffle,
                    {"mark": mark},
                    at=timezone.now(),
                    by="benchmark",
                    commitment_hash=NOTHING_SEALED,
                    rank=1,
                    by_rank=2,
                    reason_hash=NOTHING_SEALED,
                )
                sequence = log.size()
                time.sleep(chance.random() ** 3 * 0.2)  # now and then, others overtake
                if is_rolled_back := chance.random() < 0.1:
                    transaction.set_rollback(True)
            if not is_rolled_back:
                lines.write(f"{sequence} {mark}\n")
            time.sleep(chance.random() * 0.6)


def read(ledger: Path) -> list[Told]:
    """Return what an announcer committed."""
    lines = (line.split() for line in ledger.read_text().splitlines())
    return [Told(int(number), mark) for number, mark in lines]


if __name__ == "__main__":
    sys.exit(main())
