"""Without the database: 503 with Retry-After wherever it is needed, and back when it is back."""

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from raffles.tests.api.acting import (
    MANAGER,
    NOWHERE,
    caller,
    created,
    draw,
    participate,
    refused,
    terms,
)
from raffles.tests.factories import RaffleFactory
from raffles.tests.lines import Line
from raffles.tests.serving import free_port, running

AWAY = (
    503,
    "unavailable",
    "The service is not available at the moment. Try again in a few seconds.",
)
RAFFLE = f"/raffles/{NOWHERE}/"
NEED_IT: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/raffles/", None),
    ("POST", "/raffles/", terms()),
    ("GET", RAFFLE, None),
    ("POST", f"{RAFFLE}participate/", None),
    ("GET", f"{RAFFLE}winners/", None),
    ("POST", f"{RAFFLE}winners/", None),
    ("POST", f"{RAFFLE}verify-ticket/", {"ticket_number": 1, "verification_code": "0" * 20}),
    ("POST", f"{RAFFLE}void/", {"reason": "Rain"}),
    ("GET", f"{RAFFLE}replacements/", None),
    ("POST", f"{RAFFLE}replacements/", {"ticket_number": 1, "reason": "Did not come"}),
    ("GET", f"{RAFFLE}commitment/", None),
    ("GET", f"{RAFFLE}proof/", None),
    ("GET", f"{RAFFLE}leaves/", None),
    ("GET", f"{RAFFLE}tickets/1/inclusion/", None),
    ("GET", "/.well-known/raffle-keys.json", None),
    ("GET", "/stream/", None),
    ("GET", f"{RAFFLE}stream/", None),
    ("GET", "/events/breakfast/stream/", None),
    ("GET", "/readyz", None),
]
# Paths that no database is asked for, and what they answer.
DO_NOT = {
    "/livez": 200,
    "/api/schema/": 200,
    "/api/docs/": 200,
    "/verify.py": 200,
    "/nowhere/": 404,
    "/raffles/1/": 404,
}


@contextmanager
def database_away() -> Iterator[None]:
    """Point the connection to where no database is."""
    elsewhere = {"NAME": "/nowhere/database", "HOST": "127.0.0.1", "PORT": "1"}
    there = {name: connection.settings_dict[name] for name in elsewhere}
    connection.close()
    connection.settings_dict |= elsewhere
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict |= there


@pytest.mark.django_db(transaction=True)
def test_requests_that_need_the_database_get_503() -> None:
    with database_away():
        for method, path, body in NEED_IT:
            response = caller(MANAGER).generic(
                method, path, json.dumps(body) if body else "", content_type="application/json"
            )
            assert (path, refused(response)) == (path, AWAY)
            assert response["Retry-After"] == "5"
    assert caller().get("/raffles/").json() == []


@pytest.mark.django_db(transaction=True)
def test_requests_that_do_not_are_answered() -> None:
    with database_away():
        assert {path: caller().get(path).status_code for path in DO_NOT} == DO_NOT


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_served_again_after_the_database_is_back() -> None:
    raffle_id = created()["id"]
    first = participate(raffle_id, "203.0.113.1", HTTP_IDEMPOTENCY_KEY="key")
    with database_away():
        again = participate(raffle_id, "203.0.113.1", HTTP_IDEMPOTENCY_KEY="key")
        assert refused(again) == AWAY
        assert refused(draw(raffle_id)) == AWAY
    again = participate(raffle_id, "203.0.113.1", HTTP_IDEMPOTENCY_KEY="key")
    assert again.content == first.content


@contextmanager
def served(database_port: int) -> Iterator[int]:
    """Serve the site in a process of its own, over that port of the database; yields its port."""
    there = connection.settings_dict
    port = free_port()
    url = (
        f"postgres://{there['USER']}:{there['PASSWORD']}@127.0.0.1:{database_port}/{there['NAME']}"
    )
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    key = settings.TICKET_KEYS[0].hex()
    with running(
        command, port, DATABASE_URL=url, MANAGER_IPS="127.0.0.1", DEBUG="true", TICKET_KEY=key
    ):
        yield port


def ask(port: int, method: str, path: str, body: str = "") -> tuple[int, str | None]:
    """Return status and Retry-After of an answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    response = client.getresponse()
    response.read()
    client.close()
    return response.status, response.getheader("Retry-After")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL (DATABASE_URL)")
@pytest.mark.django_db(transaction=True)
def test_a_running_server_gets_over_a_lost_database() -> None:
    raffle = RaffleFactory.create()
    path = f"/raffles/{raffle.uuid}/"
    line = Line(connection.settings_dict["HOST"], int(connection.settings_dict["PORT"] or 5432))
    with served(line.port) as port:
        assert ask(port, "GET", path) == (200, None)
        line.cut()
        for _ in range(3):
            assert ask(port, "GET", path) == (503, "5")
            assert ask(port, "POST", f"{path}participate/") == (503, "5")
            assert ask(port, "POST", "/raffles/", json.dumps(terms())) == (503, "5")
            assert ask(port, "GET", "/readyz") == (503, "5")
            assert ask(port, "GET", "/livez") == (200, None)
            assert ask(port, "GET", "/nowhere/") == (404, None)
        line.mend()
        assert ask(port, "GET", path) == (200, None)
        assert ask(port, "POST", f"{path}participate/") == (201, None)
        line.cut()
        assert ask(port, "POST", f"{path}participate/") == (503, "5")
        line.mend()
        assert ask(port, "POST", f"{path}participate/") == (403, None)
