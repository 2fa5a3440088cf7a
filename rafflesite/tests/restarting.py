"""Two servers behind a proxy, restarted one after the other while clients call: what is dropped?"""

from __future__ import annotations

import http.client
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from raffles.tests.serving import SITE, free_port, in_the_clear, running, start

Proxy = Callable[[int, list[int], Path], list[str]]  # port, ports behind it, folder -> command


class Ledger(NamedTuple):
    """Answers by status, and failures by what the client saw."""

    answers: Counter[int]
    dropped: Counter[str]


def haproxy(port: int, behind: list[int], folder: Path) -> list[str]:
    """Return the command of HAProxy as documented, in front of these servers."""
    conf = (SITE / "deploy/haproxy.cfg").read_text().replace("/srv/raffles", str(SITE))
    conf = in_the_clear(conf, f"127.0.0.1:{port}")
    hosts = [f"HOST_{n}" for n in (1, 2, 3)]  # nobody listens on those that are too many
    for host, each in zip(hosts, behind, strict=False):
        conf = conf.replace(f'"${{{host}}}:8000"', f"127.0.0.1:{each}")
    (folder / "haproxy.cfg").write_text(conf)
    command = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    return ["env", *(f"{host}=127.0.0.1" for host in hosts), *command]


def nginx(port: int, behind: list[int], folder: Path) -> list[str]:
    """Return the command of nginx as documented, in front of these servers."""
    site = (SITE / "deploy/nginx.conf").read_text()
    site = in_the_clear(site, f"127.0.0.1:{port}")
    site = site.replace("include /srv", "#").replace("/var/cache/nginx", str(folder))
    servers = " ".join(f"server 127.0.0.1:{each};" for each in behind)
    site = site.replace("http://127.0.0.1:8000", "http://site")
    site = f"upstream site {{ {servers} }}\n{site}"
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name}; " for name in folders)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; user root;\n"
        f"events {{}} http {{ access_log off; {temporary}\n{site}\n}}"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "error.log"]


def serve(port: int) -> list[str]:
    """Return the command of one server as documented."""
    return [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}"]


class Clients:
    """Callers that keep their connections: each asks for its ticket, and reads, in turn."""

    def __init__(self, port: int, raffle: UUID, count: int) -> None:
        self.ledger = Ledger(Counter(), Counter())
        self._port, self._path = port, f"/raffles/{raffle}/"
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        here = (f"127.3.{number // 250}.{number % 250 + 1}", 0)
        client = http.client.HTTPConnection("127.0.0.1", self._port, 30, source_address=here)
        headers = {"Idempotency-Key": f"client-{number}"}
        while not self._over.wait(0.005):
            for method, path in (("POST", f"{self._path}participate/"), ("GET", self._path)):
                try:
                    client.request(method, path, headers=headers)
                    answer = client.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    client.close()
                    self._count(None, f"{method} {type(error).__name__}")
                else:
                    failure = f"{method} {answer.status}" if answer.status >= 500 else ""
                    self._count(answer.status, failure)

    def _count(self, answered: int | None, dropped: str = "") -> None:
        with self._lock:
            if answered is not None:
                self.ledger.answers[answered] += 1
            if dropped:
                self.ledger.dropped[dropped] += 1


@contextmanager
def balanced(
    proxy: Proxy, folder: Path, **environment: str
) -> Iterator[tuple[int, Callable[[], None]]]:
    """Yield the port of a proxy before two servers, and what restarts the next one of them."""
    ports = [free_port(), free_port()]
    servers = {port: start(serve(port), port, **environment) for port in ports}

    def restart() -> None:
        port = ports[0]
        ports.reverse()
        servers[port].send_signal(signal.SIGTERM)
        servers[port].wait(60)
        servers[port] = start(serve(port), port, **environment)
        _until_ready(port)
        time.sleep(4)  # until the proxy has seen it too

    try:
        port = free_port()
        with running(proxy(port, list(ports), folder), port):
            for each in ports:
                _until_ready(each)
            time.sleep(4)
            yield port, restart
    finally:
        for server in servers.values():
            server.send_signal(signal.SIGINT)
            server.wait(60)


def _until_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with (
            suppress(OSError),
            closing(http.client.HTTPConnection("127.0.0.1", port, 60)) as client,
        ):
            client.request("GET", "/readyz")
            if client.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(f"{port} is not ready")
