"""What each process counts, for `/metrics`: requests, entries, refusals, listeners.

No label holds what a stranger chose: routes stand for paths, and there is a fixed number of each.
Whether processes count together is decided before this is imported (`rafflesite.counting`).
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

# A series more for each, which processes that count together lack.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY: Final = CollectorRegistry()
_REQUESTS: Final = Histogram(
    "raffles_request_seconds",
    "Requests by route, from the first middleware to the first byte of the answer.",
    ("route", "method", "status"),
    registry=REGISTRY,
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_ENTRIES: Final = Counter(
    "raffles_entries", "Tickets handed out, by the raffle's way in.", ("way",), registry=REGISTRY
)
_REFUSALS: Final = Counter(
    "raffles_refusals", "Refusals by the API and on pages, by code.", ("code",), registry=REGISTRY
)
LISTENERS: Final = Gauge(
    "raffles_stream_listeners",
    "Clients of the live stream now.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# To find one by its labels takes longer than to count.
_requests: dict[tuple[str | None, str, int], Histogram] = {}
_entries: dict[str, Counter] = {}


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count a request that was answered; files and unknown paths have no route."""
    match = request.resolver_match
    route = match.route if match else None
    method = request.method or ""
    if method not in _METHODS:
        method = "other"
    counted = _requests.get((route, method, status))
    if counted is None:
        named = "none" if route is None else f"/{route}"
        counted = _requests[route, method, status] = _REQUESTS.labels(named, method, status)
    counted.observe(seconds)


def count_entries(way: str, tickets: int = 1) -> None:
    """Count tickets that a raffle of that way in has handed out."""
    counted = _entries.get(way)
    if counted is None:
        counted = _entries[way] = _ENTRIES.labels(way)
    counted.inc(tickets)


def count_refusal(code: str) -> None:
    """Count a refusal that somebody was answered."""
    _REFUSALS.labels(code).inc()
