"""Who may do what: one table of every route, method and caller, and no route outside of it."""

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from raffles.api.log import TILE
from raffles.domain.rules import keep_rules
from raffles.models import State
from raffles.tests.api.acting import MANAGER, PROXY, STRANGER, caller, terms
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]

# Peer and X-Forwarded-For of each caller.
CALLERS: dict[str, tuple[str, str | None]] = {
    "stranger": (STRANGER, None),
    "manager": (MANAGER, None),
    "spoofing": (STRANGER, MANAGER),
    "spoofing the chain": (STRANGER, f"{MANAGER}, {PROXY}"),
    "manager by proxy": (PROXY, MANAGER),
    "manager by two proxies": (PROXY, f"{MANAGER}, 10.9.9.9"),
    "stranger by proxy": (PROXY, STRANGER),
    "stranger by proxy, spoofing": (PROXY, f"{MANAGER}, {STRANGER}"),
    "proxy": (PROXY, None),
    "proxy named": (PROXY, "10.9.9.9"),
}
MANAGERS = {"manager", "manager by proxy", "manager by two proxies"}
PROXIES = {"proxy", "proxy named"}

# The staff's pages, below; the events' routes and pages, which have tables of their own; the pages
# of a raffle, which show what everybody may know; and those for frames, in test_embed.py.
PAGES = "r/<UUID:raffle_id>/"
ELSEWHERE = ("admin/", "events/", "ticket/", "e/", "embed/", PAGES)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")

READ, LOOK, ACT, ENTER, MANAGE, SUPPLY = "read", "look", "act", "enter", "manage", "supply"
RAFFLE = "raffles/<UUID:raffle_id>/"

# Route: what each of its methods is. HEAD follows GET; whatever is not named is 405.
ROUTES: dict[str, dict[str, str]] = {
    "raffles/": {"GET": READ, "POST": MANAGE},
    RAFFLE: {"GET": READ},
    f"{RAFFLE}participate/": {"POST": ENTER},
    f"{RAFFLE}entries/": {"POST": SUPPLY},
    f"{RAFFLE}invitations/": {"POST": SUPPLY},
    f"{RAFFLE}invitations/withdraw/": {"POST": SUPPLY},
    f"{RAFFLE}winners/": {"GET": READ, "POST": MANAGE},
    f"{RAFFLE}verify-ticket/": {"POST": ACT},
    f"{RAFFLE}void/": {"POST": MANAGE},
    f"{RAFFLE}replacements/": {"GET": READ, "POST": MANAGE},
    f"{RAFFLE}commitment/": {"GET": READ},
    f"{RAFFLE}proof/": {"GET": READ},
    f"{RAFFLE}leaves/": {"GET": READ},
    f"{RAFFLE}tickets/<int:ticket_number>/inclusion/": {"GET": READ},
    f"{RAFFLE}stream/": {"GET": READ},
    "exclusions/": {"GET": LOOK, "POST": MANAGE},
    "exclusions/<int:exclusion_id>/end/": {"POST": MANAGE},
    "stream/": {"GET": READ},
    "winners/": {"GET": READ},
    "winners.atom": {"GET": READ},
    "events.ics": {"GET": READ},
    ".well-known/raffle-keys.json": {"GET": READ},
    "witness/add-checkpoint": {"POST": ACT},
    "log/": {"GET": READ},
    "my-tickets/": {"GET": READ},
    "offline/": {"GET": READ},
    "offline-worker.js": {"GET": READ},
    "rules/<str:rules_hash>/": {"GET": READ},
    "rules/<str:rules_hash>.txt": {"GET": READ},
    "log/checkpoint": {"GET": READ},
    "log/statements": {"GET": READ},
    TILE: {"GET": READ},
    "verify.py": {"GET": READ},
    "verify.py.sha256": {"GET": READ},
    "robots.txt": {"GET": READ},
    "": {"GET": READ},
    "api/schema/": {"GET": READ},
    "api/docs/": {"GET": READ},
    "livez": {"GET": READ},
    "readyz": {"GET": READ},
    "metrics": {"GET": MANAGE},
}
# Bodies and successes of what is not a read.
BODIES: dict[str, dict[str, Any] | list[dict[str, Any]]] = {
    "raffles/": terms(),
    "exclusions/": {"kind": "user", "identity": "Mallory", "reason": "Cheated"},
    f"{RAFFLE}entries/": [{"holder": "A-17"}],
    f"{RAFFLE}invitations/": {"amount": 1},
    f"{RAFFLE}invitations/withdraw/": {"invitation": "0" * 20},
    f"{RAFFLE}verify-ticket/": {"ticket_number": 1, "verification_code": "0" * 20},
    f"{RAFFLE}void/": {"reason": "Rain"},
    f"{RAFFLE}replacements/": {"ticket_number": 99, "reason": "Did not come"},
}
DONE = {
    "raffles/": 201,
    "exclusions/": 201,
    "exclusions/<int:exclusion_id>/end/": 404,  # there is none
    f"{RAFFLE}participate/": 201,
    f"{RAFFLE}entries/": 201,
    f"{RAFFLE}invitations/": 400,  # this one is entered by address
    f"{RAFFLE}invitations/withdraw/": 400,  # and has none
    f"{RAFFLE}winners/": 201,
    f"{RAFFLE}verify-ticket/": 400,  # the code is wrong
    "metrics": 200,
    "witness/add-checkpoint": 404,  # without a key of its own
    f"{RAFFLE}void/": 200,
    f"{RAFFLE}replacements/": 400,  # the ticket holds no prize
}
# The state in which a route can be acted on; others are read when drawn.
STATES = {f"{RAFFLE}{act}/": State.OPEN for act in ("participate", "entries", "void")}


def expected(route: str, method: str, who: str) -> int:
    """Return the status of the table."""
    allowed = ROUTES[route]
    match allowed.get("GET" if method == "HEAD" else method):
        case None:
            return 405
        case "read":
            return 200
        case "manage" | "look" if who not in MANAGERS:
            return 403
        case "look":
            return 200
        case "supply" if who not in MANAGERS:
            return 401  # without an API key
        case "enter" if who in PROXIES:
            return 403
    return DONE[route]


def prepared(route: str, method: str) -> str:
    """Return the path of a route to a raffle in the state in which it can be called."""
    if "log/" in route:
        RaffleFactory.create(state=State.VOID)  # or there would be no statement
        return "/log/tile/entries/000.p/1" if route == TILE else f"/{route}"
    if "rules/" in route:
        kept = keep_rules("Be fair.", now=NOW, by=STAFF)
        return f"/{route}".replace("<str:rules_hash>", kept)
    if RAFFLE not in route:
        return f"/{route}".replace("<int:exclusion_id>", "1")
    acting = method not in ("GET", "HEAD")
    state = STATES.get(route, State.DRAWN)
    if acting and route.endswith("winners/"):
        raffle = RaffleFactory.create(tickets=3)
    else:
        raffle = RaffleFactory.create(state=state)
    path = f"/{route}".replace("<UUID:raffle_id>", str(raffle.uuid)).replace("<int:number>", "1")
    return path.replace("<int:ticket_number>", "1")


@pytest.mark.parametrize("route", ROUTES)
def test_everybody_gets_what_the_table_says(route: str) -> None:
    answered, wanted = {}, {}
    path = prepared(route, "GET")  # what nobody changes is made once
    for method, who in product(METHODS, CALLERS):
        peer, forwarded = CALLERS[who]
        headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        body = BODIES.get(route) if method == "POST" else None
        response = caller(peer, **headers).generic(
            method,
            prepared(route, method) if method == "POST" and method in ROUTES[route] else path,
            json.dumps(body) if body else "",
            content_type="application/json" if body else "",
        )
        answered[method, who] = response.status_code
        wanted[method, who] = expected(route, method, who)
    assert answered == wanted


def _routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, path)
        else:
            assert isinstance(pattern, URLPattern)
            yield path


def test_every_route_is_in_the_table() -> None:
    routes = set(_routes(get_resolver()))
    missing = {route for route in routes - ROUTES.keys() if not route.startswith(ELSEWHERE)}
    assert (missing, ROUTES.keys() - routes) == (set(), set())


def _pages() -> list[str]:
    return [route for route in _routes(get_resolver()) if route.startswith(PAGES)]


@pytest.mark.parametrize("route", _pages())
def test_pages_of_a_raffle_are_read_by_everybody(route: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    path = f"/{route}".replace("<UUID:raffle_id>", str(raffle.uuid)).replace("<int:number>", "1")
    statuses = set()
    for peer, forwarded in CALLERS.values():
        headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        statuses.add(caller(peer, **headers).get(path).status_code)
    # A calendar has what has a time, and this raffle has no beacon.
    assert statuses == {404 if route.endswith(("draw.ics", "beacon/")) else 200}
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        assert caller(MANAGER).generic(method, path).status_code == 405


def _admin_paths() -> list[str]:
    key = str(RaffleFactory.create().pk)
    routes = (route for route in _routes(get_resolver()) if route.startswith("admin/"))
    return ["/" + re.sub("<.*?>", key, route) for route in routes]


OPEN_ADMIN = {"/admin/login/", "/admin/logout/", "/admin/jsi18n/", "/admin/language/"}
# Where staff accounts are installed; these are 404, or more of logging in, as they are set.
OPEN_ADMIN |= {"/admin/second-factor/", "/admin/oidc/", "/admin/oidc/callback/"}


@pytest.mark.parametrize("who", ["stranger", "manager"])
def test_the_admin_is_for_staff(who: str) -> None:
    """An address alone, also a manager's, opens no page of the admin; nor does a login."""
    nobody = Client(REMOTE_ADDR=CALLERS[who][0])
    customer = Client(REMOTE_ADDR=CALLERS[who][0])
    customer.force_login(User.objects.create_user(f"customer-{uuid4()}"))
    for client in (nobody, customer):
        for path in _admin_paths():
            response = client.get(path)
            if path not in OPEN_ADMIN:
                assert (path, response.status_code) == (path, 302)
                assert response["Location"].startswith("/admin/login/")
