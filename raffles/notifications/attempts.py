"""Attempts: their results, which are stored only while the lane is still the worker's own."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection, transaction

from raffles.domain.contacts import forget_told
from raffles.models import Attempt, Delivery, Endpoint
from raffles.models.delivery import SCHEDULE, DeliveryQuerySet

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=60)
Content = TypeVar("Content")


class Message(NamedTuple, Generic[Content]):
    """The content to send, and the delivery whose next attempt this is."""

    delivery: int
    message_id: str
    attempts: int
    winner: int | None
    content: Content


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one attempt; `status` is the receiver's (HTTP, SMTP), None without one.

    `pause` is how long the receiver asked not to be sent anything.
    """

    is_accepted: bool
    status: int | None
    detail: str
    seconds: float
    pause: timedelta | None = None
    is_gone: bool = False

    @property
    def ends_lane(self) -> bool:
        """Return whether sending the next message now would be pointless."""
        if self.is_accepted:
            return False
        return self.status is None or self.pause is not None or self.is_gone


Send = Callable[[Message[Content], datetime], Result]
Attempted = tuple[Message[Any], Result]


@dataclass(frozen=True)
class Transport:
    """How to reach an endpoint: renders its messages and opens its connection.

    Up to `ahead` messages are rendered before they are sent.
    """

    render: Callable[[DeliveryQuerySet], Iterable[Message[Any]]]
    connect: Callable[[], AbstractContextManager[Send[Any]]]
    ahead: int


@dataclass
class Tally:
    """How many messages were delivered or failed, and how many of the failed ones were given up."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def count(self, attempted: Iterable[Attempted]) -> None:
        """Add results that have been stored."""
        for message, result in attempted:
            self.delivered += result.is_accepted
            self.failed += not result.is_accepted
            self.dead += not result.is_accepted and message.attempts + 1 >= len(SCHEDULE)


def mark(endpoint: Endpoint, attempted: Sequence[Attempted], now: datetime, *, ends: bool) -> bool:
    """Store results and their consequences; renew the lease, or end it.

    Returns False, with nothing stored, if another worker has taken the lane over.
    """
    for _, result in attempted:
        _count(endpoint, result, now)
    with transaction.atomic():
        mine = Endpoint.objects.filter(pk=endpoint.pk, fence=endpoint.fence)
        if not mine.update(
            leased_until=None if ends else now + LEASE,
            failures=endpoint.failures,
            failing_since=endpoint.failing_since,
            rests_until=endpoint.rests_until,
            rests_because=endpoint.rests_because,
        ):
            return False
        _store(attempted, now)
        if not endpoint.is_enabled:
            disable(endpoint, endpoint.disabled_because)
            # No worker will come for the rest; staff may send it again.
            pending = Delivery.objects.pending().filter(endpoint=endpoint)
            pending.update(state=Delivery.State.DEAD, finished_at=now)
    return True


def _count(endpoint: Endpoint, result: Result, now: datetime) -> None:
    if result.is_accepted:
        endpoint.succeed()
        return
    endpoint.fail(now)
    if result.is_gone:
        endpoint.disable("answered 410 Gone")
    elif result.pause is not None:
        endpoint.rest(now, why=f"answered {result.status} with Retry-After", asked=result.pause)
    elif result.status is None:
        endpoint.rest(now, why=f"gave no answer: {result.detail}")


def _store(attempted: Sequence[Attempted], now: datetime) -> None:
    """Store each result on its delivery, and each failure in a row of its own."""
    alike: defaultdict[tuple[bool, int], list[Attempted]] = defaultdict(list)
    for message, result in attempted:
        alike[result.is_accepted, message.attempts + 1].append((message, result))
    for (is_accepted, number), group in alike.items():
        _update(group, now, number, is_accepted=is_accepted)
        if not is_accepted:
            Attempt.objects.bulk_create(
                Attempt(
                    delivery_id=message.delivery,
                    number=number,
                    at=now,
                    milliseconds=round(result.seconds * 1000),
                    status=result.status,
                    detail=result.detail,
                )
                for message, result in group
            )
    accepted = (message for message, result in attempted if result.is_accepted)
    if winners := [message.winner for message in accepted if message.winner is not None]:
        forget_told(winners, now=now)


def _update(group: Sequence[Attempted], now: datetime, number: int, *, is_accepted: bool) -> None:
    """Update all of them in one statement: through models it would cost as much as the sending."""
    at = connection.ops.adapt_datetimefield_value
    state, next_try_at, finished_at = Delivery.State.PENDING, None, None
    if is_accepted:
        state, finished_at = Delivery.State.DELIVERED, at(now)
    elif number < len(SCHEDULE):
        next_try_at = at(now + timedelta(seconds=SCHEDULE[number]))
    else:
        state, finished_at = Delivery.State.DEAD, at(now)
    values: list[Any] = []
    for message, result in group:
        milliseconds = round(result.seconds * 1000)
        values += (message.delivery, result.status, milliseconds, result.detail)
    values += (str(state), number, next_try_at, finished_at, at(now))
    rows = ", ".join(["(%s, %s, %s, %s)"] * len(group))
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE % rows, values)


_UPDATE = """
    WITH result (id, status, milliseconds, detail) AS (VALUES %s)
    UPDATE raffles_delivery SET
        state = %%s,
        attempts = %%s,
        next_try_at = COALESCE(%%s, next_try_at),
        finished_at = %%s,
        last_attempt_at = %%s,
        last_status = CAST(result.status AS smallint),
        last_milliseconds = result.milliseconds,
        last_detail = result.detail
    FROM result WHERE raffles_delivery.id = result.id AND raffles_delivery.state = 'pending'
"""


def disable(endpoint: Endpoint, why: str) -> None:
    """Stop notifying an endpoint until staff enable it again."""
    log.warning("Endpoint %s is disabled: %s", endpoint.pk, why)
    Endpoint.objects.filter(pk=endpoint.pk).update(
        is_enabled=False, disabled_because=why[:200], leased_until=None
    )


def release(endpoint: Endpoint) -> None:
    """Release the lane to the next worker; what was not marked stays due."""
    Endpoint.objects.filter(pk=endpoint.pk, fence=endpoint.fence).update(leased_until=None)
