"""A server that is asked to stop drops no request: it is unready first, and then ends."""

from __future__ import annotations

import http.client
import shutil
import signal
import time
from pathlib import Path

import pytest
from django.conf import settings

from raffles.tests.factories import RaffleFactory
from raffles.tests.serving import database_url, free_port, start
from rafflesite.tests.restarting import Clients, balanced, haproxy, serve

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.once]


def status(port: int, path: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.request("GET", path)
    found = client.getresponse().status
    client.close()
    return found


def environment(**more: str) -> dict[str, str]:
    keys = {
        "TICKET_KEY": settings.TICKET_KEYS[0].hex(),
        "RECEIPT_KEY": settings.RECEIPT_SEEDS[0].hex(),
    }
    facts = {
        "DATABASE_URL": database_url(),
        "DEBUG": "on",
        "TRUSTED_PROXIES": "127.0.0.1",
        **dict.fromkeys(("THROTTLE_ENTRY", "THROTTLE_VERIFY"), ""),
    }
    return facts | keys | more


def test_server_that_stops_is_unready_first_and_answers_all_the_same() -> None:
    port = free_port()
    server = start(serve(port), port, **environment(DRAIN_SECONDS="3"))
    try:
        assert status(port, "/readyz") == 200
        server.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert (status(port, "/readyz"), status(port, "/raffles/")) == (503, 200)
        assert server.wait(30) == 0
    finally:
        server.kill()


def test_server_that_is_interrupted_ends_at_once() -> None:
    port = free_port()
    server = start(serve(port), port, **environment(DRAIN_SECONDS="60"))
    assert status(port, "/readyz") == 200  # its workers are there
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
def test_rolling_restart_drops_no_request(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(total_tickets=1_000)
    with (
        balanced(haproxy, tmp_path, **environment(DRAIN_SECONDS="")) as (port, restart),
        Clients(port, raffle.uuid, 6) as clients,
    ):
        for _ in range(2):
            restart()
    assert clients.ledger.dropped == {}
    assert set(clients.ledger.answers) == {200, 201}
    assert raffle.tickets.count() == 6
