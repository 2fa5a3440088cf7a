"""Serving the stream over ASGI, or over WSGI where no ASGI process runs.

Over ASGI it bypasses Django, whose middleware would need a thread for each client.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from raffles.domain import lineage
from raffles.models import Raffle
from raffles.notifications.stream.audience import AsgiMessage, Send
from raffles.notifications.stream.frames import (
    CONTENT_TYPE,
    HEADERS,
    heartbeat,
    last_seen,
    opening,
    reset,
)
from raffles.notifications.stream.hub import Hub
from raffles.notifications.stream.reading import (
    PAGE,
    Topic,
    is_too_far,
    read_after,
    read_head,
    read_snapshot,
)
from raffles.web.callers import BadForwarding, Caller, caller_of
from raffles.web.metrics import LISTENERS
from raffles.web.problems import not_found, too_many
from raffles.web.throttles import Held, Places

Scope = AsgiMessage
Receive = Callable[[], Awaitable[AsgiMessage]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_MOST = 10_000  # clients per process
_PATH = re.compile(
    r"/(?:raffles/(?P<raffle>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/"
    r"|events/(?P<event>[-a-zA-Z0-9_]{1,50})/)?stream/",
    re.ASCII,
)
_HEADERS = {"Content-Type": CONTENT_TYPE} | HEADERS
_PROBLEMS = {
    404: ("Not Found", "not_found", "There is nothing at this address."),
    400: ("Bad Request", "bad_forwarding", "The address of the caller cannot be told."),
    405: ("Method Not Allowed", "method_not_allowed", 'Method "{method}" not allowed.'),
    429: (
        "Too Many Requests",
        "throttled",
        "You are listening to as many streams as one address may at once.",
    ),
    503: (
        "Service Unavailable",
        "unavailable",
        "The stream is not available now; come back later.",
    ),
}


_listening = Places()


class StreamApplication:
    """Serves the streams itself and passes all other requests on to `otherwise`.

    `has_event` returns whether there is an event with that slug; it is called in a thread.
    """

    def __init__(self, otherwise: Application, *, has_event: Callable[[str], bool]) -> None:
        self._otherwise = otherwise
        self._has_event = has_event
        self._hub: Hub | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and (match := _PATH.fullmatch(scope["path"])):
            raffle = match["raffle"]
            topic = Topic(UUID(raffle) if raffle else None, match["event"])
            await self._stream(topic, scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)

    @property
    def hub(self) -> Hub:
        """The hub of this process, started with its first client."""
        if self._hub is None:
            self._hub = Hub()
            self._hub.start()
        return self._hub

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown" and self._hub is not None:
                await self._hub.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _stream(self, topic: Topic, scope: Scope, receive: Receive, send: Send) -> None:
        hub = self.hub
        if scope["method"] not in ("GET", "HEAD"):
            await _refuse(405, send, method=scope["method"])
        elif hub.clients >= _MOST or hub.is_closing:
            await _refuse(503, send)
        elif (status := await self._found(topic)) != 200:
            await _refuse(status, send)
        elif scope["method"] == "HEAD":
            await _start(200, _HEADERS, send)
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._let_in(topic, scope, receive, send)

    async def _let_in(self, topic: Topic, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = _caller(scope)
        except BadForwarding:
            await _refuse(400, send)
            return
        if not _take_place(caller):
            await _refuse(429, send)
            return
        hub = self.hub
        hub.clients += 1
        LISTENERS.inc()
        try:
            await _until_either_ends(_send_all(hub, topic, scope, send), _hang_up(receive))
        finally:
            hub.clients -= 1
            LISTENERS.dec()
            _listening.leave(caller.tag)

    async def _found(self, topic: Topic) -> int:
        if topic == Topic():
            return 200
        try:
            return 200 if await self.hub.ask(lambda: self._exists(topic)) else 404
        except (DatabaseError, InterfaceError):
            return 503

    def _exists(self, topic: Topic) -> bool:
        if topic.raffle is not None:
            return Raffle.objects.filter(uuid=topic.raffle).exists()
        return topic.event is None or self._has_event(topic.event)


def _caller(scope: Scope) -> Caller:
    """Return the caller, from the peer and, if that is our proxy, from `X-Forwarded-For`."""
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = (scope.get("client") or ("",))[0]
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    request.META["HTTP_X_FORWARDED_FOR"] = b",".join(said).decode("latin-1")
    return caller_of(request)


def _take_place(caller: Caller) -> bool:
    most = settings.STREAMS_PER_HOLDER
    return _listening.take(caller.tag, most if most and not caller.is_manager else _MOST)


async def _send_all(hub: Hub, topic: Topic, scope: Scope, send: Send) -> None:
    header = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    query = parse_qs(scope["query_string"].decode("latin-1")).get("last_event_id", [""])[0]
    await _start(200, _HEADERS, send)
    # Without the database the stream ends, and its client reconnects for the rest.
    with suppress(DatabaseError, InterfaceError):
        await hub.follow(topic, send, header=header, query=query)
    await send({"type": "http.response.body", "body": b""})


async def _hang_up(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_either_ends(*coroutines: Any) -> None:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, OSError):
                await task


async def _start(status: int, headers: dict[str, str], send: Send) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _refuse(status: int, send: Send, **said: str) -> None:
    title, code, detail = _PROBLEMS[status]
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail.format(**said),
        "code": code,
    }
    headers = {
        "Content-Type": "application/problem+json",
        "Access-Control-Allow-Origin": "*",
        **({"Allow": "GET, HEAD"} if status == 405 else {}),
        **({"Retry-After": "5"} if status in (429, 503) else {}),
    }
    await _start(status, headers, send)
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})


_RETRY = 3_000  # milliseconds
_LOOKS = 0.5  # seconds between two polls
_HEARTBEAT = 15.0  # seconds
_LASTS = 300.0  # seconds that a client may stay with DEBUG
_STAYING = BoundedSemaphore(8)


@require_safe
def stream(
    request: HttpRequest, raffle_id: UUID | None = None, slug: str | None = None
) -> HttpResponseBase:
    """Answer the announcements of a raffle, of an existing event, or all, over WSGI."""
    if raffle_id is not None and not Raffle.objects.filter(uuid=raffle_id).exists():
        return not_found()
    topic, head = Topic(raffle_id, slug), read_head()  # without a database: before it is a 200
    seen = last_seen(
        request.headers.get("Last-Event-ID"), request.GET.get("last_event_id"), lineage.since()
    )
    chunks: Iterable[bytes] = ()
    if request.method == "GET":
        caller = caller_of(request)
        if not _take_place(caller):
            return too_many(_PROBLEMS[429][2])
        follow = _stay if settings.DEBUG else _catch_up
        chunks = Held(follow(topic, head, *seen), lambda: _listening.leave(caller.tag))
    return StreamingHttpResponse(chunks, content_type=CONTENT_TYPE, headers=HEADERS)


def _stay(topic: Topic, head: int, resumes: bool, last: int | None) -> Iterator[bytes]:
    may_stay = _STAYING.acquire(blocking=False)
    try:
        yield from _catch_up(topic, head, resumes, last, lasting=_LASTS if may_stay else 0)
    finally:
        if may_stay:
            _STAYING.release()


def _catch_up(
    topic: Topic, head: int, resumes: bool, last: int | None, *, lasting: float = 0
) -> Iterator[bytes]:
    """Yield what is new and, for `lasting` seconds, what is announced meanwhile."""
    position, since = head, lineage.since()
    if resumes and is_too_far(last, head):
        yield opening(_RETRY, head, since) + reset(head, since, read_snapshot(topic, head))
    else:
        position = position if last is None else last
        yield opening(_RETRY, position, since)
    end = time.monotonic() + lasting
    beat = time.monotonic() + _HEARTBEAT
    while True:
        head = read_head()
        page = read_after(position, topic)
        if lineage.since() != since:
            return
        for event in page:
            yield event.frame
        position = page[-1].sequence if page else max(position, head)
        if len(page) == PAGE:
            continue
        if time.monotonic() >= end:
            yield heartbeat(max(position, head), since)
            return
        if time.monotonic() >= beat:
            yield heartbeat(position, since)
            beat = time.monotonic() + _HEARTBEAT
        time.sleep(_LOOKS)
