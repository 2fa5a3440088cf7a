"""Who is there while hosts are lost: the site on each, participants, runs, listeners."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import multiprocessing
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from itertools import cycle
from math import inf
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from benchmarks.hosts import ADDRESSES, Cluster, Host, until
from raffles.models import Raffle
from raffles.models.raffle import MAX_TICKETS
from raffles.tests.factories import address
from raffles.tests.nothing_lost.harness import Acknowledged, Crowd, Ledger, take_part
from raffles.tests.notifications.returning import Listener, Told

EVERY = 20  # seconds between two due draws, and between two runs of a `draw_winners`
UNTIL_HUNG = 70.0  # seconds; HAProxy itself answers after 60
_CLIENTS, _RUNNERS, _LISTENERS = 9, 4, 6
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the certificate is nobody's
_TLS.check_hostname, _TLS.verify_mode = False, ssl.CERT_NONE
over = multiprocessing.get_context("fork").Event()  # nobody begins anything any more


class Trouble(NamedTuple):
    """What a participant met other than a ticket: `what` is a status or the name of an error."""

    at: float
    what: str
    retry_after: str
    seconds: float
    front: str


class Participant:
    """Asks until it is answered with a ticket, always with the same key; the next front if none."""

    def __init__(self, raffle_uuid: UUID, fronts: list[str], troubles: Path) -> None:
        self._path = f"/raffles/{raffle_uuid}/participate/"
        self._fronts = cycle(fronts)
        self._front = next(self._fronts)
        self._troubles = troubles

    def ask(self, n: int) -> Acknowledged:
        if over.is_set():
            raise InterruptedError
        while True:
            started, retry_after = time.time(), ""
            try:
                what, retry_after, body = self._post(n)
                if what in ("200", "201"):
                    told = json.loads(body)
                    return Acknowledged(n, told["ticket_number"], told["verification_code"])
            except (OSError, HTTPException) as error:
                what = type(error).__name__
            taken = time.time() - started
            trouble = Trouble(started, what, retry_after, taken, self._front)
            with self._troubles.open("a") as file:
                file.write(json.dumps(trouble) + "\n")
            if not what.isdecimal():
                self._front = next(self._fronts)
            time.sleep(0.3)

    def _post(self, n: int) -> tuple[str, str, bytes]:
        with socket.create_connection((self._front, 8443), 3) as line:
            line.settimeout(UNTIL_HUNG)
            line.sendall(f"PROXY TCP4 {address(n)} {self._front} 4242 443\r\n".encode())
            with _TLS.wrap_socket(line) as secure:
                secure.sendall(
                    f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                    f"Idempotency-Key: request-{n}\r\nConnection: close\r\n\r\n".encode()
                )
                response = HTTPResponse(secure, method="POST")
                response.begin()
                body = response.read()
                return str(response.status), response.getheader("Retry-After", ""), body


class Participants(Crowd):
    """Two thirds of them are outside, one third on the hosts, whose networks they share."""

    def __init__(self, raffle: Raffle, folder: Path) -> None:
        self._raffle, self._troubles = raffle, folder / "troubles"
        self._troubles.touch()
        super().__init__(self._take_part, claims=MAX_TICKETS, folder=folder, size=_CLIENTS)

    def _take_part(self, ns: range, ledger: Ledger) -> None:
        k, names = ns.start, list(ADDRESSES)
        fronts = list(ADDRESSES.values())
        fronts = fronts[k % 3 :] + fronts[: k % 3]
        if k >= _CLIENTS * 2 // 3:
            fronts = fronts[:1]
            _enter_network(names[k % 3])
        participant = Participant(self._raffle.uuid, fronts, self._troubles)
        with suppress(InterruptedError):
            take_part(participant.ask, ns, ledger)

    def met(self) -> list[Trouble]:
        """Return what they all met until now."""
        return [Trouble(*json.loads(line)) for line in self._troubles.read_text().splitlines()]


def _enter_network(name: str) -> None:
    with open(f"/run/netns/{name}") as network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


class Runs:
    """Several `draw_winners` at once, again and again, and how each ended."""

    def __init__(self, cluster: Cluster) -> None:
        self.statuses: Counter[int] = Counter()
        hosts = itertools.islice(cycle(cluster), _RUNNERS)
        self._threads = [
            threading.Thread(target=self._run, args=(host, f"draw-{n}"))
            for n, host in enumerate(hosts)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, host: Host, name: str) -> None:
        while not over.wait(EVERY):
            manage(host, name, "draw_winners")
            self.statuses[host.wait(name)] += 1

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()


def manage(host: Host, name: str, *command: str) -> None:
    host.start(name, sys.executable, "manage.py", *command, **host.site)


def serve(cluster: Cluster) -> None:
    """Start the site, its stream and a worker on each host."""
    for host in cluster:
        serve_web(host)
        options = f"--interface asgi --host {host.address} --port 8001 --workers-kill-timeout 5"
        application = "rafflesite.asgi:application"
        stream = [sys.executable, "-m", "granian", *options.split(), application]
        host.start("stream", *stream, **host.site)
        manage(host, "deliver", "deliver_announcements", "--watch")


class Listening:
    """Listeners of the streams of all hosts, who come back whenever they are cut off."""

    def __init__(self) -> None:
        fronts = itertools.islice(cycle(ADDRESSES.values()), _LISTENERS)
        self._listeners = [Listener(443, front, _TLS) for front in fronts]
        threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True).start()

    async def _listen(self) -> None:
        await asyncio.gather(*(one.stay(MAX_TICKETS, until=inf) for one in self._listeners))

    def heard(self, count: int) -> list[list[Told]]:
        """Wait until each has heard so many announcements, for a while; return what they heard."""
        with suppress(RuntimeError):
            until(lambda: all(len(one.heard) >= count for one in self._listeners), "all heard")
        return [one.heard for one in self._listeners]


def serve_web(host: Host) -> None:
    bind = f"--bind {host.address}:8000 --workers 1 --threads 8"
    host.start("web", sys.executable, "-m", "gunicorn", *bind.split(), **host.site)


class Watch:
    """How long nobody was given a ticket, at the most, since it was last asked."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd, self._longest = crowd, 0.0
        self._last, self._since = 0, time.monotonic()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not over.wait(0.05):
            if (now := self._crowd.acknowledged()) != self._last:
                self._longest = max(self._longest, self.silent())
                self._last, self._since = now, time.monotonic()

    def silent(self) -> float:
        """Return the seconds since the last ticket."""
        return time.monotonic() - self._since

    def longest(self) -> float:
        longest, self._longest = max(self._longest, self.silent()), 0.0
        return longest
