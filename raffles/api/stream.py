"""The stream where no process of its own serves it: by WSGI, where each client takes a thread.

With DEBUG a few clients may stay for minutes, for a first look. Otherwise everybody is told what is
new and sent away, to come back after a moment: nobody can take the API's threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from threading import BoundedSemaphore
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from raffles.models import Raffle
from raffles.stream.frames import CONTENT_TYPE, HEADERS, heartbeat, last_seen, opening, reset
from raffles.stream.reading import PAGE, Topic, is_too_far, read_after, read_head, read_snapshot
from rafflesite.problems import not_found

_RETRY = 3_000  # milliseconds
_LOOKS = 0.5  # seconds between two looks
_HEARTBEAT = 15.0  # seconds
_LASTS = 300.0  # seconds that a client may stay with DEBUG
_STAYING = BoundedSemaphore(8)


@require_safe
def stream(
    request: HttpRequest, raffle_id: UUID | None = None, slug: str | None = None
) -> HttpResponseBase:
    """The announcements of a raffle, of an event that there is, or all."""
    if raffle_id is not None and not Raffle.objects.filter(uuid=raffle_id).exists():
        return not_found()
    topic = Topic(raffle_id, slug)
    resumes, last = last_seen(
        request.headers.get("Last-Event-ID"), request.GET.get("last_event_id")
    )
    chunks: Iterable[bytes] = ()
    if request.method == "GET":
        follow = _stay if settings.DEBUG else _catch_up
        chunks = follow(topic, resumes, last)
    return StreamingHttpResponse(chunks, content_type=CONTENT_TYPE, headers=HEADERS)


def _stay(topic: Topic, resumes: bool, last: int | None) -> Iterator[bytes]:
    may_stay = _STAYING.acquire(blocking=False)
    try:
        yield from _catch_up(topic, resumes, last, lasting=_LASTS if may_stay else 0)
    finally:
        if may_stay:
            _STAYING.release()


def _catch_up(
    topic: Topic, resumes: bool, last: int | None, *, lasting: float = 0
) -> Iterator[bytes]:
    """What is new; and for ``lasting`` seconds what comes."""
    position = head = read_head()
    if resumes and is_too_far(last, head):
        yield opening(_RETRY, head) + reset(head, read_snapshot(topic, head))
    else:
        position = position if last is None else last
        yield opening(_RETRY, position)
    end = time.monotonic() + lasting
    beat = time.monotonic() + _HEARTBEAT
    while True:
        head = read_head()
        page = read_after(position, topic)
        for event in page:
            yield event.frame
        position = page[-1].sequence if page else max(position, head)
        if len(page) == PAGE:
            continue
        if time.monotonic() >= end:
            yield heartbeat(max(position, head))
            return
        if time.monotonic() >= beat:
            yield heartbeat(position)
            beat = time.monotonic() + _HEARTBEAT
        time.sleep(_LOOKS)
