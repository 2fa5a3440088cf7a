"""The home page of the back office: what needs somebody, what is coming, what was done.

Each panel takes a fixed number of queries and shows a limited number of rows, whatever there is; a
panel that the user may not see is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from events.domain.calendar import ComingDraw, coming_draws
from events.models import Event, Heartbeat
from raffles.domain.statistics import entries_by_day
from raffles.models import Draw, Handover, LogEntry, Raffle, Ticket
from raffles.models.raffle import FINISHED
from raffles.models.record import subject_of
from raffles.models.winner import Winner
from raffles.web.formats import SHORT, grouped, shown
from rafflesite.tasks import (
    SHOWN,
    Task,
    address_of,
    tasks_of_announcing,
    tasks_of_draws,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

DAYS: Final = 14  # of the chart
_SOON: Final = timedelta(days=3)  # a deadline within this time is highlighted
_LATELY: Final = timedelta(days=30)  # draws whose prizes somebody may still come for
_OF_THIS_MACHINE: Final = ("", "localhost", "127.0.0.1", "::1")
_COUNTED: Final = 1_000  # prizes counted; beyond, the panel says "more than"

Staff = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class NextDraw:
    """A coming draw."""

    name: str
    address: str
    at: datetime
    shown: str
    reward: str
    issued: int
    total: int


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A prize that is kept for somebody until `at`."""

    prize: str
    raffle: str
    ticket_number: int
    address: str
    at: datetime
    shown: str
    is_over: bool
    is_soon: bool


@dataclass(frozen=True, slots=True)
class LoggedAction:
    """An entry of the record; a raffle is shown by its name."""

    action: str
    subject: str
    address: str
    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class DayBar:
    """The entries of a day, and its bar in a drawing of 280 by 80."""

    day: date
    entries: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One of the first steps on a new site: pages where it is done, or what to write elsewhere."""

    label: StrOrPromise
    why: StrOrPromise
    ways: tuple[tuple[StrOrPromise, str], ...] = ()  # labels and addresses
    command: str = ""
    is_done: bool = False


@dataclass(slots=True)
class Home:
    """The contents of the page."""

    tasks: list[Task] = field(default_factory=list)
    steps: list[FirstStep] = field(default_factory=list)
    is_new: bool = False
    starts: list[tuple[StrOrPromise, str]] = field(default_factory=list)
    coming: list[NextDraw] = field(default_factory=list)
    unclaimed: list[Unclaimed] = field(default_factory=list)
    waiting: str = ""
    undated: str = ""
    bars: list[DayBar] = field(default_factory=list)
    entries: int = 0
    most: int = 0
    actions: list[LoggedAction] = field(default_factory=list)
    sees: frozenset[str] = frozenset()


def home(user: Staff, now: datetime) -> Home:
    """Return the page as `user` may see it."""
    page = Home(sees=frozenset(name for name, may in _SEES.items() if user.has_perms(may)))
    if "draws" in page.sees:
        page.steps, page.is_new = _first_steps(user)
        page.tasks += tasks_of_draws(now)
        page.coming = _coming(now)
        page.bars = _bars(entries_by_day(now.date() - timedelta(days=DAYS - 1), now.date()))
        page.entries = sum(bar.entries for bar in page.bars)
        page.most = max(bar.entries for bar in page.bars)
    if "announcing" in page.sees:
        page.tasks += tasks_of_announcing()
    if "prizes" in page.sees:
        page.unclaimed = _unclaimed(now)
        page.waiting = _waiting(page.unclaimed)
        page.undated = _undated(now)
    if not page.is_new:
        page.starts = _starts(user)
    if "actions" in page.sees:
        page.actions = _latest_actions()
    return page


_SEES: Final = {
    "draws": ("events.view_event", "raffles.view_raffle"),
    "announcing": ("raffles.view_endpoint", "raffles.view_delivery"),
    "prizes": ("raffles.view_winner",),
    "actions": ("raffles.view_logentry",),
}
_STARTS: Final = (
    (_("Schedule an event"), "events.add_event", "admin:events_event_add"),
    (_("Create a raffle"), "raffles.add_raffle", "admin:raffles_raffle_add"),
    (_("Hand over a prize"), "raffles.hand_over_prize", "admin:raffles_winner_counter"),
)


def _starts(user: Staff) -> list[tuple[StrOrPromise, str]]:
    return [(label, reverse(name)) for label, may, name in _STARTS if user.has_perm(may)]


def _first_steps(user: Staff) -> tuple[list[FirstStep], bool]:
    """Return the first steps, none once all are done or something is drawn; and whether nothing
    is scheduled yet.

    A first draw ends them whatever is undone: who runs a site alone has no staff to add.
    """
    if not user.has_perm("events.add_event") or Draw.objects.exclude(drawn_at=None).exists():
        return [], False
    event, raffle = Event.objects.first(), Raffle.objects.filter(event_slug=None).first()
    is_new = event is None and raffle is None
    steps = [_have_staff()] if user.has_perm("auth.add_user") else []
    steps += [
        _set_address(),
        FirstStep(
            _("Schedule the first draw"),
            _("An event draws again and again, each date with its reward; a raffle draws once."),
            (
                (_("Schedule an event"), reverse("admin:events_event_add")),
                (_("Create a raffle"), reverse("admin:raffles_raffle_add")),
            ),
            is_done=not is_new,
        ),
        FirstStep(
            _("Let draw_winners run"),
            _("Cron draws what is due, each minute."),
            command="* * * * * manage.py draw_winners",
            is_done=Heartbeat.objects.exists(),
        ),
        FirstStep(
            _("Print the poster"),
            _("With a QR code that leads to the page where people take part."),
            _posters(event, raffle),
            is_done=Ticket.objects.exists(),
        ),
    ]
    return ([] if all(step.is_done for step in steps) else steps), is_new


def _have_staff() -> FirstStep:
    others = User.objects.filter(is_staff=True, is_superuser=False, is_active=True)
    return FirstStep(
        _("Add your staff"),
        _("Each with a name, a password and a group that says what they may do."),
        ((_("Add somebody"), reverse("admin:auth_user_add")),),
        is_done=others.exists(),
    )


def _set_address() -> FirstStep:
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    return FirstStep(
        _("Set the address"),
        _("Links and QR codes lead to %(url)s. In the settings, write the address of the site:")
        % {"url": settings.PUBLIC_URL},
        command="PUBLIC_URL=https://draws.example.org",
        is_done=host not in _OF_THIS_MACHINE,
    )


def _posters(event: Event | None, raffle: Raffle | None) -> tuple[tuple[str, str], ...]:
    rows = (("admin:events_event_poster", event), ("admin:raffles_raffle_poster", raffle))
    return tuple(
        (_("Poster: %(name)s") % {"name": row}, reverse(name, args=[row.pk]))
        for name, row in rows
        if row is not None
    )


# --- What is coming ------------------------------------------------------------------------


def _coming(now: datetime) -> list[NextDraw]:
    """Return the next draw of each event and raffles with a closing time, soonest first."""
    draws = coming_draws(list(Event.objects.running()), now=now, each=1)
    planned = Raffle.objects.filter(event_slug=None, closes_at__gt=now).exclude(state__in=FINISHED)
    raffles = planned.with_issued().prefetch_related("prizes").order_by("closes_at", "pk")
    found = [*map(_of_event, draws[:SHOWN]), *map(_of_raffle, raffles[:SHOWN])]
    return sorted(found, key=lambda draw: draw.at)[:SHOWN]


def _of_event(draw: ComingDraw) -> NextDraw:
    return NextDraw(
        name=draw.event.name,
        address=address_of(draw.event),
        at=draw.draw_at,
        shown=draw.shown(SHORT),
        reward=f"{draw.reward.reward_amount} × {draw.reward.reward_name}",
        issued=draw.participants(),
        total=draw.max_participants,
    )


def _of_raffle(raffle: Any) -> NextDraw:
    return NextDraw(
        name=raffle.name,
        address=address_of(raffle),
        at=raffle.closes_at,
        shown=shown(raffle.closes_at, SHORT, zone=raffle.zone()),
        reward=", ".join(str(prize) for prize in list(raffle.prizes.all())[:2]),
        issued=raffle.issued,
        total=raffle.total_tickets,
    )


# --- What was won --------------------------------------------------------------------------


def _unclaimed(now: datetime) -> list[Unclaimed]:
    """Return unclaimed prizes with a deadline, soonest first."""
    winners = ("raffle", "prize", "replacement", "replaces__prize")
    rows = Handover.objects.unclaimed().select_related(*(f"winner__{name}" for name in winners))
    # Ordered by nothing else: a second key would sort all rows with the same deadline.
    soonest = rows.order_by("claim_until")[:SHOWN]
    return [
        Unclaimed(
            prize=str(getattr(row.winner.current_prize(), "name", "")),
            raffle=row.winner.raffle.name,
            ticket_number=row.winner.ticket_number(),
            address=address_of(row.winner),
            at=row.claim_until,
            shown=shown(row.claim_until, SHORT, zone=row.winner.raffle.zone()),
            is_over=row.claim_until <= now,
            is_soon=row.claim_until <= now + _SOON,
        )
        for row in sorted(soonest, key=lambda row: (row.claim_until, row.pk))
        if row.claim_until
    ]


def _waiting(soonest: list[Unclaimed]) -> str:
    """Return how many prizes with a deadline are unclaimed and the first one that is to come."""
    count = Handover.objects.unclaimed()[: _COUNTED + 1].count()
    if not count:
        return ""
    many = ngettext("%(count)s prize to hand over", "%(count)s prizes to hand over", count)
    if count > _COUNTED:
        many, count = gettext("more than %(count)s prizes to hand over"), _COUNTED
    first = next((prize.shown for prize in soonest if not prize.is_over), "")
    deadline = _(", first deadline %(at)s") % {"at": first} if first else ""
    return f"{many % {'count': grouped(count)}}{deadline}"


def _undated(now: datetime) -> str:
    """Return how many recent prizes without a deadline are unclaimed, as text; empty for none."""
    lately = Draw.objects.filter(drawn_at__gte=now - _LATELY, raffle__claim_days=None)
    count = (
        Winner.objects.unclaimed()
        .filter(raffle__in=lately.values("raffle"))[: _COUNTED + 1]
        .count()
    )
    if count > _COUNTED:
        return _("more than %(count)s") % {"count": grouped(_COUNTED)}
    return grouped(count) if count else ""


def _latest_actions() -> list[LoggedAction]:
    """Return the last entries of the record, without successful logins."""
    entries = LogEntry.objects.exclude(action="login")[:SHOWN]
    uuids = [
        entry.subject.removeprefix("raffle ")
        for entry in entries
        if entry.subject.startswith("raffle ")
    ]
    raffles = {subject_of(raffle): raffle for raffle in Raffle.objects.filter(uuid__in=uuids)}
    return [
        LoggedAction(
            action=entry.action,
            subject=raffle.name if raffle else entry.subject,
            address=address_of(raffle or entry),
            at=entry.at,
            by=entry.by,
            why=entry.why,
        )
        for entry in entries
        for raffle in [raffles.get(entry.subject)]
    ]


def _bars(entries: dict[date, int]) -> list[DayBar]:
    most = max(entries.values()) or 1
    width = 280 / len(entries)
    return [
        DayBar(day, count, round(n * width + 1, 1), round(80 - height, 1), round(height, 1))
        for n, (day, count) in enumerate(entries.items())
        for height in [max(80 * count / most, 1.0 if count else 0.0)]
    ]
