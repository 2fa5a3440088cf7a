"""Shapes of requests and answers; no question to the database."""

from __future__ import annotations

from typing import Any

from django.core.validators import URLValidator
from rest_framework import serializers
from rest_framework.reverse import reverse

from events.api.fields import DayField, TimeOfDayField, UsernameField
from events.domain.calendar import ComingDraw
from events.domain.entering import Taken
from events.models import Event, Occurrence, Rewarding
from events.models.event import MAX_REST_DAYS
from events.schedule import MAX_RULE
from raffles.api.serializers import ClaimRequest, EntryRequest, ReceiptAnswer
from raffles.domain.privacy import shown_name
from raffles.models import Draw, Privacy, Raffle, State, Winner
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS
from raffles.web.fields import (
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    VisibleTextField,
)
from raffles.web.lists import WholeNumberField


class RewardShape(StrictSerializer):
    """A reward, with a picture's address if there is one."""

    name = VisibleTextField()
    amount = StrictIntegerField(min_value=1, max_value=MAX_PRIZES, default=1)
    description = VisibleTextField(max_length=1000, allow_blank=True, default="")
    picture = serializers.CharField(
        max_length=500, allow_blank=True, default="", validators=[URLValidator(["https", "http"])]
    )


class EventChange(ClaimRequest):
    """What a manager may change of an event; dates with tickets stay as they are."""

    name = VisibleTextField(max_length=180)
    start_date = DayField()
    draw_time = TimeOfDayField()
    time_zone = VisibleTextField(max_length=64)
    frequency = VisibleTextField(max_length=MAX_RULE)
    until = DayField(allow_null=True, default=None)
    max_participants = StrictIntegerField(min_value=1, max_value=MAX_TICKETS)
    default_reward = RewardShape()
    entry = serializers.ChoiceField(choices=Event.Entry.choices, default=Event.Entry.OPEN)
    one_per_address = StrictBooleanField(default=False)
    privacy = serializers.ChoiceField(choices=Privacy.choices, default=Privacy.FULL)
    rest_days = StrictIntegerField(min_value=0, max_value=MAX_REST_DAYS, default=0)
    paused = StrictBooleanField(default=False)


class EventRequest(EventChange):
    """What a manager sends to schedule an event; the slug follows from the name if not given."""

    slug = serializers.SlugField(max_length=50, required=False)


class ParticipationRequest(EntryRequest):
    """Who takes part, and for which of the caller's orders."""

    username = UsernameField()
    order_id = VisibleTextField(max_length=200, required=False, trim_whitespace=False)


class NextDrawAnswer(serializers.Serializer[Any]):
    """The draw that a ticket would be for."""

    date = serializers.DateField()
    draw_at = serializers.DateTimeField(help_text="With the offset of the time zone.")
    time_zone = serializers.CharField()
    reward = RewardShape()
    participants = serializers.IntegerField()
    max_participants = serializers.IntegerField()


class UpcomingAnswer(NextDrawAnswer):
    """A coming draw of any event."""

    event = serializers.CharField(help_text="The event's slug.")
    name = serializers.CharField()


class EventAnswer(EventRequest):
    """An event as everybody sees it."""

    id = serializers.IntegerField()
    next_draw = NextDrawAnswer(allow_null=True)


class ChangedEventAnswer(EventAnswer):
    """An event after a change."""

    kept = serializers.ListField(
        child=serializers.DateField(), help_text="Dates with tickets, drawn as they stood before."
    )


class EventDrawAnswer(NextDrawAnswer):
    """A past or coming draw of an event."""

    state = serializers.ChoiceField(
        choices=["coming", "open", "closed", "sealed", "drawn", "void"],
        help_text="coming: without a ticket yet.",
    )
    raffle_id = serializers.UUIDField(allow_null=True)
    late = serializers.BooleanField(allow_null=True, help_text="Null before the seal.")
    commitment = serializers.URLField(allow_null=True)
    proof = serializers.URLField(allow_null=True)


class RecentWinnerAnswer(serializers.Serializer[Any]):
    """A winner of the last days."""

    event = serializers.CharField()
    draw_at = serializers.DateTimeField()
    ticket_number = serializers.IntegerField()
    username = serializers.CharField(
        allow_null=True, help_text="As far as the event's privacy shows it."
    )
    reward = serializers.CharField()
    late = serializers.BooleanField()


class EventEntryAnswer(serializers.Serializer[Any]):
    """A ticket, as only its holder sees it."""

    event = serializers.CharField()
    draw_at = serializers.DateTimeField()
    raffle_id = serializers.UUIDField()
    username = serializers.CharField()
    ticket_number = serializers.IntegerField()
    verification_code = serializers.CharField()
    receipt = ReceiptAnswer()


class DateRewardAnswer(RewardShape):
    """The reward of a date."""

    date = serializers.DateField()


class ParticipantAnswer(serializers.Serializer[Any]):
    """Who holds a number, as far as the event's privacy names them."""

    name = serializers.CharField(allow_blank=True)
    ticket_no = serializers.CharField()


class TicketRecordAnswer(serializers.Serializer[Any]):
    """The event and the ticket as the older ticket service answered."""

    name = serializers.CharField()
    event_id = serializers.IntegerField()
    time = serializers.CharField(help_text="Such as 080000.")
    start_date = serializers.DateField()
    frequency = serializers.ChoiceField(choices=["D", "W", "M", "Y"])
    ticket_list = serializers.ListField(
        child=serializers.CharField(), help_text="Free numbers, a thousand at most."
    )
    max_participants = serializers.IntegerField()
    participants = ParticipantAnswer(many=True)
    ticket_no = serializers.CharField()
    verification_code = serializers.CharField()
    receipt = ReceiptAnswer()


class RunAnswer(serializers.Serializer[Any]):
    """What became of something that was due."""

    name = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["drawn", "void", "waiting", "busy", "failed"])


class DaysQuery(StrictSerializer):
    """How many days ahead, or back."""

    days = WholeNumberField(1, 366, default=7, help_text="How far to look.")


class EventQuery(StrictSerializer):
    """An event by the id that the older ticket service gave it."""

    eventID = WholeNumberField(  # noqa: N815 - its name there
        1,
        10**18 - 1,
        help_text="The event's id.",
        error_messages=dict.fromkeys(("required", "invalid"), "Write the id of an event."),
    )


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
    """Whether its state draw was sealed late; reads the prefetched draws."""
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
