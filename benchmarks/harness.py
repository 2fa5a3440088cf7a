"""What all benchmarks share: a PostgreSQL of their own, rounds, and figures that are judged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

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
Seen = TypeVar("Seen")
_PATIENCE = 60.0  # seconds for a server to start or stop


class Unavailable(Exception):
    """Something that a benchmark needs is not installed here."""


# --- Figures -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    """The bound that a ratio has to keep to."""

    side: Literal["<=", ">="]
    bound: float

    def __str__(self) -> str:
        return f"{self.side} {self.bound:.2f}"

    def holds(self, ratio: float) -> bool:
        return ratio <= self.bound if self.side == "<=" else ratio >= self.bound


@dataclass(frozen=True)
class Figure:
    """One measured ratio: the median of its rounds with the least and the largest.

    ``detail`` says in absolute terms what was seen; it means nothing on another machine.
    """

    name: str
    ratio: float
    low: float
    high: float
    goal: str
    holds: bool
    detail: str = ""

    @classmethod
    def of(cls, name: str, ratios: Sequence[float], goal: Goal, detail: str = "") -> Figure:
        """The figure of all rounds; what is judged is what is shown, three digits."""
        middle, low, high = (round(f(ratios), 3) for f in (median, min, max))
        return cls(name, middle, low, high, str(goal), goal.holds(middle), detail)

    def public(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "name": self.name,
            "ratio": self.ratio,
            "low": self.low,
            "high": self.high,
            "goal": self.goal,
            "holds": self.holds,
        }

    def line(self) -> str:
        """The row of the table."""
        spread = f"{self.low:.3f}-{self.high:.3f}"
        verdict = "yes" if self.holds else "NO"
        return f"{self.name:<24}{self.ratio:>8.3f}  {spread:<16}{self.goal:<9}{verdict:<6}" + (
            self.detail
        )


HEADING = f"{'name':<24}{'ratio':>8}  {'min-max':<16}{'goal':<9}{'holds':<6}seen in this run"


def emit(figure: Figure) -> None:
    """Hands a figure to whoever started this process."""
    print(json.dumps(figure.__dict__), flush=True)


# --- Rounds ------------------------------------------------------------------------------


def interleaved(
    first: Callable[[], Seen], second: Callable[[], Seen], rounds: int
) -> list[tuple[Seen, Seen]]:
    """What both measure in each round, one after the other, by turns the first to go.

    The machine's mood changes by the minute and hits both sides of a round alike.
    """
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            right, left = second(), first()
        else:
            left, right = first(), second()
        pairs.append((left, right))
    return pairs


def ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """First by second, a round each."""
    return [left / right for left, right in pairs]


def against(pairs: Sequence[tuple[float, float]], unit: str, digits: int = 0) -> str:
    """The medians of both sides in words."""
    first, second = (median(side) for side in zip(*pairs, strict=True))
    return f"{first:.{digits}f} {unit} against {second:.{digits}f} {unit}"


def timed(act: Callable[[], object]) -> float:
    """Seconds on the clock."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def cpu_timed(act: Callable[[], object]) -> float:
    """Seconds of CPU of this process."""
    started = time.process_time()
    act()
    return time.process_time() - started


# --- PostgreSQL --------------------------------------------------------------------------


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def cluster(folder: Path, *, slow_flush: bool = False) -> Iterator[str]:
    """A new, durable PostgreSQL in an empty ``folder``; yields the URL of its one database.

    With ``slow_flush`` every flush of its log takes two milliseconds more, like a disk behind a
    network. Raises Unavailable without PostgreSQL's programs, or without gcc for the slow flush.
    """
    binaries = programs()
    preloaded = {"LD_PRELOAD": str(_build_slow_flush(folder))} if slow_flush else {}
    account = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    home, port = folder / "pg", free_port()
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
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", home, *settings],
            user=account,
            env=os.environ | preloaded,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            wait_for_port(port, server)
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            stop(server, signal.SIGINT)


def programs() -> Path:
    """The folder of PostgreSQL's server programs: Debian keeps them off the path."""
    found = shutil.which("initdb")
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    if found is None and newest is None:
        raise Unavailable("PostgreSQL's initdb is not installed")
    return Path(found or str(newest)).resolve().parent


def _build_slow_flush(folder: Path) -> Path:
    if not shutil.which("gcc"):
        raise Unavailable("the slow flush is a small library, and gcc is not installed")
    source, library = folder / "slow_flush.c", folder / "slow_flush.so"
    source.write_text(_SLOW_FLUSH)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


# --- Processes ---------------------------------------------------------------------------


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Returns once ``server`` listens; raises RuntimeError when it ends or takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{server.args!r} does not listen on port {port}")


def stop(
    server: subprocess.Popen[bytes] | subprocess.Popen[str], how: signal.Signals = signal.SIGTERM
) -> None:
    """Ends a process that we started in a session of its own, and what it leaves behind there.

    A server that is stopped while it starts does not see to its workers.
    """
    server.send_signal(how)
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    with suppress(ProcessLookupError):  # nobody is left, as it should be
        os.killpg(server.pid, signal.SIGKILL)
