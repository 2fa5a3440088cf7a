"""What anyone needs to check a draw: commitment, proof, leaves, inclusion, keys, the verifier."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
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
from raffles.domain.log import published_keys
from raffles.domain.proofs import (
    commitment_file,
    drawn,
    inclusion,
    published_draw,
    seed_of,
    stream_leaves,
    stream_proof,
)
from raffles.fairness import verify
from raffles.models import Winner
from raffles.web.files import file_answer, kept, long_answer
from raffles.web.lists import StrictQueryMixin, reads
from raffles.web.problems import answers

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
_VERIFIER = Path(verify.__file__).read_bytes()
VERIFIER_CHECKSUM = hashlib.sha256(_VERIFIER).hexdigest()


class Octets(BaseRenderer):
    """Let a client accept application/octet-stream; the view streams the bytes itself."""

    media_type = "application/octet-stream"
    format = "bin"
    charset = None

    def render(self, data: Any, *_: Any) -> bytes:
        return bytes(data)


class ProvingViewSet(StrictQueryMixin, GenericViewSet[Any]):
    """Reads of a sealed raffle; `RaffleViewSet` inherits them."""

    @extend_schema(
        summary="The signed commitment",
        responses=answers(404, _200=serializers.CommitmentAnswer, _304=None),
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def commitment(self, request: Request, raffle_id: UUID) -> HttpResponseBase:
        draw = published_draw(raffle_id)
        return _cached(
            request,
            bytes(draw.commitment_hash).hex(),
            lambda: Response(commitment_file(draw)),
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
    """The public keys that sign receipts, seals and voids."""

    @extend_schema(summary="The public keys", responses=answers(_200=serializers.KeysAnswer))
    def get(self, _request: Request) -> Response:
        return Response(published_keys())


@require_safe
def verifier(_request: HttpRequest) -> HttpResponse:
    """Answer the single-file verifier, byte for byte what the server runs."""
    response = HttpResponse(_VERIFIER, content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="verify.py"'
    response["ETag"] = f'"{VERIFIER_CHECKSUM}"'
    return response


@require_safe
def verifier_checksum(_request: HttpRequest) -> HttpResponse:
    """Answer the verifier's SHA-256 in the format of `sha256sum -c`."""
    return HttpResponse(
        f"{VERIFIER_CHECKSUM}  verify.py\n", content_type="text/plain; charset=utf-8"
    )


def _cached(
    request: Request,
    etag: str,
    answer: Callable[[], HttpResponseBase],
    *,
    caching: str = IMMUTABLE,
) -> HttpResponseBase:
    """Return `answer()`, or 304 without calling it for a client that already has it."""
    quoted = f'"{etag}"'
    response = get_conditional_response(request._request, etag=quoted) or answer()  # noqa: SLF001
    if response.status_code < 400:
        response["ETag"] = quoted
        response["Cache-Control"] = caching
    return response
