"""A line to a server that tests can cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Line:
    """A TCP line to the database that can be cut: open connections break, new ones are refused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._serve()

    def cut(self) -> None:
        """Break the line."""
        _break(self._listener, *self._open)
        self._listener.close()
        self._open.clear()

    def mend(self) -> None:
        """Listen again at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            sink.sendall(part)
    _break(source, sink)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):  # it was broken before
            end.shutdown(socket.SHUT_RDWR)
