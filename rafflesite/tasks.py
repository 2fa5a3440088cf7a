"""Tasks on the home page of the back office: what needs somebody, and where to do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from events.domain.due import missed_runs
from events.models import Event, Setback
from raffles.fairness.verify import time_of_round
from raffles.models import Announcement, Delivery, Draw, Endpoint, Raffle, State
from raffles.models.draw import LATE_AFTER
from raffles.models.raffle import UNDER_WAY
from raffles.web.formats import SHORT, grouped, shown

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
            yield Task(gettext("Draws stand still"), sentence)
    for setback in Setback.objects.select_related("raffle", "event").order_by("failed_at")[:SHOWN]:
        subject = setback.raffle or setback.event
        why = ngettext(
            "Failed %(count)s time, tried again by itself: %(error)s",
            "Failed %(count)s times, tried again by itself: %(error)s",
            setback.attempts,
        ) % {"count": setback.attempts, "error": setback.error}
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
        said = _("Waits for the beacon, round %(round)s at %(at)s")
        if is_late:
            said = _("Waits for the beacon, late: round %(round)s at %(at)s")
        at = shown(comes_at, SHORT, zone=raffle.zone())
        return said % {"round": raffle.waits_for, "at": at}, is_late
    if raffle.state in UNDER_WAY:
        return gettext("Closed, not drawn yet: the next run goes on"), False
    if raffle.closes_at is None:
        return gettext("Sold out: you can draw it"), True
    is_late = now > raffle.closes_at + LATE_AFTER
    said = _("Overdue since %(at)s") if is_late else _("Draws with the next run, due at %(at)s")
    return said % {"at": shown(raffle.closes_at, SHORT, zone=raffle.zone())}, is_late


def tasks_of_announcing() -> Iterator[Task]:
    """Yield failing and disabled endpoints, and the number of messages given up."""
    failing = Endpoint.objects.filter(
        Q(failing_since__isnull=False) | Q(is_enabled=False) & ~Q(disabled_because="")
    )
    for endpoint in failing.order_by("is_enabled", "failing_since")[:SHOWN]:
        why = _("Failing since %(at)s") % {"at": shown(endpoint.failing_since, SHORT)}
        if not endpoint.is_enabled:
            why = _("No longer notified: %(why)s") % {"why": endpoint.disabled_because}
        yield Task(str(endpoint), why, address_of(endpoint))
    if dead := Delivery.objects.filter(state=Delivery.State.DEAD).count():
        address = reverse("admin:raffles_delivery_changelist") + "?state__exact=dead"
        what = ngettext("%(count)s message given up", "%(count)s messages given up", dead)
        why = gettext("To be sent again once it can arrive.")
        yield Task(what % {"count": grouped(dead)}, why, address)


def address_of(row: Any) -> str:
    """Return the URL of the row in the admin."""
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
