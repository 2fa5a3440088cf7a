"""One reader for all clients of a process: it reads each announcement once and wakes everybody."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from raffles.domain.waking import CHANNEL

from .frames import heartbeat, opening, reset
from .reading import PAGE, Event, Topic, is_too_far, read_after, read_head, read_snapshot

log = logging.getLogger(__name__)

POLL = 1.0  # seconds between two looks without a nudge, whether or not Redis seems to be there
HEARTBEAT = 15.0  # seconds; proxies close what is silent for 60
RETRY = 2_000  # milliseconds
_RECENT = 1_000  # announcements in memory, for those who come back soon

Read = TypeVar("Read")


class Hub:
    """`start` it in a running loop, `follow` it from any number of tasks, `close` it."""

    def __init__(self) -> None:
        self.head = 0
        self.clients = 0
        self.is_closing = False
        self._recent: deque[Event] = deque(maxlen=_RECENT)
        self._turn = asyncio.Event()  # set, and replaced, whenever clients should look
        self._nudged = asyncio.Event()
        self._ready = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stream")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to read; clients wait until it knows where the stream is."""
        self._tasks = [asyncio.create_task(self._read_on()), asyncio.create_task(self._beat())]
        if settings.REDIS_URL:
            self._tasks.append(asyncio.create_task(self._listen()))

    async def close(self) -> None:
        """Ends all streams; clients come back to whoever listens then."""
        self.is_closing = True
        self._wake()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    async def has(self, topic: Topic) -> bool:
        """Whether there is something to follow."""
        return topic.raffle is None or await self._ask(topic.exists)

    async def follow(
        self, topic: Topic, *, resumes: bool, last: int | None
    ) -> AsyncIterator[bytes]:
        """What a client is sent, for as long as it listens."""
        await self._ready.wait()
        position = last if resumes and last is not None else self.head
        if resumes and is_too_far(last, self.head):
            position, latest = await self._ask(lambda: read_snapshot(topic))
            yield opening(RETRY, position) + reset(position, latest)
        else:
            yield opening(RETRY, position)
        sent_at = time.monotonic()
        while not self.is_closing:
            turn = self._turn  # taken before the look, so that nothing comes in between
            position, found = await self._after(position, topic)
            if found:
                yield b"".join(event.frame for event in found)
                sent_at = time.monotonic()
            elif time.monotonic() - sent_at > HEARTBEAT / 2:
                yield heartbeat(position)
                sent_at = time.monotonic()
            if position >= self.head:
                await turn.wait()

    async def _after(self, position: int, topic: Topic) -> tuple[int, list[Event]]:
        """What follows a position, and the position after it: from memory, or the database."""
        head = self.head
        if position >= head:
            return position, []
        if self._recent and self._recent[0].sequence <= position + 1:
            found: list[Event] = []
            for event in reversed(self._recent):
                if event.sequence <= position:
                    break
                if topic.covers(event):
                    found.append(event)
            return self._recent[-1].sequence, found[::-1]
        page = await self._ask(lambda: read_after(position, topic))
        reached = page[-1].sequence if page else 0
        # The database may be ahead of this process; a page that is not full leaves nothing out.
        return (reached if len(page) == PAGE else max(reached, head)), page

    async def _ask(self, read: Callable[[], Read]) -> Read:
        """Asks the database, in the one thread that does, and hangs up."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _alone, read)

    def _wake(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    async def _read_on(self) -> None:
        """Keeps up with the database: at a nudge at once, otherwise each second."""
        while True:
            self._nudged.clear()
            try:
                if not self._ready.is_set():
                    self._recent.clear()
                    self.head = max(await self._ask(read_head) - _RECENT, 0)
                while page := await self._ask(lambda: read_after(self.head)):
                    self._recent.extend(page)
                    self.head = page[-1].sequence
                    self._wake()
                self._ready.set()
            except (DatabaseError, InterfaceError) as error:
                log.warning("The stream waits for the database: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL)

    async def _listen(self) -> None:
        """Takes nudges from Redis; without it the stream is a second slower and nothing else."""
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
            self._wake()


def _alone(read: Callable[[], Read]) -> Read:
    """Reads and closes the connection: an idle stream holds none."""
    try:
        return read()
    finally:
        connection.close()
