"""Clients, database and Redis are killed for as long as it takes: is a ticket lost or given twice?

    python -m benchmarks.campaign [--claims 1000000] [--kills 500] [--crashes 20] [--faults 20]

Client processes take every ticket of a raffle and keep a ledger of what they were told, while they
are killed (SIGKILL), a PostgreSQL started for it crashes (`pg_ctl -m immediate`) and recovers, and
their Redis, which has the mark of the newest ticket, hangs, is emptied and is killed. Prints what
happened and what was wrong, and exits 1 when anything was. The moments are fixed by a seed; figures
of time are not.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from benchmarks.apart import running
from benchmarks.servers import programs, require
from raffles.tests.factories import RaffleFactory
from raffles.tests.nothing_lost.harness import (
    Acknowledged,
    Crowd,
    ask_here,
    discrepancies,
    flaws,
    take_part,
)
from raffles.tests.notifications.redis_server import Server

_CLIENTS = 16
_SEED = 1


def main() -> int:
    """Kill clients, crash the database, trouble Redis, and print how many things were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--crashes", type=int, default=20, help="of the database")
    parser.add_argument("--faults", type=int, default=20, help="of Redis")
    options = parser.parse_args()
    require("redis-server")
    with running() as folder:
        marks = Server(folder)
        settings.REDIS_URL = f"redis://127.0.0.1:{marks.port}/0"
        settings.STATE_DIR = folder / "state"
        times = {"kills": options.kills, "crashes": options.crashes, "faults": options.faults}
        try:
            wrong = take_every_ticket(options.claims, times, folder, marks)
        finally:
            marks.send(signal.SIGKILL)
            control(folder / "pg", "stop", "-m", "fast")  # whoever started it last
    for line in wrong[:20]:
        print(f"  {line}")
    return 1 if wrong else 0


def take_every_ticket(claims: int, times: dict[str, int], folder: Path, marks: Server) -> list[str]:
    """Do everything so many times meanwhile, at moments that are mixed; return what was wrong."""
    raffle, chance, started = RaffleFactory.create(total_tickets=claims), Random(_SEED), time.time()
    crowd = Crowd(
        partial(take_part, partial(persist, raffle.uuid)),
        claims=claims,
        folder=folder,
        size=_CLIENTS,
    )
    log = str(folder / "pg" / "recovered.log")
    acts: dict[str, Callable[[], object]] = {
        "kills": partial(crowd.kill_one, chance),
        # Without a checkpoint; it has recovered when this returns.
        "crashes": partial(control, folder / "pg", "restart", "-m", "immediate", "-l", log),
        "faults": partial(next, trouble(marks)),
    }
    what = [act for name, act in acts.items() for _ in range(times[name])]
    chance.shuffle(what)
    moments = sorted(chance.sample(range(claims * 9 // 10), len(what)))
    for moment, act in zip(moments, what, strict=True):
        crowd.wait_for(moment)
        act()
    crowd.finish()
    connection.close()  # a crash may have cut it
    wrong = discrepancies(raffle, crowd.ledgers) + flaws(raffle)
    acknowledged, seconds = crowd.acknowledged(), time.time() - started
    if acknowledged != claims:
        wrong.append(f"{acknowledged} of {claims} tickets were acknowledged")
    print(
        f"{acknowledged:,} tickets acknowledged to {_CLIENTS} clients in {seconds:,.0f} s, "
        f"{times['kills']} clients killed, {times['crashes']} crashes of the database, "
        f"{times['faults']} faults of Redis: {len(wrong)} wrong"
    )
    return wrong


def trouble(server: Server) -> Iterator[None]:
    """Stop Redis for two seconds, empty it, and kill it, in turn, once at each step."""
    while True:
        server.send(signal.SIGSTOP)
        time.sleep(2)
        server.send(signal.SIGCONT)
        yield
        redis.Redis(port=server.port).flushall()
        yield
        server.send(signal.SIGKILL)
        time.sleep(0.5)
        server.start()
        yield


def persist(raffle_uuid: UUID, n: int) -> Acknowledged:
    """Ask again when the database went away."""
    while True:
        try:
            return ask_here(raffle_uuid, n)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.05)


def control(home: Path, *words: str) -> None:
    """Carry out one command of pg_ctl."""
    subprocess.run(
        [programs() / "pg_ctl", "-D", home, "-w", *words],
        check=True,
        user=home.owner(),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    sys.exit(main())
