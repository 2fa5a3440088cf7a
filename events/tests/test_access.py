"""Who may do what with events: one table of every route and method, and no route outside of it."""

from __future__ import annotations

import pytest
from django.urls import URLResolver, get_resolver

from events.models import Event
from events.tests.acting import DRAW, MANAGER, at, caller, run, scheduled, taken

pytestmark = [pytest.mark.django_db, pytest.mark.once]
STRANGER = "198.51.100.1"
Body = dict[str, object] | list[dict[str, object]] | None
REWARD: Body = {"name": "Phone"}

# Route, method, body: what a stranger gets, and what a manager does.
TABLE: list[tuple[str, str, Body, int, int]] = [
    ("events/", "get", None, 200, 200),
    ("events/", "post", None, 403, 400),
    ("events/<slug:slug>/", "get", None, 200, 200),
    ("events/<slug:slug>/", "patch", {"rest_days": 1}, 403, 200),
    ("events/<slug:slug>/participate/", "post", {"username": "bob"}, 201, 201),
    ("events/<slug:slug>/entries/", "post", [{"holder": "bob"}], 401, 201),
    ("events/<slug:slug>/draws/", "get", None, 200, 200),
    ("events/<slug:slug>/draws/<day:day>/", "get", None, 200, 200),
    ("events/<slug:slug>/rewards/<day:day>/", "get", None, 404, 404),
    ("events/<slug:slug>/rewards/<day:day>/", "put", REWARD, 403, 201),
    ("events/<slug:slug>/rewards/<day:day>/", "delete", None, 403, 404),
    ("events/<slug:slug>/winners.atom", "get", None, 200, 200),
    ("events/<slug:slug>/stream/", "get", None, 200, 200),
    ("events/upcoming/", "get", None, 200, 200),
    ("events/winners/", "get", None, 200, 200),
    ("ticket/upcoming", "get", None, 200, 200),
    ("ticket/winners", "get", None, 200, 200),
    ("ticket/update_events", "get", None, 403, 200),
    ("ticket/<str:username>", "get", None, 200, 200),
]
METHODS = ("get", "post", "put", "patch", "delete", "options", "trace")


def path_of(route: str) -> str:
    path = route.replace("<slug:slug>", "breakfast").replace("<day:day>", "2026-02-12")
    return "/" + path.replace("<str:username>", f"carol?eventID={Event.objects.get().pk}")


@pytest.fixture(autouse=True)
def event() -> None:
    """Schedule an event with a draw behind it."""
    scheduled()
    taken("alice")
    run(DRAW)


def ask(who: str, method: str, path: str, body: Body = None) -> int:
    with at(DRAW):
        status: int = getattr(caller(who), method)(path, body).status_code
    return status


@pytest.mark.parametrize(("route", "method", "body", "stranger", "manager"), TABLE)
def test_everybody_gets_what_the_table_says(
    route: str, method: str, body: Body, stranger: int, manager: int
) -> None:
    assert ask(STRANGER, method, path_of(route), body) == stranger
    if body == {"username": "bob"}:
        body = {"username": "dora"}
    assert ask(MANAGER, method, path_of(route).replace("carol", "dora"), body) == manager


@pytest.mark.parametrize("route", sorted({row[0] for row in TABLE}))
def test_other_methods_are_405(route: str) -> None:
    allowed = {row[1] for row in TABLE if row[0] == route}
    for who in (STRANGER, MANAGER):
        path = path_of(route).partition("?")[0]
        answered = {method: ask(who, method, path) for method in METHODS}
        refused = {method for method, status in answered.items() if status == 405}
        assert refused == set(METHODS) - allowed


def test_every_route_is_in_the_table() -> None:
    assert _routes(get_resolver()) == {row[0] for row in TABLE}


def _routes(resolver: URLResolver, prefix: str = "") -> set[str]:
    """Return the API's routes of events and tickets."""
    found: set[str] = set()
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found |= _routes(pattern, path)
        elif path.startswith(("events/", "ticket/")):
            found.add(path)
    return found
