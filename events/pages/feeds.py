"""Feeds that lead to pages: winners for readers that poll, and coming draws as a calendar."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from events.domain.calendar import ComingDraw, draws_in_order
from events.models import Event
from events.pages.queries import result_address
from raffles.domain.log import origin
from raffles.models import Announcement
from raffles.models.record import LogEntry, subject_of
from raffles.pages.feeds import CONTENT_TYPE, winners_as_atom
from raffles.web import calendars
from raffles.web.problems import not_found

_SHOWN = 100  # draws and replacements
_AHEAD = timedelta(days=92)
_EACH = 92  # draws of an event
_MOST = 1_000  # draws of all: each costs half a millisecond, and everybody may ask
_CHANGES = ("event.scheduled", "event.copied", "event.changed", "reward.set", "reward.removed")


@require_safe
def winners_feed(request: HttpRequest, slug: str | None = None) -> HttpResponseBase:
    """Answer the latest draws and replacements, of all or of one event; 404 without the event.

    Its ETag is that of its words, not of the last draw: a name that is erased or hidden is gone
    from what readers keep with their next look.
    """
    title = "Winners"
    rows = Announcement.objects.of_winners().order_by("-sequence")
    if slug is not None:
        event = Event.objects.filter(slug=slug).only("name").first()
        if event is None:
            return not_found()
        title = f"Winners of {event.name}"
        rows = rows.filter(payload__event=slug)
    news = [
        (row, result_address(row.raffle, getattr(row.raffle, "occurrence", None)))
        for row in rows.select_related("raffle__occurrence__event")[:_SHOWN]
        if row.raffle
    ]
    body = winners_as_atom(request.path, title, news)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    response: HttpResponseBase = get_conditional_response(request, etag=etag) or HttpResponse(
        body, content_type=CONTENT_TYPE
    )
    response["ETag"], response["Cache-Control"] = etag, "no-cache"
    return response


@require_safe
def events_calendar(_request: HttpRequest) -> HttpResponse:
    """Answer the draws of the next three months with their rewards, in their events' time zones."""
    now = timezone.now()
    events = list(Event.objects.all())
    draws = islice(draws_in_order(events, now=now, until=now + _AHEAD, each=_EACH), _MOST)
    changes = LogEntry.objects.filter(action__in=_CHANGES).revisions(map(subject_of, events))
    site = origin()
    entries = []
    for draw in draws:
        changed_at = draw.event.changed_at
        revision, revised_at = changes.get(subject_of(draw.event), (0, changed_at))
        entries.append(_entry(draw, site, revision, max(revised_at, changed_at)))
    body = calendars.calendar(entries, name="Lucky draws")
    response = HttpResponse(body, content_type=calendars.CONTENT_TYPE)
    response["Cache-Control"] = "public, max-age=300"
    return response


def _entry(draw: ComingDraw, site: str, revision: int, revised_at: datetime) -> calendars.Entry:
    """Return a date's entry, whose uid is event and local date: calendars update it in place."""
    event, reward = draw.event, draw.reward
    amount = f"{reward.reward_amount} × " if reward.reward_amount > 1 else ""
    return calendars.Entry(
        uid=f"{event.slug}-{draw.date:%Y%m%d}@{site}",
        starts_at=draw.local(),
        summary=f"{event.name}: {amount}{reward.reward_name}",
        description=reward.reward_description,
        url=settings.PUBLIC_URL + reverse("event_pages:event", args=[event.slug]),
        revision=revision,
        revised_at=revised_at,
    )
