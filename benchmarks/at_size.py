"""What does each endpoint, page and admin page cost on a site of size?

    python -m benchmarks.at_size [--tickets 10000000] [--winners 100000] [--raffles 10000]
        [--events 1000] [--statements 1000000] [--only TEXT] [--beyond] [--sql]

Fills a PostgreSQL of its own and asks for everything that the URL resolver knows, once to warm up
and once to measure; also for links by which a list is filtered, sorted or paged, each list's
search, and each parameter of the API's lists. Prints a line for each: status, milliseconds, those
of CPU (ours and the database's), queries, the megabytes by which the process grew, and the bytes
of the answer. An ! marks what is beyond the limit of its kind. What takes more than two seconds is
asked for once. --beyond prints these lines alone, --only those with a text in their name, --sql the
slowest query of the marked.

What would change anything is undone. A new route needs what stands for its placeholders (`Stands`),
a new method its body (`ACTS`): without them this ends with a KeyError.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction
from django.http.response import HttpResponseBase
from django.test import Client

from benchmarks.apart import running
from benchmarks.everything import Asked, everything, links
from benchmarks.harness import forget_peak, megabytes
from benchmarks.large_site import Site, Sizes, build


class Limit(NamedTuple):
    """Beyond what a request is marked: milliseconds of CPU, queries, megabytes of memory."""

    busy: float
    queries: int
    megabytes: float


LIMITS: Final = {
    "read": Limit(100, 20, 32),
    "admin": Limit(300, 40, 32),
    "act": Limit(300, 60, 32),
    "file": Limit(float("inf"), 1_000, 32),  # of any length: in pieces
}


class Cost(NamedTuple):
    """What a request took, and its answer."""

    response: HttpResponseBase
    milliseconds: float
    busy: float  # milliseconds of CPU, ours and the database's
    queries: list[tuple[float, str]]  # milliseconds and SQL
    grown: float  # megabytes
    content: bytes  # of a page; empty for a file
    size: int


# --- Asking -------------------------------------------------------------------------------

_callers = count(1)


class Asking:
    """The clients: staff for the admin and what managers do, anybody else for the rest."""

    def __init__(self) -> None:
        anybody = partial(Client, SERVER_NAME="127.0.0.1", raise_request_exception=False)
        self._staff, self._anybody = anybody(REMOTE_ADDR="192.0.2.1"), anybody()
        self._staff.force_login(get_user_model().objects.create_superuser("benchmark"))
        with connection.cursor() as cursor:  # or its helpers would do what nobody counts
            cursor.execute("SET max_parallel_workers_per_gather = 0")
            cursor.execute("SELECT pg_backend_pid()")
            self._backend = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")

    def __call__(self, asked: Asked) -> Cost:
        """Ask twice, or once for what takes long, and return what the last took."""
        cost = self._once(asked)
        return cost if cost.milliseconds > 2_000 else self._once(asked)

    def _busy(self) -> float:
        """Milliseconds of CPU so far, ours and the database's."""
        return time.process_time() * 1_000 + int(self._backend.read_text().split()[0]) / 1e6

    def _once(self, asked: Asked) -> Cost:
        queries: list[tuple[float, str]] = []

        def timed(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            began = time.perf_counter()
            try:
                return execute(sql, *rest)
            finally:
                queries.append(((time.perf_counter() - began) * 1_000, sql))

        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # else it would take what others have left
        with transaction.atomic() if asked.is_act else nullcontext():
            before, busy, began = forget_peak(), self._busy(), time.perf_counter()
            with connection.execute_wrapper(timed):
                response, content, size = self._answer(asked)
            milliseconds = (time.perf_counter() - began) * 1_000
            busy, grown = self._busy() - busy, megabytes("VmHWM") - before
            if asked.is_act:
                transaction.set_rollback(True)
        return Cost(response, milliseconds, busy, queries, grown, content, size)

    def _answer(self, asked: Asked) -> tuple[HttpResponseBase, bytes, int]:
        is_page = asked.path.startswith(("/admin/", "/r/", "/e/"))
        is_staffs = asked.path.startswith("/admin/") or asked.method != "GET"
        is_staffs = is_staffs or asked.path.startswith(("/exclusions/", "/metrics", "/ticket/up"))
        caller = next(_callers)
        # Each from an address of its own, so that nobody is throttled.
        where = {} if is_staffs else {"REMOTE_ADDR": f"11.0.{caller >> 8 & 255}.{caller & 255}"}
        client: Any = self._staff if is_staffs else self._anybody
        if asked.method == "GET":
            response = client.get(asked.path, **where)
        elif is_page:
            response = client.post(asked.path, asked.body, **where)
        else:
            send = getattr(client, asked.method.lower())
            response = send(asked.path, asked.body, content_type="application/json", **where)
        if response.streaming:
            return response, b"", sum(map(len, response.streaming_content))
        kind = response.headers.get("Content-Type", "")
        is_shown = kind.startswith("text/html")
        return response, response.content if is_shown else b"", len(response.content)


# --- Telling ------------------------------------------------------------------------------

HEADING: Final = f"{'':64}{'status':>7}{'ms':>11}{'CPU':>9}{'queries':>9}{'MB':>8}{'bytes':>13}"


def kind_of(asked: Asked, cost: Cost) -> str:
    headers = getattr(cost.response, "headers", {})
    if cost.response.streaming or "attachment" in headers.get("Content-Disposition", ""):
        return "file"
    if asked.is_act:
        return "act"
    return "admin" if asked.path.startswith("/admin/") else "read"


def line(asked: Asked, cost: Cost) -> tuple[str, bool]:
    """Return the line of a request, and whether it is beyond a limit."""
    limit = LIMITS[kind_of(asked, cost)]
    seen = Limit(cost.busy, len(cost.queries), cost.grown)
    marks = ["!" if one > most else " " for one, most in zip(seen, limit, strict=True)]
    marks.append("!" if cost.response.status_code >= 500 else " ")
    shown = (
        f"{asked.name:64}{cost.response.status_code:6}{marks[3]}{cost.milliseconds:10,.0f}"
        f"{seen.busy:9,.0f}{marks[0]}{seen.queries:8}{marks[1]}{seen.megabytes:7.1f}{marks[2]}"
        f"{cost.size:12,}"
    )
    return shown, "!" in marks


def ask_everything(site: Site, options: argparse.Namespace) -> None:
    """Print the table."""
    asking, beyond, lines = Asking(), 0, 0

    def show(asked: Asked, cost: Cost) -> None:
        nonlocal beyond, lines
        shown, is_beyond = line(asked, cost)
        lines, beyond = lines + 1, beyond + is_beyond
        if is_beyond or not options.beyond:
            print(shown, flush=True)
        if is_beyond and options.sql and cost.queries:
            slowest, sql = max(cost.queries)
            print(f"    {slowest:,.1f} ms of {sum(ms for ms, _ in cost.queries):,.1f}: {sql}")

    print(HEADING)
    for asked in everything(site):
        if options.only in asked.name:
            cost = asking(asked)
            show(asked, cost)
            for link in links(asked, cost.content):
                show(link, asking(link))
    print(f"{lines:,} requests, {beyond:,} beyond a limit")


def main() -> int:
    """Fill the database and ask."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, size in Sizes()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--only", default="")
    parser.add_argument("--beyond", action="store_true")
    parser.add_argument("--sql", action="store_true")
    options = parser.parse_args()
    with running():
        began = time.time()
        # In a process of its own: what a million statements need would hide what pages do.
        connections.close_all()
        with multiprocessing.get_context("fork").Pool(1) as apart:
            site = apart.apply(build, [Sizes(*(getattr(options, name) for name in Sizes._fields))])
        print(f"filled in {time.time() - began:,.0f} s")
        ask_everything(site, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
