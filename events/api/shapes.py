"""Answers made from rows: what the serializers describe, as plain objects."""

from __future__ import annotations

from typing import Any

from rest_framework.reverse import reverse

from events.domain.calendar import ComingDraw
from events.domain.naming import shown_name
from events.domain.taking_part import Taken
from events.models import Event, Occurrence, Rewarding
from raffles.models import Draw, Raffle, State, Winner

_PUBLISHED = frozenset({State.SEALED, State.DRAWN})


def reward_of(row: Rewarding) -> dict[str, Any]:
    """A reward."""
    return {
        "name": row.reward_name,
        "amount": row.reward_amount,
        "description": row.reward_description,
        "picture": row.reward_picture,
    }


def next_draw(draw: ComingDraw) -> dict[str, Any]:
    """A coming draw of a known event."""
    return {
        "date": draw.date,
        "draw_at": draw.local(),
        "time_zone": draw.time_zone,
        "reward": reward_of(draw.reward),
        "participants": draw.participants(),
        "max_participants": draw.max_participants,
    }


def upcoming(draw: ComingDraw) -> dict[str, Any]:
    """A coming draw among those of other events."""
    return {"event": draw.event.slug, "name": draw.event.name} | next_draw(draw)


def event_of(event: Event, draw: ComingDraw | None) -> dict[str, Any]:
    """An event with its next draw."""
    time = event.draw_time
    return {
        "id": event.pk,
        "name": event.name,
        "slug": event.slug,
        "start_date": event.start_date,
        "draw_time": time.isoformat("seconds" if time.second else "minutes"),
        "time_zone": event.time_zone,
        "frequency": event.frequency,
        "until": event.until,
        "max_participants": event.max_participants,
        "default_reward": reward_of(event),
        "entry": event.entry,
        "one_per_address": event.one_per_address,
        "privacy": event.privacy,
        "rest_days": event.rest_days,
        "claim_days": event.claim_days,
        "claim_place": event.claim_place,
        "promotes_alternates": bool(event.promotes_alternates),
        "paused": event.paused_at is not None,
        "next_draw": next_draw(draw) if draw else None,
    }


def coming(draw: ComingDraw) -> dict[str, Any]:
    """A draw of an event that has no ticket yet."""
    nothing = dict.fromkeys(("raffle_id", "late", "commitment", "proof"))
    return next_draw(draw) | {"state": "coming"} | nothing


def opened(row: Occurrence) -> dict[str, Any]:
    """A draw of an event that has tickets, or to which nobody came."""
    raffle = row.raffle
    return {
        "date": row.date,
        "draw_at": row.local(),
        "time_zone": row.time_zone,
        "reward": reward_of(row),
        "participants": getattr(row, "participants", 0),
        "max_participants": row.max_participants,
        "state": raffle.state if raffle else State.VOID,
        "raffle_id": raffle.uuid if raffle else None,
        "late": _is_late(raffle) if raffle else None,
        "commitment": _link("commitment", raffle, _PUBLISHED),
        "proof": _link("proof", raffle, frozenset({State.DRAWN})),
    }


def _link(name: str, raffle: Raffle | None, states: frozenset[State]) -> str | None:
    if raffle is None or raffle.state not in states:
        return None
    return reverse(f"raffle-{name}", kwargs={"raffle_id": raffle.uuid})


def _is_late(raffle: Raffle) -> bool | None:
    """Whether its standing draw was sealed late; reads the prefetched draws."""
    live = [draw for draw in raffle.draws.all() if draw.voided_at is None]
    return _late(live[0], raffle) if live else None


def _late(draw: Draw, raffle: Raffle) -> bool:
    draw.raffle = raffle  # saves a query
    return draw.is_late()


def winner(row: Winner) -> dict[str, Any]:
    """A winner among those of other events."""
    occurrence = row.raffle.occurrence
    return {
        "event": occurrence.event.slug,
        "draw_at": occurrence.local(),
        "ticket_number": row.ticket_number(),
        "username": shown_name(row.ticket.username, occurrence.event.privacy),
        "reward": row.prize.name if row.prize else occurrence.reward_name,
        "late": bool(_is_late(row.raffle)),
    }


def entry(taken: Taken, username: str) -> dict[str, Any]:
    """A ticket, for its holder alone."""
    return {
        "event": taken.event.slug,
        "draw_at": taken.draw_at,
        "raffle_id": taken.entry.raffle_id,
        "username": username,
        "ticket_number": taken.entry.ticket_number,
        "verification_code": taken.entry.verification_code,
        "receipt": taken.entry.receipt,
    }
