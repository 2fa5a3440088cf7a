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
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from events.domain.calendar import find_event
from events.domain.entering import Participant, Taken, take_part
from events.models import Event
from events.pages.forms import ParticipationForm
from events.pages.notices import WORDS
from events.pages.queries import coming, latest, next_dates, past_dates, picture_of
from events.schedule import shown_zone
from raffles.domain.contacts import keep_contact
from raffles.domain.refusals import Refusal
from raffles.models import Raffle
from raffles.pages.card import card_of
from raffles.pages.notices import Notice, TooManyTries, notice_of
from raffles.pages.page import answered, page, request_key, throttle
from raffles.pages.queries import open_raffles
from raffles.pages.views import shown_certificate, shown_result
from raffles.web.callers import require_holder
from raffles.web.throttles import EntryThrottle


@require_safe
@page
def home(request: HttpRequest) -> HttpResponse:
    """Show the next draws, the open raffles and the latest winners."""
    now = timezone.now()
    context = {"coming": coming(now), "open_raffles": open_raffles(), "latest": latest(now)}
    return render(request, "events/home.html", context)


@csrf_exempt  # other sites are refused for every address, so nobody needs a cookie
@require_http_methods(["GET", "HEAD", "POST"])
@page
def event(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an event with its next draw, and take part in it under a name."""
    if request.method != "POST":
        return _event(request, slug, ParticipationForm())
    form = ParticipationForm(request.POST)
    if not form.is_valid():
        return _event(request, slug, form, status=400)
    try:
        throttle(request, EntryThrottle())
        now = timezone.now()
        found, draw = find_event(now, slug=slug)
        participant = _participant(request, form.cleaned_data["username"])
        taken = take_part(found, participant, now=now, draw=draw)
        if email := form.cleaned_data["email"]:
            keep_contact(taken.entry, email, now=now)
    except (Refusal, TooManyTries, PermissionDenied) as refusal:
        return _event(request, slug, form, notice=notice_of(refusal, WORDS))
    return _event(request, slug, form, status=201, taken=taken)


def _participant(request: HttpRequest, username: str) -> Participant:
    holder = f"ip:{require_holder(request)}"
    return Participant(
        username=username, caller=holder, address=holder, request_key=request_key(request)
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
    context = {
        **_state(slug, timezone.now(), is_held=taken is not None),
        "form": form,
        "notice": notice,
        "card": card_of(taken.entry) if taken else None,
        "raffle": Raffle.objects.get(uuid=taken.entry.raffle_id) if taken else None,
        # Sent again by a reload or a second click, it brings the same ticket again.
        "request_key": secrets.token_urlsafe(16),
    }
    return answered(request, "events/event.html", context, notice, status)


@require_safe
@page
def event_state(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer the part of an event's page that changes, for a page that is open."""
    context = _state(slug, timezone.now(), is_held="held" in request.GET)
    return render(request, "events/_state.html", context)


def _state(slug: str, now: datetime, *, is_held: bool) -> dict[str, Any]:
    found = Event.objects.get(slug=slug)
    dates = next_dates(found, now)
    draw = dates[0] if dates else None
    return {
        "event": found,
        "zone": shown_zone(found.time_zone),
        "form": ParticipationForm(),
        "is_held": is_held,
        "draw": draw,
        "left": draw.max_participants - draw.participants() if draw else 0,
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
