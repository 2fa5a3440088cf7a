"""Marking: what came of the tries is stored, as long as the lane is still ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection, transaction

from raffles.domain.contacts import forget_told
from raffles.models import Delivery, Endpoint
from raffles.models.delivery import SCHEDULE

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=60)
Message = TypeVar("Message")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try; ``status`` is the receiver's (HTTP, SMTP), None when silent."""

    is_accepted: bool
    status: int | None
    detail: str
    seconds: float
    is_gone: bool = False


class Letter(NamedTuple, Generic[Message]):
    """A message as it goes out, with the delivery of which this is the next try."""

    delivery: int
    attempts: int
    winner: int | None
    message: Message


Send = Callable[[Message, datetime], Answer]
Try = tuple[Letter[Any], Answer]


@dataclass
class Tally:
    """What became of messages."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def count(self, tries: Sequence[Try]) -> None:
        failed = [letter.attempts + 1 for letter, answer in tries if not answer.is_accepted]
        self.delivered += len(tries) - len(failed)
        self.failed += len(failed)
        self.dead += sum(number >= len(SCHEDULE) for number in failed)


def mark(endpoint: Endpoint, tries: Sequence[Try], now: datetime, *, is_ended: bool) -> bool:
    """Stores the tries and what they lead to, and renews or ends the lease.

    False, with nothing stored, when the lane was lost to another process.
    """
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
        _log(tries, now)
        _finish([letter for letter, answer in tries if answer.is_accepted], now)
        _fail([letter for letter, answer in tries if not answer.is_accepted], now)
        if not endpoint.is_enabled:
            disable(endpoint, endpoint.disabled_because)
            _give_up(endpoint, now)
    return True


def _log(tries: Sequence[Try], now: datetime) -> None:
    """One statement of values: models of them would cost as much as the sending."""
    if not tries:
        return
    at = connection.ops.adapt_datetimefield_value(now)
    values: list[Any] = []
    for letter, answer in tries:
        milliseconds = round(answer.seconds * 1000)
        values += (
            letter.delivery,
            letter.attempts + 1,
            at,
            milliseconds,
            answer.status,
            answer.detail,
        )
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(tries))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT + rows, values)


_INSERT = """
    INSERT INTO raffles_attempt (delivery_id, number, at, milliseconds, status, detail) VALUES
"""


def _finish(letters: Sequence[Letter[Any]], now: datetime) -> None:
    if letters:
        Delivery.objects.filter(pk__in=[letter.delivery for letter in letters]).finish(now)
    if winners := [letter.winner for letter in letters if letter.winner is not None]:
        forget_told(winners, now=now)


def _fail(letters: Sequence[Letter[Any]], now: datetime) -> None:
    by_number: dict[int, list[int]] = {}
    for letter in letters:
        by_number.setdefault(letter.attempts + 1, []).append(letter.delivery)
    for number, keys in by_number.items():
        Delivery.objects.filter(pk__in=keys).fail(number, now)


def disable(endpoint: Endpoint, why: str) -> None:
    """Tells it no more, until staff enable it again."""
    log.warning("Endpoint %s is disabled: %s", endpoint.pk, why)
    Endpoint.objects.filter(pk=endpoint.pk).update(
        is_enabled=False, disabled_because=why[:200], leased_until=None
    )


def _give_up(endpoint: Endpoint, now: datetime) -> None:
    """What an endpoint that is gone had still to be told is dead: staff may send it again."""
    pending = Delivery.objects.pending().filter(endpoint=endpoint)
    pending.update(state=Delivery.State.DEAD, finished_at=now)


def release(endpoint: Endpoint) -> None:
    """Leaves the lane to whoever comes next, with what was not marked still to be sent."""
    Endpoint.objects.filter(pk=endpoint.pk, fence=endpoint.fence).update(leased_until=None)
