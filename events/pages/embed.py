"""An event in a frame on somebody else's page: its next draw, and the result of its last."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from events.pages.views import state_of
from raffles.pages.embed import embedded, to_check
from raffles.pages.queries import PODIUM, places, raffle_to_show, story_of


@require_safe
@embedded
def embed(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an event in a frame."""
    return render(request, "events/embed.html", _state(slug))


@require_safe
@embedded
def embed_state(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer the part of it that changes."""
    return render(request, "events/_embed.html", _state(slug))


def _state(slug: str) -> dict[str, Any]:
    context = state_of(slug, timezone.now(), is_held=True)
    context["page"] = reverse("event_pages:event", args=[slug])
    last = next((row for row in context["past"] if row.raffle and row.raffle.is_drawn), None)
    if last:
        drawn, story = raffle_to_show(last.raffle.uuid), story_of(last.raffle.uuid)
        context |= {
            "last": last,
            "story": story,
            "podium": places(drawn, limit=PODIUM),
            "result": reverse("event_pages:draw", args=[slug, last.date]),
            **to_check(drawn, story.tickets),
        }
    return context
