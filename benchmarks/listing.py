"""Lists and details: as many queries, and as much time, with thousands of raffles as with few."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from benchmarks.harness import Seen, compared, interleaved, migrate, timing
from benchmarks.inside import ask, new_raffle
from raffles.models import Prize, Raffle, Stripe

_QUERIES = 2  # at most, for a list as for a detail
_COPIES = """
    WITH made AS (
        INSERT INTO raffles_raffle (uuid, {raffle}) SELECT gen_random_uuid(), {raffle}
        FROM raffles_raffle, generate_series(1, %(copies)s) WHERE id = %(raffle)s RETURNING id
    ), striped AS (
        INSERT INTO raffles_stripe (raffle_id, {stripe}) SELECT made.id, {stripe}
        FROM made, raffles_stripe WHERE raffle_id = %(raffle)s
    )
    INSERT INTO raffles_prize (raffle_id, {prize}) SELECT made.id, {prize}
    FROM made, raffles_prize WHERE raffle_id = %(raffle)s
"""


def run(*, quick: bool) -> Iterator[Seen]:
    """See lists of ten, a hundred and ten thousand raffles."""
    counts = [max(queries_with(raffles)) for raffles in (10, 100, 10_000)]
    detail = "at most {} with 10, {} with 100, {} with 10,000 raffles".format(*counts)
    yield Seen("list_queries", [max(counts) / _QUERIES], detail)
    pages = [partial(page_with, raffles) for raffles in (10_000, 100)]
    yield compared("list_page", interleaved(*pages, rounds=5 if quick else 15), "ms", 1)


def queries_with(raffles: int) -> list[int]:
    """Count the queries of a list and of a detail in a new database of so many raffles."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE raffles_{raffles}")
    turn_to(raffles)
    migrate()
    raffle = new_raffle()
    with connection.cursor() as cursor:
        cursor.execute(
            _COPIES.format(raffle=columns(Raffle), stripe=columns(Stripe), prize=columns(Prize)),
            {"copies": raffles - 1, "raffle": raffle.pk},
        )
        cursor.execute("VACUUM ANALYZE")
    counts = []
    for path in ("/raffles/", f"/raffles/{raffle.uuid}/"):
        with CaptureQueriesContext(connection) as queries:
            ask("GET", path)
        counts.append(len(queries))
    return counts


def columns(model: type[Model]) -> str:
    """Name what is the same in a copy of the model's row."""
    own = ("id", "uuid", "raffle_id")
    fields = model._meta.local_concrete_fields
    return ", ".join(f'"{field.column}"' for field in fields if field.column not in own)


def turn_to(raffles: int) -> None:
    """Send what follows to the database with so many raffles."""
    connection.close()
    connection.settings_dict["NAME"] = f"raffles_{raffles}"


def page_with(raffles: int) -> float:
    """Milliseconds of the first hundred of so many raffles."""
    turn_to(raffles)
    read = partial(ask, "GET", "/raffles/")
    read()
    return timing(read, times=10, scale=1000)()
