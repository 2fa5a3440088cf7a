"""Lists, details and the home page: queries and time, with thousands of rows and with few.

The home page has two floors. The first asks what the page asks, with its models, and renders the
template bare: what lies above it is middleware, language, policy, ETag and the log line. The second
sends the page's SQL itself, throws the rows away and renders from what is at hand; models alone lie
far above that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.calendar import enter_many, new_event
from benchmarks.harness import Seen, compared, interleaved, limited, migrate, timing
from benchmarks.inside import ask, new_raffle
from events.models import Event
from events.pages.queries import coming, latest
from raffles.domain.due import draw_now
from raffles.domain.entering import enter
from raffles.models import Prize, Raffle, Stripe
from raffles.pages.queries import LISTED, open_raffles

_LISTED_EVENTS = 1000
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


def queries_of(path: str) -> list[str]:
    """Return the SQL that a request sends."""
    with CaptureQueriesContext(connection) as queries:
        ask("GET", path)
    return [query["sql"] for query in queries.captured_queries]


def upcoming(*, quick: bool) -> Iterator[Seen]:  # noqa: ARG001 - a count is as quick as it gets
    """Queries of the list of coming draws."""
    while (events := Event.objects.count()) < _LISTED_EVENTS:
        new_event()
    asked = len(queries_of("/events/upcoming/"))
    yield limited("upcoming_queries", [asked], 3, "queries", 0, f" with {events} events")


# --- Raffles -----------------------------------------------------------------------------


def lists(*, quick: bool) -> Iterator[Seen]:
    """Most queries of a list or detail of ten, a hundred and ten thousand raffles; a page's ms."""
    counts = [max(queries_with(raffles)) for raffles in (10, 100, 10_000)]
    detail = "at most {} with 10, {} with 100, {} with 10,000 raffles".format(*counts)
    yield Seen("list_queries", [max(counts) / 2], detail)
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
    return [len(queries_of(path)) for path in ("/raffles/", f"/raffles/{raffle.uuid}/")]


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


# --- The home page -----------------------------------------------------------------------


def home(*, quick: bool) -> Iterator[Seen]:
    """Milliseconds of the page with as much of everything as it shows, against both floors."""
    fill_the_page()
    asked, kept = queries_of("/"), given()

    def over_sql() -> None:
        with connection.cursor() as cursor:
            for sql in asked:
                cursor.execute(sql)
                cursor.fetchall()
        render(kept)

    for name, floor in (
        ("home_page", lambda: render(given())),
        ("home_page_over_sql", over_sql),
    ):
        acts = [timing(page, times=10, scale=1000) for page in (read_home, floor)]
        interleaved(*acts, rounds=1)  # what is made once and kept
        yield compared(name, interleaved(*acts, rounds=9 if quick else 25), "ms", 1)


def read_home() -> None:
    """Ask for it: middleware, queries, models, template, logs."""
    body = ask("GET", "/")
    if body.count(b'class="ticket-shadow') < LISTED:
        raise RuntimeError(body)


def given() -> dict[str, Any]:
    """Return what the template shows."""
    now = timezone.now()
    return {"coming": coming(now), "open_raffles": open_raffles(), "latest": latest(now)}


def render(context: dict[str, Any]) -> None:
    render_to_string("events/home.html", context, HttpRequest()).encode()


def fill_the_page() -> None:
    """Make six events and as many raffles to come, twelve open raffles, twelve that were drawn."""
    now = timezone.now()
    for number in range(LISTED):
        if number % 2:
            enter_many(new_event(), 1)
        else:
            new_raffle(100, name=f"Planned {number}", closes_at=now + timedelta(days=1))
        new_raffle(100, name=f"Open {number}")
        drawn = new_raffle(10, name=f"Drawn {number}")
        for holder in range(10):
            enter(drawn.uuid, identity=f"ip:10.0.0.{holder}", now=now)
        draw_now(drawn.uuid, now=now, clock=timezone.now, by="benchmark")
