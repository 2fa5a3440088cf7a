"""Raffles in the API: create, take part, draw, verify."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex
from typing import Any
from uuid import UUID

from django.http import Http404, JsonResponse
from django.utils import translation
from drf_spectacular.utils import (
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)
from rest_framework.decorators import action
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from raffles.api import serializers
from raffles.api.authentication import (
    ManagerOrPartner,
    PartnerKey,
    PartnerThrottle,
    actor,
    supplier,
)
from raffles.api.entrants import faults_by_place, listed_in, shown_entries
from raffles.api.filters import RaffleFilter
from raffles.api.proofs import ProvingViewSet
from raffles.domain.clock import acting_time
from raffles.domain.confirming import confirm
from raffles.domain.contacts import keep_contact
from raffles.domain.creating import Request as CreatingRequest
from raffles.domain.creating import create_raffle
from raffles.domain.drawing import Waiting, void_raffle
from raffles.domain.due import draw_now
from raffles.domain.entering import Entry, enter
from raffles.domain.entering_lists import enter_list
from raffles.domain.inviting import (
    enter_by_invitation,
    link_to,
    make_invitations,
    withdraw_one,
)
from raffles.domain.prizes import check_ticket, replace_winner
from raffles.models import EntryMode, Raffle, Replacement, Winner
from raffles.models.raffle import CLAIM_TERMS
from raffles.notifications.confirmation import send_confirmation
from raffles.web.callers import ManagerOrReadOnly, caller_of, require_holder
from raffles.web.fields import StrictSerializer
from raffles.web.languages import language_of
from raffles.web.lists import LinkCursorPagination, reads
from raffles.web.parsing import StrictArrayParser, idempotency_key
from raffles.web.problems import IDEMPOTENCY_KEY, answers
from raffles.web.throttles import EntryThrottle, FileThrottle, VerifyThrottle

PRIVATE = {"Cache-Control": "no-store"}


class RankPagination(LinkCursorPagination):
    """Winners in order of rank."""

    ordering = "rank"
    default_limit = 1000


class OldestFirst(LinkCursorPagination):
    """Public records, oldest first."""

    ordering = "id"


@extend_schema_view(
    list=extend_schema(
        summary="The raffles, latest first",
        responses=answers(_200=serializers.RaffleAnswer(many=True)),
    ),
    retrieve=extend_schema(
        summary="One raffle", responses=answers(404, _200=serializers.RaffleAnswer)
    ),
)
class RaffleViewSet(ProvingViewSet):
    """A raffle: a pool of numbered tickets, its prizes, its one draw."""

    queryset = Raffle.objects.with_available().prefetch_related("prizes").order_by("-id")
    serializer_class = serializers.RaffleAnswer
    lookup_field = "uuid"
    lookup_url_kwarg = "raffle_id"
    lookup_value_converter = "UUID"  # raffles.web.converters
    filterset_class = RaffleFilter
    pagination_class = LinkCursorPagination

    # The action is None for a method that nobody may use: there 405 says more than 403.
    rights: dict[str | None, type[BasePermission]] = {
        "entries": ManagerOrPartner,
        "invitations": ManagerOrPartner,
        "withdraw_invitation": ManagerOrPartner,
    }
    open_to_all = frozenset({None, "participate", "verify_ticket"})
    throttles: dict[str, type[BaseThrottle]] = {
        "participate": EntryThrottle,
        "entries": PartnerThrottle,
        "invitations": PartnerThrottle,
        "withdraw_invitation": PartnerThrottle,
        "verify_ticket": VerifyThrottle,
        "proof": FileThrottle,
        "leaves": FileThrottle,
    }

    def get_permissions(self) -> list[BasePermission]:
        if self.action in self.open_to_all:
            return []
        return [self.rights.get(self.action, ManagerOrReadOnly)()]

    def get_throttles(self) -> list[BaseThrottle]:
        throttle = self.throttles.get(self.action)
        return [throttle()] if throttle else []

    def handle_exception(self, exc: Exception) -> Response:
        # 404 comes before 400. Looking for the raffle first would cost every claim a query.
        is_invalid = isinstance(exc, ValidationError | ParseError)
        uuid = self.kwargs.get("raffle_id")
        if is_invalid and uuid and not Raffle.objects.filter(uuid=uuid).exists():
            exc = Http404()
        return super().handle_exception(exc)

    @reads(LinkCursorPagination, RaffleFilter)
    def list(self, _request: Request) -> Response:
        raffles = self.get_queryset().filter(event_slug=None)
        page = self.paginate_queryset(self.filter_queryset(raffles))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, _request: Request, raffle_id: UUID) -> Response:
        return self._shown(raffle_id)

    def _shown(self, raffle_id: UUID, status: int = 200) -> Response:
        raffle = self.get_queryset().get(uuid=raffle_id)
        return Response(serializers.RaffleAnswer(raffle).data, status=status)

    @extend_schema(
        summary="Create a raffle (manager)",
        request=serializers.RaffleRequest,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(403, 413, 415, 422, _201=serializers.RaffleAnswer),
    )
    def create(self, request: Request) -> Response:
        asked = valid(serializers.RaffleRequest, request)
        key = idempotency_key(request)
        asked["prizes"] = [
            (prize["name"], prize["amount"], prize["picture"]) for prize in asked["prizes"]
        ]
        claim = {name: asked.pop(name) for name in CLAIM_TERMS}
        raffle = create_raffle(
            **asked,
            claim=claim,
            now=acting_time(),
            by=actor(request),
            request=CreatingRequest(caller_of(request).holder, key, dict(request.data))
            if key
            else None,
        )
        return self._shown(raffle.uuid, 201)

    @extend_schema(
        summary="Take part, the raffle's own way",
        request=serializers.EntryRequest,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(
            403,
            404,
            410,
            413,
            415,
            429,
            _201=PolymorphicProxySerializer(
                "Taken", [serializers.EntryAnswer, serializers.TicketsAnswer], None
            ),
            _202=serializers.SentAnswer,
        ),
    )
    @action(detail=True, methods=["post"])
    def participate(self, request: Request, raffle_id: UUID) -> JsonResponse:
        asked = said(serializers.EntryRequest, request)
        holder, key, now = require_holder(request), idempotency_key(request), acting_time()
        accepts = asked.get("accepts")
        if "invitation" in asked:
            code = asked["invitation"]
            entries = enter_by_invitation(
                raffle_id, code=code, now=now, request_key=key, accepts=accepts
            )
            tickets = [_ticket(entry) for entry in entries]
            body = tickets[0] if len(tickets) == 1 else {"tickets": tickets}
            return JsonResponse(body, status=201, headers=PRIVATE)
        if "confirmation" in asked:
            link = asked["confirmation"]
            entry = confirm(raffle_id, confirmation=link, now=now, accepts=accepts)
            return JsonResponse(_ticket(entry), status=201, headers=PRIVATE)
        if "email" in asked and Raffle.objects.get(uuid=raffle_id).entry == EntryMode.EMAIL:
            with translation.override(language_of(request)):
                send_confirmation(raffle_id, address=asked["email"], now=now)
            return JsonResponse({"sent_to": asked["email"]}, status=202, headers=PRIVATE)
        who = f"ip:{holder}"
        entry = enter(raffle_id, identity=who, now=now, request_key=key, accepts=accepts)
        if "email" in asked:
            keep_contact(entry, asked["email"], now=now)
        return JsonResponse(_ticket(entry), status=201, headers=PRIVATE)

    @extend_schema(
        summary="Enter a list of up to 1,000 entrants, all or none (manager, or API key)",
        request=serializers.EntrantsRequest,
        auth=[{"partnerKey": []}, {}],  # type: ignore[list-item]  # a manager needs no key
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(401, 403, 404, 410, 413, 415, 422, 429, _201=serializers.EntriesAnswer),
    )
    @action(
        detail=True,
        methods=["post"],
        authentication_classes=[PartnerKey],
        parser_classes=[StrictArrayParser],
    )
    def entries(self, request: Request, raffle_id: UUID) -> Response:
        asked = serializers.EntrantsRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        lines, how = listed_in(request, asked.validated_data)
        with faults_by_place():
            entered = enter_list(raffle_id, lines, **how)
        found = shown_entries(entered)
        answer = serializers.EntriesAnswer({"entries": found})
        return Response(answer.data, status=201, headers=PRIVATE)

    @extend_schema(
        summary="Make up to 1,000 invitations, whose codes are shown once (manager, or API key)",
        request=serializers.InvitationsRequest,
        auth=[{"partnerKey": []}, {}],  # type: ignore[list-item]  # as above
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(
            401, 403, 404, 410, 413, 415, 422, 429, _201=serializers.InvitationsAnswer
        ),
    )
    @action(detail=True, methods=["post"], authentication_classes=[PartnerKey])
    def invitations(self, request: Request, raffle_id: UUID) -> Response:
        asked = valid(serializers.InvitationsRequest, request)
        by, caller = supplier(request)
        key = idempotency_key(request)
        batch = f"{caller} {key}" if key else token_hex(16)
        codes = make_invitations(raffle_id, batch=batch, **asked, now=acting_time(), by=by)
        made = [{"code": code, "link": link_to(raffle_id, code)} for code in codes]
        answer = serializers.InvitationsAnswer({"invitations": made})
        return Response(answer.data, status=201, headers=PRIVATE)

    @extend_schema(
        summary="Withdraw an unused invitation by its code (manager, or API key)",
        request=serializers.WithdrawalRequest,
        auth=[{"partnerKey": []}, {}],  # type: ignore[list-item]  # as above
        responses=answers(401, 403, 404, 413, 415, 429, _204=None),
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="invitations/withdraw",
        authentication_classes=[PartnerKey],
    )
    def withdraw_invitation(self, request: Request, raffle_id: UUID) -> Response:
        asked = valid(serializers.WithdrawalRequest, request)
        by, _ = supplier(request)
        withdraw_one(raffle_id, code=asked["invitation"], now=acting_time(), by=by)
        return Response(status=204)

    @extend_schema(
        summary="The winners in order of rank, empty before the draw",
        responses=answers(404, _200=serializers.WinnerAnswer(many=True)),
        filters=False,
    )
    @reads(serializers.WinnersQuery, RankPagination)
    @action(detail=True, methods=["get"], pagination_class=RankPagination)
    def winners(self, _request: Request, raffle_id: UUID) -> Response:
        raffle = Raffle.objects.only("pk").get(uuid=raffle_id)
        winners = Winner.objects.filter(raffle=raffle).select_related("prize")
        if not self.query["alternates"]:
            winners = winners.of_prizes()
        page = self.paginate_queryset(winners)
        return self.get_paginated_response(serializers.WinnerAnswer(page, many=True).data)

    @extend_schema(
        summary="Close, seal and draw (manager)",
        request=None,
        responses=answers(
            403,
            404,
            413,
            415,
            _201=serializers.WinnerAnswer(many=True),
            _202=serializers.WaitingAnswer,
        ),
    )
    @winners.mapping.post
    def draw(self, request: Request, raffle_id: UUID) -> Response:
        said(serializers.EmptyRequest, request)
        try:
            raffle = draw_now(raffle_id, now=acting_time(), clock=acting_time, by=actor(request))
        except Waiting as waiting:
            draws_at = datetime.fromtimestamp(waiting.draw.draws_at() or 0, UTC)
            body = {"round": waiting.draw.round, "draws_at": draws_at}
            return Response(serializers.WaitingAnswer(body).data, status=202)
        winners = Winner.objects.filter(raffle=raffle).of_prizes().select_related("prize")
        return Response(serializers.WinnerAnswer(winners, many=True).data, status=201)

    @extend_schema(
        summary="Has this ticket won?",
        request=serializers.TicketCheckRequest,
        responses=answers(404, 413, 415, 429, _200=serializers.TicketCheckAnswer),
    )
    @action(detail=True, methods=["post"], url_path="verify-ticket")
    def verify_ticket(self, request: Request, raffle_id: UUID) -> Response:
        asked = valid(serializers.TicketCheckRequest, request)
        prize = check_ticket(
            raffle_id,
            ticket_number=asked["ticket_number"],
            code=asked["verification_code"],
        )
        answer = serializers.TicketCheckAnswer({"has_won": prize is not None, "prize": prize})
        return Response(answer.data, headers=PRIVATE)

    @extend_schema(
        summary="Call off, with a public reason (manager)",
        request=serializers.VoidRequest,
        responses=answers(403, 404, 409, 413, 415, _200=serializers.RaffleAnswer),
    )
    @action(detail=True, methods=["post"])
    def void(self, request: Request, raffle_id: UUID) -> Response:
        asked = valid(serializers.VoidRequest, request)
        void_raffle(raffle_id, reason=asked["reason"], now=acting_time(), by=actor(request))
        return self._shown(raffle_id)

    @extend_schema(
        summary="Who took whose place, and why",
        responses=answers(404, _200=serializers.ReplacementAnswer(many=True)),
        filters=False,
    )
    @reads(OldestFirst)
    @action(detail=True, methods=["get"], pagination_class=OldestFirst)
    def replacements(self, _request: Request, raffle_id: UUID) -> Response:
        raffle = Raffle.objects.only("pk").get(uuid=raffle_id)
        rows = Replacement.objects.filter(raffle=raffle)
        page = self.paginate_queryset(rows.select_related("prize", "winner", "alternate"))
        return self.get_paginated_response([row.public() for row in page or []])

    @extend_schema(
        summary="Give a winner's prize to the next alternate (manager)",
        request=serializers.ReplacementRequest,
        responses=answers(403, 404, 409, 413, 415, _201=serializers.ReplacementAnswer),
    )
    @replacements.mapping.post
    def replace(self, request: Request, raffle_id: UUID) -> Response:
        asked = valid(serializers.ReplacementRequest, request)
        line = replace_winner(raffle_id, **asked, now=acting_time(), by=actor(request))
        return Response(line.public(), status=201)


def _ticket(entry: Entry) -> dict[str, Any]:
    """Return an EntryAnswer by hand: its fields would cost more than all else of a claim."""
    return {
        "raffle_id": str(entry.raffle_id),
        "ticket_number": entry.ticket_number,
        "verification_code": entry.verification_code,
        "receipt": entry.receipt,
    }


def valid(shape: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """Return the validated body."""
    asked = shape(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def said(shape: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """Return the validated body, {} without one, which costs nothing: most entries send none."""
    if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        return {}
    return valid(shape, request)
