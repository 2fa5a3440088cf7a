"""The stage: winners on a projector, and a way for staff to replace an absent winner."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from raffles.domain.clock import acting_time
from raffles.domain.prizes import replace_winner
from raffles.domain.refusals import Refusal
from raffles.models import Raffle
from raffles.models.raffle import MAX_PRIZES
from raffles.pages.card import qr
from raffles.pages.forms import ReplacementForm
from raffles.pages.page import page
from raffles.pages.queries import first_picture, forfeited, names_of, raffle_to_show
from raffles.pages.reasons import our_reasons
from raffles.web.callers import staff
from raffles.web.problems import STATUS

# The URL of the picture of what an event's draw gives away, or an empty string.
PictureOf: TypeAlias = Callable[[Raffle], str]
_OFFERED = 8  # prizes that are shown while the room waits
_PICTURED = 60  # pictures that a stage loads


@require_safe
@page
def stage(
    request: HttpRequest, raffle_id: UUID, event_page: str, picture_of: PictureOf
) -> HttpResponse:
    """Show the stage to anybody; it changes nothing."""
    return render(
        request, "raffles/stage.html", _context(request, raffle_id, event_page, picture_of)
    )


def _context(
    request: HttpRequest, raffle_id: UUID, event_page: str, picture_of: PictureOf
) -> dict[str, Any]:
    raffle = raffle_to_show(raffle_id)
    place = (
        reverse(event_page, args=[raffle.event_slug])
        if raffle.event_slug
        else reverse("pages:raffle", args=[raffle_id])
    )
    prizes = list(raffle.prizes.all())
    pictured = [prize for prize in prizes if prize.shown_picture()]
    return {
        "raffle": raffle,
        "reasons": json.dumps(our_reasons()),
        "prizes": prizes[:_OFFERED],
        "pictured": pictured[:_PICTURED],
        "picture": picture_of(raffle) if raffle.event_slug else first_picture(prizes),
        "place": place,
        "is_rehearsal": "rehearsal" in request.GET,
        "qr": qr(f"{settings.PUBLIC_URL}{place}"),
    }


@require_safe
@page
def names(_request: HttpRequest, raffle_id: UUID) -> JsonResponse:
    """Answer the names that the stage may show, by ticket number; none before the draw."""
    return JsonResponse(names_of(Raffle.objects.get(uuid=raffle_id), limit=MAX_PRIZES))


@require_safe
@page
def forfeited_prizes(_request: HttpRequest, raffle_id: UUID) -> JsonResponse:
    """Answer the tickets whose prizes nobody holds any more; none before the draw."""
    return JsonResponse(forfeited(Raffle.objects.get(uuid=raffle_id)))


# Under /admin/, where the staff are logged in; elsewhere nobody has a session. The admin's own gate
# says who has, since a password need not be enough.
@admin.site.admin_view
@permission_required("raffles.add_replacement", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
@page
def operated_stage(
    request: HttpRequest, raffle_id: UUID, event_page: str, picture_of: PictureOf
) -> HttpResponse:
    """Show the stage with a form that gives an absent winner's prize to the next alternate."""
    context = {**_context(request, raffle_id, event_page, picture_of), "form": ReplacementForm()}
    if request.method != "POST":
        return render(request, "raffles/stage.html", context)
    form = ReplacementForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    try:
        line = replace_winner(raffle_id, **form.cleaned_data, now=acting_time(), by=staff(request))
    except Refusal as refusal:
        return JsonResponse({"detail": refusal.sentence}, status=STATUS[refusal.kind])
    return JsonResponse(line.public(), status=201)
