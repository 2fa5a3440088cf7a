"""What other operators ask of us as their witness (C2SP tlog-witness)."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from raffles.domain.refusals import SignedOtherSize
from raffles.domain.witnesses.being_one.cosigning import Unsigned, cosign
from raffles.web.problems import RETRY_AFTER, answers, problem
from raffles.web.throttles import VerifyThrottle

_TEXT = "text/plain"
_SIZE = "text/x.tlog.size"


class AddCheckpointView(APIView):
    """Sees a newer checkpoint of a log that WITNESS_LOGS names, and signs that it did."""

    throttle_classes = (VerifyThrottle,)

    @extend_schema(
        summary="Have a checkpoint of another operator's log witnessed",
        description="As C2SP tlog-witness says: `old` and a size, at most 63 lines of a "
        "consistency proof, an empty line, the checkpoint. 409 holds the size that it has to "
        "begin at.",
        request={_TEXT: OpenApiTypes.STR},
        responses={
            **answers(403, 404, 422, 429),
            (200, _TEXT): OpenApiTypes.STR,
            (409, _SIZE): OpenApiTypes.STR,
        },
    )
    def post(self, request: Request) -> HttpResponse:
        try:
            line = cosign(request.body, clock=timezone.now)
        except SignedOtherSize as other:
            return HttpResponse(f"{other.size}\n", status=409, content_type=_SIZE)
        except Unsigned as reason:
            wait = {"Retry-After": str(RETRY_AFTER)}
            return problem(503, "unsigned", f"Nothing was signed: {reason}.", headers=wait)
        return HttpResponse(line, content_type=f"{_TEXT}; charset=utf-8")
