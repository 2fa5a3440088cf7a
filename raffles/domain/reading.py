"""Reading more rows than fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet

Row = TypeVar("Row")


def in_pieces(rows: QuerySet[Any, Row], size: int = 2_000) -> Iterator[Row]:
    """Yield the rows in order, `size` of them in memory at a time.

    PostgreSQL keeps its place in a cursor, and a pooler of connections keeps that for one
    transaction only. On SQLite a transaction would keep everybody from writing.
    """
    is_postgresql = connection.vendor == "postgresql"
    with transaction.atomic() if is_postgresql else nullcontext():
        yield from rows.iterator(size)
