"""Killed with SIGKILL at statements, commits and sends: nothing is lost (`KILL_EVERY=1`: at all).

A mutant that marks before it sends must lose something, or the test would prove nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from raffles.domain.clock import database_time
from raffles.models import Attempt, Contact, Delivery, Endpoint, Outbox
from raffles.notifications import delivery
from raffles.notifications.attempts import LEASE, Result, mark
from raffles.notifications.delivery import deliver
from raffles.notifications.outbox import spread
from raffles.tests.factories import NOW
from raffles.tests.nothing_lost.harness import KILL_EVERY, moments
from raffles.tests.notifications.acting import (
    Kind,
    announced,
    endpoint,
    raffle_with_contacts,
    states,
)
from raffles.tests.notifications.killing import run_until
from raffles.tests.notifications.mailserver import MailServer
from raffles.tests.notifications.receiver import Receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MESSAGES = 3


def start_over() -> None:
    """Reset all deliveries, as if nothing had been delivered yet."""
    Attempt.objects.all().delete()
    Delivery.objects.all().delete()
    Outbox.objects.all().delete()
    Endpoint.objects.update(leased_until=None, rests_until=None, failures=0, failing_since=None)


def lost_at_each_point(
    moments: Iterator[int],
    arrived: Callable[[], list[str]],
    mutate: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Return, for each moment, how many messages never arrived although the next run ended well.

    `arrived` returns the ids of the messages since it was called last.
    """
    for moment in moments:
        if run_until(moment + 1, mutate):
            break
        spread(now=NOW + LEASE)
        deliver(clock=lambda: NOW + LEASE)
        expected = {delivery.message_id.hex for delivery in Delivery.objects.all()}
        assert states() == ["delivered"] * len(expected)
        counted = Counter(arrived())
        assert counted.keys() <= expected
        assert max(counted.values(), default=0) <= 2
        yield len(expected - counted.keys())
        start_over()


def from_receiver(receiver: Receiver) -> Callable[[], list[str]]:
    def arrived() -> list[str]:
        ids = [one.message_id.removeprefix("msg_") for one in receiver.ledger]
        receiver.ledger.clear()
        return ids

    return arrived


def from_mail(server: MailServer) -> Callable[[], list[str]]:
    def arrived() -> list[str]:
        ids = [mail.message["Message-ID"].strip("<>").partition("@")[0] for mail in server.mails]
        server.mails.clear()
        return ids

    return arrived


def mark_before_sending() -> None:
    """Mark before sending, the order that loses messages."""
    claim = delivery._claim_lane

    def claim_and_mark(endpoint: Endpoint, now: Any) -> Any:
        if lane := claim(endpoint, now):
            accepted = Result(is_accepted=True, status=200, detail="", seconds=0)
            messages = lane.transport.render(Delivery.objects.filter(pk__in=lane.due))
            mark(endpoint, [(message, accepted) for message in messages], now, ends=False)
        return lane

    delivery._claim_lane = claim_and_mark


def test_nothing_is_lost_wherever_delivery_is_killed(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced(MESSAGES)

    lost = list(lost_at_each_point(moments(), from_receiver(receiver)))

    assert len(lost) > 30 // KILL_EVERY
    assert sum(lost) == 0


def test_no_mail_is_lost_and_no_address_kept_wherever_delivery_is_killed(
    server: MailServer, settings: Settings
) -> None:
    settings.EMAIL_TIMEOUT = 15  # a busy machine is no silent mail server
    endpoint("staff@example.org", channel=Endpoint.Channel.MAIL, kinds=[Kind.DRAWN])
    raffle_with_contacts(alternates=1)  # a mail to staff, one to the winner
    kept = list(Contact.objects.all())
    lost, addresses = [], set()
    for missing in lost_at_each_point(moments(), from_mail(server)):
        lost.append(missing)
        addresses.add(Contact.objects.count())  # the alternate's
        Contact.objects.all().delete()
        Contact.objects.bulk_create(kept)

    assert len(lost) > 30 // KILL_EVERY
    assert (sum(lost), addresses) == (0, {1})


def test_marking_before_sending_is_caught(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced(MESSAGES)

    lost = lost_at_each_point(count(), from_receiver(receiver), mark_before_sending)

    assert MESSAGES in lost


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
                    deliver(clock=database_time)
            except BaseException:  # noqa: BLE001 - as above
                os._exit(3)
            os._exit(0)
        children.append(child)
    ends = [os.waitpid(child, 0)[1] for child in children]
    deliver(clock=database_time)

    assert ends == [0, 0, 0, 0]
    assert Delivery.objects.filter(state="delivered").count() == 120
    assert Counter(Counter(one.message_id for one in receiver.ledger).values()) == {1: 120}
