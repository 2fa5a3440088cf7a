"""The home page against two floors: its queries and its template, through models and without.

The first floor asks what the page asks, with its models, and renders the template bare: what lies
above it is middleware, language, policy, ETag and the log line. The second sends the page's SQL
itself, throws the rows away and renders from what is at hand; models alone lie far above that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.calendar import new_event
from benchmarks.calling import ask
from benchmarks.harness import Figure, Goal, against, emit, interleaved, ratios, timed
from benchmarks.pools import PRIZES
from events.domain.entering import Participant, take_part
from events.pages.queries import coming, latest
from raffles.domain.creating import create_raffle
from raffles.domain.due import draw_now
from raffles.domain.entering import enter
from raffles.models import Raffle
from raffles.pages.queries import LISTED, open_raffles

_PAGES = 10  # of a side and round


def run(*, quick: bool) -> None:
    """Figures home_page and home_page_over_sql, with as much of everything as the page shows."""
    fill_the_page()
    over_sql = page_over_sql()
    for page in (read_home, bare_page, over_sql):  # what is made once and kept
        page()
    rounds = 9 if quick else 25
    for name, floor in (("home_page", bare_page), ("home_page_over_sql", over_sql)):
        seen = interleaved(partial(each, read_home), partial(each, floor), rounds)
        emit(Figure.of(name, ratios(seen), Goal("<=", 1.5), against(seen, "ms", 1)))


def each(page: Callable[[], None]) -> float:
    """Milliseconds of one of so many pages."""

    def some_pages() -> None:
        for _ in range(_PAGES):
            page()

    return timed(some_pages) / _PAGES * 1000


def read_home() -> None:
    """The whole request: middleware, queries, models, template, logs."""
    status, body = ask("GET", "/")
    if status != 200 or body.count(b'class="ticket-shadow') < LISTED:
        raise RuntimeError(body)


def given() -> dict[str, Any]:
    """What the template shows."""
    now = timezone.now()
    return {"coming": coming(now), "open_raffles": open_raffles(), "latest": latest(now)}


def bare_page() -> None:
    """What the page asks, and its template."""
    render_to_string("events/home.html", given(), HttpRequest()).encode()


def page_over_sql() -> Callable[[], None]:
    """The page's SQL, its rows thrown away; then its template, from what was at hand before."""
    with CaptureQueriesContext(connection) as queries:
        read_home()
    asked = [query["sql"] for query in queries.captured_queries]
    kept = given()

    def page() -> None:
        with connection.cursor() as cursor:
            for sql in asked:
                cursor.execute(sql)
                cursor.fetchall()
        render_to_string("events/home.html", kept, HttpRequest()).encode()

    return page


def fill_the_page() -> None:
    """Six events and as many raffles to come, twelve open raffles, twelve that were drawn."""
    now = timezone.now()
    for number in range(LISTED):
        if number % 2:
            event = new_event()
            who = Participant(f"user {number}", caller="ip:10.0.0.1", address="ip:10.0.0.1")
            take_part(event, who, now=now)
        else:
            new_raffle(f"Planned {number}", closes_at=now + timedelta(days=1))
        new_raffle(f"Open {number}")
        drawn = new_raffle(f"Drawn {number}", total_tickets=10)
        for holder in range(10):
            enter(drawn.uuid, identity=f"ip:10.0.0.{holder}", now=now)
        draw_now(drawn.uuid, now=now, clock=timezone.now, by="benchmark")


def new_raffle(name: str, *, total_tickets: int = 100, closes_at: datetime | None = None) -> Raffle:
    """A raffle to look at."""
    return create_raffle(
        name=name,
        total_tickets=total_tickets,
        prizes=PRIZES,
        closes_at=closes_at,
        now=timezone.now(),
        by="benchmark",
    )
