"""Real requests: granian with the application behind it, and a client that costs little."""

from __future__ import annotations

import itertools
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from benchmarks.harness import free_port, stop, wait_for_port

_WORKERS = 2
_THREADS = 8  # each; a connection of the database each
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_TICKS = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """A running granian."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used so far, the system's work for them too."""
        return sum(_cpu_of(pid) for pid in (self.pid, *_children_of(self.pid)))


@contextmanager
def granian(application: str, settings: str = "rafflesite.settings") -> Iterator[Server]:
    """Serves a WSGI application with a module of settings; its logs go to a file, as in life."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    size = ["--workers", str(_WORKERS), "--blocking-threads", str(_THREADS), "--no-ws"]
    with TemporaryFile() as log:
        server = subprocess.Popen(
            [*command, *size, application],
            env=os.environ | {"DJANGO_SETTINGS_MODULE": settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for_port(port, server)
            yield Server(port, server.pid)
        finally:
            stop(server)


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Connection:
    """A keep-alive connection with one request under way at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = b""

    def send(self, request: bytes) -> None:
        self._answer = b""
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Reads what is there; the whole answer once it is complete. Raises ConnectionError."""
        chunk = self.socket.recv(65_536)
        if not chunk:
            raise ConnectionError("the server hung up")
        self._answer += chunk
        return self._answer if self._is_whole() else None

    def _is_whole(self) -> bool:
        head, end, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        # Without a length, as Django leaves it when no middleware adds one, granian sends chunks.
        return len(body) >= int(length[1]) if length else bool(end) and body.endswith(_LAST_CHUNK)

    def ask(self, request: bytes) -> bytes:
        """One request, its whole answer."""
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer


class Load(NamedTuple):
    """What came of a load: answers a second, and CPU of the server for each, in seconds."""

    rate: float
    cpu: float


_callers = itertools.count(1)


def entry(path: str) -> bytes:
    """A POST without a body, each from an address of its own in 10.0.0.0/8."""
    caller = next(_callers)
    address = f"10.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: {address}\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def expect_created(answer: bytes) -> None:
    """Raises RuntimeError for any answer but 201: a refusal would be fast and worth nothing."""
    if not answer.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(f"refused: {answer[:600]!r}")


def load(server: Server, path: str, *, connections: int, seconds: float) -> Load:
    """Keeps every connection busy for so many seconds, each with one request after the other."""
    with selectors.DefaultSelector() as selector:
        clients = [Connection(server.port) for _ in range(connections)]
        cpu, started = server.cpu(), time.perf_counter()
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(entry(path))
        answered, waiting = 0, len(clients)
        while waiting:
            for key, _ in selector.select():
                answer = key.data.receive()
                if answer is None:
                    continue
                expect_created(answer)
                answered += 1
                if time.perf_counter() - started < seconds:
                    key.data.send(entry(path))
                else:
                    waiting -= 1
        elapsed, spent = time.perf_counter() - started, server.cpu() - cpu
        for client in clients:
            client.socket.close()
    return Load(answered / elapsed, spent / answered)
