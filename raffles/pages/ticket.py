"""The page of a ticket: look it up, and see what becomes of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from raffles.domain.finding import find_ticket
from raffles.domain.prizes import slot_of, slot_with_code
from raffles.domain.proofs import inclusion
from raffles.domain.refusals import InvalidCode, NoSuchTicket, NotSealed, Refusal
from raffles.fairness.tickets import read_code, show_code
from raffles.models import EntryMode, Prize, Raffle, State, Winner, WinnerState
from raffles.pages.card import card_of, file_of, to_keep
from raffles.pages.forms import ticket_form
from raffles.pages.notices import LISTED, WORDS, TooManyTries, notice_of
from raffles.pages.page import answered, page, throttle
from raffles.pages.queries import (
    event_takes_entries,
    raffle_to_show,
    story_of,
    takes_entries,
)
from raffles.pages.reasons import shown_reason
from raffles.web.middleware import uses_camera
from raffles.web.throttles import VerifyThrottle

CODE: Final = "Ticket-Code"


@require_http_methods(["GET", "HEAD", "POST"])
@uses_camera
@page
def ticket(request: HttpRequest, raffle_id: UUID, event_page: str) -> HttpResponse:
    """Look a ticket up: number (or holder) and code come in the body, never in the URL."""
    shown = raffle_to_show(raffle_id)
    form_of = ticket_form(shown)
    context: dict[str, Any] = {
        "raffle": shown,
        "form": form_of(),
        "another_at": _another_at(shown, event_page, timezone.now()),
        "ticket": to_keep(shown),
        "file": file_of(shown),
    }
    if request.method != "POST":
        return answered(request, "raffles/ticket.html", context)
    form = context["form"] = form_of(request.POST)
    if not form.is_valid():
        return answered(request, "raffles/ticket.html", context, status=400)
    notice = None
    try:
        throttle(request, VerifyThrottle())
        code = form.cleaned_data["verification_code"]
        said = str(form.cleaned_data["ticket_number"])
        number, slot = find_ticket(shown, said=said, code=code)
    except (Refusal, TooManyTries, PermissionDenied) as refusal:
        words = LISTED if shown.entry == EntryMode.LIST else WORDS
        notice = context["notice"] = notice_of(refusal, words)
    else:
        card = card_of(raffle_id, number, show_code(read_code(code) or ""))
        context |= {
            "card": card,
            "ticket": to_keep(shown, card),
            **_fate(shown, number, slot, is_holder=True),
            "form": form_of(),
        }
    return answered(request, "raffles/ticket.html", context, notice)


def _another_at(raffle: Raffle, event_page: str, now: datetime) -> str:
    """Return the URL of the page where its holder takes another ticket, "" without any."""
    if raffle.tickets_per_holder > 1 and takes_entries(raffle, now):
        return reverse("pages:raffle", args=[raffle.uuid])
    if raffle.tickets_per_holder > 1 and event_takes_entries(raffle, now):
        return reverse(event_page, args=[raffle.event_slug])
    return ""


@require_safe
@page
def ticket_state(request: HttpRequest, raffle_id: UUID, number: int) -> HttpResponse:
    """Answer the part of a ticket's page that changes: what anybody may know of that number.

    Whoever sends its code in `Ticket-Code`, a header that no log holds, is told what is the
    holder's alone; a wrong one is no fault here, and has 100 bits to guess.
    """
    shown = raffle_to_show(raffle_id)
    if not 1 <= number <= shown.total_tickets:
        raise Http404
    slot, is_holder = slot_of(shown, number), False
    if shown.is_drawn and (code := request.headers.get(CODE, "")):
        with suppress(InvalidCode):
            is_holder = slot == slot_with_code(shown, ticket_number=number, code=code)
    fate = _fate(shown, number, slot, is_holder=is_holder)
    if shown.is_drawn and not fate["inclusion"]:
        raise Http404  # nobody holds it
    response = render(request, "raffles/_fate.html", fate)
    patch_vary_headers(response, [CODE])
    if is_holder:
        response["Cache-Control"] = "no-store"
    return response


def _fate(raffle: Raffle, number: int, slot: int, *, is_holder: bool) -> dict[str, Any]:
    is_sealed = raffle.state == State.SEALED
    outcome = None
    if raffle.is_drawn:
        outcome = outcome_of(raffle, slot, timezone.now(), is_holder=is_holder)
    return {
        "raffle": raffle,
        "number": number,
        "draws_at": story_of(raffle.uuid).draws_at if is_sealed else raffle.closes_at,
        "outcome": outcome,
        "inclusion": _inclusion(raffle.uuid, number),
        "void_reason": shown_reason(raffle.void_reason),
    }


def _inclusion(raffle_id: UUID, number: int) -> dict[str, Any] | None:
    """Return the ticket's place in the sealed pool; None before the seal and for no ticket."""
    try:
        return inclusion(raffle_id, number)
    except (NotSealed, NoSuchTicket):
        return None


@dataclass(frozen=True, slots=True)
class TicketOutcome:
    """The outcome of a drawn ticket: a prize to be claimed by `until`, or why it has none.

    `rank` and `drawn` (a prize's name) are those of the draw, whatever came afterwards; `lost` is
    the public reason why its prize went to an alternate.
    """

    rank: int | None = None
    drawn: str = ""
    prize: Prize | None = None
    state: WinnerState | None = None
    until: datetime | None = None
    lost: str = ""


def outcome_of(raffle: Raffle, slot: int, now: datetime, *, is_holder: bool) -> TicketOutcome:
    """Return the outcome of the ticket in a slot; a passed deadline counts before any run.

    To whoever has not shown its code it says no more than the result does: neither until when a
    prize is kept, nor that it was claimed.
    """
    winner = Winner.objects.with_state().filter(raffle=raffle, slot=slot).first()
    if winner is None:
        return TicketOutcome()
    until, state = winner.claim_until() if is_holder else None, winner.state()
    if state in (WinnerState.NOTIFIED, WinnerState.CLAIMED) and not is_holder:
        state = WinnerState.DRAWN
    drawn = (winner.rank, winner.prize.name if winner.prize else "")
    if state == WinnerState.REPLACED:
        return TicketOutcome(*drawn, state=state, lost=shown_reason(winner.replacement.reason))
    is_overdue = until is not None and winner.handover.is_overdue(now)
    if state == WinnerState.FORFEITED or is_overdue:
        return TicketOutcome(*drawn, state=WinnerState.FORFEITED, until=until)
    return TicketOutcome(*drawn, winner.held_prize(), state, until)
