"""`/metrics`, for Prometheus: what this server's processes counted, and how the draws are going.

The latter is read from the database by the functions that `/readyz` and `check_draws` ask, in a
fixed number of queries. It is the same whichever server is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from events.domain import due
from raffles.domain import log as statements
from raffles.domain.clock import database_time
from raffles.domain.witnesses.ours.named import disagreeing, lacking
from raffles.models import RunLease
from raffles.notifications import outbox
from raffles.web.callers import ManagerOnly, caller_of
from raffles.web.metrics import REGISTRY
from raffles.web.outages import is_outage
from raffles.web.problems import problem, wish_for
from rafflesite.counting import counted_in
from rafflesite.health import counted_warnings

logger = logging.getLogger(__name__)
NEVER: Final = float("inf")
_OPEN: Final = "application/openmetrics-text"


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the metrics to managers, and to whoever sends METRICS_TOKEN.

    With the token neither address nor host mean anything: whoever scrapes reaches each machine by
    its own, or from where the proxy is, which is no manager.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if not _is_ours(token.strip()):
            wanted = {"WWW-Authenticate": "Bearer"}
            return problem(401, "bad_token", "This token is not METRICS_TOKEN.", headers=wanted)
    else:
        request.get_host()  # or a page under another name would read them in a manager's browser
        if not caller_of(request).is_manager:
            return problem(403, ManagerOnly.code, "Only managers may, or METRICS_TOKEN.")
    registry = CollectorRegistry()
    if folder := counted_in():
        MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(State())
    encode, content_type = _encoder(request)
    return HttpResponse(encode(registry), content_type=content_type)


def _is_ours(token: str) -> bool:
    ours: str = settings.METRICS_TOKEN
    return bool(ours) and compare_digest(token.encode(), ours.encode())


def _encoder(request: HttpRequest) -> tuple[Callable[[Collector], bytes], str]:
    """Return how to write them: as OpenMetrics for whoever likes that no less than plain text.

    Of both there is one version, whichever is asked for.
    """
    as_open, plain = wish_for(request, _OPEN) or 0, wish_for(request, "text/plain")
    return choose_encoder(_OPEN if plain == 0 or 0 < as_open >= (plain or 0) else "")


class State(Collector):
    """How the draws are going, read when it is asked for.

    Without the database there is `raffles_database_up`, 0, and nothing else.
    """

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(_read(database_time()))
        except Exception as error:  # what was counted is told all the same
            if is_outage(error):
                logger.warning("No state for the metrics: %s", error)
            else:
                logger.exception("No state for the metrics")
            found = []
        yield GaugeMetricFamily(
            "raffles_database_up", "Whether the database told its state.", value=bool(found)
        )
        yield from found


def _read(now: datetime) -> Iterator[Metric]:
    yield from _draws(now)
    yield from _announcements(now)
    yield from _witnesses(now)
    warnings = GaugeMetricFamily(
        "raffles_warnings", "Warnings of /readyz and check_draws.", labels=("of",)
    )
    for of, count in counted_warnings().items():
        warnings.add_metric((of,), count)
    yield warnings


def _draws(now: datetime) -> Iterator[Metric]:
    oldest = due.overdue_draws(now, after=timedelta(0)).first()
    waiting = due.waiting_for_beacon()
    first = waiting.first()
    awaited = first.draws_at() if first else None
    yield _gauge(
        "raffles_run_age_seconds",
        "Since a whole run of draw_winners finished, on any machine; +Inf: never.",
        _age(due.last_run(), now, without=NEVER),
    )
    yield _gauge(
        "raffles_draw_lag_seconds",
        "For how long the oldest draw has been due; 0: none is.",
        _age(oldest.closes_at if oldest else None, now),
    )
    yield _gauge(
        "raffles_overdue_draws",
        "Draws that wait for a run for longer than a late one may.",
        due.overdue_draws(now).count(),
    )
    yield _gauge(
        "raffles_waiting_for_beacon", "Draws sealed for a round of the beacon.", waiting.count()
    )
    yield _gauge(
        "raffles_beacon_lag_seconds",
        "For how long the earliest round that a draw waits for has been public; 0: it is not.",
        max(now.timestamp() - awaited, 0) if awaited else 0,
    )
    yield _gauge(
        "raffles_busy_too_long",
        "Raffles that a run has been at for too long.",
        RunLease.objects.overdue(now).count(),
    )


def _announcements(now: datetime) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "raffles_statements", "Statements of the operator's log.", value=statements.size()
    )
    yield _gauge(
        "raffles_undelivered",
        "Messages that are still to be sent.",
        outbox.undelivered().count(),
    )
    yield _gauge(
        "raffles_undelivered_seconds",
        "For how long the oldest announcement waits that somebody has yet to get; 0: none does.",
        _age(outbox.undelivered_since(), now),
    )
    yield _gauge("raffles_given_up", "Messages given up, for the staff.", outbox.given_up().count())
    if watched := outbox.watched_at():
        yield _gauge(
            "raffles_worker_age_seconds",
            "Since a deliver_announcements --watch looked for messages, on any machine.",
            _age(watched, now),
        )


def _witnesses(now: datetime) -> Iterator[Metric]:
    yield _gauge(
        "raffles_witnesses_missing",
        "Witnesses who have yet to answer for a seal that waits for its round.",
        len(lacking(now)),
    )
    yield _gauge(
        "raffles_witnesses_disagreeing",
        "Witnesses who have signed what our log does not have.",
        len(disagreeing()),
    )


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)


def _age(since: datetime | None, now: datetime, *, without: float = 0) -> float:
    """Return how many seconds ago that was, not below 0: clocks differ a little."""
    return without if since is None else max((now - since).total_seconds(), 0)
