"""A site of its own for a campaign: importing this sets up Django, before any model is imported.

Hence a name that sorts before those of modules with models. `running` starts its PostgreSQL;
`--sqlite` on the command line puts a file in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connections

from benchmarks.harness import migrate, set_up
from benchmarks.servers import cluster
from raffles.tests.serving import free_port

_FOLDER = TemporaryDirectory(prefix="benchmarks-")
_PORT = free_port()
_IS_SQLITE = "--sqlite" in sys.argv
_POSTGRESQL = f"postgres://postgres@127.0.0.1:{_PORT}/postgres"
set_up(f"sqlite:///{_FOLDER.name}/db" if _IS_SQLITE else _POSTGRESQL, log_level="ERROR")


@contextmanager
def running() -> Iterator[Path]:
    """Run the database, its tables made, in a folder that is gone afterwards."""
    folder = Path(_FOLDER.name)
    with _FOLDER, nullcontext() if _IS_SQLITE else cluster(folder, port=_PORT):
        try:
            migrate()
            yield folder
        finally:
            connections.close_all()  # PostgreSQL waits for them
