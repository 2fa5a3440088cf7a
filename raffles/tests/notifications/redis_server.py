"""A redis-server to be killed, stopped and emptied."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path

import redis


class Server:
    """A Redis of our own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        with socket.create_server(("127.0.0.1", port)) as free:
            self.port = free.getsockname()[1]
        self._folder = folder
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--dir", str(self._folder)]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                redis.Redis(port=self.port).ping()
                return
            except redis.ConnectionError:
                time.sleep(0.02)
        raise RuntimeError("redis-server does not start")

    def send(self, how: signal.Signals) -> None:
        self.process.send_signal(how)  # to a process that has ended: nothing
        if how == signal.SIGKILL:
            self.process.wait()
