"""The beacon's word for devices that compute their own result."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import LazySettings

from raffles.domain.drawing import void_raffle
from raffles.domain.entering import enter
from raffles.domain.pool import build_tree
from raffles.domain.sealing import close, seal
from raffles.fairness.verify import time_of_round
from raffles.models import Raffle, State
from raffles.tests.factories import STAFF, RaffleFactory, address
from raffles.tests.fairness import relay as relays
from raffles.tests.fairness.relay import ROUNDS, Relay
from raffles.tests.pages.visiting import visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def relay(settings: LazySettings) -> Iterator[Relay]:
    with Relay() as relay:
        settings.DRAND_RELAYS = [relay.url]
        yield relay


def sealed_for(round_: int) -> Raffle:
    sealed_at = datetime.fromtimestamp(time_of_round(round_) - 60, UTC)
    raffle: Raffle = RaffleFactory.create(entropy="drand", now=sealed_at)
    for n in range(raffle.total_tickets):
        enter(raffle.uuid, identity=f"ip:{address(n)}", now=sealed_at)
    close(raffle.pk, now=sealed_at, by=STAFF)
    seal(raffle.pk, build_tree(raffle), clock=lambda: sealed_at, by=STAFF)
    return raffle


def ask(raffle: Raffle) -> Any:
    return visitor().get(f"/r/{raffle.uuid}/beacon/")


def test_there_is_none_without_a_seal_or_a_beacon_or_before_its_time(relay: Relay) -> None:
    waiting = sealed_for(42)
    unsealed = RaffleFactory.create(entropy="drand")
    own = RaffleFactory.create(state=State.SEALED)

    with time_machine.travel(time_of_round(42) - 1, tick=False):
        statuses = [ask(raffle).status_code for raffle in (waiting, unsealed, own)]

    assert statuses == [404, 404, 404]
    assert visitor().get(f"/r/{uuid4()}/beacon/").status_code == 404
    assert visitor().post(f"/r/{waiting.uuid}/beacon/").status_code == 405
    assert relay.requests == []


def test_round_is_handed_on_also_of_a_raffle_called_off_and_asked_for_once(relay: Relay) -> None:
    raffle = sealed_for(123)
    later = datetime.fromtimestamp(time_of_round(123), UTC) + timedelta(minutes=1)
    void_raffle(raffle.uuid, reason="The wrong one won", now=later, by=STAFF)

    answers = [ask(raffle) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == {"round": 123, "signature": ROUNDS[123]}
    assert len(relay.requests) == 1


def test_silent_relay_is_asked_once_for_all_who_wait(relay: Relay) -> None:
    relay.behave(1000, relays.late)
    raffle = sealed_for(1000)

    answers = [ask(raffle) for _ in range(3)]

    assert [(answer.status_code, answer["Retry-After"]) for answer in answers] == 3 * [(503, "3")]
    assert len(relay.requests) == 1
