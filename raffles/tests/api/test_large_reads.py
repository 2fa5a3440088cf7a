"""Proofs and leaves as files: what is answered, how often, and to clients that do not read."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from raffles.models import Raffle, State
from raffles.tests.api.acting import caller, manager
from raffles.tests.factories import RaffleFactory
from raffles.tests.serving import database_url, free_port, running
from raffles.web.files import kept

SECRETS = dict.fromkeys(("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY"), "0123456789abcdef" * 4)
LARGE = 64 * 1024 * 1024  # more than sockets buffer


def drawn(**terms: Any) -> Raffle:
    raffle: Raffle = RaffleFactory.create(state=State.DRAWN, **terms)
    return raffle


def leaves_of(raffle: Raffle) -> str:
    return f"{bytes(raffle.pool.root).hex()}.leaves"


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["proof", "leaves"])
def test_second_reader_costs_no_more_than_finding_the_file(what: str) -> None:
    path = f"/raffles/{drawn(total_tickets=700).uuid}/{what}/"
    first = caller().get(path)
    made = body(first)
    with CaptureQueriesContext(connection) as queries:
        second = caller().get(path)
        assert body(second) == made
    assert len(queries) == 4  # the raffle, its prizes, draw and pool
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Content-Length"] == str(len(made))
    head = caller().head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(made))
    again = caller().get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db
def test_reader_while_it_is_made_comes_back_later() -> None:
    raffle = drawn()
    path = f"/raffles/{raffle.uuid}/leaves/"
    seen = []

    def making() -> Iterator[bytes]:
        seen.append(caller().get(path))
        yield b"leaf" * 8

    kept(leaves_of(raffle), making).close()
    (meanwhile,) = seen
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (503, "unavailable")
    assert meanwhile.headers["Retry-After"] == "5"
    assert "Cache-Control" not in meanwhile.headers
    assert body(caller().get(path)) == b"leaf" * 8


@pytest.mark.django_db
def test_proof_without_a_folder_is_unavailable_and_its_pages_are_not(
    settings: Settings, tmp_path: Path
) -> None:
    path = f"/raffles/{drawn().uuid}/proof/"
    settings.STATE_DIR = tmp_path / "file"
    settings.STATE_DIR.write_text("")
    assert caller().get(path).status_code == 503
    assert caller().get(f"{path}?limit=1").status_code == 200


@pytest.mark.django_db
def test_large_reads_of_a_holder_are_counted_together(settings: Settings) -> None:
    settings.THROTTLE_FILES = "2/h"
    raffle = drawn()
    paths = [f"/raffles/{raffle.uuid}/{what}" for what in ("proof/", "leaves/", "proof/?limit=1")]
    assert [caller().get(path).status_code for path in paths] == [200, 200, 429]
    assert int(caller().get(paths[0]).headers["Retry-After"]) > 0
    assert caller("198.51.100.2").get(paths[0]).status_code == 200
    settings.MANAGER_IPS = ["192.0.2.1"]
    assert [manager().get(path).status_code for path in paths] == [200, 200, 200]


@contextmanager
def asking(port: int, peer: str, path: str, method: str = "GET") -> Iterator[HTTPResponse]:
    """Yield an answer whose head alone was read, with the least of buffers."""
    with socket.socket() as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        there.bind((peer, 0))
        there.settimeout(20)
        there.connect(("127.0.0.1", port))
        there.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        response = HTTPResponse(there, method=method)
        response.begin()
        try:
            yield response
        finally:
            response.close()


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_clients_that_do_not_read_leave_the_site_to_others() -> None:
    raffle = drawn()
    path = f"/raffles/{raffle.uuid}/leaves/"
    folder = Path(settings.STATE_DIR, "files")
    folder.mkdir(parents=True)
    with (folder / leaves_of(raffle)).open("wb") as large:
        large.truncate(LARGE)
    port = free_port()
    environment = SECRETS | {
        "DATABASE_URL": database_url(),
        "ENV_FILE": "",
        "STATE_DIR": str(settings.STATE_DIR),
        "THROTTLE_FILES": "",
    }
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}"]
    with running(gunicorn, port, **environment) as server, ExitStack() as stack:
        slow = [stack.enter_context(asking(port, "127.0.0.5", path)) for _ in range(6)]
        assert sorted(one.status for one in slow) == [200, 200, 429, 429, 429, 429]
        started = time.monotonic()
        with asking(port, "127.0.0.6", "/raffles/") as other:
            assert other.status == 200
        with asking(port, "127.0.0.5", path, "HEAD") as head:
            assert head.headers["Content-Length"] == str(LARGE)
        with asking(port, "127.0.0.6", path) as other:
            assert len(other.read()) == LARGE
        assert time.monotonic() - started < 20
        assert memory_of_children(server.pid) < 250
        stack.close()  # they hang up: their places are free again
        statuses: list[int] = []
        while not statuses or (statuses[-1] == 429 and len(statuses) < 100):
            time.sleep(0.1)
            with asking(port, "127.0.0.5", path) as back:
                statuses.append(back.status)
        assert statuses[-1] == 200


def memory_of_children(pid: int) -> float:
    """Return the most memory that a process which that one started ever had, in MB."""
    peaks = [0.0]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(line.split(":", 1) for line in (folder / "status").open())
        except (OSError, ValueError):
            continue  # it has ended
        if int(status["PPid"]) == pid:
            peaks.append(int(status["VmHWM"].split()[0]) / 1024)
    return max(peaks)
