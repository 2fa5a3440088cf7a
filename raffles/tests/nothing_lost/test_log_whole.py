"""The operator's log under kills and races: one list without a gap, and the tree over it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import transaction
from pytest_django import Settings

from raffles.domain import log
from raffles.domain.drawing import Waiting, advance, void_raffle
from raffles.domain.entering import enter
from raffles.domain.log import WIDTH, LogTree, checkpoint, origin, size, take_turn
from raffles.domain.sealing import NOTHING_SEALED
from raffles.fairness.verify import (
    check_consistency,
    make_statement,
    parse_note,
    time_of_round,
)
from raffles.models import Announcement, Entropy, LogNode, Raffle, State, StreamCounter
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, clock
from raffles.tests.fairness.relay import Relay
from raffles.tests.nothing_lost.harness import (
    flaws,
    log_promises,
    moments,
    postgresql_only,
    race,
    tally,
)
from raffles.tests.nothing_lost.test_kills import DEEDS, Deed, killings

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def broken() -> list[str]:
    return [promise for promise, is_kept in log_promises() if not is_kept]


# --- Kills ---------------------------------------------------------------------------------


def fill_block() -> None:
    """Makes the log as long as it takes for the next statement to complete a block of its tree."""
    with transaction.atomic():
        turn = take_turn(NOW)
        end = turn.n // WIDTH * WIDTH + WIDTH - 1
        nobody = {"raffle_id": "0" * 32, "commitment_hash": NOTHING_SEALED}
        Announcement.objects.bulk_create(
            Announcement(
                sequence=n + 1,
                kind=Announcement.Kind.VOIDED,
                statement=make_statement(
                    "voided", origin=origin(), n=n, at=turn.at, reason_hash="0" * 64, **nobody
                ),
                payload={},
                announced_at=NOW,
                announced_by=STAFF,
            )
            for n in range(turn.n, end)
        )
        StreamCounter.objects.update(last=end, at=turn.at)


def at_the_end_of_a_block(prepare: Callable[[], Raffle]) -> Raffle:
    raffle = prepare()
    fill_block()
    return raffle


@pytest.mark.parametrize("name", ["void", "close what nobody entered"])
def test_killed_where_a_block_is_complete_leaves_its_node_with_its_statement(name: str) -> None:
    deed = DEEDS[name]
    prepare = partial(at_the_end_of_a_block, deed.prepare)
    wrong = list(killings(Deed(prepare, deed.do), moments()))
    assert wrong == [[]] * max(len(wrong), 1)
    assert LogNode.objects.count() == size() // WIDTH > len(wrong)


ROUND_42 = datetime.fromtimestamp(time_of_round(42), UTC)
SEALED_AT = datetime.fromtimestamp(time_of_round(42) - 60, UTC)  # whose round is 42


def before_round_42() -> Raffle:
    raffle: Raffle = RaffleFactory.create(entropy=Entropy.DRAND, now=SEALED_AT)
    for n in range(raffle.total_tickets):
        enter(raffle.uuid, identity=f"ip:{address(n)}", now=SEALED_AT)
    return raffle


def draw_by_the_beacon(raffle: Raffle) -> None:
    """Seals and, once the round exists, draws. The log's clock stands, for the next one's round."""
    for now in (SEALED_AT, ROUND_42):
        with suppress(Waiting):
            advance(raffle.pk, now=now, clock=lambda: SEALED_AT, by=STAFF)


def test_killed_anywhere_while_a_beacon_decides(settings: Settings) -> None:
    with Relay() as relay:
        settings.DRAND_RELAYS = [relay.url]
        wrong = list(killings(Deed(before_round_42, draw_by_the_beacon), moments()))
        assert wrong == [[]] * max(len(wrong), 2)
        assert len(relay.requests) > len(wrong)
    assert Raffle.objects.filter(state=State.DRAWN).count() == len(wrong) + 2


def test_a_statement_that_does_not_move_the_counter_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raffle = RaffleFactory.create(state=State.SEALED)
    StreamCounter.objects.update(last=size() - 1)
    assert broken() == ["the log has no gap and no number twice"]
    assert flaws(raffle) == broken()


# --- Races ---------------------------------------------------------------------------------


def draw(raffle: Raffle) -> bool:
    return advance(raffle.pk, now=NOW, clock=clock, by=STAFF)


def void(raffle: Raffle) -> Raffle:
    return void_raffle(raffle.uuid, reason="Called off", now=NOW, by=STAFF)


def void_and_abort(raffle: Raffle) -> None:
    with transaction.atomic():
        void(raffle)
        transaction.set_rollback(True)


def test_sixteen_raffles_at_once_make_one_list() -> None:
    raffles = [RaffleFactory.create(tickets=3) for _ in range(16)]
    void(RaffleFactory.create())
    earlier = parse_note(checkpoint(LogTree(size())))
    acts = [draw, draw, void, void_and_abort] * 4
    outcomes = race(*(partial(act, raffle) for act, raffle in zip(acts, raffles, strict=True)))
    assert tally(outcomes) == {"bool": 8, "Raffle": 4, "NoneType": 4}
    assert [flaws(raffle) for raffle in raffles] == [[]] * 16
    later = LogTree(size())
    assert later.size == earlier.size + 8 * 3 + 4  # sold out, sealed, drawn
    check_consistency(
        earlier.size, later.size, earlier.root, later.root(), later.consistency(earlier.size)
    )


@postgresql_only
def test_taking_a_turn_without_its_lock_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    void(RaffleFactory.create())
    monkeypatch.setattr(log, "_LOCK", "SELECT 1")
    raffles = [RaffleFactory.create() for _ in range(16)]
    outcomes = tally(race(*(partial(void, raffle) for raffle in raffles)))
    assert outcomes.get("IntegrityError", 0) > 0
