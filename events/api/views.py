"""Events in the API: schedule, take part, list coming draws and winners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from events.api import serializers
from events.api.filters import EventFilter, SoonestFirst, WinnerFilter
from events.domain.calendar import coming_draws, coming_on, draws_in_order, find_event
from events.domain.entering import Participant, enter_users, take_part
from events.domain.refusals import PartnersOnly
from events.domain.scheduling import (
    Unfit,
    edit_event,
    remove_reward,
    schedule_event,
    set_reward,
)
from events.models import Event, Occurrence, Reward
from raffles.api.authentication import ManagerOrPartner, PartnerKey, PartnerThrottle, actor
from raffles.api.entrants import faults_by_place, listed_in, shown_entries
from raffles.api.views import PRIVATE
from raffles.domain.clock import acting_time
from raffles.domain.contacts import keep_contact
from raffles.models import ApiKey, Winner
from raffles.web.callers import ManagerOrReadOnly, require_holder
from raffles.web.fields import StrictSerializer
from raffles.web.lists import LinkCursorPagination, StrictQueryMixin, reads
from raffles.web.parsing import StrictArrayParser, idempotency_key
from raffles.web.problems import IDEMPOTENCY_KEY, answers
from raffles.web.versions import IF_MATCH, seen_versions, tagged

_ENTRY = serializers.EventEntryAnswer()  # one for all requests, as the readers are


@extend_schema_view(
    list=extend_schema(
        summary="The events with their next draw, latest first",
        responses=answers(_200=serializers.EventAnswer(many=True)),
    ),
    retrieve=extend_schema(
        summary="One event with its next draw", responses=answers(404, _200=serializers.EventAnswer)
    ),
)
class EventViewSet(StrictQueryMixin, GenericViewSet[Any]):
    """A lucky draw that recurs."""

    queryset = Event.objects.order_by("-id")
    serializer_class = serializers.EventAnswer
    lookup_field = "slug"
    lookup_value_converter = "slug"
    filterset_class = EventFilter
    pagination_class = LinkCursorPagination

    def get_permissions(self) -> list[BasePermission]:
        # None is a method that nobody may use: 405 says more than 403.
        is_open = self.action in (None, "participate")
        right = ManagerOrPartner if self.action == "entries" else ManagerOrReadOnly
        return [] if is_open else [right()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [PartnerThrottle()] if self.action in ("participate", "entries") else []

    @reads(LinkCursorPagination, EventFilter)
    def list(self, _request: Request) -> Response:
        events = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        _add_next_draw(events, timezone.now())
        return self.get_paginated_response(self.get_serializer(events, many=True).data)

    def retrieve(self, _request: Request, slug: str) -> Response:
        event = Event.objects.get(slug=slug)
        _add_next_draw([event], timezone.now())
        return tagged(Response(serializers.EventAnswer(event).data), event.version())

    @extend_schema(
        summary="Schedule an event (manager)",
        request=serializers.EventRequest,
        responses=answers(403, 409, _201=serializers.EventAnswer),
    )
    def create(self, request: Request) -> Response:
        asked = valid(serializers.EventRequest, request)
        now = acting_time()
        is_paused = asked.pop("paused")
        asked.setdefault("slug", slugify(asked["name"])[:50])
        if not asked["slug"]:
            raise ValidationError({"slug": ["Write a slug; none follows from the name."]})
        rules = asked.pop("rules")
        event = Event(**asked, paused_at=now if is_paused else None)
        with _by_field():
            schedule_event(event, now=now, by=actor(request), rules=rules)
        _add_next_draw([event], now)
        return tagged(Response(serializers.EventAnswer(event).data, status=201), event.version())

    @extend_schema(
        summary="Change, pause or resume an event (manager)",
        request=serializers.EventChange(partial=True),
        parameters=[IF_MATCH],
        responses=answers(403, 404, 412, _200=serializers.ChangedEventAnswer),
    )
    def partial_update(self, request: Request, slug: str) -> Response:
        event = Event.objects.only("pk").get(slug=slug)
        asked = valid(serializers.EventChange, request, is_partial=True)
        now = acting_time()
        with _by_field():
            seen = seen_versions(request)
            event, kept = edit_event(event.pk, asked, now=now, by=actor(request), seen=seen)
        _add_next_draw([event], now)
        event.kept = [row.date for row in kept]
        return tagged(Response(serializers.ChangedEventAnswer(event).data), event.version())

    @extend_schema(
        summary="Take part in the next draw",
        request=serializers.ParticipationRequest,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(
            401,
            403,
            404,
            410,
            422,
            429,
            _200=serializers.EventEntryAnswer,
            _201=serializers.EventEntryAnswer,
        ),
    )
    @action(detail=True, methods=["post"], authentication_classes=[PartnerKey])
    def participate(self, request: Request, slug: str) -> Response:
        now = acting_time()
        event, draw = find_event(now, slug=slug)
        asked = valid(serializers.ParticipationRequest, request)
        participant = participant_of(
            request, asked["username"], asked.get("order_id"), asked.get("accepts")
        )
        try:
            taken = take_part(event, participant, now=now, draw=draw)
        except PartnersOnly as refusal:
            raise NotAuthenticated(str(refusal), refusal.code) from None
        if "email" in asked:
            keep_contact(taken.entry, asked["email"], now=now)
        is_again = taken.entry.is_repeat and participant.order_id is not None
        body = _ENTRY.to_representation(taken)
        return Response(body, status=200 if is_again else 201, headers=PRIVATE)

    @extend_schema(
        summary="Enter up to 1,000 users in the next draw, all or none (manager, or API key)",
        request=serializers.UsersRequest,
        auth=[{"partnerKey": []}, {}],  # type: ignore[list-item]  # a manager needs no key
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(401, 403, 404, 410, 422, 429, _201=serializers.EventEntriesAnswer),
    )
    @action(
        detail=True,
        methods=["post"],
        authentication_classes=[PartnerKey],
        parser_classes=[StrictArrayParser],
    )
    def entries(self, request: Request, slug: str) -> Response:
        event = Event.objects.get(slug=slug)
        asked = serializers.UsersRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        lines, how = listed_in(request, asked.validated_data)
        with faults_by_place():
            listed = enter_users(event, lines, **how)
        body = {
            "event": event.slug,
            "draw_at": listed.draw_at,
            "raffle_id": listed.raffle_id,
            "entries": shown_entries(listed.entered),
        }
        answer = serializers.EventEntriesAnswer(body).data
        return Response(answer, status=201, headers=PRIVATE)

    @extend_schema(
        summary="The coming draws of all events, soonest first",
        responses=answers(_200=serializers.UpcomingAnswer(many=True)),
    )
    @reads(serializers.DaysQuery, SoonestFirst, EventFilter)
    @action(detail=False, methods=["get"], pagination_class=SoonestFirst)
    def upcoming(self, request: Request) -> Response:
        now, days = timezone.now(), self.query["days"]
        events = list(self.filter_queryset(self.get_queryset()))
        pages = SoonestFirst()
        since, until = pages.since(request), now + timedelta(days=days)
        page = pages.paginate_draws(
            draws_in_order(events, now=now, since=since, until=until), request
        )
        return pages.get_paginated_response(serializers.UpcomingAnswer(page, many=True).data)

    @extend_schema(
        summary="The winners of recent days, latest first",
        responses=answers(_200=serializers.RecentWinnerAnswer(many=True)),
    )
    @reads(serializers.DaysQuery, LinkCursorPagination, WinnerFilter)
    @action(detail=False, methods=["get"], filterset_class=WinnerFilter)
    def winners(self, _request: Request) -> Response:
        since = timezone.now() - timedelta(days=self.query["days"])
        rows = Winner.objects.of_prizes().filter(
            raffle__event_slug__isnull=False, raffle__draw__drawn_at__gte=since
        )
        rows = rows.select_related("prize", "ticket", "raffle__occurrence__event", "raffle__draw")
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(serializers.RecentWinnerAnswer(page, many=True).data)

    @extend_schema(
        operation_id="events_draws_list",
        summary="The draws of an event, latest first: coming draws, then past ones",
        responses=answers(404, _200=serializers.EventDrawAnswer(many=True)),
        filters=False,
    )
    @reads(serializers.DaysQuery, LinkCursorPagination)
    @action(detail=True, methods=["get"])
    def draws(self, request: Request, slug: str) -> Response:
        event, now, days = Event.objects.get(slug=slug), timezone.now(), self.query["days"]
        page: list[Any] = self.paginate_queryset(_opened(event)) or []
        if "cursor" not in request.query_params:
            draws = coming_draws([event], now=now, until=now + timedelta(days=days))
            page = [draw for draw in draws[::-1] if draw.occurrence is None] + page
        return self.get_paginated_response(serializers.EventDrawAnswer(page, many=True).data)

    @extend_schema(
        summary="The draw of a date", responses=answers(404, _200=serializers.EventDrawAnswer)
    )
    @action(detail=True, methods=["get"], url_path="draws/<day:day>")
    def draw(self, _request: Request, slug: str, day: date) -> Response:
        event, now = Event.objects.get(slug=slug), timezone.now()
        draw = _opened(event).filter(date=day).first() or coming_on(event, day, now=now)
        if draw is None:
            raise Occurrence.DoesNotExist
        return Response(serializers.EventDrawAnswer(draw).data)

    @extend_schema(
        summary="Set the reward of a date (manager)",
        request=serializers.RewardShape,
        parameters=[IF_MATCH],
        responses=answers(
            403,
            404,
            409,
            412,
            _200=serializers.DateRewardAnswer,
            _201=serializers.DateRewardAnswer,
        ),
    )
    @action(detail=True, methods=["put"], url_path="rewards/<day:day>")
    def reward(self, request: Request, slug: str, day: date) -> Response:
        event = Event.objects.only("pk").get(slug=slug)
        asked = valid(serializers.RewardShape, request)
        how: dict[str, Any] = {"now": acting_time(), "by": actor(request)}
        reward, is_new = set_reward(event.pk, day, asked, **how, seen=seen_versions(request))
        body = serializers.DateRewardAnswer(reward).data
        return tagged(Response(body, status=201 if is_new else 200), reward.version())

    @extend_schema(
        summary="The reward that a date has of its own",
        responses=answers(404, _200=serializers.DateRewardAnswer),
    )
    @reward.mapping.get
    def own_reward(self, _request: Request, slug: str, day: date) -> Response:
        reward = Reward.objects.get(event__slug=slug, date=day)
        return tagged(Response(serializers.DateRewardAnswer(reward).data), reward.version())

    @extend_schema(
        summary="Reset a date to the default reward (manager)",
        request=None,
        parameters=[IF_MATCH],
        responses=answers(403, 404, 409, 412, _204=None),
    )
    @reward.mapping.delete
    def unset_reward(self, request: Request, slug: str, day: date) -> Response:
        event = Event.objects.only("pk").get(slug=slug)
        how: dict[str, Any] = {"now": acting_time(), "by": actor(request)}
        remove_reward(event.pk, day, **how, seen=seen_versions(request))
        return Response(status=204)


def valid(
    shape: type[StrictSerializer], request: Request, *, is_partial: bool = False
) -> dict[str, Any]:
    """Return the request's body, validated against `shape`."""
    return dict(_reader(shape, is_partial).run_validation(request.data))


@lru_cache
def _reader(shape: type[StrictSerializer], is_partial: bool) -> StrictSerializer:
    """Return one instance for all requests: copying its fields costs more than validating."""
    return shape(partial=is_partial)


def participant_of(
    request: Request, username: str, order_id: str | None = None, accepts: str | None = None
) -> Participant:
    """Return who calls for whom: a partner is known by their key, anybody else by their address."""
    holder = f"ip:{require_holder(request)}"
    key = request.auth
    return Participant(
        username=username,
        caller=f"key:{key.pk}" if isinstance(key, ApiKey) else holder,
        address=holder,
        is_partner=isinstance(key, ApiKey),
        order_id=order_id,
        request_key=idempotency_key(request),
        accepts=accepts,
    )


def _add_next_draw(events: Sequence[Event], now: datetime) -> None:
    draws = {draw.event.pk: draw for draw in coming_draws(events, now=now, each=1)}
    for event in events:
        event.next_draw = draws.get(event.pk)


def _opened(event: Event) -> QuerySet[Occurrence]:
    rows = Occurrence.objects.filter(event=event).with_participants()
    return rows.select_related("raffle__draw").order_by("-id")


@contextmanager
def _by_field() -> Iterator[None]:
    """Turn Unfit into a validation error by field, under the API's field names."""
    try:
        yield
    except Unfit as unfit:
        names = {"reward_amount": "default_reward.amount"}
        raise ValidationError(
            {names.get(name, name): [sentence] for name, sentence in unfit.errors.items()}
        ) from None
