"""Raffles to measure with, and pools of millions of tickets made by one statement each."""

from __future__ import annotations

import os

from django.db import connection, transaction
from django.utils import timezone

from raffles.domain.creating import create_raffle
from raffles.domain.entering import Facts, _claim_postgresql, _claim_sqlite
from raffles.models import Raffle
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS

PRIZES = (("Telescope", 1), ("Book", 9))
MANY_PRIZES = (("Book", MAX_PRIZES),)
FULL, QUICK = 9_900_000, 1_000_000  # tickets handed out of ten million

# What claims would have left behind: stripes filled in step, tags that look like hashes.
_ISSUE = """
    UPDATE raffles_stripe SET issued = cap::bigint * %(issued)s / %(total)s
    WHERE raffle_id = %(raffle)s
"""
_FILL = """
    INSERT INTO raffles_ticket (raffle_id, slot, holder_tag, code_tag, issued_at)
    SELECT raffle_id, slot, decode(md5('holder' || slot), 'hex'),
        decode(md5('code' || slot), 'hex'), now()
    FROM raffles_stripe, generate_series(lo, lo + issued - 1) AS slot WHERE raffle_id = %(raffle)s
"""


def new_raffle(
    total_tickets: int = MAX_TICKETS,
    *,
    name: str = "Benchmark",
    prizes: tuple[tuple[str, int], ...] = PRIZES,
) -> Raffle:
    """A raffle to enter."""
    return create_raffle(
        name=name, total_tickets=total_tickets, prizes=prizes, now=timezone.now(), by="benchmark"
    )


def pool(issued: int) -> Raffle:
    """A raffle of ten million tickets of which ``issued`` are given out, made for who asks first.

    It has 100,000 prizes. PostgreSQL alone; takes about twelve seconds a million.
    """
    name = f"Pool of {issued}"
    if made := Raffle.objects.filter(name=name).first():
        return made
    raffle = new_raffle(name=name, prizes=MANY_PRIZES)
    fill(raffle, issued)
    return raffle


def fill(raffle: Raffle, issued: int) -> None:
    """Gives out so many tickets of a new raffle."""
    values = {"raffle": raffle.pk, "issued": issued, "total": raffle.total_tickets}
    with transaction.atomic(), connection.cursor() as cursor:
        # No foreign key is looked at for each of millions of rows that all name this raffle.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_ISSUE, values)
        cursor.execute(_FILL, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE raffles_ticket")
        cursor.execute("CHECKPOINT")


def claim(facts: Facts) -> None:
    """Claims a ticket, alone as the insert is alone: tags and receipt are participate's figures."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    claimed = _claim_postgresql if connection.vendor == "postgresql" else _claim_sqlite
    claimed(facts, [os.urandom(16), os.urandom(16), None, now, None, None, None])
