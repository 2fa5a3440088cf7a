"""A site of its own for a campaign: importing this sets up Django, before any model is imported.

Hence a name that sorts before those of modules with models. `running` starts its PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connections

from benchmarks.harness import migrate, set_up
from benchmarks.servers import cluster
from raffles.tests.serving import free_port

_PORT = free_port()
set_up(f"postgres://postgres@127.0.0.1:{_PORT}/postgres", log_level="ERROR")


@contextmanager
def running() -> Iterator[Path]:
    """Run the database, its tables made, in a folder that is gone afterwards."""
    with TemporaryDirectory(prefix="benchmarks-") as name, cluster(Path(name), port=_PORT):
        try:
            migrate()
            yield Path(name)
        finally:
            connections.close_all()  # PostgreSQL waits for them
