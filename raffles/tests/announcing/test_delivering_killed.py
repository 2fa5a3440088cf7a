"""Killed with SIGKILL at every statement, commit and send: nothing is lost.

A mutant that marks before it sends must lose something, or the test would prove nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections

from raffles.domain import delivering, webhooks
from raffles.domain.delivering import deliver
from raffles.domain.marking import LEASE, mark
from raffles.domain.sending import Answer
from raffles.domain.spreading import spread
from raffles.models import Attempt, Delivery, Endpoint, Outbox
from raffles.tests.factories import NOW

from .acting import announced, endpoint, states
from .receiver import Receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MESSAGES = 3


class Point:
    """Counts what happens, on any thread; at the n-th the process is gone."""

    def __init__(self, last: int) -> None:
        self._left, self._lock = last, threading.Lock()

    def pass_by(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_by()
            answer = act(*args, **kwargs)
            self.pass_by()
            return answer

        return watched

    def install(self) -> None:
        """In a process that is to die: around each statement, commit and send."""
        connection.execute_wrappers.append(lambda execute, *args: self.around(execute)(*args))
        connection.commit = self.around(connection.commit)  # type: ignore[method-assign]
        webhooks._Line.send = self.around(webhooks._Line.send)  # type: ignore[method-assign]


def in_a_process_of_its_own(act: Callable[[], object]) -> bool:
    """Whether it came to its end; False when it was killed."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001 - a child must not go on as the parent
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)


def run_until(last: int, mutate: Callable[[], None]) -> bool:
    """One run that dies at its ``last`` point; True when it ended before that."""

    def run() -> None:
        mutate()
        Point(last).install()
        spread(now=NOW)
        deliver(clock=lambda: NOW)

    return in_a_process_of_its_own(run)


def start_over(receiver: Receiver) -> None:
    receiver.ledger.clear()
    Attempt.objects.all().delete()
    Delivery.objects.all().delete()
    Outbox.objects.all().delete()
    Endpoint.objects.update(leased_until=None, rests_until=None, failures=0, failing_since=None)


def lost_at_each_point(receiver: Receiver, mutate: Callable[[], None]) -> Iterator[int]:
    """For each point, how many messages never arrived although the next run ended well."""
    last = 1
    while not run_until(last, mutate):
        spread(now=NOW + LEASE)
        deliver(clock=lambda: NOW + LEASE)
        assert states() == ["delivered"] * MESSAGES
        arrived = Counter(one.message_id for one in receiver.ledger)
        expected = {f"msg_{delivery.message_id.hex}" for delivery in Delivery.objects.all()}
        assert arrived.keys() <= expected
        assert max(arrived.values(), default=0) <= 2
        yield len(expected - arrived.keys())
        start_over(receiver)
        last += 1


def mark_before_sending() -> None:
    """The order that loses: what is not sent yet counts as sent."""
    claim = delivering._claim_lane

    def claim_and_mark(endpoint: Endpoint, now: Any) -> Any:
        if lane := claim(endpoint, now):
            accepted = Answer(is_accepted=True, status=200, detail="", seconds=0)
            letters = lane.way.write(Delivery.objects.filter(pk__in=lane.due))
            mark(endpoint, [(letter, accepted) for letter in letters], now, is_ended=False)
        return lane

    delivering._claim_lane = claim_and_mark


def test_nothing_is_lost_wherever_delivery_is_killed(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced(MESSAGES)

    lost = list(lost_at_each_point(receiver, lambda: None))

    assert len(lost) > 30
    assert sum(lost) == 0


def test_marking_before_sending_is_caught(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced(MESSAGES)

    lost = list(lost_at_each_point(receiver, mark_before_sending))

    assert max(lost) == MESSAGES


def test_processes_at_once_send_nothing_twice(receiver: Receiver) -> None:
    for _ in range(3):
        endpoint(receiver.url("ok"))
    announced(40)
    connections.close_all()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                for _ in range(5):
                    spread(now=NOW)
                    deliver(clock=delivering.database_clock)
            except BaseException:  # noqa: BLE001 - as above
                os._exit(3)
            os._exit(0)
        children.append(child)
    ends = [os.waitpid(child, 0)[1] for child in children]
    deliver(clock=delivering.database_clock)

    assert ends == [0, 0, 0, 0]
    assert Delivery.objects.filter(state="delivered").count() == 120
    assert Counter(Counter(one.message_id for one in receiver.ledger).values()) == {1: 120}
