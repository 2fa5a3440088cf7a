"""A thousand listeners come and go while Redis fails and their server restarts: is anything lost?

    python -m benchmarks.listeners [--clients 1000] [--reconnects 10] [--seconds 40]

Four processes announce, take their time before they commit, and sometimes roll back; what they
committed is their ledger. Listeners of one ASGI process hang up and come back, and keep theirs.
Meanwhile Redis is stopped (SIGSTOP), killed and emptied, and in the middle the ASGI process is
asked to stop (SIGTERM) and started again. Prints what went missing, came twice or out of order, and
exits 1 when anything did. All servers are its own.

With --without-lock numbers are not taken under the counter's lock: then something has to be lost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command

from benchmarks.__main__ import environment
from benchmarks.harness import Unavailable, cluster, free_port


def main() -> int:
    """Starts the database and says how many things were wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--reconnects", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=40, help="how long it is announced")
    parser.add_argument("--without-lock", action="store_true", help="the negative control")
    options = parser.parse_args()
    if not shutil.which("redis-server"):
        raise Unavailable("redis-server is not installed")
    with TemporaryDirectory(prefix="listeners-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the cluster runs under another account
        with cluster(folder) as url:
            os.environ.update(environment(url), LOG_LEVEL="ERROR")
            os.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
            django.setup()
            call_command("migrate", verbosity=0)
            # It imports models, which exist only now.
            returning = import_module("benchmarks.returning")
            wrong = returning.listen_through_trouble(
                options.clients,
                reconnects=options.reconnects,
                seconds=options.seconds,
                is_locked=not options.without_lock,
                folder=folder,
            )
    return 1 if any(wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
