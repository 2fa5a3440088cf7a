"""Listeners that hang up and come back, over real sockets, and what they heard wrongly."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from raffles.tests.notifications.listening import parse


class Told(NamedTuple):
    """One announcement as it was written, or heard: its number, and what it is known by."""

    number: int
    mark: str


class Listener:
    """One of many: it keeps its own ledger, and its place while it is away."""

    def __init__(
        self, port: int, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.heard: list[Told] = []
        self.visits = 0
        self._there = partial(asyncio.open_connection, address, port, ssl=tls)
        self._last = "0"
        self._buffer = b""

    async def come_and_go(self, times: int, chance: Random, *, each: float, until: float) -> None:
        """Listen that often for up to `each` seconds, and hang up, even within an event."""
        while self.visits < times and time.monotonic() < until:
            await self._visit(chance.random() * each)

    async def stay(self, count: int, *, until: float) -> None:
        """Listen until it has heard that many, or until then; reconnect when cut off."""
        while len(self.heard) < count and (left := until - time.monotonic()) > 0:
            await self._visit(left, count)

    async def _visit(self, seconds: float, count: int | None = None) -> None:
        with suppress(OSError, EOFError, TimeoutError):  # refused, cut off, or time is up
            async with asyncio.timeout(seconds):
                await self._listen(count)
        self._buffer = b""
        await asyncio.sleep(0.05)  # as a browser waits

    async def _listen(self, count: int | None) -> None:
        reader, writer = await self._there()
        try:
            # HTTP/1.0 knows no chunks: a cut leaves what a browser would have.
            request = f"GET /stream/ HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: {self._last}\r\n"
            writer.write(f"{request}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head:
                return
            self.visits += 1
            while count is None or len(self.heard) < count:
                if not (piece := await reader.read(65_536)):
                    return
                self._take(piece)
        finally:
            writer.close()

    def _take(self, piece: bytes) -> None:
        whole, end, self._buffer = (self._buffer + piece).rpartition(b"\n\n")
        events, last = parse(whole + end)
        self._last = last or self._last
        self.heard += [told(one.id, one.event, one.data) for one in events]


def told(number: str, event: str, said: Mapping[str, Any]) -> Told:
    """Return what a listener keeps of an event; a reset counts as an unwritten announcement."""
    return Told(int(number), event if event == "reset" else said["data"].get("mark", event))


class Wrong(NamedTuple):
    """How many announcements went wrong on their way to all listeners."""

    missing: int
    doubled: int
    disordered: int
    foreign: int

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in self._asdict().items())


def compare(ledger: Sequence[Told], listeners: Sequence[Sequence[Told]]) -> Wrong:
    """Compare what was committed with what each listener heard."""
    written, totals = set(ledger), [0, 0, 0, 0]
    for heard in listeners:
        counts = Counter(heard)
        totals[0] += len(written - counts.keys())
        totals[1] += sum(counts.values()) - len(counts)
        totals[2] += sum(one.number > other.number for one, other in pairwise(heard))
        totals[3] += len(counts.keys() - written)
    return Wrong(*totals)
