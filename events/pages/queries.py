"""What the pages of events show, each in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from django.db.models import QuerySet
from django.urls import reverse

from events.domain.calendar import ComingDraw, coming_draws
from events.models import Event, Occurrence, Rewarding
from raffles.models import Announcement, Draw, EntryMode, Prize, Raffle
from raffles.pages.queries import (
    LISTED,
    PODIUM,
    Given,
    Place,
    first_picture,
    full_raffles,
    given,
    next_draws,
    open_raffles,
    opens_later,
    podiums,
    takes_entries,
)
from raffles.web.pictures import shown_picture

_LATELY = timedelta(days=7)
_AHEAD = 7  # coming dates on an event's page
_PAST = 30  # past ones


@dataclass(frozen=True, slots=True)
class Offer:
    """An event's reward, in the shape of a raffle's prize."""

    amount: int
    name: str


@dataclass(frozen=True, slots=True)
class Coming:
    """A draw to come, of an event or a raffle; without `at` it comes with the last ticket.

    `closes` says that entries end at that time, and that the draw may be a little later; before
    `opens_at` nobody can enter, and where `by_organiser` nobody does by themselves.
    """

    name: str
    address: str
    at: datetime | None
    time_zone: str
    prizes: Sequence[Offer | Prize]
    picture: str
    left: int
    total: int
    takes_entries: bool
    closes: bool = False
    opens_at: datetime | None = None
    by_organiser: bool = False

    def taken(self) -> int:
        """Return the tickets handed out, while it takes entries."""
        return self.total - self.left


def coming(now: datetime) -> list[Coming]:
    """Return each event's next draw and the raffles with a known time, soonest first."""
    events = list(Event.objects.running())
    found = [(draw.draw_at, _of_event(draw)) for draw in coming_draws(events, now=now, each=1)]
    found += [(each.closes_at, _of_raffle(each, now)) for each in next_draws() if each.closes_at]
    return [draw for _, draw in sorted(found, key=itemgetter(0))[:LISTED]]


def until_sold_out(now: datetime) -> list[Coming]:
    """Return the raffles without a closing time, with tickets left, latest first."""
    return [_of_raffle(raffle, now) for raffle in open_raffles()]


def to_be_drawn(now: datetime) -> list[Coming]:
    """Return the raffles without a closing time whose last ticket is gone, latest first."""
    return [_of_raffle(raffle, now) for raffle in full_raffles()]


def _of_event(draw: ComingDraw) -> Coming:
    return Coming(
        name=draw.event.name,
        address=reverse("event_pages:event", args=[draw.event.slug]),
        at=draw.draw_at,
        time_zone=draw.clock(),
        prizes=[Offer(draw.reward.reward_amount, draw.reward.reward_name)],
        picture=picture_of(draw.reward),
        left=draw.max_participants - draw.participants(),
        total=draw.max_participants,
        takes_entries=draw.participants() < draw.max_participants,
    )


def _of_raffle(raffle: Raffle, now: datetime) -> Coming:
    prizes = list(raffle.prizes.all())
    return Coming(
        name=raffle.name,
        address=reverse("pages:raffle", args=[raffle.uuid]),
        at=raffle.closes_at,
        time_zone=str(raffle.zone()),
        prizes=prizes[:PODIUM],
        picture=first_picture(prizes),
        left=raffle.available,
        total=raffle.total_tickets,
        takes_entries=takes_entries(raffle, now),
        closes=True,
        opens_at=opens_later(raffle, now),
        by_organiser=raffle.entry == EntryMode.LIST,
    )


def picture_of(reward: Rewarding) -> str:
    """Return the URL of a reward's picture as far as pages show it, else an empty string."""
    return shown_picture(reward.reward_picture)


def picture_of_draw(raffle: Raffle) -> str:
    """Return the URL of the picture of what an event's draw gives away, as above."""
    draw = Occurrence.objects.filter(raffle=raffle).first()
    return picture_of(draw) if draw else ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished draw with its first places, as they stand now."""

    name: str
    address: str
    at: datetime
    time_zone: str
    places: list[Place]
    given: Given


def latest(now: datetime) -> list[Drawn]:
    """Return the draws of the last week, latest first."""
    lately = Draw.objects.filter(drawn_at__gt=now - _LATELY)
    return _drawn(_with_raffles(lately).order_by("-drawn_at")[:LISTED])


def drawn_in(statements: Sequence[Announcement]) -> list[Drawn]:
    """Return the draws that statements of the log tell of, in their order."""
    keys = [statement.raffle_id for statement in statements]
    draws = Draw.objects.filter(raffle__in=keys)
    return _drawn(sorted(_with_raffles(draws), key=lambda draw: keys.index(draw.raffle_id)))


def _with_raffles(draws: QuerySet[Draw]) -> QuerySet[Draw]:
    joined = draws.select_related("raffle__occurrence__event", "raffle__pool")
    return joined.defer("raffle__pool__levels", "log").prefetch_related("raffle__prizes")


def _drawn(draws: Iterable[Draw]) -> list[Drawn]:
    rows = list(draws)
    raffles = [draw.raffle for draw in rows]
    first = podiums(raffles)
    return [
        Drawn(
            raffle.name,
            result_address(raffle, getattr(raffle, "occurrence", None)),
            draw.drawn_at,
            str(raffle.zone()),
            first[raffle.pk],
            given(raffle, raffle.pool.tickets),
        )
        for draw, raffle in zip(rows, raffles, strict=True)
        if draw.drawn_at
    ]


def result_address(raffle: Raffle, occurrence: Occurrence | None) -> str:
    """Return the URL of a raffle's result: the event's page, with names, if it belongs to one."""
    if occurrence is None:
        return reverse("pages:result", args=[raffle.uuid])
    return reverse("event_pages:draw", args=[occurrence.event.slug, occurrence.date])


def next_dates(event: Event, now: datetime) -> list[ComingDraw]:
    """Return the coming dates of an event, soonest first."""
    return coming_draws([event], now=now, each=_AHEAD)


def past_dates(event: Event, now: datetime) -> list[Occurrence]:
    """Return the dates whose time has come, latest first; those without a raffle had no entries."""
    rows = Occurrence.objects.filter(event=event, draw_at__lte=now).select_related("raffle")
    return list(rows.order_by("-draw_at")[:_PAST])
