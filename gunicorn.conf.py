"""How gunicorn serves the site; started in this folder, it reads this file by itself.

Command-line options and WEB_CONCURRENCY (processes) take precedence.
"""

import multiprocessing
import os
import re
import sys
import time
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))
from rafflesite import draining


def _number(name: str, default: int, *, least: int = 0) -> float:
    """Return a number from the environment; end in one line where it is none."""
    text = os.environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) < least:
        sys.exit(f"{name} is {text!r}: set a number, {least} or more.")
    return float(text)


wsgi_app = "rafflesite.wsgi"
# Made before the workers are, who know each other by it and count together (rafflesite.counting).
multiprocessing.current_process()
workers = int(_number("WEB_CONCURRENCY", os.cpu_count() or 1, least=1))
worker_class = "gthread"
threads = 4  # each with a connection to the database

# Two spellings of a header must never be merged: a stranger's X_Forwarded_For is dropped. Whether a
# proxy is believed is up to the application (TRUSTED_PROXIES), not the server.
header_map = "drop"
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

keepalive = 130  # longer than proxies keep a connection, so that they are the ones to close it
graceful_timeout = 20
control_socket_disable = True  # it would be in the home directory of the user, who may have none

# From SIGTERM on /readyz answers 503, and everything else as ever, for this many seconds: whoever
# balances the load sees it and turns to other machines before this one refuses anything.
_DRAINS_FOR = _number("DRAIN_SECONDS", 5)


def when_ready(server: Any) -> None:
    """Drain before the master stops, unless it is told to at once (SIGINT, SIGQUIT)."""
    stop = server.stop

    def drain_and_stop(graceful: bool = True) -> None:
        if graceful and server.WORKERS:
            draining.begin()
            time.sleep(_DRAINS_FOR)
        stop(graceful)

    server.stop = drain_and_stop
