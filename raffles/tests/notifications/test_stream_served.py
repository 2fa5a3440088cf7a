"""The stream as it is deployed: granian, and nginx with the file of the documentation."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from django.db import connection

from raffles.tests.notifications.acting import announced
from raffles.tests.notifications.listening import Heard, parse
from raffles.tests.notifications.returning import Listener, Told, Wrong, compare
from raffles.tests.serving import SITE, database_url, free_port, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SECRETS = dict.fromkeys(("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY"), "0123456789abcdef" * 4)


@contextmanager
def streaming(port: int, **limits: str) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the process of the documentation, on the database of this test."""
    granian = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port)]
    granian += ["--workers-kill-timeout", "1", "rafflesite.asgi:application"]
    environment = {"DATABASE_URL": database_url(), "DEBUG": "on", "ENV_FILE": "", "REDIS_URL": ""}
    with running(granian, port, **(environment | limits)) as process:
        yield process


@contextmanager
def proxied(upstream: int, folder: Path) -> Iterator[int]:
    """Yield the port of an nginx in front."""
    port = free_port()
    stream = (SITE / "deploy" / "nginx-stream.conf").read_text().replace("8001", str(upstream))
    assert f"127.0.0.1:{upstream};" in stream
    conf = folder / "nginx.conf"
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} gzip on; gzip_types *;"
        "limit_conn_zone $binary_remote_addr zone=streams:1m;"
        f"server {{ listen 127.0.0.1:{port}; {stream} }} }}"
    )
    nginx = shutil.which("nginx") or ""
    with running([nginx, "-p", str(folder), "-c", str(conf), "-e", f"{folder}/error.log"], port):
        yield port


@contextmanager
def listening(port: int, last_id: str = "") -> Iterator[HTTPResponse]:
    client = HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Last-Event-ID": last_id} if last_id else {}
    client.request("GET", "/stream/", headers=headers | {"Accept-Encoding": "gzip"})
    try:
        yield client.getresponse()
    finally:
        client.close()


def hear(response: HTTPResponse, count: int) -> tuple[list[Heard], str]:
    """Return the first so many events, and the last id."""
    body = b""
    while len(parse(body)[0]) < count:
        piece = response.read1(65_536)
        assert piece, "the stream ended"
        body += piece
    return parse(body)


def hear_out(response: HTTPResponse) -> list[Heard]:
    """Return the first events; none when the stream ends before."""
    body = b""
    while not (heard := parse(body)[0]) and (piece := response.read1(65_536)):
        body += piece
    return heard


def answer(port: int, path: str) -> tuple[int, str | None, bytes]:
    """Return status, type and body."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("GET", path)
        response = client.getresponse()
        return response.status, response.getheader("Content-Type"), response.read()


@pytest.fixture(params=["granian", "nginx"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Yield the ports of granian, and of what its clients talk to."""
    if request.param == "nginx" and not shutil.which("nginx"):
        pytest.skip("needs nginx")
    behind = free_port()
    with ExitStack() as stack:
        front = behind
        if request.param == "nginx":
            front = stack.enter_context(proxied(behind, tmp_path))
        yield behind, front


@pytest.mark.once
def test_events_arrive_one_by_one_and_a_restart_loses_none(ports: tuple[int, int]) -> None:
    behind, front = ports
    with streaming(behind) as server:
        with listening(front) as response:
            assert response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
            assert response.getheader("Content-Encoding") is None
            assert parse(response.read1(65_536)) == ([], "0")
            delays = []
            for number in (1, 2, 3):
                announced(1)
                started = time.monotonic()
                heard, last_id = hear(response, 1)
                delays.append(time.monotonic() - started)
                assert [one.id for one in heard] == [str(number + 1)]
        assert max(delays) < 10
        with listening(front, last_id) as response:
            assert parse(response.read1(65_536))[1] == "4"
            server.send_signal(signal.SIGTERM)  # with a client that listens
            server.wait(20)
    announced(2)

    with streaming(behind), listening(front, last_id) as response:
        heard, last_id = hear(response, 2)

    assert [one.id for one in heard] == ["5", "6"]


def test_restart_under_load_takes_seconds_and_loses_nothing() -> None:
    port, ledger = free_port(), list[Told]()
    listeners = [Listener(port) for _ in range(30)]
    until = time.monotonic() + 120

    def announce_on() -> None:
        for n in range(60):
            ledger.extend(Told(one.sequence, str(n)) for one in announced(1, mark=str(n)))
            time.sleep(0.05)
        connection.close()

    async def act() -> float:
        with streaming(port) as server:
            coming = [
                asyncio.create_task(one.come_and_go(5, random.Random(seed), each=0.8, until=until))
                for seed, one in enumerate(listeners)
            ]
            announcing = asyncio.create_task(asyncio.to_thread(announce_on))
            await asyncio.sleep(1)
            started = time.monotonic()
            server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.wait, 20)
            ended_in = time.monotonic() - started
        with streaming(port):
            await asyncio.gather(announcing, *coming)
            await asyncio.gather(*(one.stay(len(ledger), until=until) for one in listeners))
        return ended_in

    assert asyncio.run(act()) < 15
    assert len(ledger) == 60
    assert compare(ledger, [one.heard for one in listeners]) == Wrong(0, 0, 0, 0)


RUNSERVER = "manage.py runserver --noreload {port}"
GRANIAN = (
    "-m granian --interface wsgi --blocking-threads 2 --port {port} rafflesite.wsgi:application"
)


@pytest.mark.parametrize(
    ("command", "debug", "staying"), [(RUNSERVER, "on", 8), (GRANIAN, "off", 0)]
)
def test_listeners_without_their_own_process_leave_the_site_to_others(
    command: str, debug: str, staying: int
) -> None:
    port = free_port()
    environment = {"DATABASE_URL": database_url(), "DEBUG": debug, "ENV_FILE": "", "REDIS_URL": ""}
    words = [sys.executable, *command.format(port=port).split()]
    with running(words, port, **SECRETS, **environment), ExitStack() as stack:
        streams = [stack.enter_context(listening(port)) for _ in range(50)]
        positions = [parse(stream.read1(65_536))[1] for stream in streams]
        started = time.monotonic()
        status = answer(port, "/raffles/")[0]
        answered_in = time.monotonic() - started
        announced(1)
        heard = [[one.id for one in hear_out(stream)] for stream in streams]

    # The server has announced its key before it listened, and the test its own.
    assert positions == ["1"] * 50
    assert (status, answered_in < 15) == (200, True)
    assert sorted(heard) == [[]] * (50 - staying) + [["3"]] * staying


@pytest.mark.once
def test_stream_of_no_event_is_a_problem(ports: tuple[int, int]) -> None:
    behind, front = ports
    with streaming(behind):
        status, content_type, body = answer(front, "/events/never/stream/")

    assert (status, content_type) == (404, "application/problem+json")
    assert json.loads(body)["code"] == "not_found"


@pytest.mark.once
def test_nginx_lets_an_address_have_twenty_streams(tmp_path: Path) -> None:
    if not shutil.which("nginx"):
        pytest.skip("needs nginx")
    behind = free_port()
    with streaming(behind), proxied(behind, tmp_path) as front, ExitStack() as stack:
        statuses = [stack.enter_context(listening(front)).status for _ in range(22)]
    assert statuses == [200] * 20 + [429] * 2


@pytest.mark.once
def test_holder_has_so_many_streams_and_a_place_when_one_ends() -> None:
    port = free_port()
    limits = {"STREAMS_PER_HOLDER": "3", "TRUSTED_PROXIES": "127.0.0.1", "MANAGER_IPS": ""}

    def opened(stack: ExitStack, holder: str) -> HTTPResponse:
        client = stack.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=20)))
        client.request("GET", "/stream/", headers={"X-Forwarded-For": holder})
        return client.getresponse()

    with streaming(port, **limits), ExitStack() as stack, ExitStack() as first:
        assert opened(first, "198.51.100.1").status == 200
        assert [opened(stack, "198.51.100.1").status for _ in range(2)] == [200, 200]
        refused = opened(stack, "198.51.100.1")
        assert (refused.status, refused.getheader("Retry-After")) == (429, "5")
        assert json.loads(refused.read())["code"] == "throttled"
        assert opened(stack, "198.51.100.2").status == 200
        assert opened(stack, "nobody").status == 400
        first.close()
        deadline = time.monotonic() + 20
        while (again := opened(stack, "198.51.100.1").status) == 429:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert again == 200
