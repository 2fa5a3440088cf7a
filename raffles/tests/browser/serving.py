"""The site as it is deployed, for browsers: a server that can be killed, and many callers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from raffles.domain.log import announce_keys
from raffles.tests.serving import database_url, free_port, running


class Site:
    """A server on the tests' database, with their secrets; `url` stays when it is killed.

    `environment` has further settings by name. Pages of `embedder`, where nobody listens yet, may
    show it in a frame.
    """

    def __init__(self, interface: str = "wsgi", **environment: str) -> None:
        self.interface = interface
        self.environment = environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.embedder = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def up(self) -> Iterator[Site]:
        """Serve for as long as nobody kills it."""
        granian = [sys.executable, "-m", "granian", "--interface", self.interface]
        granian += ["--port", str(self.port), "--workers-kill-timeout", "1"]
        if self.interface == "wsgi":
            granian += ["--blocking-threads", "4"]
        with running(
            [*granian, f"rafflesite.{self.interface}:application"],
            self.port,
            ALLOWED_HOSTS="127.0.0.1",
            DATABASE_URL=database_url(),
            DEBUG="off",
            EMBED_ORIGINS=self.embedder,
            ENV_FILE="",
            MANAGER_IPS="127.0.0.9",
            PUBLIC_URL=self.url,
            RECEIPT_KEY=",".join(seed.hex() for seed in settings.RECEIPT_SEEDS),
            REDIS_URL="",
            SECRET_KEY=settings.SECRET_KEY,
            THROTTLE_ENTRY="",
            THROTTLE_VERIFY="",
            TICKET_KEY=",".join(key.hex() for key in settings.TICKET_KEYS),
            # Sent, and to nobody: mail that is only printed is refused.
            **({"EMAIL_URL": "dummymail://"} | self.environment),
        ) as self._process:
            yield self

    def kill(self) -> None:
        """Kill the server and its workers, as a power cut does."""
        assert self._process, "it does not run"
        main = self._process.pid
        workers = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, workers)):
            os.kill(process, signal.SIGKILL)
        self._process.wait(10)


def announce_keys_long_ago(blocker: DjangoDbBlocker) -> None:
    """Have the log know our keys from a time before every test's.

    A server that starts announces those that it lacks, at its own time, which no log goes behind.
    """
    with blocker.unblock():
        announce_keys(datetime(2020, 1, 1, tzinfo=UTC))
        connection.close()


@contextmanager
def calling_from(address: str, site: Site) -> Iterator[str]:
    """Yield a URL at which a browser reaches the site from that loopback address.

    Browsers cannot choose the address they call from; this passes their bytes on from it.
    """

    class Passing(StreamRequestHandler):
        def handle(self) -> None:
            source = (address, 0)
            with socket.create_connection(("127.0.0.1", site.port), source_address=source) as there:
                back = Thread(target=_pass_on, args=(there, self.request), daemon=True)
                back.start()
                _pass_on(self.request, there)
                back.join()

    ThreadingTCPServer.allow_reuse_address = True
    with ThreadingTCPServer(("127.0.0.1", 0), Passing) as server:
        server.daemon_threads = True
        server.block_on_close = False
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while piece := here.recv(65_536):
            there.sendall(piece)
        there.shutdown(socket.SHUT_WR)
