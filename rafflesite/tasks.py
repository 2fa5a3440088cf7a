"""Tasks on the home page of the back office: what needs somebody, and where to do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, Subquery
from django.urls import reverse

from events.domain.due import missed_runs
from events.models import Event, Setback
from raffles.fairness.verify import time_of_round
from raffles.models import Announcement, Delivery, Draw, Endpoint, Raffle, State
from raffles.models.draw import LATE_AFTER
from raffles.models.raffle import UNDER_WAY
from raffles.web.formats import SHORT, shown

SHOWN: Final = 6  # of each kind


@dataclass(frozen=True, slots=True)
class Task:
    """Something that somebody should look at, in a sentence; `address` is where to act."""

    what: str
    why: str
    address: str = ""
    is_urgent: bool = True


def tasks_of_draws(now: datetime) -> Iterator[Task]:
    """Yield stalled runs, failures, and draws that are due or wait for somebody."""
    yield from _runs(now)
    yield from _draws(now)


def _runs(now: datetime) -> Iterator[Task]:
    if Event.objects.exists() or Raffle.objects.exists():
        for sentence in missed_runs(now):
            yield Task("Draws stand still", sentence)
    for setback in Setback.objects.select_related("raffle", "event").order_by("failed_at")[:SHOWN]:
        subject = setback.raffle or setback.event
        why = f"Failed {setback.attempts} times, tried again by itself: {setback.error}"
        yield Task(str(subject), why, address_of(subject))


def _draws(now: datetime) -> Iterator[Task]:
    """Yield draws that are due, under way or waiting for somebody, earliest closing time first."""
    sold_out = Announcement.objects.filter(raffle=OuterRef("pk"), kind=Announcement.Kind.SOLD_OUT)
    waits_for = Draw.objects.waiting().filter(raffle=OuterRef("pk"))
    rows = Raffle.objects.filter(
        Q(state__in=UNDER_WAY)
        | Q(state=State.OPEN, closes_at__lte=now)
        | Q(Exists(sold_out), state=State.OPEN, closes_at=None)
    ).annotate(waits_for=Subquery(waits_for.values("round")))
    for raffle in rows.order_by("closes_at", "pk")[:SHOWN]:
        why, is_urgent = _state_of(raffle, now)
        yield Task(raffle.name, why, address_of(raffle), is_urgent)


def _state_of(raffle: Any, now: datetime) -> tuple[str, bool]:
    """Return a sentence on a raffle that is due, and whether it is urgent."""
    if raffle.state == State.SEALED and raffle.waits_for:
        comes_at = datetime.fromtimestamp(time_of_round(raffle.waits_for), UTC)
        is_late = now > comes_at + LATE_AFTER
        late = "late: " if is_late else ""
        beacon = f"{late}round {raffle.waits_for} at {shown(comes_at, SHORT, zone=raffle.zone())}"
        return f"Waits for the beacon, {beacon}", is_late
    if raffle.state in UNDER_WAY:
        return "Closed, not drawn yet: the next run goes on", False
    if raffle.closes_at is None:
        return "Sold out: you can draw it", True
    is_late = now > raffle.closes_at + LATE_AFTER
    late = "Overdue since" if is_late else "Draws with the next run, due at"
    return f"{late} {shown(raffle.closes_at, SHORT, zone=raffle.zone())}", is_late


def tasks_of_announcing() -> Iterator[Task]:
    """Yield failing and disabled endpoints, and the number of messages given up."""
    failing = Endpoint.objects.filter(
        Q(failing_since__isnull=False) | Q(is_enabled=False) & ~Q(disabled_because="")
    )
    for endpoint in failing.order_by("is_enabled", "failing_since")[:SHOWN]:
        why = f"Failing since {shown(endpoint.failing_since, SHORT)}"
        if not endpoint.is_enabled:
            why = f"No longer notified: {endpoint.disabled_because}"
        yield Task(str(endpoint), why, address_of(endpoint))
    if dead := Delivery.objects.filter(state=Delivery.State.DEAD).count():
        address = reverse("admin:raffles_delivery_changelist") + "?state__exact=dead"
        what = "1 message" if dead == 1 else f"{dead:,} messages"
        yield Task(f"{what} given up", "To be sent again once it can arrive.", address)


def address_of(row: Any) -> str:
    """Return the URL of the row in the admin."""
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
