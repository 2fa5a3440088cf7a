"""The beacon's word for a sealed raffle, for devices that compute their own result from it."""

from __future__ import annotations

import time
from functools import lru_cache
from threading import Lock
from typing import Final
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from raffles.domain import beacon
from raffles.domain.proofs import published_draw
from raffles.domain.refusals import NotSealed
from raffles.pages.page import page

_PAUSE: Final = 3.0  # seconds between two questions of this process, however many ask it
_PATIENCE: Final = 3.0  # seconds for a relay
_asking = Lock()
_paused_until = 0.0


@require_safe
@page
def beacon_of(_request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Answer round and signature, also of a raffle whose winners nobody has told.

    404 before the round's time and without a beacon, 503 while no relay has been heard.
    """
    try:
        draw = published_draw(raffle_id)
    except NotSealed:
        raise Http404 from None
    draws_at = draw.draws_at()
    if draw.round is None or draws_at is None or timezone.now().timestamp() < draws_at:
        raise Http404
    signature = bytes(draw.beacon_signature or b"") or _heard(draw.round)
    if signature is None:
        answer = JsonResponse({"detail": "The round could not be fetched yet."}, status=503)
        answer["Retry-After"] = str(round(_PAUSE))
        return answer
    return JsonResponse({"round": draw.round, "signature": signature.hex()})


def _heard(round_: int) -> bytes | None:
    """The round's signature; None where the relays are silent, or have just been asked."""
    global _paused_until  # noqa: PLW0603 - one network, one pause
    if time.monotonic() < _paused_until or not _asking.acquire(blocking=False):
        return None
    try:
        return _fetched(round_)
    except (beacon.NotYet, beacon.BeaconFault):
        _paused_until = time.monotonic() + _PAUSE
        return None
    finally:
        _asking.release()


@lru_cache(maxsize=256)
def _fetched(round_: int) -> bytes:
    return beacon.fetch(round_, settings.DRAND_RELAYS, deadline=_PATIENCE)
