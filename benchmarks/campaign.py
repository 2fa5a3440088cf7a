"""Clients and the database are killed for as long as it takes: is a ticket lost, or given twice?

    python -m benchmarks.campaign [--claims 1000000] [--kills 500] [--crashes 20]

Client processes take every ticket of a raffle and keep a ledger of what they were told, while they
are killed (SIGKILL) and a PostgreSQL started for it crashes (`pg_ctl -m immediate`) and recovers.
Prints what happened and what was wrong, and exits 1 when anything was. The moments are fixed by a
seed; figures of time are not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from benchmarks.apart import running
from benchmarks.servers import programs
from raffles.tests.factories import RaffleFactory
from raffles.tests.nothing_lost.harness import (
    Acknowledged,
    Crowd,
    ask_here,
    discrepancies,
    flaws,
    take_part,
)

_CLIENTS = 16
_SEED = 1


def main() -> int:
    """Kill clients, crash the database, and print how many things were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--crashes", type=int, default=20)
    options = parser.parse_args()
    with running() as folder:
        try:
            wrong = take_every_ticket(options.claims, options.kills, options.crashes, folder)
        finally:
            control(folder / "pg", "stop", "-m", "fast")  # whoever started it last
    for line in wrong[:20]:
        print(f"  {line}")
    return 1 if wrong else 0


def take_every_ticket(claims: int, kills: int, crashes: int, folder: Path) -> list[str]:
    """Kill clients and crash the database meanwhile; return what was wrong."""
    raffle, chance, started = RaffleFactory.create(total_tickets=claims), Random(_SEED), time.time()
    crowd = Crowd(
        partial(take_part, partial(persist, raffle.uuid)),
        claims=claims,
        folder=folder,
        size=_CLIENTS,
    )
    moments = chance.sample(range(claims * 9 // 10), kills + crashes)
    crash_moments = set(moments[:crashes])
    for moment in sorted(moments):
        crowd.wait_for(moment)
        if moment in crash_moments:
            # Without a checkpoint; it has recovered when this returns.
            log = str(folder / "pg" / "recovered.log")
            control(folder / "pg", "restart", "-m", "immediate", "-l", log)
        else:
            crowd.kill_one(chance)
    crowd.finish()
    connection.close()  # a crash may have cut it
    wrong = discrepancies(raffle, crowd.ledgers) + flaws(raffle)
    acknowledged, seconds = crowd.acknowledged(), time.time() - started
    if acknowledged != claims:
        wrong.append(f"{acknowledged} of {claims} tickets were acknowledged")
    print(
        f"{acknowledged:,} tickets acknowledged to {_CLIENTS} clients in {seconds:,.0f} s, {kills} "
        f"clients killed, {crashes} crashes of the database: {len(wrong)} wrong"
    )
    return wrong


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
