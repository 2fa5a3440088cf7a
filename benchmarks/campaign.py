"""Clients and the database are killed for as long as it takes: is anything lost, or done twice?

    python -m benchmarks.campaign [--claims 1000000] [--kills 500] [--crashes 20] [--rounds 1000]

Client processes take every ticket of a raffle and keep a ledger of what they were told, while they
are killed (SIGKILL) and a PostgreSQL started for it crashes (`pg_ctl -m immediate`) and recovers.
Then sixteen runners draw one due raffle after another, all at once. Prints what happened and what
was wrong, and exits 1 when anything was. The moments are fixed by a seed; figures of time are not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command

from benchmarks.harness import cluster, programs


def main() -> int:
    """Starts the database, runs both parts, and says how many things were wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--crashes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1_000)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="campaign-") as name, running(Path(name)) as database:
        os.environ["DATABASE_URL"] = database.url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
        django.setup()
        call_command("migrate", verbosity=0)
        # It imports models, which exist only now.
        surviving = import_module("benchmarks.surviving")
        wrong = surviving.take_every_ticket(
            options.claims,
            kills=options.kills,
            crashes=options.crashes,
            crash=database.crash,
            folder=Path(name),
        )
        wrong += surviving.draw_all_at_once(options.rounds)
        return 1 if wrong else 0


class Database:
    """A PostgreSQL of our own, which may crash."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self._home = home

    def crash(self) -> None:
        """Ends it without a checkpoint, and returns once it has recovered."""
        self.control("restart", "-m", "immediate", "-l", str(self._home / "recovered.log"))

    def control(self, *words: str) -> None:
        """One command of pg_ctl, carried out."""
        subprocess.run(
            [programs() / "pg_ctl", "-D", self._home, "-w", *words],
            check=True,
            user=self._home.owner(),
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def running(folder: Path) -> Iterator[Database]:
    """A durable database in ``folder``, stopped at the end whoever started it last."""
    folder.chmod(0o755)  # it runs under another account
    with cluster(folder) as url:
        database = Database(url, folder / "pg")
        try:
            yield database
        finally:
            database.control("stop", "-m", "fast")


if __name__ == "__main__":
    sys.exit(main())
