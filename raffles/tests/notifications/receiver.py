"""A receiver of webhooks on this machine: it keeps a ledger, and behaves as its path says."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Behaviour = Callable[["Exchange"], None]


@dataclass(frozen=True)
class Received:
    """One message as it came."""

    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """`with Receiver() as receiver`: receiver.url("ok"), receiver.url("hang"), receiver.ledger."""

    def __init__(self, address: str = "127.0.0.1", **behaviours: Behaviour) -> None:
        self.behaviours = BEHAVIOURS | behaviours
        self.ledger: list[Received] = []
        self.connections = 0
        self.over = threading.Event()
        self._server = _Server(self, address)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def url(self, behaviour: str) -> str:
        address, port = self._server.server_address[:2]
        return f"http://{address!s}:{port}/{behaviour}"

    def received(self, behaviour: str) -> list[Received]:
        return [one for one in self.ledger if one.path == f"/{behaviour}"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, receiver: Receiver, address: str) -> None:
        super().__init__((address, 0), Exchange)
        self.receiver = receiver

    def process_request(self, request: Any, client_address: Any) -> None:
        self.receiver.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken pipes: they are what the tests are about."""


class Exchange(BaseHTTPRequestHandler):
    """One request and what is answered."""

    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def receiver(self) -> Receiver:
        return self.server.receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.ledger.append(Received(self.path, body, headers))
        self.receiver.behaviours[self.path.removeprefix("/")](self)

    def do_GET(self) -> None:
        """Answer a GET, which only a client that follows redirects sends."""
        self.receiver.ledger.append(Received(f"GET {self.path}", b"", {}))
        self.answer(200)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Log nothing."""


def answering(status: int, **headers: str) -> Behaviour:
    return lambda exchange: exchange.answer(status, b"", **headers)


def hang(exchange: Exchange) -> None:
    exchange.receiver.over.wait(60)
    exchange.close_connection = True


def drip(exchange: Exchange) -> None:
    """Send one byte every 50 ms, for ever: no single wait is long."""
    exchange.wfile.write(b"HTTP/1.1 200 ")
    while not exchange.receiver.over.wait(0.05):
        exchange.wfile.write(b"O")


def flood(exchange: Exchange) -> None:
    """Send 10 GB of answer, as long as somebody reads."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    megabyte = bytes(1_000_000)
    for _ in range(10_000):
        exchange.wfile.write(megabyte)


def flood_headers(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        exchange.wfile.write(b"X-Padding: " + b"a" * 60_000 + b"\r\n")


def go_on(exchange: Exchange) -> None:
    """Send 100 Continue for ever."""
    while True:
        exchange.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def close_silently(exchange: Exchange) -> None:
    """Answer as if the connection would stay open, and hang up."""
    exchange.answer(200)
    exchange.close_connection = True


def answer_in_chunks(exchange: Exchange) -> None:
    exchange.wfile.write(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n"
    )


def reset(exchange: Exchange) -> None:
    linger = struct.pack("ii", 1, 0)
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    os.close(exchange.connection.detach())  # closing the object would wait for its files


BEHAVIOURS: dict[str, Behaviour] = {
    "ok": answering(200),
    "empty": answering(204),
    "chunked": answer_in_chunks,
    "closing": close_silently,
    "broken": answering(500),
    "gone": answering(410),
    "hang": hang,
    "drip": drip,
    "flood": flood,
    "flood-headers": flood_headers,
    "go-on": go_on,
    "reset": reset,
    "redirect": answering(307, Location="http://169.254.169.254/latest/meta-data/"),
}
