"""Servers of our own, PostgreSQL among them, and a client that costs little."""

from __future__ import annotations

import itertools
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

from benchmarks.harness import Unavailable

_PATIENCE = 60.0  # seconds for a server to start or stop
_TICKS = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """A running server and its workers."""

    port: int
    pid: int

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def cpu(self) -> float:
        """Return the seconds of CPU used so far, the system's work for it too."""
        spent = 0
        for pid in (self.pid, *self.workers()):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
        return spent / _TICKS


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def server(
    command: Sequence[str],
    port: int,
    *,
    user: str | None = None,
    how: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server that listens on `port`; its output goes to a file, as in life.

    Ends it at last by the signal `how`, with all that it leaves behind: one that is stopped
    while it starts does not see to its workers. Raises RuntimeError when it does not come up.
    """
    with TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            user=user,
            env=os.environ | (environment or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _is_listening(port):
                if time.monotonic() > deadline or process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f"{command}: {log.read()[-2_000:].decode()}")
                time.sleep(0.05)
            yield Server(port, process.pid)
        finally:
            process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            with suppress(ProcessLookupError):  # nobody is left, as it should be
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- What is served ----------------------------------------------------------------------


def gunicorn(application: str, **environment: str) -> AbstractContextManager[Server]:
    """Serve a WSGI application as production does: two processes of eight threads."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--workers", "2", "--threads", "8"]
    command += ["--http-parser", "fast", "--keep-alive", "30", "--no-control-socket"]
    return server([*command, application], port, environment=environment)


def granian(application: str, port: int = 0, **environment: str) -> AbstractContextManager[Server]:
    """Serve an ASGI application as production does."""
    port = port or free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port)]
    command += ["--workers-kill-timeout", "5", "--backpressure", "16384", "--backlog", "16384"]
    return server([*command, application], port, environment=environment)


@contextmanager
def redis() -> Iterator[Server]:
    """Run a Redis."""
    require("redis-server")
    port = free_port()
    with TemporaryDirectory(prefix="benchmarks-") as folder:
        command = ["redis-server", "--port", str(port), "--save", "", "--dir", folder]
        with server([*command, "--bind", "127.0.0.1"], port) as running:
            yield running


def require(program: str) -> None:
    """Raise Unavailable without that program."""
    if not shutil.which(program):
        raise Unavailable(f"{program} is not installed")


# --- PostgreSQL --------------------------------------------------------------------------

_SLOW_FLUSH = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int fdatasync(int fd) {
    int (*flush)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    usleep(2000);
    return flush(fd);
}
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_sync_method": "fdatasync",  # the call that the slow flush slows down
    "max_connections": "100",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",  # no checkpoint in the middle of a round
}


@contextmanager
def cluster(folder: Path, *, slow_flush: bool = False, port: int = 0) -> Iterator[str]:
    """Run a new, durable PostgreSQL in an empty `folder`; yields the URL of its one database.

    With `slow_flush` every flush of its log takes two milliseconds more, like a disk behind a
    network. Raises Unavailable without PostgreSQL's programs, or without gcc for the slow flush.
    """
    binaries = programs()
    preloaded = {"LD_PRELOAD": str(_build_slow_flush(folder))} if slow_flush else {}
    account = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    folder.chmod(0o755)
    home, port = folder / "pg", port or free_port()
    home.mkdir()
    if account:
        shutil.chown(home, account)
    subprocess.run(
        [binaries / "initdb", "-D", home, "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True,
        user=account,
        stdout=subprocess.DEVNULL,
    )
    options = _SETTINGS | {"port": str(port), "unix_socket_directories": str(home)}
    settings = [f"--{name}={value}" for name, value in options.items()]
    command = [str(binaries / "postgres"), "-D", str(home), *settings]
    with server(command, port, user=account, how=signal.SIGINT, environment=preloaded):
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"


def programs() -> Path:
    """Return the folder of PostgreSQL's server programs: Debian keeps them off the path."""
    found = shutil.which("initdb")
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    if found is None and newest is None:
        raise Unavailable("PostgreSQL's initdb is not installed")
    return Path(found or str(newest)).resolve().parent


def _build_slow_flush(folder: Path) -> Path:
    require("gcc")
    source, library = folder / "slow_flush.c", folder / "slow_flush.so"
    source.write_text(_SLOW_FLUSH)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


# --- Clients -----------------------------------------------------------------------------

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_callers = itertools.count(1)


class Load(NamedTuple):
    """What came of a load: answers a second, and the server's CPU for each in milliseconds."""

    rate: float
    cpu: float


class Client:
    """A keep-alive connection that takes part, from another address each time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = b""

    def send(self, path: str) -> None:
        """POST without a body, as a trusted proxy for somebody in 10.0.0.0/8."""
        caller = next(_callers)
        address = f"10.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}"
        self._answer = b""
        self.socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: {address}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )

    def is_answered(self) -> bool:
        """Read what is there; say whether the answer is complete.

        Raises RuntimeError for any but 201: a refusal would be fast and worth nothing.
        """
        chunk = self.socket.recv(65_536)
        self._answer += chunk
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not chunk or (end and not head.startswith(b"HTTP/1.1 201")):
            raise RuntimeError(f"refused: {self._answer[:600]!r}")
        # Without a length, as Django leaves it when no middleware adds one, it comes in chunks.
        if length := _LENGTH.search(head):
            return len(body) >= int(length[1])
        return body.endswith(_LAST_CHUNK)

    def ask(self, path: str) -> None:
        """Send one request and wait for its answer."""
        self.send(path)
        while not self.is_answered():
            pass


def load(served: Server, path: str, *, seconds: float, connections: int = 16) -> Load:
    """Keep every connection busy for so many seconds, each with one request after the other."""
    with selectors.DefaultSelector() as selector:
        clients = [Client(served.port) for _ in range(connections)]
        cpu, started = served.cpu(), time.perf_counter()
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(path)
        answered, waiting = 0, len(clients)
        while waiting:
            for key, _ in selector.select():
                if not key.data.is_answered():
                    continue
                answered += 1
                if time.perf_counter() - started < seconds:
                    key.data.send(path)
                else:
                    waiting -= 1
        elapsed, spent = time.perf_counter() - started, served.cpu() - cpu
        for client in clients:
            client.socket.close()
    return Load(answered / elapsed, spent / answered * 1000)
