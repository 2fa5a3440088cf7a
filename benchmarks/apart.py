"""A site apart, for a program of its own: importing this sets up Django, before any model.

Hence a name that sorts before those of modules with models. Its database is a PostgreSQL that runs
in `running`, on a port chosen before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import migrate, set_up
from benchmarks.servers import cluster, free_port

_PORT = free_port()
set_up(f"postgres://postgres@127.0.0.1:{_PORT}/postgres", log_level="ERROR")


@contextmanager
def running() -> Iterator[Path]:
    """Run the database, its tables made, in a folder that is gone afterwards."""
    with TemporaryDirectory(prefix="benchmarks-") as name, cluster(Path(name), port=_PORT):
        migrate()
        yield Path(name)
