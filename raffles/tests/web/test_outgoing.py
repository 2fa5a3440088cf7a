"""Whom a webhook may connect to."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raffles.web import outgoing
from raffles.web.environment import networks
from raffles.web.outgoing import Forbidden, canonical, connect, is_public

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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "0", "2130706433"])
def test_connection_to_this_machine_is_refused(host: str, listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    with pytest.raises(Forbidden):
        connect(host, port, tls=True, deadline=time.monotonic() + 5)
    with pytest.raises(TimeoutError):
        listener.accept()  # nobody came


def test_name_that_answers_differently_the_second_time_is_asked_once(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["127.0.0.1"])

    def rebind(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", rebind)

    with connect(
        "rebound.example",
        listener.getsockname()[1],
        tls=False,
        deadline=time.monotonic() + 5,
        allowed=networks("127.0.0.0/8"),
    ) as line:
        assert line.getpeername() == listener.getsockname()


def test_network_is_allowed_by_name_alone(listener: socket.socket) -> None:
    port, deadline = listener.getsockname()[1], time.monotonic() + 5

    with pytest.raises(Forbidden):
        connect("127.0.0.1", port, tls=False, deadline=deadline, allowed=networks("10.0.0.0/8"))
    with connect(
        "127.0.0.1", port, tls=False, deadline=deadline, allowed=networks("127.0.0.1")
    ) as line:
        assert line.getpeername()[1] == port


def test_public_address_without_tls_is_refused() -> None:
    with pytest.raises(Forbidden):
        connect("1.1.1.1", 80, tls=False, deadline=time.monotonic() + 5)


def test_name_that_is_never_found_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def ask_for_ever(*_: object, **__: object) -> list[object]:
        over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", ask_for_ever)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        connect("slow.example", 443, tls=True, deadline=started + 0.2)
    over.set()

    assert 0.2 <= time.monotonic() - started < 1


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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    try:
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True) as secure:
            secure.sendall(b"hello")
            for _ in range(20):
                time.sleep(0.05)
                secure.sendall(b".")
    except OSError:
        pass  # the client hung up


@pytest.mark.parametrize("is_trusted", [True, False])
def test_certificate_is_checked_against_the_name(
    is_trusted: bool, listener: socket.socket, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(cafile=str(certificate) if is_trusted else None)
    context.sslsocket_class = outgoing.TLSSocket
    monkeypatch.setattr(outgoing, "_tls", lambda: context)
    listener.settimeout(5)
    server = threading.Thread(target=_serve_tls, args=(listener, certificate))
    server.start()
    port, allowed = listener.getsockname()[1], networks("127.0.0.0/8, ::1")

    if is_trusted:
        deadline = time.monotonic() + 0.5
        with connect("localhost", port, tls=True, deadline=deadline, allowed=allowed) as line:
            buffer = bytearray(5)
            assert line.recv_into(buffer) == 5
            assert bytes(buffer) == b"hello"
            with pytest.raises(TimeoutError):  # noqa: PT012 - a drip, byte by byte
                while True:
                    line.recv_into(buffer)
        assert time.monotonic() - deadline < 0.3
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            connect("localhost", port, tls=True, deadline=time.monotonic() + 5, allowed=allowed)
    server.join()
