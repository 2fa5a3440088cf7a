"""The addresses of the older ticket service, over the same acts as the events.

Two of them change something by GET, as its clients expect: they are deprecated in the schema, and
answer neither HEAD nor a cache.
"""

from __future__ import annotations

import socket
from itertools import chain, islice
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from events.api import serializers
from events.api.fields import UsernameField
from events.api.filters import SoonestFirst, WinnerFilter
from events.api.views import EventViewSet, participant_of
from events.domain.calendar import find_event
from events.domain.due import due_steps, run, settle_events
from events.domain.entering import Taken, take_part
from events.models import Event
from events.schedule import parse
from raffles.api.authentication import PartnerKey, PartnerThrottle, actor
from raffles.api.views import PRIVATE
from raffles.domain.clock import acting_time
from raffles.domain.privacy import shown_name
from raffles.fairness.numbering import numbering
from raffles.models import Raffle, Stripe, Ticket
from raffles.web.callers import ManagerOnly, refuse_foreign
from raffles.web.lists import reads
from raffles.web.problems import answers

_SHOWN = 1000
_ACTS = frozenset({"ticket", "update_events"})


class TicketPaths(EventViewSet):
    """`/ticket/...`: taking part, the next draw, recent winners, and running what is due."""

    http_method_names = ["get"]  # a HEAD must not take a ticket

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action in _ACTS:  # which are GETs, so nothing before has looked
            refuse_foreign(request)

    def get_permissions(self) -> list[BasePermission]:
        return [ManagerOnly()] if self.action == "update_events" else []

    def get_throttles(self) -> list[BaseThrottle]:
        return [PartnerThrottle()] if self.action == "ticket" else []

    @extend_schema(
        summary="Take part in the next draw",
        deprecated=True,
        responses=answers(401, 403, 404, 410, 422, 429, _200=serializers.TicketRecordAnswer),
    )
    @reads(serializers.EventQuery)
    def ticket(self, request: Request, username: str) -> Response:
        now = acting_time()
        event, draw = find_event(now, pk=self.query["eventID"])
        try:
            name = UsernameField().run_validation(username)
        except ValidationError as fault:
            raise ValidationError({"username": fault.detail}) from None
        taken = take_part(event, participant_of(request, name), now=now, draw=draw)
        answer = serializers.TicketRecordAnswer(_record(taken))
        return Response(answer.data, headers=PRIVATE)

    @extend_schema(
        summary="Run what is due (manager)",
        deprecated=True,
        responses=answers(403, _200=serializers.RunAnswer(many=True)),
    )
    def update_events(self, request: Request) -> Response:
        now = acting_time()
        by = f"{actor(request)} on {socket.gethostname()}"
        done = list(run(due_steps(now), now=now, clock=acting_time, by=by))
        settle_events(now)
        return Response(serializers.RunAnswer(done, many=True).data, headers=PRIVATE)


def _record(taken: Taken) -> dict[str, Any]:
    """Return the event and the ticket, with the fields that only the older service had."""
    event, raffle = taken.event, Raffle.objects.get(uuid=taken.entry.raffle_id)
    return {
        "event": event,
        "entry": taken.entry,
        "time": event.draw_time.strftime("%H%M%S"),
        "frequency": parse(event.frequency)["FREQ"][0],
        "ticket_list": _free_numbers(raffle),
        "max_participants": raffle.total_tickets,
        "participants": _participants(event, raffle),
    }


def _free_numbers(raffle: Raffle) -> list[int]:
    """Return the lowest numbers that nobody holds yet, as many as are shown."""
    stripes = Stripe.objects.filter(raffle=raffle).order_by("lo")
    slots = chain.from_iterable(
        range(stripe.lo + stripe.issued, stripe.lo + stripe.cap) for stripe in stripes
    )
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    return sorted(number(slot) for slot in islice(slots, _SHOWN))


def _participants(event: Event, raffle: Raffle) -> list[dict[str, Any]]:
    """Return who holds which number, as far as the event's privacy shows names."""
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    rows = Ticket.objects.filter(raffle=raffle).order_by("slot").values_list("slot", "username")
    return [
        {"name": shown_name(username, event.privacy) or "", "ticket_no": number(slot)}
        for slot, username in rows[:_SHOWN]
    ]


urlpatterns = [
    path(
        "ticket/upcoming",
        TicketPaths.as_view({"get": "upcoming"}, pagination_class=SoonestFirst),
        name="ticket-upcoming",
    ),
    path(
        "ticket/winners",
        TicketPaths.as_view({"get": "winners"}, filterset_class=WinnerFilter),
        name="ticket-winners",
    ),
    path("ticket/update_events", TicketPaths.as_view({"get": "update_events"}), name="ticket-run"),
    path(
        "ticket/<str:username>",
        TicketPaths.as_view({"get": "ticket"}, authentication_classes=[PartnerKey]),
        name="ticket",
    ),
]
