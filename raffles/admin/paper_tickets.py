"""Tickets on paper in the back office: a form for their number, and the sheets to print."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ViewPage, posted_again
from raffles.domain.clock import acting_time
from raffles.domain.paper_tickets import MAX_BATCH, Batch, batches_of, print_tickets
from raffles.domain.refusals import Refusal
from raffles.models import FINISHED, Raffle, State
from raffles.pages.card import card_of
from raffles.web.callers import staff
from raffles.web.formats import clock
from raffles.web.languages import in_language_of

_SHEET = 10  # tickets on a sheet, as in print.css
_LISTED = 20  # batches
_PRINTABLE = frozenset(State.values) - FINISHED


class BatchForm(forms.Form):
    """How many tickets to print; with the same `batch` a repeated POST gives the same tickets."""

    amount = forms.IntegerField(min_value=1, max_value=MAX_BATCH, initial=10, label=_("Tickets"))
    batch = forms.RegexField(r"\A[0-9a-f]{32}\Z", widget=forms.HiddenInput)


def print_batch(request: HttpRequest, admin: AdminPages, raffle: Raffle) -> HttpResponseBase:
    """Ask how many; a POST hands them out, or shows a batch again, and answers with the codes."""
    posted = request.POST if request.method == "POST" else None
    form = BatchForm(posted, initial={"batch": secrets.token_hex(16)})
    if form.is_valid():
        by: dict[str, Any] = {"now": acting_time(), "by": staff(request)}
        try:
            raffle, batch = print_tickets(raffle.uuid, **form.cleaned_data, **by)
        except Refusal as refusal:
            return posted_again(request, str(refusal))
        # For participants, so in a language into which all of it is translated.
        sheets = _sheets(raffle, batch)
        return in_language_of(
            request, lambda: render(request, "admin/raffles/tickets.html", sheets)
        )
    context = {
        "form": form,
        "batches": [
            (entry, clock(entry.at, raffle.zone())) for entry in batches_of(raffle)[:_LISTED]
        ],
        "may_begin": raffle.state == State.OPEN and raffle.event_slug is None,
        "may_repeat": raffle.state in _PRINTABLE,
    }
    template, status = "admin/raffles/print.html", 400 if posted else 200
    return admin.render(request, template, str(PAPER_TICKETS.label), raffle, context, status)


PAPER_TICKETS = ViewPage(
    name="tickets",
    label=_("Tickets on paper"),
    permissions=("raffles.run_raffle",),
    is_offered=lambda raffle: raffle.state in _PRINTABLE,
    view=print_batch,
)


def _sheets(raffle: Raffle, batch: Batch) -> dict[str, Any]:
    """Return the batch as sheets, with its receipts, which are not secret, as a file."""
    # One mask for all: finding the best for each would take half a minute for a thousand.
    cards = [
        card_of(entry.raffle_id, entry.ticket_number, entry.verification_code)
        for entry in batch.entries
    ]
    about = {"raffle_id": str(raffle.uuid)}
    receipts = [
        about | {"ticket_number": entry.ticket_number, "receipt": entry.receipt}
        for entry in batch.entries
    ]
    place = reverse("pages:ticket", args=[raffle.uuid])
    return {
        "raffle": raffle,
        "zone": raffle.zone(),
        "batch": batch,
        "sheets": [cards[start : start + _SHEET] for start in range(0, len(cards), _SHEET)],
        "address": f"{settings.PUBLIC_URL}{place}".partition("://")[2],
        "receipts": "data:application/json," + quote(json.dumps(receipts)),
        "receipts_name": f"receipts-{batch.name[:8]}.json",
    }
