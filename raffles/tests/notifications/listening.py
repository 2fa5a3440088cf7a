"""Clients of the stream: over ASGI without a server, and what they make of its bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from raffles.notifications.stream.serving import StreamApplication


@dataclass(frozen=True)
class Heard:
    """One event as a browser hands it to a page."""

    id: str
    event: str
    data: dict[str, Any]


def parse(stream: bytes) -> tuple[list[Heard], str]:
    """Return the whole events in the bytes, and the last id, as the HTML standard reads them."""
    heard: list[Heard] = []
    last_id = ""
    whole, _, _ = stream.rpartition(b"\n\n")
    for block in whole.decode().split("\n\n"):
        event, data = "message", []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                last_id = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
        if data:
            heard.append(Heard(last_id, event, json.loads("\n".join(data))))
    return heard, last_id


class Client:
    """A connection to a path; `status`, `headers` and `body` as they come."""

    def __init__(self, application: StreamApplication, url: str, **headers: str) -> None:
        path, _, query = url.partition("?")
        self._scope = {
            "type": "http",
            "client": ("198.51.100.1", 1),
            "method": headers.pop("method", "GET"),
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
        self._application = application
        self._gone = asyncio.Event()
        self._more = asyncio.Condition()
        self._room = asyncio.Event()
        self._room.set()
        self.broken: Exception | None = None
        self.has_ended = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def run(self) -> None:
        await self._application(self._scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self.broken:
            raise self.broken
        await self._room.wait()
        async with self._more:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            self.body += message.get("body", b"")
            self.has_ended = "body" in message and not message.get("more_body")
            self._more.notify_all()

    async def hear(self, count: int) -> list[Heard]:
        """Return the events so far, once there are that many."""
        async with self._more:
            await asyncio.wait_for(
                self._more.wait_for(lambda: len(parse(self.body)[0]) >= count), 20
            )
        return parse(self.body)[0]

    async def opened(self) -> None:
        async with self._more:
            await asyncio.wait_for(self._more.wait_for(lambda: b"\n\n" in self.body), 20)

    async def ended(self) -> None:
        """Wait until the stream lets it go."""
        async with self._more:
            await asyncio.wait_for(self._more.wait_for(lambda: self.has_ended), 20)

    def block(self) -> None:
        """Let its buffer be full from now on."""
        self._room.clear()

    def unblock(self) -> None:
        self._room.set()

    def hang_up(self) -> None:
        self._gone.set()


async def nothing_there(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def streaming() -> AsyncIterator[StreamApplication]:
    """Yield the application with its hub, closed at the end."""
    application = StreamApplication(nothing_there, has_event=lambda slug: slug != "never")
    try:
        yield application
    finally:
        await application.hub.close()


@asynccontextmanager
async def listening(
    application: StreamApplication, url: str = "/stream/", **headers: str
) -> AsyncIterator[Client]:
    """Yield a client that has been let in, and leaves."""
    client = Client(application, url, **headers)
    task = asyncio.create_task(client.run())
    try:
        await client.opened()
        yield client
    finally:
        client.hang_up()
        await task
