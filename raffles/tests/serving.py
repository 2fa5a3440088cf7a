"""Processes of the site and its neighbours, for tests and benchmarks."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from django.db import connection

SITE = Path(__file__).resolve().parents[2]
_OF_TESTS = {"DJANGO_ALLOW_ASYNC_UNSAFE"}  # of browsers' own: no server starts with it


def free_port() -> int:
    """Return a port that nobody listens on, and that no client is given meanwhile."""
    while True:
        port = random.randrange(10_000, 32_768)  # Linux gives its clients those above
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def in_the_clear(config: str, bind: str) -> str:
    """Return a proxy's file of deploy/ with one address to listen at, and no certificate."""
    ports = re.compile(r"^( +(?:listen|bind)) (\S*?\b(?:443|80)\b)[^;\n]*(;?).*\n", re.MULTILINE)
    config = ports.sub(rf"\1 {bind}\3\n", config, count=1)
    config = ports.sub("", config)
    return re.sub(r"^ +ssl_certificate.*\n", "", config, flags=re.MULTILINE)


def database_url() -> str:
    """The database of this test."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    account = f"{facts['USER']}:{facts['PASSWORD']}" if facts["PASSWORD"] else facts["USER"]
    return f"postgres://{account}@{facts['HOST']}:{facts['PORT'] or 5432}/{facts['NAME']}"


def start(
    command: list[str], port: int, *, user: str | None = None, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a process and wait until it listens on `port`.

    Raises RuntimeError, with what it said, when it does not come up within a minute.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=SITE,
            env={name: os.environ[name] for name in os.environ.keys() - _OF_TESTS} | environment,
            stdout=said,
            stderr=said,
            user=user,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            _wait_for(process, port, said)
        except BaseException:
            process.kill()
            process.wait()
            raise
    return process


@contextmanager
def running(
    command: list[str], port: int, *, user: str | None = None, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that listens on `port`; end it, unless it was killed, and its workers."""
    process = start(command, port, user=user, **environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            # One that is stopped while it starts does not see to its workers.
            with suppress(ProcessLookupError):  # nobody is left, as it should be
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, said: IO[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    said.seek(0)
    raise RuntimeError(f"{process.args!r} does not listen on {port}: {said.read().decode()}")
