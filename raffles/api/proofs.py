"""What anyone needs to check a draw: commitment, proof, leaves, inclusion, keys, verifier."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from raffles.api import serializers
from raffles.domain.keys import signer
from raffles.domain.proofs import (
    drawn,
    inclusion,
    published_draw,
    seed_of,
    stream_leaves,
    stream_proof,
)
from raffles.fairness import verify
from raffles.models import Draw, Raffle, Winner
from raffles.web.files import file_answer, kept, long_answer
from raffles.web.lists import StrictQueryMixin, reads
from raffles.web.problems import answers

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
_VERIFIER = Path(verify.__file__).read_bytes()
VERIFIER_CHECKSUM = hashlib.sha256(_VERIFIER).hexdigest()


class Octets(BaseRenderer):
    """Lets a client ask for bytes; the view streams them itself."""

    media_type = "application/octet-stream"
    format = "bin"
    charset = None

    def render(self, data: Any, *_: Any) -> bytes:
        return bytes(data)


class ProvingViewSet(StrictQueryMixin, GenericViewSet[Any]):
    """The reading side of a sealed raffle; `RaffleViewSet` inherits it."""

    @extend_schema(
        summary="The draws over the sealed pool, latest first",
        responses=answers(404, _200=serializers.DrawAnswer(many=True)),
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def draws(self, _request: Request, raffle_id: UUID) -> Response:
        raffle = Raffle.objects.get(uuid=raffle_id)
        draws = Draw.objects.filter(raffle=raffle).select_related("raffle").order_by("-number")
        return Response(serializers.DrawAnswer([_draw(draw) for draw in draws], many=True).data)

    @extend_schema(
        summary="The signed commitment",
        responses=answers(404, _200=serializers.CommitmentAnswer, _304=None),
        filters=False,
    )
    @reads(serializers.CommitmentQuery)
    @action(detail=True, methods=["get"], pagination_class=None)
    def commitment(self, request: Request, raffle_id: UUID) -> HttpResponseBase:
        number = self.query.get("draw_no")
        draw = published_draw(raffle_id, number)
        # Without its number it may be followed by another until it is drawn.
        is_final = number is not None or draw.drawn_at is not None
        return _cached(
            request,
            bytes(draw.commitment_hash).hex(),
            lambda: Response({"commitment": draw.commitment(), **draw.seal()}),
            caching=IMMUTABLE if is_final else REVALIDATE,
        )

    @extend_schema(
        summary="The proof: check it with verify.py",
        description="Whole, as one file of any size; or in pages of winners with `limit`.",
        responses=answers(404, 429, _200=serializers.ProofAnswer, _304=None),
        filters=False,
    )
    @reads(serializers.ProofQuery)
    @action(detail=True, methods=["get"], pagination_class=None)
    def proof(self, request: Request, raffle_id: UUID) -> HttpResponseBase:
        limit, after = self.query.get("limit"), self.query.get("after", 0)
        draw = drawn(raffle_id)
        seed = seed_of(draw).hex()

        def answer() -> HttpResponseBase:
            if limit or after:
                page = stream_proof(draw, after=after, limit=limit)
                return long_answer(request, page, "application/json")
            file = kept(f"{seed}.proof.json", lambda: stream_proof(draw))
            return file_answer(request, file, "application/json")

        response = _cached(request, f"{seed}-{after}-{limit}", answer)
        following = Winner.objects.filter(raffle=draw.raffle, rank__gt=after + (limit or 0))
        if limit and following.exists():
            url = request.build_absolute_uri(request.path)
            response["Link"] = f'<{url}?limit={limit}&after={after + limit}>; rel="next"'
        return response

    @extend_schema(
        summary="All leaf hashes of the sealed pool, 32 bytes each, in order",
        responses=answers(404, 429, _304=None)
        | {(200, "application/octet-stream"): OpenApiTypes.BINARY},
        filters=False,
    )
    @action(
        detail=True,
        methods=["get"],
        pagination_class=None,
        renderer_classes=[Octets],
    )
    def leaves(self, request: Request, raffle_id: UUID) -> HttpResponseBase:
        draw = published_draw(raffle_id)
        root = bytes(draw.raffle.pool.root).hex()

        def answer() -> HttpResponseBase:
            file = kept(f"{root}.leaves", lambda: stream_leaves(draw))
            return file_answer(request, file, "application/octet-stream")

        return _cached(request, root, answer)

    @extend_schema(
        summary="That a ticket is in the sealed pool",
        responses=answers(404, _200=serializers.InclusionAnswer, _304=None),
        filters=False,
    )
    @action(
        detail=True,
        methods=["get"],
        pagination_class=None,
        url_path="tickets/<int:ticket_number>/inclusion",
    )
    def inclusion(self, request: Request, raffle_id: UUID, ticket_number: int) -> HttpResponseBase:
        found = inclusion(raffle_id, ticket_number)
        etag = f"{found['commitment_hash']}-{found['index']}"
        return _cached(request, etag, lambda: Response(found), caching=REVALIDATE)


class KeysView(APIView):
    """The public keys of receipts, seals and voids."""

    @extend_schema(summary="The public keys", responses=answers(_200=serializers.KeysAnswer))
    def get(self, _request: Request) -> Response:
        return Response(signer().public_keys())


@require_safe
def verifier(_request: HttpRequest) -> HttpResponse:
    """The single-file verifier, exactly as the server runs it."""
    response = HttpResponse(_VERIFIER, content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="verify.py"'
    response["ETag"] = f'"{VERIFIER_CHECKSUM}"'
    return response


@require_safe
def verifier_checksum(_request: HttpRequest) -> HttpResponse:
    """Its SHA-256, in the form that `sha256sum -c` reads."""
    return HttpResponse(
        f"{VERIFIER_CHECKSUM}  verify.py\n", content_type="text/plain; charset=utf-8"
    )


def _draw(draw: Draw) -> dict[str, Any]:
    draws_at = draw.draws_at()
    return {
        "draw_no": draw.number,
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        "sealed_at": draw.closed_at,
        "round": draw.round,
        "draws_at": None if draws_at is None else datetime.fromtimestamp(draws_at, UTC),
        "drawn_at": draw.drawn_at,
        "late": draw.is_late(),
        "void": draw.void(),
    }


def _cached(
    request: Request,
    etag: str,
    answer: Callable[[], HttpResponseBase],
    *,
    caching: str = IMMUTABLE,
) -> HttpResponseBase:
    """The answer, or 304 for a client that has it; made only when it is needed."""
    quoted = f'"{etag}"'
    response = get_conditional_response(request._request, etag=quoted) or answer()  # noqa: SLF001
    if response.status_code < 400:
        response["ETag"] = quoted
        response["Cache-Control"] = caching
    return response
