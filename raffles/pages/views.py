"""The pages of a raffle: take part, print a certificate."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from raffles.api.proofs import VERIFIER_CHECKSUM
from raffles.domain.clock import acting_time
from raffles.domain.entering import Entry
from raffles.domain.identities import written_mail
from raffles.domain.log import origin
from raffles.domain.refusals import NotSealed
from raffles.models import Draw, EntryMode, Raffle, State
from raffles.models.record import LogEntry, subject_of
from raffles.pages.card import card_of, file_of, qr, saved, to_keep
from raffles.pages.forms import EntryForm
from raffles.pages.page import answered, page
from raffles.pages.paper import sheet_of
from raffles.pages.queries import (
    PODIUM,
    SHOWN,
    given,
    names_behind,
    opens_later,
    places,
    raffle_to_show,
    story_of,
    takes_entries,
)
from raffles.pages.reasons import shown_reason
from raffles.pages.rules import acceptance
from raffles.pages.taking_part import form_for, look, take_part
from raffles.web import calendars


@require_http_methods(["GET", "HEAD", "POST"])
@page
def raffle(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Show a raffle with its one button, and take part in it."""
    is_press = request.method == "POST"
    if is_press:
        answer = take_part(request, Raffle.objects.get(uuid=raffle_id), now=acting_time())
    shown = raffle_to_show(raffle_id)
    if not is_press:
        answer = look(request, shown, now=timezone.now())
    is_done = bool(answer.entries or answer.sent_to or answer.confirmation)
    held = answer.held() if shown.entry == EntryMode.ADDRESS else 0
    context = state_of(shown, event_page, is_held=is_done, held=held, form=answer.form)
    context |= {
        **acceptance(request, shown.rules_hash),
        "issued": [just_taken(shown, entry) for entry in answer.entries],
        "sent_to": written_mail(answer.sent_to),
        "confirmation": answer.confirmation,
        "address": written_mail(answer.address),
        "named": [
            each["name"]
            for kind in ("cosigners", "authorities")
            for each in shown.witnesses.get(kind, ())
        ],
        "notice": answer.notice,
        # Sent again by a reload or a second click, it brings the same ticket again.
        "request_key": secrets.token_urlsafe(16),
    }
    response = answered(request, "raffles/raffle.html", context, answer.notice, answer.status)
    if answer.confirmation:  # the page names an address, and its own address is a secret
        response["Cache-Control"], response["Referrer-Policy"] = "no-store", "strict-origin"
    return response


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
    is_held, held = held_according_to(request)
    context = state_of(raffle_to_show(raffle_id), event_page, is_held=is_held, held=held)
    return render(request, "raffles/_state.html", context)


_COUNT = re.compile(r"[0-9]{1,7}")


def held_according_to(request: HttpRequest) -> tuple[bool, int]:
    """Return what a page that is open tells of itself: whether it shows tickets, and how many."""
    held = request.GET.get("held", "")
    return "held" in request.GET, int(held) if _COUNT.fullmatch(held) else 0


def state_of(
    raffle: Raffle,
    event_page: str,
    *,
    is_held: bool,
    held: int = 0,
    form: EntryForm | None = None,
) -> dict[str, Any]:
    """Return what the changing part of a raffle's page shows, to a holder if `is_held`.

    The raffle is `raffle_to_show`'s; `form` is the one that was sent. A holder of `held` tickets is
    offered another one, if the terms allow it.
    """
    now = timezone.now()
    is_sealed = raffle.state in (State.SEALED, State.DRAWN)
    story = story_of(raffle.uuid) if is_sealed else None
    return {
        "raffle": raffle,
        "rules_hash": raffle.rules_hash,
        "event_address": raffle.event_slug and reverse(event_page, args=[raffle.event_slug]),
        "takes_entries": takes_entries(raffle, now),
        "opens_at": opens_later(raffle, now),
        "form": form or form_for(raffle),
        "taken": raffle.total_tickets - raffle.available,
        "given": given(raffle, story.tickets) if story and raffle.is_drawn else None,
        "is_held": is_held,
        "held": held,
        "story": story,
        "void_reason": shown_reason(raffle.void_reason),
        "podium": places(raffle, limit=PODIUM) if raffle.is_drawn else [],
    }


@require_safe
@page
def my_tickets(request: HttpRequest) -> HttpResponse:
    """Show the tickets that the visitor's browser keeps; this service learns nothing of them."""
    return render(request, "raffles/my_tickets.html")


@require_safe
@page
def who_saw_it(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """Who saw the seal, in one sentence for a page that is open; 404 before the draw."""
    try:
        seen = story_of(raffle_id).seen()
    except NotSealed:
        seen = None
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
        "rules": shown.rules_hash
        and settings.PUBLIC_URL + reverse("pages:rules_file", args=[shown.rules_hash]),
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
