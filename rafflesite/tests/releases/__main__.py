"""Write what a release leaves behind, once, when it is made.

    python -m rafflesite.tests.releases sqlite
    python -m rafflesite.tests.releases postgres://postgres@127.0.0.1/empty

makes a database with 100,000 tickets in raffles that are drawn, sealed, open and void, and an event
with a date that is drawn and one that takes tickets, and writes it beside this file, named after
the version. What comes from the system's generator is another each time; all else is the same.
"""

from __future__ import annotations

import lzma
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from django.conf import settings

from rafflesite.tests.releases import ENVIRONMENT, HERE

_FILL = "from rafflesite.tests.releases.filling import fill; fill()"


def main(where: str) -> None:
    """Fill `sqlite`, or the empty database at that URL, and write its dump."""
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "database"
        url = f"sqlite:///{file}" if where == "sqlite" else where
        subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", _FILL],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": url, "STATE_DIR": f"{folder}/state"},
            check=True,
        )
        if where == "sqlite":
            kind = "sqlite"
            with closing(sqlite3.connect(file)) as database:
                dump = "\n".join(database.iterdump()).encode()
        else:
            kind = "postgresql"
            dump = subprocess.run(
                ["pg_dump", "--format=custom", "--compress=0", "--no-owner", "--no-acl", url],
                check=True,
                capture_output=True,
            ).stdout
    written = HERE / f"{settings.VERSION}.{kind}.xz"
    written.write_bytes(lzma.compress(dump, preset=9 | lzma.PRESET_EXTREME))
    print(f"{written.name}: {written.stat().st_size:,} bytes of {len(dump):,}")


if __name__ == "__main__":
    main(sys.argv[1])
