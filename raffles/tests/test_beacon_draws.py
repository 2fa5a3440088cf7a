"""Draws that a public beacon decides, over a relay on this machine that serves recorded rounds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.conf import LazySettings

from raffles.domain.drawing import Waiting, advance, void_raffle
from raffles.domain.due import draw_now, run_due
from raffles.domain.entering import enter
from raffles.domain.keys import KeyMissing
from raffles.domain.log import size, statements
from raffles.domain.pool import build_tree
from raffles.domain.proofs import inclusion, proof_head, published_draw, stream_leaves, stream_proof
from raffles.domain.refusals import AlreadyDrawn
from raffles.domain.sealing import SealTooLate, close, seal
from raffles.fairness.verify import signature_is_good, time_of_round, verify, void_message
from raffles.models import Announcement, Draw, Entropy, Raffle, State
from raffles.tests.factories import RaffleFactory, address
from raffles.tests.fairness import relay as relays
from raffles.tests.fairness.relay import ROUNDS, Relay

pytestmark = pytest.mark.django_db


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


ROUND_42 = time_of_round(42)
SEALED_AT = at(ROUND_42 - 60)  # the first round a minute later is 42
BEFORE = SEALED_AT - timedelta(minutes=1)


@pytest.fixture
def relay(settings: LazySettings) -> Iterator[Relay]:
    with Relay() as relay:
        settings.DRAND_RELAYS = [relay.url]
        yield relay


def sold_out(**terms: Any) -> Raffle:
    raffle: Raffle = RaffleFactory.create(entropy=Entropy.DRAND, now=BEFORE, **terms)
    for n in range(raffle.total_tickets):
        enter(raffle.uuid, identity=f"ip:{address(n)}", now=BEFORE)
    return raffle


def run(raffle: Raffle, moment: datetime) -> bool:
    return advance(raffle.pk, now=moment, clock=lambda: moment, by="cron")


def sealed() -> Raffle:
    raffle = sold_out()
    with pytest.raises(Waiting):
        run(raffle, SEALED_AT)
    raffle.refresh_from_db()
    return raffle


def verdict(raffle: Raffle) -> str:
    proof = json.loads("".join(stream_proof(published_draw(raffle.uuid))))
    log = io.BytesIO(b"".join(line + b"\n" for line in statements(0, size())))
    return verify(proof, {"log": log}).words


def test_seal_fixes_the_first_round_a_minute_later(relay: Relay) -> None:
    raffle = sealed()
    draw = Draw.objects.get(raffle=raffle)
    assert (raffle.state, draw.round, draw.draws_at()) == (State.SEALED, 42, ROUND_42)
    assert relay.requests == []  # nobody asks before its time


def test_round_draws_and_the_proof_verifies(relay: Relay) -> None:
    raffle = sealed()
    assert run(raffle, at(ROUND_42))
    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN
    assert proof_head(published_draw(raffle.uuid))["entropy"]["signature"] == ROUNDS[42]
    assert verdict(raffle) == "VALID, not witnessed"
    assert [row.kind for row in Announcement.objects.filter(raffle=raffle)] == [
        "raffle.sold_out",
        "draw.sealed",
        "draw.drawn",
    ]


@pytest.mark.parametrize(
    "behaviour",
    [
        relays.late,
        relays.wrong_round,
        relays.renamed_round,
        relays.flipped_bit,
        relays.torsion,
        relays.huge,
        relays.redirect,
        relays.not_json,
        relays.broken,
    ],
    ids=lambda behaviour: behaviour.__name__,
)
def test_late_or_wrong_beacon_leaves_it_sealed_until_a_good_answer(
    relay: Relay, behaviour: relays.Behaviour
) -> None:
    raffle = sealed()
    relay.behave(42, behaviour)
    with pytest.raises(Waiting):
        run(raffle, at(ROUND_42))
    raffle.refresh_from_db()
    assert raffle.state == State.SEALED
    assert not raffle.winners.exists()
    relay.behave(42, relays.honest)
    assert run(raffle, at(ROUND_42 + 60))
    assert bytes(Draw.objects.get(raffle=raffle).beacon_signature or b"") == bytes.fromhex(
        ROUNDS[42]
    )


def test_next_relay_is_asked_when_the_first_is_wrong(relay: Relay, settings: LazySettings) -> None:
    raffle = sealed()
    with Relay({42: relays.flipped_bit}) as wrong:
        settings.DRAND_RELAYS = [wrong.url, relay.url]
        assert run(raffle, at(ROUND_42))


def test_planned_round_is_kept_while_there_is_time(relay: Relay) -> None:
    raffle = sold_out(closes_at=at(time_of_round(123) - 60))
    with pytest.raises(Waiting):
        run(raffle, at(time_of_round(123) - 31))
    draw = Draw.objects.get(raffle=raffle)
    assert (draw.round, draw.is_late()) == (123, False)


def test_seal_too_late_for_the_planned_round_takes_the_next_and_is_late(relay: Relay) -> None:
    raffle = sold_out(closes_at=at(ROUND_42 - 60))
    with pytest.raises(Waiting):
        run(raffle, at(time_of_round(123) - 60))
    draw = Draw.objects.get(raffle=raffle)
    assert (draw.round, draw.is_late()) == (123, True)


def test_seal_that_takes_until_its_round_is_near_stores_nothing() -> None:
    raffle = sold_out()
    close(raffle.pk, now=SEALED_AT, by="cron")
    raffle.refresh_from_db()
    moments = iter([SEALED_AT, at(ROUND_42 - 29)])
    with pytest.raises(SealTooLate):
        seal(raffle.pk, build_tree(raffle), clock=lambda: next(moments), by="cron")
    raffle.refresh_from_db()
    assert raffle.state == State.CLOSED
    assert not Draw.objects.exists()
    assert [row.kind for row in Announcement.objects.streamed()] == ["raffle.sold_out"]


def test_draw_whose_every_seal_comes_too_late_says_so() -> None:
    raffle, minutes = sold_out(), count()
    with pytest.raises(SealTooLate):
        draw_now(
            raffle.uuid,
            now=SEALED_AT,
            clock=lambda: SEALED_AT + timedelta(minutes=next(minutes)),
            by="staff",
        )
    assert Raffle.objects.get(pk=raffle.pk).state == State.CLOSED


def test_raffle_can_be_called_off_until_its_winners_are_stored(relay: Relay) -> None:
    raffle = sealed()
    void_raffle(raffle.uuid, reason="rain", now=at(ROUND_42 + 5), by="manager")
    draw = Draw.objects.get(raffle=raffle)
    void = draw.void()
    assert void is not None
    assert void == {
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        "reason": "rain",
        "voided_at": ROUND_42 + 5,
        "public_key": draw.public_key,
        "signature": void["signature"],
    }
    message = void_message(bytes(draw.commitment_hash), "rain", ROUND_42 + 5)
    assert signature_is_good(
        bytes.fromhex(void["public_key"]), message, bytes.fromhex(void["signature"])
    )
    assert not run(raffle, at(ROUND_42 + 60))  # for good


def test_pool_that_was_called_off_stays_public(relay: Relay) -> None:
    raffle = sealed()
    before = inclusion(raffle.uuid, 1), b"".join(stream_leaves(published_draw(raffle.uuid)))
    void_raffle(raffle.uuid, reason="rain", now=SEALED_AT, by="manager")
    after = inclusion(raffle.uuid, 1), b"".join(stream_leaves(published_draw(raffle.uuid)))
    assert after == before


def test_drawn_raffle_is_never_called_off(relay: Relay) -> None:
    raffle = sealed()
    assert run(raffle, at(ROUND_42))
    with pytest.raises(AlreadyDrawn):
        void_raffle(raffle.uuid, reason="no", now=at(ROUND_42 + 1), by="manager")


def test_draw_waits_for_the_key_that_sealed_it(relay: Relay, settings: LazySettings) -> None:
    settings.RECEIPT_SEEDS = [bytes([1]) * 32]
    raffle = sealed()
    settings.RECEIPT_SEEDS = [bytes([2]) * 32]
    with pytest.raises(KeyMissing) as missing:
        run(raffle, at(ROUND_42))
    assert "which sealed a waiting raffle" in missing.value.for_operators()
    moment = at(ROUND_42)
    sealed_since = sold_out()
    runs = run_due([raffle, sealed_since], now=moment, clock=lambda: moment, by="cron")
    told = [(each.raffle.pk, each.outcome, each.detail) for each in runs]
    assert told[0] == (raffle.pk, "failed", missing.value.for_operators())
    assert told[1][:2] == (sealed_since.pk, "waiting")
    settings.RECEIPT_SEEDS = [bytes([2]) * 32, bytes([1]) * 32]
    assert run(raffle, at(ROUND_42))
    assert verdict(raffle) == "VALID, not witnessed"
