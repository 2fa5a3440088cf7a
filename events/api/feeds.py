"""The live stream of one event."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from events.models import Event
from raffles.notifications.stream.serving import stream
from raffles.web.problems import not_found


@require_safe
def event_stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer one event's announcements; 404 if there is no such event."""
    if not has_event(slug):
        return not_found()
    return stream(request, slug=slug)


def has_event(slug: str) -> bool:
    """Return whether there is an event with that slug."""
    return Event.objects.filter(slug=slug).exists()
