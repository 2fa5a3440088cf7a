"""The home page, and the pages of events."""

from __future__ import annotations

import secrets
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from events.domain.calendar import find_event
from events.domain.entering import Participant, Taken, take_part
from events.models import Event
from events.pages.forms import ParticipationForm, WinnersForm
from events.pages.notices import WORDS, words_of
from events.pages.queries import (
    coming,
    drawn_in,
    latest,
    next_dates,
    past_dates,
    picture_of,
    to_be_drawn,
    until_sold_out,
)
from events.schedule import shown_zone
from raffles.domain.clock import acting_time
from raffles.domain.contacts import keep_contact
from raffles.domain.refusals import AcceptRules, Refusal
from raffles.domain.search import raffles_won_by
from raffles.models import Announcement, Raffle
from raffles.pages.log import page_of
from raffles.pages.notices import Notice, TooManyTries, notice_of
from raffles.pages.page import answered, page, request_key, throttle
from raffles.pages.result import shown_result
from raffles.pages.rules import acceptance
from raffles.pages.views import held_according_to, just_taken, shown_certificate
from raffles.web.callers import require_holder
from raffles.web.throttles import EntryThrottle

_ARCHIVED = 24  # draws a page of the archive


@require_safe
@page
def home(request: HttpRequest) -> HttpResponse:
    """Show the next draws, the open raffles and the latest winners."""
    now = timezone.now()
    context = {
        "coming": coming(now),
        "unplanned": until_sold_out(now),
        "full": to_be_drawn(now),
        "latest": latest(now),
    }
    return render(request, "events/home.html", context)


@require_safe
@page
def winners(request: HttpRequest) -> HttpResponse:
    """Show all finished draws, the latest first; 400 with a sentence for what cannot be sought."""
    form = WinnersForm(request.GET)
    if not form.is_valid():
        return render(request, "events/winners.html", {"form": form}, status=400)
    asked = form.cleaned_data
    draws = Announcement.objects.filter(kind=Announcement.Kind.DRAWN)
    if asked["winner"]:
        draws = draws.filter(raffle__in=raffles_won_by(asked["winner"]))
    rows, has_newer, has_older = page_of(draws, asked, _ARCHIVED)
    context = {
        "form": form,
        "draws": drawn_in(rows),
        "asked": {name: value for name, value in asked.items() if value not in (None, "")},
        "newer": rows[0].sequence - 1 if has_newer else None,
        "older": rows[-1].sequence - 1 if has_older else None,
    }
    return render(request, "events/winners.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def event(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an event with its next draw, and take part in it under a name."""
    if request.method != "POST":
        return _event(request, slug, ParticipationForm())
    form = ParticipationForm(request.POST)
    if not form.is_valid():
        return _event(request, slug, form, status=400)
    words = WORDS
    try:
        throttle(request, EntryThrottle())
        now = acting_time()
        found, draw = find_event(now, slug=slug)
        words = words_of(found, draw)
        participant = _participant(request, form.cleaned_data["username"])
        taken = take_part(found, participant, now=now, draw=draw)
        if email := form.cleaned_data["email"]:
            keep_contact(taken.entry, email, now=now)
    except AcceptRules:
        return _event(request, slug, form, status=400)
    except (Refusal, TooManyTries, PermissionDenied) as refusal:
        return _event(request, slug, form, notice=notice_of(refusal, words))
    return _event(request, slug, form, status=201, taken=taken)


def _participant(request: HttpRequest, username: str) -> Participant:
    holder = f"ip:{require_holder(request)}"
    return Participant(
        username=username,
        caller=holder,
        address=holder,
        request_key=request_key(request),
        accepts=request.POST.get("accepts"),
    )


def _event(
    request: HttpRequest,
    slug: str,
    form: ParticipationForm,
    *,
    status: int = 200,
    notice: Notice | None = None,
    taken: Taken | None = None,
) -> HttpResponse:
    held = taken.entry.nth + 1 if taken else 0
    state = state_of(slug, timezone.now(), is_held=taken is not None, held=held)
    context = {
        **state,
        **acceptance(request, state["rules_hash"]),
        "form": form,
        "notice": notice,
        # Sent again by a reload or a second click, it brings the same ticket again.
        "request_key": secrets.token_urlsafe(16),
    }
    if taken:
        raffle = context["raffle"] = Raffle.objects.get(uuid=taken.entry.raffle_id)
        context |= just_taken(raffle, taken.entry)
    return answered(request, "events/event.html", context, notice, status)


@require_safe
@page
def event_state(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer the part of an event's page that changes, for a page that is open."""
    is_held, held = held_according_to(request)
    context = state_of(slug, timezone.now(), is_held=is_held, held=held)
    return render(request, "events/_state.html", context)


def state_of(slug: str, now: datetime, *, is_held: bool, held: int = 0) -> dict[str, Any]:
    """Return what the changing part of an event's page shows, to a holder if `is_held`.

    A holder of `held` tickets is offered another one, if the terms allow it.
    """
    found = Event.objects.get(slug=slug)
    dates = next_dates(found, now)
    draw = dates[0] if dates else None
    return {
        "event": found,
        "zone": shown_zone(found.time_zone),
        "form": ParticipationForm(),
        "is_held": is_held,
        "held": held,
        "most": draw.terms().tickets_per_holder if draw else 1,
        "draw": draw,
        "rules_hash": draw.rules_hash() if draw else "",
        "left": draw.max_participants - draw.participants() if draw else 0,
        "taken": draw.participants() if draw else 0,
        "picture": picture_of(draw.reward) if draw else "",
        "later": dates[1:],
        "past": past_dates(found, now),
    }


@require_safe
@page
def draw(request: HttpRequest, slug: str, day: date) -> HttpResponse:
    """Show the result of a date, with names as far as the event's privacy shows them."""
    raffle = _drawn_on(slug, day)
    return shown_result(
        request,
        raffle.uuid,
        "event_pages:event",
        certificate=reverse("event_pages:certificate", args=[slug, day]),
        is_of_date=True,
    )


@require_safe
@page
def certificate(request: HttpRequest, slug: str, day: date) -> HttpResponse:
    """Show the draw of a date as a printable certificate, with the names that its result shows."""
    raffle = _drawn_on(slug, day)
    result = reverse("event_pages:draw", args=[slug, day])
    return shown_certificate(request, raffle.uuid, result=result, is_of_date=True)


def _drawn_on(slug: str, day: date) -> Raffle:
    return Raffle.objects.get(occurrence__event__slug=slug, occurrence__date=day)
