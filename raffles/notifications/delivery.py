"""Delivering the outbox: to each endpoint in sequence, to all endpoints concurrently.

A worker claims a lane under a lease by incrementing its fence, sends its messages, and only then
marks them: if it is killed in between, some are sent twice, with the same id, and none is lost.
The clock is the database's, because leases are compared between machines.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from django.db.models import F

from raffles.domain.announcing import announce_all_sold_out
from raffles.domain.clock import database_time
from raffles.domain.keys import KeyMissing
from raffles.domain.sealing import Clock
from raffles.models import Delivery, Endpoint
from raffles.notifications import mail, webhooks
from raffles.notifications.attempts import (
    LEASE,
    Attempted,
    Message,
    Result,
    Tally,
    Transport,
    disable,
    mark,
    release,
)
from raffles.notifications.outbox import spread

log = logging.getLogger(__name__)

_STOPS_BEFORE = webhooks.TOTAL * 2  # seconds of the lease reserved for the last message
_LANES = 64  # endpoints at once; a silent one holds its thread for 15 seconds and then rests
_CLAIM = 5_000  # messages per claim, by key
_AHEAD = 250  # webhooks rendered before they are sent
_MAILS_AHEAD = 20  # fewer mails, which take longer to render and to send
_LOOK_AROUND = 0.2  # seconds between two searches for new lanes
_GATHER = 0.05  # seconds of results marked in one transaction; a kill sends these twice
_GRACE = 3.0  # seconds for messages in flight when the worker is asked to end


# --- Lanes ---------------------------------------------------------------------------------


def _transport_to(endpoint: Endpoint, now: datetime) -> Transport:
    """Return the transport to an endpoint. Raises KeyMissing."""
    if endpoint.channel == Endpoint.Channel.WEBHOOK:
        secrets = webhooks.secrets_of(endpoint, now)
        connect = partial(webhooks.connect, endpoint.address, secrets)
        return Transport(webhooks.render, connect, _AHEAD)
    return Transport(partial(mail.render, endpoint), mail.connect, _MAILS_AHEAD)


@dataclass(eq=False)
class _Lane:
    """A claimed endpoint and what is due for it; its thread sends and uses no database."""

    endpoint: Endpoint
    transport: Transport
    due: list[int]  # the keys of deliveries not rendered yet
    claimed_at: datetime
    started: float
    messages: SimpleQueue[Message[Any] | None] = field(default_factory=SimpleQueue)
    is_stopped: bool = False

    def feed(self) -> None:
        """Render messages when few are left, so that the thread need not wait for them."""
        ahead = self.transport.ahead
        if not self.due or self.is_stopped or self.messages.qsize() > ahead // 2:
            return
        keys, self.due = self.due[:ahead], self.due[ahead:]
        mine = Delivery.objects.due(self.claimed_at).filter(endpoint=self.endpoint)
        rows = mine.filter(pk__range=(keys[0], keys[-1])).order_by("pk")
        for message in self.transport.render(rows):
            self.messages.put(message)
        if not self.due:
            self.messages.put(None)

    def stop(self) -> None:
        """Let the thread end after the message that it is sending."""
        self.is_stopped = True
        self.messages.put(None)

    def send_all(self, results: _Results) -> None:
        """Send in order, until the lease runs short or the receiver should be left alone."""
        message = self.messages.get()
        try:
            with self.transport.connect() as send:
                while message is not None and not self.is_over():
                    at = self.claimed_at + timedelta(seconds=time.monotonic() - self.started)
                    result = send(message, at)
                    results.queue.put((self, (message, result)))
                    if result.ends_lane:
                        break
                    if self.messages.qsize() == self.transport.ahead // 2:
                        results.nudge.set()
                    message = self.messages.get()
        except Exception as error:  # our own fault counts as silence, so that the lane rests
            log.exception("Endpoint %s: sending failed", self.endpoint.pk)
            if message is not None:
                fault = Result(False, None, type(error).__name__, 0)
                results.queue.put((self, (message, fault)))
        finally:
            results.queue.put((self, None))
            results.nudge.set()

    def is_over(self) -> bool:
        """Return whether no further message should be begun."""
        left = LEASE.total_seconds() - (time.monotonic() - self.started)
        return self.is_stopped or left < _STOPS_BEFORE


@dataclass
class _Results:
    """What the threads hand back: attempts, and the end of each lane."""

    queue: SimpleQueue[tuple[_Lane, Attempted | None]] = field(default_factory=SimpleQueue)
    nudge: Event = field(default_factory=Event)

    def gather(self) -> list[tuple[_Lane, Attempted | None]]:
        """Return what arrives within a moment, or until a lane needs messages or ends."""
        self.nudge.clear()
        try:
            found = [self.queue.get(timeout=_LOOK_AROUND)]
        except Empty:
            return []
        # Waking up for each result would make the sending threads wait for the interpreter lock.
        if found[0][1] is not None:
            self.nudge.wait(_GATHER)
        with suppress(Empty):
            while True:
                found.append(self.queue.get_nowait())
        return found


# --- From the outbox to receivers ----------------------------------------------------------


def deliver_all(
    *, by: str, lasting: float | None = None, is_over: Callable[[], bool] = lambda: False
) -> Tally:
    """Announce raffles that sold out unnoticed, then deliver as `deliver` does."""
    announce_all_sold_out(at=database_time(), by=by)
    return deliver(clock=database_time, lasting=lasting, is_over=is_over)


def deliver(
    *,
    clock: Clock,
    lasting: float | None = None,
    only: Endpoint | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Tally:
    """Fan out new announcements and send what is due, until nothing is; return the tally.

    After `lasting` seconds nothing more is begun, and what was begun is finished. Once `is_over()`,
    finishing takes three seconds at most; messages unanswered by then are sent again later. Any
    number of workers may run at once; `only` restricts this one to an endpoint.
    """
    run = _Run(clock, only)
    end = time.monotonic() + lasting if lasting is not None else float("inf")
    leave = float("inf")
    try:
        while time.monotonic() < leave:
            if is_over():
                leave = min(leave, time.monotonic() + _GRACE)
            is_ending = leave < float("inf") or time.monotonic() >= end
            if is_ending:
                run.stop()
            else:
                run.go_on()
            if not run.lanes:
                break
            run.mark_all()
        for lane in run.lanes:
            release(lane.endpoint)
    finally:
        run.stop()
    return run.tally


@dataclass
class _Run:
    """The state of one call of `deliver`."""

    clock: Clock
    only: Endpoint | None
    lanes: set[_Lane] = field(default_factory=set)
    results: _Results = field(default_factory=_Results)
    tally: Tally = field(default_factory=Tally)
    looks_at: float = 0.0

    def go_on(self) -> None:
        """Begin what has become due, including what was announced meanwhile."""
        if time.monotonic() < self.looks_at:
            return
        self.looks_at = time.monotonic() + _LOOK_AROUND
        now = self.clock()
        if self.only is None:
            spread(now=now)
        for lane in _claim(now, self.lanes, self.only):
            self.lanes.add(lane)
            lane.feed()
            Thread(target=lane.send_all, args=(self.results,), daemon=True).start()

    def stop(self) -> None:
        """Begin nothing more."""
        for lane in self.lanes:
            lane.stop()

    def mark_all(self) -> None:
        """Mark the results, in one transaction per lane, and drop the lanes that ended."""
        attempts: defaultdict[_Lane, list[Attempted]] = defaultdict(list)
        ended = set()
        found = self.results.gather()
        for lane in self.lanes:
            lane.feed()  # first, so that they send meanwhile
        for lane, attempted in found:
            if attempted is None:
                ended.add(lane)
            else:
                attempts[lane].append(attempted)
        for lane in ended | attempts.keys():
            if mark(lane.endpoint, attempts[lane], self.clock(), ends=lane in ended):
                self.tally.count(attempts[lane])
            else:
                lane.stop()
        if ended:
            self.lanes -= ended
            self.looks_at = 0.0


def _claim(now: datetime, running: set[_Lane], only: Endpoint | None) -> Iterator[_Lane]:
    """Claim lanes with something due, as many as may run."""
    free = _LANES - len(running)
    due = Endpoint.objects.claimable(now).with_due(now)
    if only is not None:
        due = due.filter(pk=only.pk)
    others = due.exclude(pk__in=[lane.endpoint.pk for lane in running])
    for endpoint in others.order_by("failures", "pk")[:free]:  # receivers that answer come first
        if lane := _claim_lane(endpoint, now):
            yield lane


def _claim_lane(endpoint: Endpoint, now: datetime) -> _Lane | None:
    started = time.monotonic()
    mine = Endpoint.objects.claimable(now).filter(pk=endpoint.pk, fence=endpoint.fence)
    if not mine.update(fence=F("fence") + 1, leased_until=now + LEASE):
        return None
    endpoint.fence += 1
    due = Delivery.objects.due(now).filter(endpoint=endpoint).order_by("pk")
    keys = list(due.values_list("pk", flat=True)[:_CLAIM])
    try:
        transport = _transport_to(endpoint, now)
    except KeyMissing as missing:
        disable(endpoint, missing.for_operators())
        return None
    if not keys:  # another worker was quicker
        release(endpoint)
        return None
    return _Lane(endpoint, transport, keys, now, started)
