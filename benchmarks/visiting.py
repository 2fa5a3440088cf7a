"""The home page against two floors: its queries and its template, through models and without.

The first floor asks what the page asks, with its models, and renders the template bare: what lies
above it is middleware, language, policy, ETag and the log line. The second sends the page's SQL
itself, throws the rows away and renders from what is at hand; models alone lie far above that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.calendar import new_event
from benchmarks.harness import Seen, compared, interleaved, timing
from benchmarks.inside import ask, new_raffle
from events.domain.entering import Participant, take_part
from events.pages.queries import coming, latest
from raffles.domain.due import draw_now
from raffles.domain.entering import enter
from raffles.pages.queries import LISTED, open_raffles


def run(*, quick: bool) -> Iterator[Seen]:
    """See the page with as much of everything as it shows."""
    fill_the_page()
    for name, floor in (("home_page", bare_page), ("home_page_over_sql", page_over_sql())):
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


def bare_page() -> None:
    """Ask for what the page shows, and render it."""
    render(given())


def page_over_sql() -> Callable[[], None]:
    """Return what sends the page's SQL, then renders it from what was at hand before."""
    with CaptureQueriesContext(connection) as queries:
        read_home()
    asked, kept = [query["sql"] for query in queries.captured_queries], given()

    def page() -> None:
        with connection.cursor() as cursor:
            for sql in asked:
                cursor.execute(sql)
                cursor.fetchall()
        render(kept)

    return page


def fill_the_page() -> None:
    """Make six events and as many raffles to come, twelve open raffles, twelve that were drawn."""
    now = timezone.now()
    for number in range(LISTED):
        if number % 2:
            who = Participant(f"user {number}", caller="ip:10.0.0.1", address="ip:10.0.0.1")
            take_part(new_event(), who, now=now)
        else:
            new_raffle(100, name=f"Planned {number}", closes_at=now + timedelta(days=1))
        new_raffle(100, name=f"Open {number}")
        drawn = new_raffle(10, name=f"Drawn {number}")
        for holder in range(10):
            enter(drawn.uuid, identity=f"ip:10.0.0.{holder}", now=now)
        draw_now(drawn.uuid, now=now, clock=timezone.now, by="benchmark")
