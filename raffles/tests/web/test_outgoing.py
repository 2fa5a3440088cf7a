"""The HTTP client: whom it connects to, for how long, and how much it reads."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raffles.tests.notifications.receiver import Exchange, Receiver
from raffles.web.environment import networks
from raffles.web.outgoing import (
    EVERYWHERE,
    Connection,
    Forbidden,
    TooLarge,
    ask,
    canonical,
    check_url,
    is_public,
    tls_context,
)

OURS = [
    "168.63.129.16",
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "::ffff:8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize("address", OURS)
def test_address_of_our_own_networks_is_not_public(address: str) -> None:
    assert is_public(canonical(address)) is False


@pytest.mark.parametrize("address", PUBLIC)
def test_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(canonical(address)) is True


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.3)
        yield listening


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0", "2130706433"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connection_to_this_machine_is_refused(
    scheme: str, host: str, listener: socket.socket
) -> None:
    with pytest.raises(Forbidden):
        ask(f"{scheme}://{host}:{listener.getsockname()[1]}/", seconds=5, most=1_000)
    with pytest.raises(TimeoutError):
        listener.accept()  # nobody came


def test_address_that_the_operator_chose_may_be_anywhere(server: Receiver) -> None:
    assert ask(server.url("ok"), b"", seconds=5, most=1_000, allowed=EVERYWHERE).status == 200


def test_name_that_answers_differently_the_second_time_is_asked_once(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])
    look_up = socket.getaddrinfo

    def rebind(host: str, *args: Any, **options: Any) -> list[Any]:
        return look_up(next(answers) if host == "rebound.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    url = server.url("ok").replace("127.0.0.1", "rebound.example")

    assert ask(url, b"", seconds=5, most=1_000, allowed=networks("127.0.0.0/8")).status == 200
    assert next(answers) == "10.0.0.1"


def test_network_is_allowed_by_name_alone(server: Receiver) -> None:
    with pytest.raises(Forbidden):
        ask(server.url("ok"), b"", seconds=5, most=1_000, allowed=networks("10.0.0.0/8"))
    reply = ask(server.url("ok"), b"", seconds=5, most=1_000, allowed=networks("127.0.0.1"))
    assert reply.status == 200


def test_public_address_without_tls_is_refused() -> None:
    with pytest.raises(Forbidden):
        ask("http://1.1.1.1/", seconds=5, most=1_000)


def test_name_that_is_never_found_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up_for_ever(*_: object, **__: object) -> list[object]:
        over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up_for_ever)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        ask("https://slow.example/", seconds=0.2, most=1_000)
    over.set()

    assert 0.2 <= time.monotonic() - started < 5


# --- Requests and answers ------------------------------------------------------------------


def test_request_carries_body_and_headers_and_the_answer_comes_whole(server: Receiver) -> None:
    server.behaviours["echo?a=b"] = lambda exchange: exchange.answer(
        418, b"short and stout", **{"X-Pot": "tea"}
    )

    reply = ask(
        server.url("echo?a=b"),
        b"tea",
        seconds=5,
        most=1_000,
        headers={"X-Cup": "1"},
        allowed=EVERYWHERE,
    )

    assert (reply.status, reply.headers["x-pot"], reply.body) == (418, "tea", b"short and stout")
    (received,) = server.ledger
    assert (received.body, received.headers["x-cup"]) == (b"tea", "1")


def test_request_without_a_body_is_a_get(server: Receiver) -> None:
    assert ask(server.url("ok"), seconds=5, most=1_000, allowed=EVERYWHERE).status == 200
    assert [one.path for one in server.ledger] == ["GET /ok"]


def test_connection_is_kept_and_made_anew_once_the_peer_has_closed_it(server: Receiver) -> None:
    for behaviour, connections in (("ok", 1), ("closing", 3)):
        server.connections = 0
        url = server.url(behaviour)
        with Connection(url, most=1_000, allowed=EVERYWHERE) as connection:
            answers = [connection.ask(b"", seconds=5, headers={}).status for _ in range(3)]
        assert (answers, server.connections) == ([200, 200, 200], connections)


def test_redirect_is_an_answer_and_not_followed(server: Receiver) -> None:
    assert ask(server.url("redirect"), b"", seconds=5, most=1_000, allowed=EVERYWHERE).status == 307
    assert len(server.ledger) == 1


@pytest.mark.parametrize(("size", "is_read"), [(9_000, True), (10_000, False), (10**10, False)])
def test_body_that_is_too_large_is_left(size: int, is_read: bool, server: Receiver) -> None:
    def send(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        exchange.wfile.write(bytes(min(size, 20_000)))

    server.behaviours["large"] = send

    reply = ask(server.url("large"), b"", seconds=5, most=10_000, allowed=EVERYWHERE)

    assert reply == (200, reply.headers, bytes(size) if is_read else None)


@pytest.mark.parametrize("behaviour", ["flood-headers", "go-on"])
def test_head_that_is_too_large_is_no_answer(behaviour: str, server: Receiver) -> None:
    with pytest.raises(TooLarge, match="larger than 10000 bytes"):
        ask(server.url(behaviour), b"", seconds=5, most=10_000, allowed=EVERYWHERE)


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_answer_that_never_ends_is_left_at_the_deadline(behaviour: str, server: Receiver) -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(server.url(behaviour), b"", seconds=0.3, most=1_000, allowed=EVERYWHERE)
    assert 0.3 <= time.monotonic() - started < 5


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.org", "ftp://example.org/", "https://", "https://example.org/a b"),
        *("https://user:word@example.org/", "https://example.org/#top", "https://example.org:0/"),
        *("https://example.org:99999/", "https://[::1/", "https://example.org/\u202e"),
        *("https://example.org/\r\nX: y", "https://example.org\\@evil.example/"),
    ],
)
def test_url_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^\S"):
        check_url(url)
    with pytest.raises(ValueError, match=r"^\S"):
        ask(url, seconds=5, most=1_000)


# --- TLS -----------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "both.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(file.with_suffix(".key")), "-out", str(file)]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*make, *names, *files], check=True, capture_output=True)
    file.write_text(file.read_text() + file.with_suffix(".key").read_text())
    return file


def _serve_tls(listener: socket.socket, certificate: Path) -> None:
    """Answer one request, and drip in answer to the next on the same connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    try:
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True) as secure:
            secure.recv(1_000)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            secure.recv(1_000)
            for _ in range(200):
                time.sleep(0.05)
                secure.sendall(b"H")
    except OSError:
        pass  # the client hung up


@pytest.mark.parametrize("is_trusted", [True, False])
def test_certificate_is_checked_against_the_name(
    is_trusted: bool, listener: socket.socket, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_context.cache_clear()
    listener.settimeout(5)
    server = threading.Thread(target=_serve_tls, args=(listener, certificate))
    server.start()
    url = f"https://localhost:{listener.getsockname()[1]}/"

    with Connection(url, most=1_000, allowed=networks("127.0.0.0/8, ::1")) as connection:
        if is_trusted:
            assert connection.ask(seconds=5, headers={}).body == b"hello"
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                connection.ask(seconds=0.5, headers={})
            assert 0.5 <= time.monotonic() - started < 5
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                connection.ask(seconds=5, headers={})
    server.join()
    tls_context.cache_clear()
