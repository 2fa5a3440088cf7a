"""Servers as in production, a PostgreSQL of our own, and processes that keep them busy."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from django.db import OperationalError, connections

from raffles.tests.serving import free_port, running

_TICKS = os.sysconf("SC_CLK_TCK")
_fork = multiprocessing.get_context("fork")


class Unavailable(Exception):
    """Something that a benchmark needs is not installed here."""


# --- The site ----------------------------------------------------------------------------


class Server(NamedTuple):
    """A running server and its workers."""

    port: int
    pid: int

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def cpu(self) -> float:
        """Return the seconds of CPU used so far, user and system."""
        spent = 0
        for pid in (self.pid, *self.workers()):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
        return spent / _TICKS


@contextmanager
def _python(module: str, options: str, port: int, environment: dict[str, str]) -> Iterator[Server]:
    command = [sys.executable, "-m", module, *options.split()]
    with running(command, port, **environment) as process:
        yield Server(port, process.pid)


def gunicorn(application: str, **environment: str) -> AbstractContextManager[Server]:
    """Serve a WSGI application with gunicorn.conf.py, by two processes of eight threads."""
    port = free_port()
    options = f"--bind 127.0.0.1:{port} --workers 2 --threads 8 {application}"
    return _python("gunicorn", options, port, environment)


def granian(application: str, port: int = 0, **environment: str) -> AbstractContextManager[Server]:
    """Serve an ASGI application by one process, as documented for the stream."""
    port = port or free_port()
    options = f"--interface asgi --port {port} --workers-kill-timeout 5 {application}"
    return _python("granian", f"--backpressure 16384 --backlog 16384 {options}", port, environment)


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
    "jit": "off",  # as in docs/install.md
    "wal_sync_method": "fdatasync",  # the call that the slow flush slows down
    "max_connections": "100",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",  # no checkpoint in the middle of a round
}


@contextmanager
def cluster(folder: Path, *, slow_flush: bool = False, port: int = 0) -> Iterator[str]:
    """Run a new, durable PostgreSQL in an empty ``folder``; yield the URL of its one database.

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
    with running(command, port, user=account, **preloaded):
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"


def programs() -> Path:
    """Return the folder of PostgreSQL's server programs: Debian keeps them off the path."""
    found = shutil.which("initdb")
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    if found is None and newest is None:
        raise Unavailable("PostgreSQL's initdb is not installed")
    return Path(found or str(newest)).resolve().parent


def require(program: str) -> None:
    """Raise Unavailable without that program."""
    if not shutil.which(program):
        raise Unavailable(f"{program} is not installed")


def _build_slow_flush(folder: Path) -> Path:
    require("gcc")
    source, library = folder / "slow_flush.c", folder / "slow_flush.so"
    source.write_text(_SLOW_FLUSH)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


# --- Processes at work -------------------------------------------------------------------

Act = Callable[[], object]


class Work(NamedTuple):
    """What a crew did: acts a second, how many there were, and how many found the database busy."""

    rate: float
    acts: int
    busy: int


@contextmanager
def crew(size: int) -> Iterator[Callable[[Act, float], Work]]:
    """Provide so many forked processes that repeat an act at once for so many seconds."""
    connections.close_all()  # a connection must not be shared
    with _fork.Pool(size) as workers:

        def work(act: Act, seconds: float) -> Work:
            # Each takes one: nobody is done before the last has begun.
            done = workers.map(partial(_repeat, act), [seconds] * size, chunksize=1)
            rates, acts, busy = zip(*done, strict=True)
            return Work(sum(rates), sum(acts), sum(busy))

        yield work


def _repeat(act: Act, seconds: float) -> Work:
    done = busy = 0
    started = now = time.perf_counter()
    while now - started < seconds:
        try:
            act()
        except OperationalError:
            busy += 1
        done += 1
        now = time.perf_counter()
    return Work(done / (now - started), done, busy)


# --- Taking part over HTTP ---------------------------------------------------------------

_callers = _fork.Value("I")  # counted by all processes together


def enter(port: int, path: str) -> None:
    """POST without a body, as a trusted proxy for one more address in 10.0.0.0/8.

    Each process keeps one connection alive. Raises RuntimeError for any answer but 201: a refusal
    would be fast and worth nothing.
    """
    with _callers.get_lock():
        _callers.value += 1
        caller = _callers.value
    address = f"10.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}"
    line = _connection(port)
    line.request("POST", path, headers={"X-Forwarded-For": address})
    answer = line.getresponse()
    body = answer.read()
    if answer.status != 201:
        raise RuntimeError(f"refused: {answer.status} {body[:600]!r}")


@cache
def _connection(port: int) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, timeout=30)
