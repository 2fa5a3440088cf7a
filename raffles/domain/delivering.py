"""Delivering the outbox: to each endpoint one message after another, to all of them at once.

A lane is claimed under a lease by whoever raises its fence, its messages are sent, and only then
marked: a kill in between sends one twice, with the same id, and loses none. The clock that is
handed in is the database's, because leases are compared between machines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from raffles.models import Announcement, Attempt, Delivery, Endpoint, Outbox

from . import contacts, mailing, webhooks
from .announcing import announce_all_sold_out
from .keys import KeyMissing
from .sealing import Clock
from .sending import Answer, Send

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
_STOPS_BEFORE = webhooks.TOTAL * 2  # seconds of the lease that are left for the last message
_BATCH = 200  # messages of one claim
_LANES = 64  # endpoints at once; a silent one holds its thread for 15 seconds and then rests
_LOOK_AROUND = 0.2  # seconds until new lanes are looked for, when nothing comes back
_GATHER = 0.05  # seconds of results that are marked in one transaction, and sent twice by a kill
_PAGE = 500  # announcements that are spread in one transaction
_UNDELIVERED_AFTER = timedelta(minutes=15)

OpenLine = Callable[[], AbstractContextManager[Send[Any]]]


def database_clock() -> datetime:
    """The time on the database's clock; SQLite's is this machine's."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    moment: datetime = now
    return moment.astimezone(UTC)


# --- From the outbox to deliveries ---------------------------------------------------------


def spread(*, now: datetime) -> int:
    """Makes the deliveries of what was announced since the last time; returns how many."""
    made = 0
    while (page := _spread_page(now)) is not None:
        made += page
    return made


def _spread_page(now: datetime) -> int | None:
    """One page under the lock of the outbox's row; None when there is nothing new."""
    seen = Outbox.objects.filter(pk=1).values_list("spread", flat=True).first() or 0
    if not Announcement.objects.filter(sequence__gt=seen).exists():
        return None
    with transaction.atomic():
        outbox, _ = Outbox.objects.select_for_update().get_or_create(pk=1)
        new = Announcement.objects.filter(sequence__gt=outbox.spread).order_by("sequence")
        announcements = list(new.select_related("raffle")[:_PAGE])
        if not announcements:
            return None
        endpoints = list(Endpoint.objects.enabled())
        deliveries = [
            delivery
            for announcement in announcements
            for endpoint in endpoints
            if endpoint.wants(announcement)
            for delivery in _deliveries(endpoint, announcement, now)
        ]
        Delivery.objects.bulk_create(deliveries, batch_size=1_000)
        contacts.forget_losers(announcements)
        outbox.spread = announcements[-1].sequence
        outbox.save(update_fields=["spread"])
    return len(deliveries)


def _deliveries(endpoint: Endpoint, announcement: Announcement, now: datetime) -> list[Delivery]:
    whom: list[int | None] = [None]
    if endpoint.channel == Endpoint.Channel.WINNERS:
        whom = [*contacts.winners_to_tell(announcement)]
    return [
        Delivery(
            endpoint=endpoint,
            announcement=announcement,
            winner_id=winner,
            next_try_at=now,
            created_at=now,
        )
        for winner in whom
    ]


# --- From deliveries to receivers ----------------------------------------------------------


@dataclass(eq=False)
class _Lane:
    """A claimed endpoint with its due messages. Its thread sends and touches no database."""

    endpoint: Endpoint
    deliveries: list[Delivery]
    messages: list[Any]
    open_line: OpenLine
    claimed_at: datetime
    started: float = field(default_factory=time.monotonic)
    is_stopped: bool = False

    def send_all(self, results: _Results) -> None:
        """Sends in order, until the lease runs short or the receiver is silent."""
        try:
            with self.open_line() as send:
                for delivery, message in zip(self.deliveries, self.messages, strict=True):
                    elapsed = time.monotonic() - self.started
                    if self.is_stopped or elapsed > LEASE.total_seconds() - _STOPS_BEFORE:
                        break
                    answer = send(message, self.claimed_at + timedelta(seconds=elapsed))
                    results.queue.put((self, delivery, answer))
                    if not answer.is_accepted and (answer.status is None or answer.is_gone):
                        break
        except Exception:  # a fault of ours must not leave the lane without its end
            log.exception("Endpoint %s: sending failed", self.endpoint.pk)
        finally:
            results.queue.put((self, None, None))
            results.has_end.set()


_Try = tuple[Delivery, Answer]
_Result = tuple[_Lane, Delivery | None, Answer | None]


@dataclass
class _Results:
    """What the threads hand back: answers, and for each lane its end."""

    queue: SimpleQueue[_Result] = field(default_factory=SimpleQueue)
    has_end: Event = field(default_factory=Event)


@dataclass
class Tally:
    """What a run of `deliver` did."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0


def deliver(
    *,
    clock: Clock,
    lasting: float | None = None,
    only: Endpoint | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Tally:
    """Sends what is due, until nothing is, or no more after ``lasting`` seconds or ``is_over``.

    Any number of processes may do so at once. Messages that were begun are brought to their end.
    """
    tally = Tally()
    results = _Results()
    running: set[_Lane] = set()
    end = time.monotonic() + lasting if lasting is not None else float("inf")
    with ThreadPoolExecutor(_LANES, thread_name_prefix="lane") as threads:
        while True:
            is_ending = is_over() or time.monotonic() >= end
            if not is_ending:
                for lane in _claim(clock, running, only):
                    running.add(lane)
                    threads.submit(lane.send_all, results)
            if not running:
                return tally
            for lane in running if is_ending else ():
                lane.is_stopped = True
            _mark_all(_waiting(results), running, clock, tally)


def _waiting(results: _Results) -> list[_Result]:
    """What comes within a moment, to be marked together; at once when a lane has ended."""
    results.has_end.clear()
    try:
        found = [results.queue.get(timeout=_LOOK_AROUND)]
    except Empty:
        return []
    # Waking up for each would make the threads that send wait for the interpreter.
    if found[0][1] is not None:
        results.has_end.wait(_GATHER)
    with suppress(Empty):
        while True:
            found.append(results.queue.get_nowait())
    return found


def _claim(clock: Clock, running: set[_Lane], only: Endpoint | None) -> Iterator[_Lane]:
    """Claims lanes that something is due in, as many as there are threads."""
    free = _LANES - len(running)
    if not free:
        return
    now = clock()
    due = Endpoint.objects.claimable(now).with_due(now)
    if only is not None:
        due = due.filter(pk=only.pk)
    for endpoint in due.exclude(pk__in=[lane.endpoint.pk for lane in running])[:free]:
        if lane := _claim_lane(endpoint, now):
            yield lane


def _claim_lane(endpoint: Endpoint, now: datetime) -> _Lane | None:
    started = time.monotonic()
    mine = Endpoint.objects.claimable(now).filter(pk=endpoint.pk, fence=endpoint.fence)
    if not mine.update(fence=F("fence") + 1, leased_until=now + LEASE):
        return None
    endpoint.fence += 1
    due = Delivery.objects.due(now).filter(endpoint=endpoint).order_by("pk")
    deliveries = list(due.select_related("announcement")[:_BATCH])
    try:
        messages, open_line = _prepare(endpoint, deliveries, now)
    except KeyMissing as missing:
        _disable(endpoint, str(missing))
        return None
    return _Lane(endpoint, deliveries, messages, open_line, now, started)


def _prepare(
    endpoint: Endpoint, deliveries: list[Delivery], now: datetime
) -> tuple[list[Any], OpenLine]:
    """The messages as they will go out, and what opens the line for them."""
    if endpoint.channel == Endpoint.Channel.WEBHOOK:
        secrets = webhooks.secrets_of(endpoint, now)
        messages = [webhooks.Message.of(delivery) for delivery in deliveries]
        return messages, lambda: webhooks.open_line(endpoint, secrets)
    return mailing.write(endpoint, deliveries), mailing.open_line


def deliver_all(
    *, by: str, lasting: float | None = None, is_over: Callable[[], bool] = lambda: False
) -> Tally:
    """Announces what nobody has yet, makes the deliveries and sends what is due."""
    now = database_clock()
    announce_all_sold_out(at=now, by=by)
    spread(now=now)
    return deliver(clock=database_clock, lasting=lasting, is_over=is_over)


# --- Marking -------------------------------------------------------------------------------


def _mark_all(results: list[_Result], running: set[_Lane], clock: Clock, tally: Tally) -> None:
    """Writes what came back, a transaction for each lane."""
    by_lane: dict[_Lane, list[_Try]] = {}
    ended = set()
    for lane, delivery, answer in results:
        by_lane.setdefault(lane, [])
        if delivery is not None and answer is not None:
            by_lane[lane].append((delivery, answer))
        else:
            ended.add(lane)
    for lane, tries in by_lane.items():
        if not _mark(lane, tries, clock(), is_ended=lane in ended, tally=tally):
            lane.is_stopped = True
    running -= ended


def _mark(
    lane: _Lane,
    tries: list[_Try],
    now: datetime,
    *,
    is_ended: bool,
    tally: Tally,
) -> bool:
    """Stores the tries and the state they lead to; False when the lane is to stop.

    Nothing is stored for one that was lost to another process.
    """
    endpoint = lane.endpoint
    accepted = [delivery for delivery, answer in tries if answer.is_accepted]
    failed = [(delivery, answer) for delivery, answer in tries if not answer.is_accepted]
    for _, answer in tries:
        if answer.is_accepted:
            endpoint.succeed()
        else:
            endpoint.fail(now, is_silent=answer.status is None)
            if answer.is_gone:
                endpoint.disable("answered 410 Gone")
    with transaction.atomic():
        mine = Endpoint.objects.filter(pk=endpoint.pk, fence=endpoint.fence)
        if not mine.update(
            leased_until=None if is_ended else now + LEASE,
            failures=endpoint.failures,
            failing_since=endpoint.failing_since,
            rests_until=endpoint.rests_until,
        ):
            return False
        Attempt.objects.bulk_create(_attempt(*one, now) for one in tries)
        _finish(accepted, now)
        for delivery, _ in failed:
            delivery.fail(now)
            delivery.save(update_fields=["attempts", "next_try_at", "state", "finished_at"])
        if not endpoint.is_enabled:
            _disable(endpoint, endpoint.disabled_because)
            _give_up(endpoint, now)
    tally.delivered += len(accepted)
    tally.failed += len(failed)
    tally.dead += sum(delivery.state == Delivery.State.DEAD for delivery, _ in failed)
    return endpoint.is_enabled


def _attempt(delivery: Delivery, answer: Answer, now: datetime) -> Attempt:
    return Attempt(
        delivery=delivery,
        number=delivery.attempts + 1,
        at=now,
        milliseconds=round(answer.seconds * 1000),
        status=answer.status,
        detail=answer.detail,
    )


def _finish(accepted: list[Delivery], now: datetime) -> None:
    if accepted:
        Delivery.objects.pending().filter(pk__in=[delivery.pk for delivery in accepted]).update(
            state=Delivery.State.DELIVERED, attempts=F("attempts") + 1, finished_at=now
        )
        contacts.forget_told(accepted, now=now)


def _disable(endpoint: Endpoint, why: str) -> None:
    log.warning("Endpoint %s is disabled: %s", endpoint.pk, why)
    Endpoint.objects.filter(pk=endpoint.pk).update(
        is_enabled=False, disabled_because=why[:200], leased_until=None
    )


def _give_up(endpoint: Endpoint, now: datetime) -> None:
    """What an endpoint that is gone had still to be told is dead: staff may send it again."""
    pending = Delivery.objects.pending().filter(endpoint=endpoint)
    pending.update(state=Delivery.State.DEAD, finished_at=now)


# --- For people ----------------------------------------------------------------------------


def make_test(endpoint: Endpoint, *, now: datetime) -> Delivery:
    """A message that says nothing, to see whether it arrives."""
    return Delivery.objects.create(endpoint=endpoint, next_try_at=now, created_at=now)


def warnings() -> list[str]:
    """A sentence for each thing about delivery that somebody should look at."""
    now = timezone.now()
    old = Delivery.objects.pending().filter(created_at__lte=now - _UNDELIVERED_AFTER)
    dead = Delivery.objects.filter(state=Delivery.State.DEAD)
    seen = Outbox.objects.filter(pk=1).values_list("spread", flat=True).first() or 0
    waiting = Announcement.objects.filter(
        sequence__gt=seen, announced_at__lte=now - _UNDELIVERED_AFTER
    )
    found = []
    if waiting.exists() and Endpoint.objects.enabled().exists():
        found.append("Announcements wait: deliver_announcements does not run.")
    if count := old.filter(endpoint__is_enabled=True).count():
        found.append(f"Announcements undelivered for 15 minutes: {count}.")
    if count := dead.count():
        found.append(f"Announcements given up, to be sent again or deleted: {count}.")
    return found
