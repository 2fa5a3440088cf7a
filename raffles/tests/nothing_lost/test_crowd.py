"""Client processes take every ticket while they are killed: ledgers against the database."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, transaction

from raffles.domain.entering import enter
from raffles.tests.factories import NOW, RaffleFactory, address
from raffles.tests.nothing_lost.harness import (
    Acknowledged,
    Crowd,
    Ledger,
    ask_here,
    discrepancies,
    flaws,
    run_crowd,
    take_part,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
# SQLite has one writer, and each of its claims waits for the disk alone.
CLAIMS = 6_000 if connection.vendor == "postgresql" else 1_500
KILLS = 50


def test_every_ticket_goes_to_one_client_while_fifty_are_killed(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(total_tickets=CLAIMS)
    crowd = Crowd(
        partial(take_part, partial(ask_here, raffle.uuid)), claims=CLAIMS, folder=tmp_path
    )
    run_crowd(crowd, kills=KILLS, seed=1)
    numbers = sorted(line.number for ledger in crowd.ledgers for line in ledger)
    assert numbers == list(range(1, CLAIMS + 1))
    assert discrepancies(raffle, crowd.ledgers) == []
    assert flaws(raffle) == []


def acknowledge_first(raffle_uuid: UUID, ns: range, ledger: Ledger) -> None:
    """Acknowledge a ticket to its client before it is committed."""
    ledger.mend()
    for n in ns[len(ledger) :]:
        with transaction.atomic():
            entry = enter(raffle_uuid, identity=f"ip:{address(n)}", now=NOW)
            ledger.keep(Acknowledged(n, entry.ticket_number, entry.verification_code))
            time.sleep(0.01)


def test_a_promise_before_the_commit_is_seen(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(total_tickets=60)
    crowd = Crowd(partial(acknowledge_first, raffle.uuid), claims=60, folder=tmp_path, size=1)
    run_crowd(crowd, kills=20, seed=1)
    assert discrepancies(raffle, crowd.ledgers) != []
