"""Clients and the database are killed for as long as it takes: is anything lost, or done twice?

    python -m benchmarks.campaign [--claims 1000000] [--kills 500] [--crashes 20] [--rounds 1000]

Client processes take every ticket of a raffle and keep a ledger of what they were told, while they
are killed (SIGKILL) and a PostgreSQL started for it crashes (`pg_ctl -m immediate`) and recovers.
Then sixteen runners draw one due raffle after another, all at once. Prints what happened and what
was wrong, and exits 1 when anything was. The moments are fixed by a seed; figures of time are not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from benchmarks.apart import running
from benchmarks.servers import programs
from raffles.domain.due import run_due
from raffles.models import Announcement, Raffle
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.nothing_lost.harness import (
    Crowd,
    Ledger,
    discrepancies,
    flaws,
    fork,
    is_killed,
    take_part,
)

_CLIENTS, _RUNNERS = 16, 16
_SEED = 1


def main() -> int:
    """Run both parts and say how many things were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--crashes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1_000)
    options = parser.parse_args()
    with running() as folder:
        try:
            wrong = take_every_ticket(options.claims, options.kills, options.crashes, folder)
            wrong += draw_all_at_once(options.rounds)
        finally:
            control(folder / "pg", "stop", "-m", "fast")  # whoever started it last
    return 1 if wrong else 0


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


def report(what: str, wrong: Sequence[str]) -> int:
    """Print what was done and what was wrong with it; return how many things were."""
    print(f"{what}: {len(wrong)} wrong")
    for line in wrong[:20]:
        print(f"  {line}")
    return len(wrong)


# --- Part one: tickets -------------------------------------------------------------------


def take_every_ticket(claims: int, kills: int, crashes: int, folder: Path) -> int:
    """Kill clients and crash the database meanwhile; return how many things were wrong."""
    raffle, chance, started = RaffleFactory.create(total_tickets=claims), Random(_SEED), time.time()
    crowd = Crowd(partial(persist, raffle.uuid), claims=claims, folder=folder, size=_CLIENTS)
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
    return report(
        f"{acknowledged:,} tickets acknowledged to {_CLIENTS} clients in {seconds:,.0f} s, "
        f"{kills} clients killed, {crashes} crashes of the database",
        wrong,
    )


def persist(raffle_uuid: UUID, ns: range, ledger: Ledger) -> None:
    """Take part as a client that asks again when the database went away under it."""
    while True:
        try:
            return take_part(raffle_uuid, ns, ledger)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.05)


# --- Part two: draws ---------------------------------------------------------------------


def draw_all_at_once(rounds: int) -> int:
    """Let sixteen runners draw each raffle at once; return how many things were wrong."""
    closes_at = NOW + timedelta(minutes=1)
    raffles = [RaffleFactory.create(tickets=2, closes_at=closes_at) for _ in range(rounds)]
    start, started = multiprocessing.get_context("fork").Barrier(_RUNNERS, timeout=60), time.time()
    for runner in [fork(partial(run_each, raffles, start)) for _ in range(_RUNNERS)]:
        is_killed(runner)
    wrong = [f"{raffle.uuid}: {flaw}" for raffle in raffles for flaw in flaws(raffle)]
    drawn = Announcement.objects.filter(kind=Announcement.Kind.DRAWN).count()
    if drawn != rounds:
        wrong.append(f"{drawn} draws were announced of {rounds}")
    return report(
        f"{rounds:,} raffles, each drawn by {_RUNNERS} runners at once in "
        f"{time.time() - started:,.0f} s, {drawn:,} draws announced",
        wrong,
    )


def run_each(raffles: Sequence[Raffle], start: Barrier) -> None:
    """Come to each raffle in the same moment as the other runners."""
    now = NOW + timedelta(minutes=1)
    for raffle in raffles:
        start.wait()
        for run in run_due([raffle], now=now, clock=lambda: now, by="cron"):
            if run.outcome not in ("drawn", "busy"):
                raise AssertionError(f"{raffle.uuid}: {run.outcome} {run.detail}")


if __name__ == "__main__":
    sys.exit(main())
