"""Winners as an Atom feed, for readers that poll."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from raffles.models import Announcement

_SHOWN = 100
_KINDS = (Announcement.Kind.DRAWN, Announcement.Kind.REPLACED)


@require_safe
def winners_feed(request: HttpRequest, slug: str | None = None) -> HttpResponseBase:
    """Answer the latest draws and replacements, of all raffles or of one event."""
    rows = Announcement.objects.filter(kind__in=_KINDS)
    if slug is not None:
        rows = rows.filter(payload__event=slug)
    newest = rows.order_by("-sequence")
    last = newest.values_list("sequence", flat=True).first() or 0
    etag = f'"{last}"'
    response = get_conditional_response(request, etag=etag) or _feed(request.path, newest[:_SHOWN])
    response["ETag"], response["Cache-Control"] = etag, "no-cache"
    return response


def _feed(path: str, rows: Any) -> HttpResponse:
    url = settings.PUBLIC_URL + path
    feed = Atom1Feed("Winners", settings.PUBLIC_URL + "/", "", feed_url=url, feed_guid=url)
    for row in rows:
        payload = row.payload
        place = settings.PUBLIC_URL + reverse("raffle-detail", args=[payload["raffle"]])
        feed.add_item(
            title=f"{row.get_kind_display()}: {payload['name']}",
            link=place,
            description="\n".join(_lines(row)),
            # The same wherever the site moves to.
            unique_id=uuid5(NAMESPACE_URL, f"{payload['raffle']}/{row.sequence}").urn,
            pubdate=row.announced_at,
            updateddate=row.announced_at,
        )
    return HttpResponse(
        feed.writeString("utf-8"), content_type="application/atom+xml; charset=utf-8"
    )


def _lines(row: Announcement) -> list[str]:
    payload = row.payload
    if row.kind == Announcement.Kind.REPLACED:
        passed = f"{payload['ticket_number']} is replaced by ticket {payload['replaced_by']}"
        return [f"{payload['prize']}: ticket {passed}. {payload['reason']}"]
    lines = [
        f"{winner['rank']}. ticket {winner['ticket_number']}"
        + (f" ({winner['username']})" if "username" in winner else "")
        + f": {winner['prize']}"
        for winner in payload["winners"]
    ]
    more = payload["winners_total"] - len(payload["winners"])
    return [*lines, f"and {more:,} more"] if more else lines
