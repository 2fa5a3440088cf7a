"""Lists and details: as many queries, and as much time, with thousands of raffles as with few."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from benchmarks.calling import ask
from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios, timed
from benchmarks.pools import new_raffle
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


def run(*, quick: bool) -> None:
    """Figures list_queries and list_page."""
    counts = [max(queries_with(raffles)) for raffles in (10, 100, 10_000)]
    detail = "at most {} with 10, {} with 100, {} with 10,000 raffles".format(*counts)
    emit(Figure.of("list_queries", [max(counts) / _QUERIES], Goal("<=", 1.0), detail))
    pairs = interleaved(lambda: page_with(10_000), lambda: page_with(100), 5 if quick else 15)
    emit(Figure.of("list_page", ratios(pairs), Goal("<=", 1.40), against(pairs, "ms", 1)))


def queries_with(raffles: int) -> list[int]:
    """How many queries a new database of so many raffles gets for a list and for a detail."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE raffles_{raffles}")
    turn_to(raffles)
    call_command("migrate", verbosity=0)
    raffle = new_raffle()
    with connection.cursor() as cursor:
        cursor.execute(
            _COPIES.format(raffle=columns(Raffle), stripe=columns(Stripe), prize=columns(Prize)),
            {"copies": raffles - 1, "raffle": raffle.pk},
        )
        cursor.execute("VACUUM ANALYZE")
    return [count_queries(path) for path in ("/raffles/", f"/raffles/{raffle.uuid}/")]


def columns(model: type[Model]) -> str:
    """What is the same in a copy of the model's row."""
    own = ("id", "uuid", "raffle_id")
    fields = model._meta.local_concrete_fields
    return ", ".join(f'"{field.column}"' for field in fields if field.column not in own)


def turn_to(raffles: int) -> None:
    """From now on, requests go to the database with so many raffles."""
    connection.close()
    connection.settings_dict["NAME"] = f"raffles_{raffles}"


def count_queries(path: str) -> int:
    """Queries of one request."""
    with CaptureQueriesContext(connection) as queries:
        read(path)
    return len(queries)


def read(path: str) -> None:
    """One GET that has to succeed."""
    status, body = ask("GET", path)
    if status != 200:
        raise RuntimeError(body)


def page_with(raffles: int, pages: int = 10) -> float:
    """Milliseconds of the first hundred of so many raffles."""
    turn_to(raffles)
    read("/raffles/")

    def some_pages() -> None:
        for _ in range(pages):
            read("/raffles/")

    return timed(some_pages) / pages * 1000
