"""Servers are restarted one after the other under load: does a client notice?

    python -m benchmarks.restarts [--proxy haproxy|nginx] [--restarts 20] [--clients 8] [--drain 5]

Two servers as documented stand behind the proxy as documented. Each in turn is asked to stop
(SIGTERM) and started again, while clients that keep their connections take part and read. Prints
the answers by status and what was dropped, and exits 1 when anything was. All servers are its own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from django.conf import settings

from benchmarks.apart import running
from benchmarks.inside import new_raffle
from benchmarks.servers import require
from raffles.tests.serving import database_url
from rafflesite.tests.restarting import Clients, Ledger, balanced, haproxy, nginx

_PROXIES = {"haproxy": haproxy, "nginx": nginx}


def main() -> int:
    """Start the database and say what was dropped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--proxy", choices=_PROXIES, default="haproxy")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--drain", type=float, default=5, help="DRAIN_SECONDS")
    options = parser.parse_args()
    require(options.proxy)
    with running() as folder:
        ledger = restart_all_along(
            options.proxy, options.restarts, options.clients, options.drain, folder
        )
    print(f"answers {dict(ledger.answers)}, dropped {dict(ledger.dropped)}")
    return 1 if ledger.dropped else 0


def restart_all_along(
    proxy: str, restarts: int, clients: int, drain: float, folder: Path
) -> Ledger:
    """Restart so many times; return what the clients saw."""
    raffle = new_raffle()
    environment = {
        "DATABASE_URL": database_url(),
        "DEBUG": "on",
        "TRUSTED_PROXIES": "127.0.0.1",
        "TICKET_KEY": settings.TICKET_KEYS[0].hex(),
        "RECEIPT_KEY": settings.RECEIPT_SEEDS[0].hex(),
        "DRAIN_SECONDS": str(drain),
        "STATE_DIR": str(folder / "state"),
        "THROTTLE_ENTRY": "",
    }
    with (
        balanced(_PROXIES[proxy], folder, **environment) as (port, restart),
        Clients(port, raffle.uuid, clients) as calling,
    ):
        for count in range(1, restarts + 1):
            restart()
            dropped = dict(calling.ledger.dropped)
            print(f"{count} restarts, {calling.ledger.answers.total()} answers, dropped {dropped}")
            sys.stdout.flush()
    return calling.ledger


if __name__ == "__main__":
    sys.exit(main())
