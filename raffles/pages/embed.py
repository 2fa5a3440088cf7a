"""A raffle in a frame on somebody else's page: countdown, tickets left, result, and its check."""

from __future__ import annotations

import json
from functools import wraps
from typing import Any
from uuid import UUID

from csp.constants import NONE
from csp.decorators import csp_replace
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from raffles.domain.log import published_keys
from raffles.models import Raffle
from raffles.pages.page import View, page
from raffles.pages.queries import PODIUM, raffle_to_show
from raffles.pages.result import LARGE, VERIFIER_SIZE, size_of_proof
from raffles.pages.views import state_of


def embedded(view: View) -> View:
    """Make a view answer as a page that EMBED_ORIGINS alone may frame; 404 where it is empty.

    Its own 404 may be framed, too: otherwise the frame would say only that it was refused.
    """

    @page
    def allowed(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not settings.EMBED_ORIGINS:
            raise Http404
        return view(request, *args, **kwargs)

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        framing = csp_replace({"frame-ancestors": settings.EMBED_ORIGINS or [NONE]})
        shown: View = framing(allowed)  # type: ignore[assignment]
        if settings.EMBED_ORIGINS:  # the older header knows no list of origins
            shown = xframe_options_exempt(shown)
        return shown(request, *args, **kwargs)

    return answer


@require_safe
@embedded
def embed(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Show a raffle in a frame."""
    return render(request, "raffles/embed.html", _state(raffle_id, event_page))


@require_safe
@embedded
def embed_state(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Answer the part of it that changes."""
    return render(request, "raffles/_embed.html", _state(raffle_id, event_page))


def _state(raffle_id: UUID, event_page: str) -> dict[str, Any]:
    shown = raffle_to_show(raffle_id)
    context = state_of(shown, event_page, is_held=True)
    context["page"] = context["event_address"] or reverse("pages:raffle", args=[raffle_id])
    if shown.is_drawn:
        context["result"] = reverse("pages:result", args=[raffle_id])
        context |= to_check(shown, context["story"].tickets)
    return context


def to_check(drawn: Raffle, tickets: int) -> dict[str, Any]:
    """Return what the check of a drawn raffle of so many tickets needs in a frame."""
    size = size_of_proof(drawn, tickets)
    return {
        "drawn": drawn,
        "shown": PODIUM,
        "keys": json.dumps(published_keys()),
        "proof_size": size,
        "to_load": size + VERIFIER_SIZE if size > LARGE else None,
    }
