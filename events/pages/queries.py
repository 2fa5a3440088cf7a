"""What the pages of events show, each in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Prefetch
from django.urls import reverse

from events.domain.calendar import ComingDraw, coming_draws
from events.models import Event, Occurrence, Rewarding
from raffles.domain.privacy import shown_name
from raffles.models import Draw, Prize, Raffle, Winner
from raffles.pages.queries import LISTED, PODIUM, next_draws

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
    """A coming draw, of an event or a raffle."""

    name: str
    address: str
    at: datetime
    time_zone: str
    prizes: Sequence[Offer | Prize]
    picture: str
    left: int
    total: int


def coming(now: datetime) -> list[Coming]:
    """Return each event's next draw and the raffles with a known time, soonest first."""
    events = list(Event.objects.running())
    found = [_of_event(draw) for draw in coming_draws(events, now=now, each=1)]
    found += [_of_raffle(raffle) for raffle in next_draws()]
    return sorted(found, key=lambda draw: draw.at)[:LISTED]


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
    )


def _of_raffle(raffle: Raffle) -> Coming:
    assert raffle.closes_at  # noqa: S101 - that is what `next_draws` asks for
    return Coming(
        name=raffle.name,
        address=reverse("pages:raffle", args=[raffle.uuid]),
        at=raffle.closes_at,
        time_zone=str(raffle.zone()),
        prizes=list(raffle.prizes.all())[:PODIUM],
        picture="",
        left=raffle.available,
        total=raffle.total_tickets,
    )


def picture_of(reward: Rewarding) -> str:
    """Return the URL of a reward's picture if this site serves it, else an empty string.

    Pages load nothing from elsewhere: another host would learn who looks.
    """
    picture = reward.reward_picture
    return picture if picture.startswith(f"{settings.PUBLIC_URL}/") else ""


def picture_of_draw(raffle: Raffle) -> str:
    """Return the URL of the picture of what an event's draw gives away, as above."""
    draw = Occurrence.objects.filter(raffle=raffle).first()
    return picture_of(draw) if draw else ""


@dataclass(frozen=True, slots=True)
class Won:
    """A prize of a finished draw and its holder; `holder` is empty where privacy hides names."""

    prize: str
    ticket_number: int
    holder: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished draw with its first winners."""

    name: str
    address: str
    at: datetime
    winners: list[Won]


def latest(now: datetime) -> list[Drawn]:
    """Return the draws of the last week, latest first."""
    podium = Winner.objects.with_state().select_related("ticket").filter(rank__lte=PODIUM)
    winners = Prefetch("raffle__winners", podium.order_by("rank"), to_attr="podium")
    lately = Draw.objects.filter(drawn_at__gt=now - _LATELY)
    draws = lately.select_related("raffle__occurrence__event").prefetch_related(winners)
    return [_drawn(draw) for draw in draws.order_by("-drawn_at")[:LISTED]]


def _drawn(draw: Draw) -> Drawn:
    assert draw.drawn_at  # noqa: S101 - that is what was asked for
    raffle = draw.raffle
    occurrence: Occurrence | None = getattr(raffle, "occurrence", None)
    winners = [
        Won(
            prize.name,
            winner.ticket_number(),
            shown_name(winner.ticket.username, raffle.privacy) or "",
        )
        for winner in raffle.podium  # type: ignore[attr-defined]
        if (prize := winner.held_prize())
    ]
    return Drawn(raffle.name, result_address(raffle, occurrence), draw.drawn_at, winners)


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
