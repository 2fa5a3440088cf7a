"""The first page of the back office: what needs somebody, what is coming, what was done.

Each panel is a fixed number of queries and shows a fixed number of rows, whatever there is; a panel
that the user may not see is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef, Q, Subquery
from django.urls import reverse

from events.domain.calendar import ComingDraw, coming_draws
from events.domain.watching import missed_runs
from events.models import ApiKey, Event, Heartbeat, Setback
from raffles.domain.counting import entries_by_day
from raffles.fairness.verify import time_of_round
from raffles.models import Act, Announcement, Delivery, Draw, Endpoint, Handover, Raffle, State
from raffles.models.draw import LATE_AFTER
from raffles.models.raffle import FINISHED, UNDER_WAY
from raffles.models.winner import Winner

SHOWN: Final = 6  # rows of a panel
DAYS: Final = 14  # of the chart
_SOON: Final = timedelta(days=3)  # a deadline that is worth a look
_LATELY: Final = timedelta(days=30)  # draws whose prizes somebody may still come for
_COUNTED: Final = 1_000  # prizes; more are "more than"

Staff = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Task:
    """Something that somebody should look at, in a sentence; ``address`` is where to do it."""

    what: str
    why: str
    address: str = ""
    is_urgent: bool = True


@dataclass(frozen=True, slots=True)
class Coming:
    """A draw to come."""

    name: str
    address: str
    at: datetime
    shown: str
    reward: str
    issued: int
    total: int


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A prize that is kept for somebody until ``at``."""

    prize: str
    raffle: str
    ticket_number: int
    address: str
    at: datetime
    shown: str
    is_over: bool
    is_soon: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """The entries of a day, and where its bar stands in a drawing of 280 by 80."""

    day: date
    entries: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps."""

    label: str
    why: str
    address: str
    is_done: bool


@dataclass(slots=True)
class Home:
    """What the page shows."""

    tasks: list[Task] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    starts: list[tuple[str, str]] = field(default_factory=list)
    coming: list[Coming] = field(default_factory=list)
    unclaimed: list[Unclaimed] = field(default_factory=list)
    undated: str = ""
    bars: list[Bar] = field(default_factory=list)
    entries: int = 0
    most: int = 0
    acts: list[Act] = field(default_factory=list)
    sees: frozenset[str] = frozenset()


def home(user: Staff, now: datetime) -> Home:
    """The page as ``user`` may see it."""
    shown = Home(sees=frozenset(name for name, may in _SEES.items() if user.has_perms(may)))
    shown.starts = _starts(user)
    if "draws" in shown.sees:
        shown.steps = _first_steps(user)
        shown.tasks += [*_runs(now), *_draws(now)]
        shown.coming = _coming(now)
        shown.bars = _bars(entries_by_day(now.date() - timedelta(days=DAYS - 1), now.date()))
        shown.entries = sum(bar.entries for bar in shown.bars)
        shown.most = max(bar.entries for bar in shown.bars)
    if "announcing" in shown.sees:
        shown.tasks += _announcing()
    if "prizes" in shown.sees:
        shown.unclaimed = _unclaimed(now)
        shown.undated = _undated(now)
    if "acts" in shown.sees:
        shown.acts = list(Act.objects.all()[:SHOWN])
    return shown


_SEES: Final = {
    "draws": ("events.view_event", "raffles.view_raffle"),
    "announcing": ("raffles.view_endpoint", "raffles.view_delivery"),
    "prizes": ("raffles.view_winner",),
    "acts": ("raffles.view_act",),
}
_STARTS: Final = (
    ("Schedule an event", "events.add_event", "admin:events_event_add"),
    ("Create a raffle", "raffles.add_raffle", "admin:raffles_raffle_add"),
)


def _starts(user: Staff) -> list[tuple[str, str]]:
    return [(label, reverse(name)) for label, may, name in _STARTS if user.has_perm(may)]


def _first_steps(user: Staff) -> list[Step]:
    """Until there is anything to draw; what the user may not do is not a step of theirs."""
    events, raffles = Event.objects.exists(), Raffle.objects.exists()
    if events or raffles:
        return []
    steps = (
        (
            *("Schedule an event", "A draw that recurs, each date with its reward."),
            *("events.add_event", "admin:events_event_add", events),
        ),
        (
            *("Create a raffle", "So many tickets, some prizes, one draw."),
            *("raffles.add_raffle", "admin:raffles_raffle_add", raffles),
        ),
        (
            *("Give partners a key", "A shop's server can then hand out tickets."),
            *("events.add_apikey", "admin:events_apikey_add", ApiKey.objects.exists()),
        ),
        (
            *("Say who is told", "Webhooks and mail, whenever something is drawn."),
            *("raffles.add_endpoint", "admin:raffles_endpoint_add", Endpoint.objects.exists()),
        ),
    )
    found = [
        Step(label, why, reverse(name), is_done)
        for label, why, may, name, is_done in steps
        if user.has_perm(may)
    ]
    ran = Heartbeat.objects.exists()
    return [*found, Step("Let draw_winners run", "Cron draws what is due, each minute.", "", ran)]


# --- What needs somebody -------------------------------------------------------------------


def _runs(now: datetime) -> Iterator[Task]:
    if Event.objects.exists() or Raffle.objects.exists():
        for sentence in missed_runs(now):
            yield Task("Draws stand still", sentence)
    for setback in Setback.objects.select_related("raffle", "event").order_by("failed_at")[:SHOWN]:
        subject = setback.raffle or setback.event
        why = f"Failed {setback.attempts} times, tried again by itself: {setback.error}"
        yield Task(str(subject), why, _address(subject))


def _draws(now: datetime) -> Iterator[Task]:
    """Draws that are due, under way or waiting for somebody; the latest of them last."""
    sold_out = Announcement.objects.filter(raffle=OuterRef("pk"), kind=Announcement.Kind.SOLD_OUT)
    waits_for = Draw.objects.live().filter(raffle=OuterRef("pk"), drawn_at=None)
    rows = Raffle.objects.filter(
        Q(state__in=UNDER_WAY)
        | Q(state=State.OPEN, closes_at__lte=now)
        | Q(Exists(sold_out), state=State.OPEN, closes_at=None)
    ).annotate(waits_for=Subquery(waits_for.values("round")))
    for raffle in rows.order_by("closes_at", "pk")[:SHOWN]:
        why, is_urgent = _state_of(raffle, now)
        yield Task(raffle.name, why, _address(raffle), is_urgent)


def _state_of(raffle: Any, now: datetime) -> tuple[str, bool]:
    """What is to be done about a raffle that is due, and whether it should have been by now."""
    if raffle.state == State.SEALED and raffle.waits_for:
        comes_at = datetime.fromtimestamp(time_of_round(raffle.waits_for), UTC)
        is_late = now > comes_at + LATE_AFTER
        late = "late: " if is_late else ""
        return f"Waits for the beacon, {late}round {raffle.waits_for} at {_time(comes_at)}", is_late
    if raffle.state in UNDER_WAY:
        return "Closed, not drawn yet: the next run goes on", False
    if raffle.closes_at is None:
        return "Sold out: you can draw it", True
    is_late = now > raffle.closes_at + LATE_AFTER
    late = "Overdue since" if is_late else "Draws with the next run, due at"
    return f"{late} {_time(raffle.closes_at)}", is_late


def _announcing() -> Iterator[Task]:
    failing = Endpoint.objects.filter(
        Q(failing_since__isnull=False) | Q(is_enabled=False) & ~Q(disabled_because="")
    )
    for endpoint in failing.order_by("is_enabled", "failing_since")[:SHOWN]:
        why = f"Failing since {_time(endpoint.failing_since)}" if endpoint.failing_since else ""
        if not endpoint.is_enabled:
            why = f"No longer told: {endpoint.disabled_because}"
        yield Task(str(endpoint), why, _address(endpoint))
    if dead := Delivery.objects.filter(state=Delivery.State.DEAD).count():
        address = reverse("admin:raffles_delivery_changelist") + "?state__exact=dead"
        what = "1 message was" if dead == 1 else f"{dead:,} messages were"
        yield Task(f"{what} given up", "Send them again once they can arrive.", address)


# --- What is coming ------------------------------------------------------------------------


def _coming(now: datetime) -> list[Coming]:
    """The next draw of each event and the raffles with a known time, soonest first."""
    draws = coming_draws(list(Event.objects.running()), now=now, each=1)
    planned = Raffle.objects.filter(series=None, closes_at__gt=now).exclude(state__in=FINISHED)
    raffles = planned.with_issued().prefetch_related("prizes").order_by("closes_at", "pk")
    found = [*map(_of_event, draws[:SHOWN]), *map(_of_raffle, raffles[:SHOWN])]
    return sorted(found, key=lambda draw: draw.at)[:SHOWN]


def _of_event(draw: ComingDraw) -> Coming:
    return Coming(
        name=draw.event.name,
        address=_address(draw.event),
        at=draw.draw_at,
        shown=f"{draw.local():%a %-d %b, %H:%M %Z}",
        reward=f"{draw.reward.reward_amount} × {draw.reward.reward_name}",
        issued=draw.participants(),
        total=draw.max_participants,
    )


def _of_raffle(raffle: Any) -> Coming:
    return Coming(
        name=raffle.name,
        address=_address(raffle),
        at=raffle.closes_at,
        shown=_time(raffle.closes_at),
        reward=", ".join(str(prize) for prize in list(raffle.prizes.all())[:2]),
        issued=raffle.issued,
        total=raffle.total_tickets,
    )


# --- What was won --------------------------------------------------------------------------


def _unclaimed(now: datetime) -> list[Unclaimed]:
    """Prizes that nobody has claimed and that have a deadline, the soonest first."""
    rows = Handover.objects.unclaimed()
    winners = (
        *("winner__raffle", "winner__prize", "winner__replacement"),
        "winner__replaces__prize",
    )
    return [
        Unclaimed(
            prize=str(getattr(row.winner.standing_prize(), "name", "")),
            raffle=row.winner.raffle.name,
            ticket_number=row.winner.ticket_number(),
            address=_address(row.winner),
            at=row.claim_until,
            shown=_time(row.claim_until),
            is_over=row.claim_until <= now,
            is_soon=row.claim_until <= now + _SOON,
        )
        for row in rows.select_related(*winners).order_by("claim_until", "pk")[:SHOWN]
        if row.claim_until
    ]


def _undated(now: datetime) -> str:
    """How many prizes of the last weeks nobody has claimed, and no deadline ever will."""
    lately = Draw.objects.filter(drawn_at__gte=now - _LATELY).values("raffle")
    count = Winner.objects.unclaimed().filter(raffle__in=lately)[: _COUNTED + 1].count()
    if count > _COUNTED:
        return f"more than {_COUNTED:,}"
    return f"{count:,}" if count else ""


def _bars(entries: dict[date, int]) -> list[Bar]:
    most = max(entries.values()) or 1
    width = 280 / len(entries)
    return [
        Bar(day, count, round(n * width + 1, 1), round(80 - height, 1), round(height, 1))
        for n, (day, count) in enumerate(entries.items())
        for height in [max(80 * count / most, 1.0 if count else 0.0)]
    ]


def _address(row: Any) -> str:
    """Where the row is shown in the admin."""
    opts = row._meta  # noqa: SLF001 - the way to its names
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])


def _time(moment: datetime | None) -> str:
    return f"{moment:%a %-d %b, %H:%M} UTC" if moment else ""
