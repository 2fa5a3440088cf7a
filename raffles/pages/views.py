"""The pages of a raffle: take part, look a ticket up, print a certificate."""

from __future__ import annotations

import secrets
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

from raffles.api.proofs import VERIFIER_CHECKSUM
from raffles.domain.entering import Entry, enter
from raffles.domain.log import origin
from raffles.domain.prizes import slot_of, slot_with_code
from raffles.domain.proofs import inclusion
from raffles.domain.refusals import NoSuchTicket, NotSealed, Refusal
from raffles.fairness.tickets import read_code, show_code
from raffles.models import Draw, Raffle, State
from raffles.models.record import LogEntry, subject_of
from raffles.pages.card import card_of, file_of, qr, saved, to_keep
from raffles.pages.forms import TicketForm
from raffles.pages.notices import Notice, TooManyTries, notice_of
from raffles.pages.page import answered, page, request_key, throttle
from raffles.pages.paper import sheet_of
from raffles.pages.queries import (
    PODIUM,
    SHOWN,
    given,
    names_behind,
    outcome_of,
    places,
    raffle_to_show,
    story_of,
    takes_entries,
)
from raffles.pages.reasons import shown_reason
from raffles.web import calendars
from raffles.web.callers import require_holder
from raffles.web.middleware import uses_camera
from raffles.web.throttles import EntryThrottle, VerifyThrottle


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
    return _raffle(request, raffle_id, event_page, entry=entry)


def _raffle(
    request: HttpRequest,
    raffle_id: UUID,
    event_page: str,
    entry: Entry | None = None,
    notice: Notice | None = None,
) -> HttpResponse:
    context = state_of(raffle_id, event_page, is_held=entry is not None)
    context |= {
        **(just_taken(context["raffle"], entry) if entry else {}),
        "named": [
            each["name"]
            for kind in ("cosigners", "authorities")
            for each in context["raffle"].witnesses.get(kind, ())
        ],
        "notice": notice,
        # Sent again by a reload or a second click, it brings the same ticket again.
        "request_key": secrets.token_urlsafe(16),
    }
    return answered(request, "raffles/raffle.html", context, notice, 201 if entry else 200)


def just_taken(raffle: Raffle, entry: Entry) -> dict[str, Any]:
    """Return what the page that answers the button shows of the ticket, and keeps of it."""
    card = card_of(raffle.uuid, entry.ticket_number, entry.verification_code)
    file = file_of(raffle)
    return {
        "card": card,
        "ticket": to_keep(raffle, card, entry.receipt),
        "file": file,
        "saved": saved(raffle, card, entry.receipt, file),
    }


@require_safe
@page
def raffle_state(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Answer the part of a raffle's page that changes, for a page that is open."""
    context = state_of(raffle_id, event_page, is_held="held" in request.GET)
    return render(request, "raffles/_state.html", context)


def state_of(raffle_id: UUID, event_page: str, *, is_held: bool) -> dict[str, Any]:
    """Return what the changing part of a raffle's page shows, to a holder if `is_held`."""
    raffle = raffle_to_show(raffle_id)
    is_sealed = raffle.state in (State.SEALED, State.DRAWN)
    story = story_of(raffle_id) if is_sealed else None
    return {
        "raffle": raffle,
        "event_address": raffle.event_slug and reverse(event_page, args=[raffle.event_slug]),
        "takes_entries": takes_entries(raffle, timezone.now()),
        "taken": raffle.total_tickets - raffle.available,
        "given": given(raffle, story.tickets) if story and raffle.is_drawn else None,
        "is_held": is_held,
        "story": story,
        "void_reason": shown_reason(raffle.void_reason),
        "podium": places(raffle, limit=PODIUM) if raffle.is_drawn else [],
    }


@csrf_exempt  # as above
@require_http_methods(["GET", "HEAD", "POST"])
@uses_camera
@page
def ticket(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Look a ticket up: number and code come in the body, never in the URL."""
    shown = raffle_to_show(raffle_id)
    context: dict[str, Any] = {
        "raffle": shown,
        "form": TicketForm(),
        "ticket": to_keep(shown),
        "file": file_of(shown),
    }
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
        slot = slot_with_code(shown, ticket_number=number, code=code)
    except (Refusal, TooManyTries, PermissionDenied) as refusal:
        notice = context["notice"] = notice_of(refusal)
    else:
        card = card_of(raffle_id, number, show_code(read_code(code) or ""))
        context |= {
            "card": card,
            "ticket": to_keep(shown, card),
            **_fate(shown, number, slot),
            "form": TicketForm(),
        }
    return answered(request, "raffles/ticket.html", context, notice)


@require_safe
@page
def ticket_state(request: HttpRequest, raffle_id: UUID, number: int) -> HttpResponse:
    """Answer the part of a ticket's page that changes: what anybody may know of that number."""
    shown = raffle_to_show(raffle_id)
    if not 1 <= number <= shown.total_tickets:
        raise Http404
    fate = _fate(shown, number, slot_of(shown, number))
    if shown.is_drawn and not fate["inclusion"]:
        raise Http404  # nobody holds it
    return render(request, "raffles/_fate.html", fate)


def _fate(raffle: Raffle, number: int, slot: int) -> dict[str, Any]:
    is_sealed = raffle.state == State.SEALED
    return {
        "raffle": raffle,
        "number": number,
        "draws_at": story_of(raffle.uuid).draws_at if is_sealed else raffle.closes_at,
        "outcome": outcome_of(raffle, slot, timezone.now()) if raffle.is_drawn else None,
        "inclusion": _inclusion(raffle.uuid, number),
        "void_reason": shown_reason(raffle.void_reason),
    }


def _inclusion(raffle_id: UUID, number: int) -> dict[str, Any] | None:
    """Return the ticket's place in the sealed pool; None before the seal and for no ticket."""
    try:
        return inclusion(raffle_id, number)
    except (NotSealed, NoSuchTicket):
        return None


@require_safe
@page
def my_tickets(request: HttpRequest) -> HttpResponse:
    """Show the tickets that the visitor's browser keeps; this service learns nothing of them."""
    return render(request, "raffles/my_tickets.html")


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
    styles = [finders.find(f"raffles/{name}.css") for name in ("site", "certificate")]
    context["styles"] = [Path(str(found)).read_text() for found in styles]
    return render_to_string("raffles/certificate_file.html", context)


def _certificate(shown: Raffle, result: str, *, is_of_date: bool = False) -> dict[str, Any]:
    story = story_of(shown.uuid)
    rows = places(shown, limit=SHOWN + 1, names=names_behind(shown, is_of_date=is_of_date))
    seen = story.seen()
    witnesses = len(seen.answers) if seen else 0
    return {
        "raffle": shown,
        "story": story,
        "signature": bytes(story.draw.signature).hex(),
        "sheet": sheet_of(rows[:SHOWN], title=shown.name, witnesses=witnesses),
        "shown": SHOWN,
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
        "reason": shown_reason(raffle.void_reason),
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
    assert shown.closes_at  # noqa: S101 - that is what was asked for
    subject = subject_of(shown)
    changes = LogEntry.objects.revisions([subject])
    revision, revised_at = changes.get(subject, (0, shown.created_at))
    entry = calendars.Entry(
        uid=f"{shown.uuid}@{origin()}",
        starts_at=shown.closes_at.astimezone(shown.zone()),
        summary=_("Draw: %(name)s") % {"name": shown.name},
        # Not with the secret, since calendars are shared; the browser that keeps it knows it.
        url=settings.PUBLIC_URL + reverse("pages:ticket", args=[raffle_id]),
        revision=revision,
        revised_at=revised_at,
    )
    response = HttpResponse(calendars.calendar([entry]), content_type=calendars.CONTENT_TYPE)
    response["Content-Disposition"] = 'attachment; filename="draw.ics"'
    return response


@require_safe
def robots(_request: HttpRequest) -> HttpResponse:
    """Answer what search engines may read: the pages, some of which ask not to be listed."""
    machinery = ("/admin/", "/api/", "/events/", "/raffles/", "/*/state/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in machinery)]
    return HttpResponse("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")
