"""One reader for all clients of a process: it reads each announcement once for all of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from raffles.domain import lineage
from raffles.domain.announcing import CHANNEL
from raffles.notifications.stream.audience import Audience, Send, body
from raffles.notifications.stream.frames import last_seen, opening, reset
from raffles.notifications.stream.reading import (
    PAGE,
    StreamEvent,
    Topic,
    is_too_far,
    read_after,
    read_head,
    read_snapshot,
)

log = logging.getLogger(__name__)

POLL = 1.0  # seconds between two polls without a nudge, whether or not Redis seems to be up
HEARTBEAT = 15.0  # seconds; proxies close what is silent for 60
RETRY = 2_000  # milliseconds
_WARM = 5.0  # seconds that the connection is kept after an announcement: another is likely
_RECENT = 1_000  # announcements in memory, for clients that reconnect soon

Read = TypeVar("Read")


class Hub:
    """The reader: `start` it in a running loop, `follow` it from any task, `close` it."""

    def __init__(self) -> None:
        self.head = 0
        self.clients = 0
        self.is_closing = False
        self._audience = Audience()
        self._recent: deque[StreamEvent] = deque(maxlen=_RECENT)
        self._nudged = asyncio.Event()
        self._ready = asyncio.Event()
        self._reading = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stream")
        self._warm_until = 0.0
        self._since = lineage.since()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to read; clients wait until it knows the head of the stream."""
        self._tasks = [asyncio.create_task(self._read_on()), asyncio.create_task(self._beat())]
        if settings.REDIS_URL:
            self._tasks.append(asyncio.create_task(self._listen()))

    async def close(self) -> None:
        """End all streams; clients reconnect to whichever process listens then."""
        if self.is_closing:
            return
        self.is_closing = True
        self._ready.set()
        self._audience.dismiss(self.head)
        tasks = set(self._tasks)
        while tasks:  # `wait_for` of Python 3.11 and redis-py may swallow a cancellation
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)
        await self.ask(self._hang_up)
        await asyncio.to_thread(self._thread.shutdown)

    async def follow(self, topic: Topic, send: Send, *, header: str, query: str) -> None:
        """Send a client what is new about a topic, for as long as it listens.

        `header` and `query` say what it saw last. It is let go once the database was restored, and
        starts anew when it comes back.
        """
        await self._ready.wait()
        if self.is_closing:
            return
        since = self._since
        resumes, last = last_seen(header, query, since)
        if last is not None and last > self.head:  # another process may have been quicker
            await self._catch_up()
        position = self.head if last is None else last
        if resumes and is_too_far(last, self.head):
            position = head = self.head
            latest = await self.ask(lambda: read_snapshot(topic, head))
            await send(body(opening(RETRY, position, since) + reset(position, since, latest)))
        else:
            await send(body(opening(RETRY, position, since)))
        while not self.is_closing:
            position, found = await self._after(position, topic)
            if lineage.since() != since:
                return
            if found:
                await send(body(b"".join(event.frame for event in found)))
            elif position == self.head:  # and nothing was awaited since
                position = await self._audience.join(topic, send)

    async def ask(self, read: Callable[[], Read]) -> Read:
        """Run a query in the one thread that uses the database, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, read)

    def _read(self, read: Callable[[], Read]) -> Read:
        """Run a query; close the connection unless more is expected: an idle stream holds none."""
        try:
            return read()
        except BaseException:
            self._warm_until = 0.0
            raise
        finally:
            if time.monotonic() >= self._warm_until:
                connection.close()

    def _read_news(self) -> list[StreamEvent]:
        page = read_after(self.head)
        if page:
            self._warm_until = time.monotonic() + _WARM
        return page

    def _hang_up(self) -> None:
        self._warm_until = 0.0
        connection.close()

    async def _after(self, position: int, topic: Topic) -> tuple[int, list[StreamEvent]]:
        """Return the next position and the events up to it, from memory or the database.

        It never goes beyond the head: later events are sent to the audience.
        """
        head = self.head
        if position == head:
            return position, []
        if self._recent and self._recent[0].sequence <= position + 1:
            found: list[StreamEvent] = []
            for event in reversed(self._recent):
                if event.sequence <= position:
                    break
                if topic.covers(event):
                    found.append(event)
            return head, found[::-1]
        page = await self.ask(lambda: read_after(position, topic, upto=head))
        return (page[-1].sequence if len(page) == PAGE else head), page

    async def _catch_up(self) -> None:
        """Read what is new, one task at a time; otherwise it would be sent twice."""
        async with self._reading:
            while True:
                page = await self.ask(self._read_news)
                if lineage.since() != self._since:
                    return
                if page:
                    self._recent.extend(page)
                    self.head = page[-1].sequence
                    self._audience.send(page, self.head)
                if len(page) < PAGE:
                    return

    async def _read_on(self) -> None:
        """Keep up with the database: at once when nudged, otherwise every second."""
        while True:
            self._nudged.clear()
            try:
                if not self._ready.is_set():
                    self._recent.clear()
                    self.head = max(await self.ask(read_head) - _RECENT, 0)
                    self._since = lineage.since()
                await self._catch_up()
                if lineage.since() == self._since:
                    self._ready.set()
                else:
                    self._begin_anew()
                    continue
            except (DatabaseError, InterfaceError) as error:
                log.warning("The stream waits for the database: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL)

    def _begin_anew(self) -> None:
        """Let all clients go: the database was restored, and gives numbers a second time."""
        self._ready.clear()
        self._audience.dismiss(self.head)

    async def _listen(self) -> None:
        """Listen for nudges from Redis; without it the stream is up to a second slower, no more."""
        while True:
            try:
                redis = Redis.from_url(
                    settings.REDIS_URL, socket_connect_timeout=POLL, socket_keepalive=True
                )
                async with redis, redis.pubsub() as nudges:
                    await nudges.subscribe(CHANNEL)
                    async for _ in nudges.listen():
                        self._nudged.set()
            except (RedisError, OSError) as error:
                log.warning("The stream polls, Redis is away: %s", error)
            await asyncio.sleep(POLL)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            if lineage.since() == self._since:
                self._audience.beat(self.head, self._since)
