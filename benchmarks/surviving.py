"""The two parts of the campaign; see `benchmarks.campaign`."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

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


# --- Part one: tickets -------------------------------------------------------------------


def take_every_ticket(
    claims: int, *, kills: int, crashes: int, crash: Callable[[], None], folder: Path
) -> int:
    """Kills clients and crashes the database meanwhile; returns how many things were wrong."""
    raffle, chance, started = RaffleFactory.create(total_tickets=claims), Random(_SEED), time.time()
    crowd = Crowd(partial(persist, raffle.uuid), claims=claims, folder=folder, size=_CLIENTS)
    moments = chance.sample(range(claims * 9 // 10), kills + crashes)
    crash_moments = set(moments[:crashes])
    for moment in sorted(moments):
        crowd.wait_for(moment)
        if moment in crash_moments:
            crash()
        else:
            crowd.kill_one(chance)
    crowd.finish()
    connection.close()  # a crash may have cut it
    wrong = discrepancies(raffle, crowd.ledgers) + flaws(raffle)
    acknowledged, seconds = crowd.acknowledged(), time.time() - started
    if acknowledged != claims:
        wrong.append(f"{acknowledged} of {claims} tickets were acknowledged")
    _report(
        f"{acknowledged:,} tickets acknowledged to {_CLIENTS} clients in {seconds:,.0f} s, "
        f"{kills} clients killed, {crashes} crashes of the database",
        wrong,
    )
    return len(wrong)


def persist(raffle_uuid: UUID, ns: range, ledger: Ledger) -> None:
    """A client that asks again when the database went away under it."""
    while True:
        try:
            return take_part(raffle_uuid, ns, ledger)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.05)


# --- Part two: draws ---------------------------------------------------------------------


def draw_all_at_once(rounds: int) -> int:
    """Lets sixteen runners draw each raffle at once; returns how many things were wrong."""
    closes_at = NOW + timedelta(minutes=1)
    raffles = [RaffleFactory.create(tickets=2, closes_at=closes_at) for _ in range(rounds)]
    start, started = multiprocessing.get_context("fork").Barrier(_RUNNERS, timeout=60), time.time()
    for runner in [fork(partial(run_each, raffles, start)) for _ in range(_RUNNERS)]:
        is_killed(runner)
    wrong = [f"{raffle.uuid}: {flaw}" for raffle in raffles for flaw in flaws(raffle)]
    drawn = Announcement.objects.filter(kind=Announcement.Kind.DRAWN).count()
    if drawn != rounds:
        wrong.append(f"{drawn} draws were announced of {rounds}")
    _report(
        f"{rounds:,} raffles, each drawn by {_RUNNERS} runners at once in "
        f"{time.time() - started:,.0f} s, {drawn:,} draws announced",
        wrong,
    )
    return len(wrong)


def run_each(raffles: Sequence[Raffle], start: Barrier) -> None:
    """A runner that comes to each raffle in the same moment as the others."""
    now = NOW + timedelta(minutes=1)
    for raffle in raffles:
        start.wait()
        for run in run_due([raffle], now=now, clock=lambda: now, by="cron"):
            if run.outcome not in ("drawn", "busy"):
                raise AssertionError(f"{raffle.uuid}: {run.outcome} {run.detail}")


def _report(what: str, wrong: Sequence[str]) -> None:
    print(f"{what}: {len(wrong)} wrong")
    for line in wrong[:20]:
        print(f"  {line}")
