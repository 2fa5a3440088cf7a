"""The pages of a raffle: take part, look a ticket up, check the draw, print a certificate."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe
from icalendar import Calendar, Event

from raffles.api.proofs import VERIFIER_CHECKSUM
from raffles.domain.entering import enter
from raffles.domain.log import published_keys
from raffles.domain.prizes import checked_slot
from raffles.domain.proofs import inclusion
from raffles.domain.refusals import NoSuchTicket, NotSealed, Refusal
from raffles.models import Draw, Raffle, State
from raffles.pages.card import Card, card_of, qr
from raffles.pages.forms import TicketForm
from raffles.pages.notices import Notice, TooManyTries, notice_of
from raffles.pages.page import answered, page, request_key, throttle
from raffles.pages.queries import (
    PODIUM,
    SHOWN,
    names_of,
    outcome_of,
    places,
    raffle_to_show,
    story_of,
    takes_entries,
)
from raffles.web.callers import require_holder
from raffles.web.middleware import uses_camera
from raffles.web.throttles import EntryThrottle, VerifyThrottle

_LIGHT = 360  # hashes of a proof that comes with the page, so that the check needs no network
_SMALL = 100  # tickets of a pool whose leaves come with the page: 32 bytes each, as they are
_LASTS = timedelta(minutes=15)  # of a draw in a calendar


# Exempt from the token alone: what another site's page sends is refused for every address, so that
# nobody needs a cookie to take part.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@page
def raffle(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Show a raffle with its one button, and take part in it."""
    if request.method != "POST":
        return _raffle(request, raffle_id, event_page)
    try:
        throttle(request, EntryThrottle())
        entry = enter(
            raffle_id,
            identity=f"ip:{require_holder(request)}",
            now=timezone.now(),
            request_key=request_key(request),
        )
    except (Refusal, TooManyTries, PermissionDenied) as refusal:
        return _raffle(request, raffle_id, event_page, notice=notice_of(refusal))
    return _raffle(request, raffle_id, event_page, card=card_of(entry))


def _raffle(
    request: HttpRequest,
    raffle_id: UUID,
    event_page: str,
    card: Card | None = None,
    notice: Notice | None = None,
) -> HttpResponse:
    context = _state(raffle_id, event_page, is_held=card is not None)
    context |= {
        "card": card,
        "named": [
            each["name"]
            for kind in ("cosigners", "authorities")
            for each in context["raffle"].witnesses.get(kind, ())
        ],
        "notice": notice,
        # Sent again by a reload or a second click, it brings the same ticket again.
        "request_key": secrets.token_urlsafe(16),
    }
    return answered(request, "raffles/raffle.html", context, notice, 201 if card else 200)


@require_safe
@page
def raffle_state(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Answer the part of a raffle's page that changes, for a page that is open."""
    context = _state(raffle_id, event_page, is_held="held" in request.GET)
    return render(request, "raffles/_state.html", context)


def _state(raffle_id: UUID, event_page: str, *, is_held: bool) -> dict[str, Any]:
    raffle = raffle_to_show(raffle_id)
    is_sealed = raffle.state in (State.SEALED, State.DRAWN)
    return {
        "raffle": raffle,
        "event_address": raffle.event_slug and reverse(event_page, args=[raffle.event_slug]),
        "takes_entries": takes_entries(raffle, timezone.now()),
        "is_held": is_held,
        "story": story_of(raffle_id) if is_sealed else None,
        "podium": places(raffle, limit=PODIUM) if raffle.is_drawn else [],
    }


@csrf_exempt  # as above
@require_http_methods(["GET", "HEAD", "POST"])
@uses_camera
@page
def ticket(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Look a ticket up: number and code come in the body, never in the URL."""
    shown = raffle_to_show(raffle_id)
    context: dict[str, Any] = {"raffle": shown, "form": TicketForm()}
    if request.method != "POST":
        return answered(request, "raffles/ticket.html", context)
    form = context["form"] = TicketForm(request.POST)
    if not form.is_valid():
        return answered(request, "raffles/ticket.html", context, status=400)
    number = form.cleaned_data["ticket_number"]
    notice = None
    try:
        throttle(request, VerifyThrottle())
        code = form.cleaned_data["verification_code"]
        slot = checked_slot(shown, ticket_number=number, code=code)
        outcome = outcome_of(shown, slot, timezone.now())
        context["inclusion"] = _inclusion(raffle_id, number)
        context |= {"number": number, "outcome": outcome, "form": TicketForm()}
    except (Refusal, TooManyTries, PermissionDenied) as refusal:
        notice = context["notice"] = notice_of(refusal)
    return answered(request, "raffles/ticket.html", context, notice)


def _inclusion(raffle_id: UUID, number: int) -> dict[str, Any] | None:
    """Return the ticket's place in the sealed pool; None before the seal and for no ticket."""
    try:
        return inclusion(raffle_id, number)
    except (NotSealed, NoSuchTicket):
        return None


@require_safe
@page
def result(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Show the winners and how they came about, for the visitor's own device to check."""
    paper = reverse("pages:certificate", args=[raffle_id])
    return shown_result(request, raffle_id, event_page, certificate=paper)


def shown_result(
    request: HttpRequest,
    raffle_id: UUID,
    event_page: str,
    *,
    certificate: str,
    is_of_date: bool = False,
) -> HttpResponse:
    """Return the result page with the URL of its certificate; `is_of_date` as in `_names`."""
    shown = raffle_to_show(raffle_id)
    if not shown.is_drawn:
        context = _state(raffle_id, event_page, is_held=True)
        return render(request, "raffles/result_pending.html", context)
    after = _rank(request)
    rows = places(shown, after=after, names=_names(shown, after, is_of_date=is_of_date))
    story = story_of(raffle_id)
    hashes = (len(rows) + shown.alternates) * (story.tickets.bit_length() + 3)
    context = {
        "raffle": shown,
        "story": story,
        "places": rows,
        "is_light": hashes <= _LIGHT,
        "is_small": hashes <= _LIGHT and story.tickets <= _SMALL,
        "following": after + SHOWN if len(rows) == SHOWN else None,
        "after": after,
        "keys": json.dumps(published_keys()),
        "checksum": VERIFIER_CHECKSUM,
        "certificate": certificate,
    }
    return render(request, "raffles/result.html", context)


def _rank(request: HttpRequest) -> int:
    """Return the rank that the page follows. Raises Http404 for anything else."""
    text = request.GET.get("after", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise Http404
    return int(text)


@require_safe
@page
def who_saw_it(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Who saw the seal, in one sentence for a page that is open; 404 before the draw."""
    seen = story_of(raffle_id).seen()
    if seen is None:
        raise Http404
    return render(request, "raffles/_seen.html", {"seen": seen})


@require_safe
@page
def certificate(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Show the draw as a printable certificate."""
    return shown_certificate(request, raffle_id, result=reverse("pages:result", args=[raffle_id]))


def shown_certificate(
    request: HttpRequest, raffle_id: UUID, *, result: str, is_of_date: bool = False
) -> HttpResponse:
    """Return the certificate with the URL of its result; a void raffle's says why."""
    shown = raffle_to_show(raffle_id)
    if shown.state == State.VOID:
        return render(request, "raffles/certificate_void.html", _called_off(shown))
    if not shown.is_drawn:
        raise Http404
    context = _certificate(shown, result, is_of_date=is_of_date)
    return render(request, "raffles/certificate.html", context)


def certificate_file(raffle_id: UUID) -> str:
    """Return the certificate of a drawn raffle as one HTML file, which needs nothing beside it."""
    context = _certificate(raffle_to_show(raffle_id), reverse("pages:result", args=[raffle_id]))
    styles = [finders.find(f"raffles/{name}.css") for name in ("site", "result")]
    context["styles"] = [Path(str(found)).read_text() for found in styles]
    return render_to_string("raffles/certificate_file.html", context)


def _names(shown: Raffle, after: int, *, is_of_date: bool) -> Mapping[int, str]:
    """Return names behind a rank; those of an event's raffle stand on its date's pages alone."""
    return names_of(shown, after=after) if is_of_date or shown.event_slug is None else {}


def _certificate(shown: Raffle, result: str, *, is_of_date: bool = False) -> dict[str, Any]:
    story = story_of(shown.uuid)
    rows = places(shown, limit=SHOWN + 1, names=_names(shown, 0, is_of_date=is_of_date))
    return {
        "raffle": shown,
        "story": story,
        "signature": bytes(story.draw.signature).hex(),
        "places": rows[:SHOWN],
        "is_cut": len(rows) > SHOWN,
        "result": result,
        "address": f"{settings.PUBLIC_URL}{result}",
        "proof": settings.PUBLIC_URL + reverse("raffle-proof", args=[shown.uuid]),
        "verifier": settings.PUBLIC_URL + reverse("verifier"),
        "checksum": VERIFIER_CHECKSUM,
        "qr": qr(f"{settings.PUBLIC_URL}{result}"),
    }


def _called_off(raffle: Raffle) -> dict[str, Any]:
    """Return the certificate of a void raffle: its commitment and the signed void."""
    address = settings.PUBLIC_URL + reverse("pages:raffle", args=[raffle.uuid])
    draw = Draw.objects.filter(raffle=raffle).first()
    return {
        "raffle": raffle,
        "draw": draw,
        "commitment_hash": bytes(draw.commitment_hash).hex() if draw else "",
        "seal": draw and draw.seal(),
        "void": draw and draw.void(),
        "address": address,
        "record": settings.PUBLIC_URL + reverse("raffle-commitment", args=[raffle.uuid]),
        "keys": settings.PUBLIC_URL + reverse("keys"),
        "qr": qr(address),
    }


@require_safe
@page
def calendar(_request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Answer the draw as a calendar file; 404 without a known time."""
    shown = Raffle.objects.get(uuid=raffle_id, closes_at__isnull=False)
    draw = Event()
    draw.add("uid", f"{shown.uuid}@raffle")
    draw.add("dtstamp", shown.created_at)
    draw.add("dtstart", shown.closes_at)
    draw.add("duration", _LASTS)
    draw.add("summary", _("Draw: %(name)s") % {"name": shown.name})
    draw.add("url", settings.PUBLIC_URL + reverse("pages:raffle", args=[raffle_id]))
    feed = Calendar()
    feed.add("prodid", "-//raffles//draws//EN")
    feed.add("version", "2.0")
    feed.add_component(draw)
    response = HttpResponse(feed.to_ical(), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="draw.ics"'
    return response


@require_safe
def robots(_request: HttpRequest) -> HttpResponse:
    """Answer what search engines may read: the pages, some of which ask not to be listed."""
    machinery = ("/admin/", "/api/", "/events/", "/raffles/", "/*/state/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in machinery)]
    return HttpResponse("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")
