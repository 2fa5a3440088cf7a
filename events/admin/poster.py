"""The poster of an event."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy

from events.models import Event
from raffles.admin.actions import AdminPages, ViewPage
from raffles.admin.poster import Poster, show


def event_poster(request: HttpRequest, _admin: AdminPages, event: Event) -> HttpResponse:
    """Answer with a poster that stays right: it names no date, and the default reward."""
    rewards = [f"{event.reward_amount} × {event.reward_name}"]
    return show(
        request,
        Poster(
            name=event.name,
            path=reverse("event_pages:event", args=[event.slug]),
            prizes=rewards,
            draw_at=None,
            zone=event.zone(),
            back=reverse("admin:events_event_change", args=[event.pk]),
        ),
    )


POSTER = ViewPage(
    name="poster",
    label=gettext_lazy("Poster"),
    permissions=("events.view_event",),
    methods=("GET", "HEAD"),
    view=event_poster,
)
