"""A redis-server to be killed, stopped and emptied."""

from __future__ import annotations

import signal
from pathlib import Path

from raffles.tests.serving import free_port, start


class Server:
    """A Redis of our own, at one port however often it is started."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--dir", str(self._folder)]
        self.process = start(["redis-server", *options], self.port)

    def send(self, how: signal.Signals) -> None:
        self.process.send_signal(how)  # to a process that has ended: nothing
        if how == signal.SIGKILL:
            self.process.wait()
