"""The floor that claims are compared with: one durable insert into a copy of the tickets' table."""

from __future__ import annotations

import itertools
import os

from django.db import connection
from django.utils import timezone

_INSERT = """
    INSERT INTO bare_ticket (raffle_id, slot, holder_tag, code_tag, issued_at)
    VALUES (%s, %s, %s, %s, %s)
"""
_slots = itertools.count()


def make_bare_table() -> None:
    """The table with every index and check of the tickets; only the foreign key stays away."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS bare_ticket (LIKE raffles_ticket INCLUDING ALL)"
            )
            return
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'raffles_ticket' "
            "AND sql IS NOT NULL AND type IN ('table', 'index') ORDER BY type DESC"
        )
        for name, statement in cursor.fetchall():
            cursor.execute(
                statement.replace(f'INDEX "{name}"', f'INDEX "bare_{name}"')
                .replace("raffles_ticket", "bare_ticket")
                .replace('REFERENCES "raffles_raffle" ("id") DEFERRABLE INITIALLY DEFERRED', "")
            )


def insert() -> int:
    """Inserts a row and returns its slot; the pair of process and slot is unique."""
    slot, now = next(_slots), connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [os.getpid(), slot, os.urandom(16), os.urandom(16), now])
    return slot
