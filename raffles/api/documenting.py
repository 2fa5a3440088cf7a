"""Words for the schema: which answers an endpoint can give."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from rafflesite.problems import CONTENT_TYPE, ProblemSerializer

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Send the same key again to get a lost answer again.",
)

# Whatever is asked for: a request that nobody could answer, or a server that cannot now.
_ALWAYS = (400, 411, 413, 415, 503)


def answers(*refused: int, **given: Any) -> dict[Any, Any]:
    """Responses by status: ``_201=Serializer`` what is given, the numbers what is refused."""
    return {int(status[1:]): body for status, body in given.items()} | {
        (status, CONTENT_TYPE): ProblemSerializer for status in (*refused, *_ALWAYS)
    }
