"""Delivering the outbox: to each endpoint one message after another, to all of them at once.

A lane is claimed under a lease by whoever raises its fence, its messages are sent, and only then
marked: a kill in between sends some twice, with the same id, and loses none. The clock that is
handed in is the database's, because leases are compared between machines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from raffles.domain.announcing import announce_all_sold_out
from raffles.domain.keys import KeyMissing
from raffles.domain.sealing import Clock
from raffles.models import Delivery, Endpoint
from raffles.models.delivery import DeliveryQuerySet
from raffles.notifications import mail, webhooks
from raffles.notifications.attempts import (
    LEASE,
    Answer,
    Letter,
    Send,
    Tally,
    Try,
    disable,
    mark,
    release,
)
from raffles.notifications.outbox import spread

log = logging.getLogger(__name__)

_STOPS_BEFORE = webhooks.TOTAL * 2  # seconds of the lease that are left for the last message
_LANES = 64  # endpoints at once; a silent one holds its thread for 15 seconds and then rests
_CLAIM = 5_000  # messages of one claim, by their keys
_AHEAD = 250  # webhooks that are written before they are sent
_MAILS_AHEAD = 20  # of mails, which take longer to write and to send
_LOOK_AROUND = 0.2  # seconds until new lanes are looked for
_GATHER = 0.05  # seconds of results that are marked in one transaction, and sent twice by a kill
_GRACE = 3.0  # seconds for what is under way when we are told to end


def database_clock() -> datetime:
    """The time on the database's clock; SQLite's is this machine's."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    moment: datetime = now
    return moment.astimezone(UTC)


# --- Lanes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """How an endpoint is told: what writes letters of deliveries, and the line they go by."""

    write: Callable[[DeliveryQuerySet], Iterable[Letter[Any]]]
    open_line: Callable[[], AbstractContextManager[Send[Any]]]
    ahead: int


def _way_to(endpoint: Endpoint, now: datetime) -> _Way:
    """Raises KeyMissing."""
    if endpoint.channel == Endpoint.Channel.WEBHOOK:
        secrets = webhooks.secrets_of(endpoint, now)
        return _Way(webhooks.write, lambda: webhooks.open_line(endpoint.address, secrets), _AHEAD)
    return _Way(lambda rows: mail.write(endpoint, rows), mail.open_line, _MAILS_AHEAD)


@dataclass(eq=False)
class _Lane:
    """A claimed endpoint and what is due in it. Its thread sends and touches no database."""

    endpoint: Endpoint
    way: _Way
    due: list[int]  # the keys of deliveries of which no letter is written yet
    claimed_at: datetime
    started: float
    letters: SimpleQueue[Letter[Any] | None] = field(default_factory=SimpleQueue)
    is_stopped: bool = False

    def feed(self) -> None:
        """Writes letters while few are left, so that the thread need not wait for them."""
        if not self.due or self.is_stopped or self.letters.qsize() > self.way.ahead // 2:
            return
        keys, self.due = self.due[: self.way.ahead], self.due[self.way.ahead :]
        mine = Delivery.objects.due(self.claimed_at).filter(endpoint=self.endpoint)
        for letter in self.way.write(mine.filter(pk__range=(keys[0], keys[-1])).order_by("pk")):
            self.letters.put(letter)
        if not self.due:
            self.letters.put(None)

    def stop(self) -> None:
        """Has the thread end after the message that it is sending."""
        self.is_stopped = True
        self.letters.put(None)

    def send_all(self, results: _Results) -> None:
        """Sends in order, until the lease runs short or the receiver is silent."""
        letter = self.letters.get()
        try:
            with self.way.open_line() as send:
                while letter is not None and not self.is_over():
                    at = self.claimed_at + timedelta(seconds=time.monotonic() - self.started)
                    answer = send(letter.message, at)
                    results.queue.put((self, (letter, answer)))
                    if not answer.is_accepted and (answer.status is None or answer.is_gone):
                        break
                    if self.letters.qsize() == self.way.ahead // 2:
                        results.nudge.set()
                    letter = self.letters.get()
        except Exception as error:  # a fault of ours counts as silence, so that the lane rests
            log.exception("Endpoint %s: sending failed", self.endpoint.pk)
            if letter is not None:
                fault = Answer(
                    is_accepted=False, status=None, detail=type(error).__name__, seconds=0
                )
                results.queue.put((self, (letter, fault)))
        finally:
            results.queue.put((self, None))
            results.nudge.set()

    def is_over(self) -> bool:
        """Whether no more is to be begun."""
        left = LEASE.total_seconds() - (time.monotonic() - self.started)
        return self.is_stopped or left < _STOPS_BEFORE


@dataclass
class _Results:
    """What the threads hand back: tries, and for each lane its end."""

    queue: SimpleQueue[tuple[_Lane, Try | None]] = field(default_factory=SimpleQueue)
    nudge: Event = field(default_factory=Event)

    def gather(self) -> list[tuple[_Lane, Try | None]]:
        """What comes within a moment, or until a lane asks for more or ends: marked together."""
        self.nudge.clear()
        try:
            found = [self.queue.get(timeout=_LOOK_AROUND)]
        except Empty:
            return []
        # Waking up for each would make the threads that send wait for the interpreter.
        if found[0][1] is not None:
            self.nudge.wait(_GATHER)
        with suppress(Empty):
            while True:
                found.append(self.queue.get_nowait())
        return found


# --- The way from the outbox to receivers --------------------------------------------------


def deliver_all(
    *, by: str, lasting: float | None = None, is_over: Callable[[], bool] = lambda: False
) -> Tally:
    """Announces what nobody has yet, and delivers."""
    announce_all_sold_out(at=database_clock(), by=by)
    return deliver(clock=database_clock, lasting=lasting, is_over=is_over)


def deliver(
    *,
    clock: Clock,
    lasting: float | None = None,
    only: Endpoint | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Tally:
    """Makes deliveries of what is announced, and sends what is due, until nothing is.

    After ``lasting`` seconds no more is begun, and what was begun is brought to its end. When
    ``is_over`` that takes three seconds at the most; what has no answer by then will be sent again.
    Any number of processes may do so at once.
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
    """The lanes of one run of `deliver`."""

    clock: Clock
    only: Endpoint | None
    lanes: set[_Lane] = field(default_factory=set)
    results: _Results = field(default_factory=_Results)
    tally: Tally = field(default_factory=Tally)
    looks_at: float = 0.0

    def go_on(self) -> None:
        """Begins what has become due, also what was announced meanwhile."""
        if time.monotonic() >= self.looks_at:
            self.looks_at = time.monotonic() + _LOOK_AROUND
            now = self.clock()
            if self.only is None:
                spread(now=now)
            for lane in _claim(now, self.lanes, self.only):
                self.lanes.add(lane)
                lane.feed()
                Thread(target=lane.send_all, args=(self.results,), daemon=True).start()

    def stop(self) -> None:
        """Begins nothing more."""
        for lane in self.lanes:
            lane.stop()

    def mark_all(self) -> None:
        """Marks what has come back, a transaction for each lane, and lets go those that ended."""
        tries: dict[_Lane, list[Try]] = {}
        ended = set()
        found = self.results.gather()
        for lane in self.lanes:
            lane.feed()  # first, so that it sends meanwhile
        for lane, one in found:
            so_far = tries.setdefault(lane, [])
            if one is None:
                ended.add(lane)
            else:
                so_far.append(one)
        for lane, of_lane in tries.items():
            if mark(lane.endpoint, of_lane, self.clock(), is_ended=lane in ended):
                self.tally.count(of_lane)
            else:
                lane.stop()
        if ended:
            self.lanes -= ended
            self.looks_at = 0.0


def _claim(now: datetime, running: set[_Lane], only: Endpoint | None) -> Iterator[_Lane]:
    """Claims lanes that something is due in, as many as may run."""
    free = _LANES - len(running)
    due = Endpoint.objects.claimable(now).with_due(now)
    if only is not None:
        due = due.filter(pk=only.pk)
    others = due.exclude(pk__in=[lane.endpoint.pk for lane in running])
    for endpoint in others.order_by("failures", "pk")[:free]:  # who answers need not wait
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
        way = _way_to(endpoint, now)
    except KeyMissing as missing:
        disable(endpoint, str(missing))
        return None
    if not keys:  # somebody was quicker
        release(endpoint)
        return None
    return _Lane(endpoint, way, keys, now, started)
