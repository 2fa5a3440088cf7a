"""Exclusions in the API: who may not enter is told once, and kept as a tag alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from raffles.api.authentication import actor
from raffles.api.serializers import EmptyRequest
from raffles.api.views import PRIVATE, said, valid
from raffles.domain.clock import acting_time
from raffles.domain.excluding import Scope, end_exclusion, exclude
from raffles.domain.reading_exclusions import LONGEST, LONGEST_REASON, Person, read_identity
from raffles.models import Exclusion, Raffle
from raffles.web.callers import ManagerOnly, refuse_foreign
from raffles.web.fields import MomentField, StrictSerializer, VisibleTextField
from raffles.web.formats import as_sentence
from raffles.web.lists import LinkCursorPagination, StrictQueryMixin, reads
from raffles.web.problems import answers


class ExclusionRequest(StrictSerializer):
    """Whom to keep out: of everything, or of one raffle or event."""

    alternatives = ("raffle_id", "event")

    kind = serializers.ChoiceField(choices=Exclusion.Kind.choices)
    identity = VisibleTextField(
        max_length=LONGEST,
        help_text="203.0.113.7 or 2001:db8::7, a username, name@example.org, or a list's "
        "identifier. It is not kept, only a keyed tag of it.",
    )
    reason = VisibleTextField(
        max_length=LONGEST_REASON, help_text="For the staff alone. Write no name."
    )
    ends_at = MomentField(allow_null=True, default=None)
    raffle_id = serializers.UUIDField(required=False)
    event = VisibleTextField(max_length=50, required=False, help_text="Its slug.")


class ExclusionAnswer(serializers.Serializer[Any]):
    """An exclusion, which never says who it is of."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Exclusion.Kind.choices)
    raffle_id = serializers.UUIDField(source="raffle.uuid", default=None, allow_null=True)
    event = serializers.CharField(source="event_slug", allow_null=True)
    reason = serializers.CharField()
    ends_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


@extend_schema_view(
    list=extend_schema(
        summary="Who may not enter, latest first, without saying who (manager)",
        responses=answers(403, _200=ExclusionAnswer(many=True)),
    )
)
class ExclusionViewSet(StrictQueryMixin, GenericViewSet[Any]):
    """Exclusions; a higher floor knows which events there are (`events`) and serves them."""

    queryset = Exclusion.objects.select_related("raffle").order_by("-id")
    serializer_class = ExclusionAnswer
    lookup_url_kwarg = "exclusion_id"
    lookup_value_converter = "int"
    pagination_class = LinkCursorPagination

    def get_permissions(self) -> list[BasePermission]:
        # None is a method that nobody may use, and so is OPTIONS: 405 says more than 403.
        return [] if self.action in (None, "metadata") else [ManagerOnly()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # A read, too: else any page that a manager has open could read it from their address.
        refuse_foreign(request)
        super().initial(request, *args, **kwargs)

    def is_event(self, slug: str) -> bool:  # noqa: ARG002
        """Return whether there is an event of that name."""
        return False

    @reads(LinkCursorPagination)
    def list(self, _request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        response = self.get_paginated_response(self.get_serializer(page, many=True).data)
        response.headers["Cache-Control"] = PRIVATE["Cache-Control"]
        return response

    @extend_schema(
        summary="Keep somebody out; one that lasts as long stays as it is (manager)",
        request=ExclusionRequest,
        responses=answers(403, 413, 415, _201=ExclusionAnswer),
    )
    def create(self, request: Request) -> Response:
        asked, now = valid(ExclusionRequest, request), acting_time()
        person, scope = _person(asked, now), self._scope(asked)
        (row,) = exclude([person], scope, now=now, by=actor(request))
        return Response(ExclusionAnswer(row).data, status=201, headers=PRIVATE)

    @extend_schema(
        summary="Let the person enter again from now on (manager)",
        request=None,
        responses=answers(403, 404, 413, 415, _200=ExclusionAnswer),
    )
    @action(detail=True, methods=["post"])
    def end(self, request: Request, exclusion_id: int) -> Response:
        row = self.get_queryset().get(pk=exclusion_id)
        said(EmptyRequest, request)
        if end_exclusion(row, now=acting_time(), by=actor(request)):
            row.refresh_from_db(fields=["ends_at"])
        return Response(ExclusionAnswer(row).data, headers=PRIVATE)

    def _scope(self, asked: dict[str, Any]) -> Scope:
        if "event" in asked and not self.is_event(asked["event"]):
            raise ValidationError({"event": ["There is no such event."]})
        if "raffle_id" not in asked:
            return Scope(event_slug=asked.get("event"))
        raffle = Raffle.objects.filter(uuid=asked["raffle_id"]).first()
        if raffle is None:
            raise ValidationError({"raffle_id": ["There is no such raffle."]})
        return Scope(raffle=raffle)


def _person(asked: dict[str, Any], now: datetime) -> Person:
    kind, ends_at = Exclusion.Kind(asked["kind"]), asked["ends_at"]
    try:
        identity = read_identity(kind, asked["identity"])
    except ValueError as fault:
        raise ValidationError({"identity": [as_sentence(str(fault))]}) from None
    if ends_at is not None and ends_at <= now:
        raise ValidationError({"ends_at": ["ends_at must be in the future"]})
    return Person(kind, identity, asked["reason"], ends_at)
