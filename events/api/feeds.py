"""Feeds of events: a calendar of coming draws, and one event's winners and live stream."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe
from icalendar import Calendar
from icalendar import Event as Entry

from events.domain.calendar import ComingDraw, coming_draws
from events.models import Event
from raffles.api.feeds import winners_feed
from raffles.notifications.stream.serving import stream
from raffles.web.problems import not_found

_AHEAD = timedelta(days=92)
_EACH = 92  # draws of an event
_MOST = 1_000  # draws of all: each costs half a millisecond, and everybody may ask
_LASTS = timedelta(minutes=15)


@require_safe
def events_calendar(_request: HttpRequest) -> HttpResponse:
    """Answer the draws of the next three months with their rewards, in their events' time zones."""
    now = timezone.now()
    events = list(Event.objects.all())
    calendar = Calendar()
    calendar.add("prodid", "-//raffles//events//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Lucky draws")
    for draw in coming_draws(events, now=now, until=now + _AHEAD, each=_EACH)[:_MOST]:
        calendar.add_component(_entry(draw))
    calendar.add_missing_timezones()
    response = HttpResponse(calendar.to_ical(), content_type="text/calendar; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_safe
def event_winners_feed(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer one event's winners; 404 if there is no such event."""
    if not has_event(slug):
        return not_found()
    return winners_feed(request, slug)


@require_safe
def event_stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer one event's announcements; 404 if there is no such event."""
    if not has_event(slug):
        return not_found()
    return stream(request, slug=slug)


def has_event(slug: str) -> bool:
    """Return whether there is an event with that slug."""
    return Event.objects.filter(slug=slug).exists()


def _entry(draw: ComingDraw) -> Entry:
    """Return a date's entry, whose uid is event and local date: calendars update it in place."""
    event, reward = draw.event, draw.reward
    amount = f"{reward.reward_amount} × " if reward.reward_amount > 1 else ""
    entry = Entry()
    entry.add("uid", f"{event.slug}-{draw.date:%Y%m%d}@lucky-draws")
    entry.add("dtstamp", event.changed_at)
    entry.add("dtstart", draw.local())
    entry.add("duration", _LASTS)
    entry.add("summary", f"{event.name}: {amount}{reward.reward_name}")
    entry.add("description", reward.reward_description)
    entry.add("url", f"{settings.PUBLIC_URL}/events/{event.slug}/")
    return entry
