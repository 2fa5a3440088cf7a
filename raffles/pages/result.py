"""The result of a draw: its winners, one's own number among them, and what checks it."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from raffles.api.proofs import VERIFIER_CHECKSUM
from raffles.domain.log import published_keys
from raffles.domain.proofs import proof_size
from raffles.models import Prize, Raffle, Winner
from raffles.pages.forms import NumberForm
from raffles.pages.page import page
from raffles.pages.queries import (
    PODIUM,
    Place,
    find_number,
    given,
    names_behind,
    places,
    raffle_to_show,
    story_of,
)
from raffles.pages.views import state_of

_SHOWN = 200  # winners a page
_LIGHT = 30_000  # bytes of a proof that the page keeps, so that a check needs no network any more
LARGE = 500_000  # bytes of a proof that is loaded only for those who ask for it
VERIFIER_SIZE = 100_000  # bytes of what checks it
_SMALL = 100  # tickets of a pool whose leaves come with the page: 32 bytes each, as they are


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
    """Return the result page with the URL of its certificate; `is_of_date` as in `names_behind`.

    A number that is looked for and stands in the list leads to its row.
    """
    shown = raffle_to_show(raffle_id)
    if not shown.is_drawn:
        context = state_of(shown, event_page, is_held=True)
        return render(request, "raffles/result_pending.html", context)
    query = request.GET if "number" in request.GET else None
    form = NumberForm(query, most=shown.total_tickets)
    found = find_number(shown, form.cleaned_data["number"]) if form.is_valid() else None
    if found and found.row and "after" not in request.GET:
        after = (found.row - 1) // _SHOWN * _SHOWN
        place = f"number={found.number}&after={after}#rank-{found.row}"
        return redirect(f"{request.path}?{place}")
    after = _rank(request)
    names = names_behind(shown, after=after, is_of_date=is_of_date)
    rows = places(shown, after=after, limit=_SHOWN, names=names)
    first = PODIUM if after == 0 else 0
    story = story_of(raffle_id)
    context = {
        "raffle": shown,
        "story": story,
        "given": given(shown, story.tickets),
        "first": rows[:first],
        "groups": _grouped(rows[first:]),
        "has_names": bool(names),
        **_neighbours(shown, after, rows),
        "form": form,
        "found": found,
        "keys": json.dumps(published_keys()),
        "checksum": VERIFIER_CHECKSUM,
        "certificate": certificate,
    }
    context |= _sizes(shown, story.tickets)
    return render(request, "raffles/result.html", context, status=400 if form.errors else 200)


def _rank(request: HttpRequest) -> int:
    """Return the rank that the page follows. Raises Http404 for anything else."""
    text = request.GET.get("after", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise Http404
    return int(text)


def _grouped(rows: list[Place]) -> list[tuple[Prize, list[Place]]]:
    """Return ranks by prize: three hundred vouchers are one prize with three hundred numbers."""
    groups = groupby(rows, lambda place: place.prize.pk)
    return [(ranks[0].prize, ranks) for ranks in (list(group) for _, group in groups)]


def _neighbours(shown: Raffle, after: int, rows: list[Place]) -> dict[str, Any]:
    """Return which ranks these are, of how many, and after which the pages beside begin."""
    ranks = Winner.objects.of_prizes().filter(raffle=shown).aggregate(last=Max("rank"))
    last: int = ranks["last"] or 0
    return {
        "after": after,
        "shown": _SHOWN,
        "until": rows[-1].rank if rows else after,
        "last": last,
        "preceding": max(0, after - _SHOWN) if after else None,
        "following": after + _SHOWN if after + _SHOWN < last else None,
    }


def _sizes(shown: Raffle, tickets: int) -> dict[str, Any]:
    """Return what decides how much the page loads by itself to check the draw."""
    size = size_of_proof(shown, tickets)
    return {
        "proof_size": size,
        "to_load": size + VERIFIER_SIZE,
        "is_light": size <= _LIGHT,
        "is_small": size <= _LIGHT and tickets <= _SMALL,
        "is_large": size > LARGE,
    }


def size_of_proof(shown: Raffle, tickets: int) -> int:
    """Return about how many bytes the proof of a drawn raffle of so many tickets has."""
    drawn = sum(prize.amount for prize in shown.prizes.all()) + shown.alternates
    return proof_size(entries=min(drawn, tickets), tickets=tickets)
