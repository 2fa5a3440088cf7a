"""Shapes of requests and answers; none of them queries the database."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from events.api.fields import DayField, LocalMomentField, TimeOfDayField, UsernameField
from events.models import Event
from events.models.event import MAX_REST_DAYS
from events.schedule import MAX_RULE
from raffles.api.serializers import (
    ClaimRequest,
    ContactRequest,
    EntrantsRequest,
    EntriesAnswer,
    HolderRequest,
    ReceiptAnswer,
    RulesField,
    TicketsRequest,
)
from raffles.domain.privacy import shown_name
from raffles.models import Draw, Privacy, Raffle, State, Winner
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS
from raffles.web.fields import (
    PictureField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    VisibleTextField,
)
from raffles.web.lists import WholeNumberField


class RewardShape(StrictSerializer):
    """A reward, with a picture's address if there is one."""

    name = VisibleTextField(source="reward_name")
    amount = StrictIntegerField(
        source="reward_amount", min_value=1, max_value=MAX_PRIZES, default=1
    )
    description = VisibleTextField(
        source="reward_description", max_length=1000, allow_blank=True, default=""
    )
    picture = PictureField(source="reward_picture")


class EventChange(ClaimRequest, HolderRequest):
    """What a manager may change about an event; dates that have tickets keep their terms."""

    name = VisibleTextField(max_length=180)
    start_date = DayField()
    draw_time = TimeOfDayField()
    time_zone = VisibleTextField(max_length=64)
    frequency = VisibleTextField(max_length=MAX_RULE)
    until = DayField(allow_null=True, default=None)
    max_participants = StrictIntegerField(min_value=1, max_value=MAX_TICKETS)
    default_reward = RewardShape(source="*")
    entry = serializers.ChoiceField(choices=Event.Entry.choices, default=Event.Entry.OPEN)
    one_per_address = StrictBooleanField(default=False)
    privacy = serializers.ChoiceField(choices=Privacy.choices, default=Privacy.FULL)
    rest_days = StrictIntegerField(min_value=0, max_value=MAX_REST_DAYS, default=0)
    paused = StrictBooleanField(default=False)
    rules = RulesField(write_only=True, default="")


class EventRequest(EventChange):
    """What a manager sends to schedule an event; the slug follows from the name if not given."""

    slug = serializers.SlugField(max_length=50, required=False)


class ParticipationRequest(ContactRequest):
    """Who takes part, and for which of the caller's orders."""

    username = UsernameField()
    order_id = VisibleTextField(max_length=200, required=False, trim_whitespace=False)


class DatedAnswer(serializers.Serializer[Any]):
    """What an answer about a date has in common."""

    date = serializers.DateField()


class NextDrawAnswer(DatedAnswer):
    """The draw that a ticket taken now is for."""

    draw_at = LocalMomentField(source="local", help_text="With the offset of the time zone.")
    time_zone = serializers.CharField()
    reward = RewardShape()
    participants = serializers.IntegerField()
    max_participants = serializers.IntegerField()
    rules_hash = serializers.CharField(
        allow_blank=True, help_text="What `accepts` has to be; the text: /rules/<hash>.txt."
    )


class OfEventAnswer(serializers.Serializer[Any]):
    """What an answer that names its event has in common."""

    event = serializers.CharField(source="event.slug", help_text="The event's slug.")
    name = serializers.CharField(source="event.name")


class UpcomingAnswer(OfEventAnswer, NextDrawAnswer):
    """A coming draw of any event."""


class EventAnswer(EventRequest, serializers.ModelSerializer[Event]):
    """An event as everybody sees it."""

    id = serializers.IntegerField()
    rules_hash = serializers.SerializerMethodField(
        help_text="Of the rules of dates without a ticket; the text: /rules/<hash>.txt."
    )
    next_draw = NextDrawAnswer(allow_null=True)

    class Meta:
        model = Event
        fields: tuple[str, ...] = (
            "id",
            "name",
            "slug",
            "start_date",
            "draw_time",
            "time_zone",
            "frequency",
            "until",
            "max_participants",
            "default_reward",
            "entry",
            "one_per_address",
            "privacy",
            "rest_days",
            "claim_days",
            "claim_place",
            "promotes_alternates",
            "tickets_per_holder",
            "max_wins_per_holder",
            "paused",
            "rules_hash",
            "next_draw",
        )

    def get_rules_hash(self, event: Event) -> str:
        return event.rules_hash or ""


class ChangedEventAnswer(EventAnswer):
    """An event after a change."""

    kept = serializers.ListField(
        child=serializers.DateField(), help_text="Dates with tickets, drawn as they stood before."
    )

    class Meta(EventAnswer.Meta):
        fields = (*EventAnswer.Meta.fields, "kept")


class LateField(serializers.BooleanField):
    """Whether the source, a raffle, was sealed late."""

    def get_attribute(self, instance: Any) -> bool | None:
        raffle: Any = super().get_attribute(instance)
        return None if raffle is None else _is_late(raffle)


class LinkField(serializers.URLField):
    """The address of a file of the source, a raffle, once it is in one of the `states`."""

    def __init__(self, route: str, *states: State) -> None:
        super().__init__(source="raffle", allow_null=True)
        self.route, self.states = route, states

    def get_attribute(self, instance: Any) -> str | None:
        raffle: Any = super().get_attribute(instance)
        if raffle is None or raffle.state not in self.states:
            return None
        return reverse(self.route, kwargs={"raffle_id": raffle.uuid})


class WinnerNameField(serializers.CharField):
    """The name of a winner, as far as privacy shows it."""

    def get_attribute(self, instance: Winner) -> str | None:
        return shown_name(instance.ticket.username, instance.raffle.privacy)


class EventDrawAnswer(NextDrawAnswer):
    """A past or coming draw of an event."""

    state = serializers.ChoiceField(
        choices=["coming", "open", "closed", "sealed", "drawn", "void"],
        help_text="coming: without a ticket yet.",
    )
    raffle_id = serializers.UUIDField(source="raffle.uuid", allow_null=True)
    late = LateField(source="raffle", allow_null=True, help_text="Null before the seal.")
    commitment = LinkField("raffle-commitment", State.SEALED, State.DRAWN)
    proof = LinkField("raffle-proof", State.DRAWN)


class RecentWinnerAnswer(serializers.Serializer[Any]):
    """A winner of recent days."""

    event = serializers.CharField(source="raffle.occurrence.event.slug")
    draw_at = LocalMomentField(source="raffle.occurrence.local")
    ticket_number = serializers.IntegerField()
    username = WinnerNameField(allow_null=True, help_text="As far as the event's privacy shows it.")
    reward = serializers.CharField(source="prize.name")
    late = LateField(source="raffle")


class EventEntryAnswer(serializers.Serializer[Any]):
    """A ticket, as only its holder sees it."""

    event = serializers.CharField(source="event.slug")
    draw_at = LocalMomentField()
    raffle_id = serializers.UUIDField(source="entry.raffle_id")
    username = serializers.CharField()
    ticket_number = serializers.IntegerField(source="entry.ticket_number")
    verification_code = serializers.CharField(source="entry.verification_code")
    receipt = ReceiptAnswer(source="entry.receipt")


class UserRequest(TicketsRequest):
    """One user to enter, by name."""

    holder = UsernameField()


class UsersRequest(EntrantsRequest):
    """Some users, in the next draw of the event."""

    child = UserRequest()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty=False, **kwargs)


class EventEntriesAnswer(EntriesAnswer):
    """What the request gave each user, and of which draw."""

    event = serializers.CharField()
    draw_at = LocalMomentField()
    raffle_id = serializers.UUIDField()


class DateRewardAnswer(DatedAnswer, RewardShape):
    """The reward of a date."""


class ParticipantAnswer(serializers.Serializer[Any]):
    """Who holds a number, as far as the event's privacy shows names."""

    name = serializers.CharField(allow_blank=True)
    ticket_no = serializers.CharField()


class TicketRecordAnswer(serializers.Serializer[Any]):
    """The event and the ticket as the older ticket service answered."""

    name = serializers.CharField(source="event.name")
    event_id = serializers.IntegerField(source="event.pk")
    time = serializers.CharField(help_text="Such as 080000.")
    start_date = serializers.DateField(source="event.start_date")
    frequency = serializers.ChoiceField(choices=["D", "W", "M", "Y"])
    ticket_list = serializers.ListField(
        child=serializers.CharField(), help_text="Free numbers, a thousand at most."
    )
    max_participants = serializers.IntegerField()
    participants = ParticipantAnswer(many=True)
    ticket_no = serializers.CharField(source="entry.ticket_number")
    verification_code = serializers.CharField(source="entry.verification_code")
    receipt = ReceiptAnswer(source="entry.receipt")


class RunAnswer(serializers.Serializer[Any]):
    """The outcome of a draw that was due."""

    name = serializers.CharField(source="step")
    outcome = serializers.ChoiceField(
        choices=["drawn", "void", "waiting", "busy", "left", "failed"]
    )


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


def _is_late(raffle: Raffle) -> bool | None:
    """Return whether it was sealed late; None if it has no seal that counts."""
    draw: Draw | None = getattr(raffle, "draw", None)
    return draw.is_late() if draw and draw.voided_at is None else None
