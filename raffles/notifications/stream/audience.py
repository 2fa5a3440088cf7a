"""Clients that are up to date: new announcements are sent to all of them in one pass."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping
from dataclasses import dataclass
from types import coroutine
from typing import Any

from raffles.notifications.stream.frames import heartbeat
from raffles.notifications.stream.reading import StreamEvent, Topic

AsgiMessage = MutableMapping[str, Any]
Send = Callable[[AsgiMessage], Awaitable[None]]


def body(chunk: bytes) -> AsgiMessage:
    """Return the ASGI message for a piece of the stream."""
    return {"type": "http.response.body", "body": chunk, "more_body": True}


@dataclass(frozen=True, slots=True, eq=False)
class _Seat:
    send: Send
    called: asyncio.Future[tuple[int, Awaitable[None] | None]]


class Audience:
    """Sends without waking a task for each client, which would take longer than the sending."""

    def __init__(self) -> None:
        self._seats: defaultdict[Topic, set[_Seat]] = defaultdict(set)

    async def join(self, topic: Topic, send: Send) -> int:
        """Have everything about a topic sent, until the client is too slow or dismissed.

        It joins before it first waits. Returns the number up to which it was sent everything.
        """
        seat = _Seat(send, asyncio.get_running_loop().create_future())
        self._seats[topic].add(seat)
        try:
            reached, rest = await seat.called
        finally:
            self._seats[topic].discard(seat)
        if rest is not None:
            await rest
        return reached

    def send(self, events: Iterable[StreamEvent], head: int) -> None:
        """Send each client the events of its topic; `head` is the last event's number."""
        events = tuple(events)
        for topic, seats in self._seats.items():
            chunk = b"".join(event.frame for event in events if topic.covers(event))
            if chunk:
                _send(chunk, seats, head)

    def beat(self, head: int, since: int) -> None:
        """Send a heartbeat to all clients, and drop topics without any."""
        for topic, seats in list(self._seats.items()):
            _send(heartbeat(head, since), seats, head)
            if not seats:
                del self._seats[topic]

    def dismiss(self, head: int) -> None:
        """Let all clients go."""
        for seats in self._seats.values():
            for seat in seats:
                if not seat.called.done():
                    seat.called.set_result((head, None))


def _send(chunk: bytes, seats: set[_Seat], head: int) -> None:
    message = body(chunk)
    for seat in tuple(seats):
        if seat.called.done():  # it is leaving, or has not finished the previous message
            continue
        try:
            rest = _begin(seat.send(message))
        except Exception as error:  # noqa: BLE001 - whatever the server raises is that client's
            seat.called.set_exception(error)
        else:
            if rest is not None:
                seat.called.set_result((head, rest))


def _begin(sending: Awaitable[None]) -> Awaitable[None] | None:
    """Start sending; return the rest to await if the client's buffer is full, else None."""
    steps = sending.__await__()
    try:
        waits_for = next(steps)
    except StopIteration:
        return None
    return _finish(waits_for, steps)


@coroutine
def _finish(waits_for: Any, steps: Generator[Any, Any, None]) -> Generator[Any, Any, None]:
    yield waits_for
    yield from steps
