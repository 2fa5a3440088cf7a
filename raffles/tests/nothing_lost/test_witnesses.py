"""Witnesses are asked by processes that are killed anywhere, and by many at once."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from threading import Event, Thread

import pytest
from django.db import connection
from pytest_django import Settings

from raffles.domain.due import run_due
from raffles.domain.log import size, statements
from raffles.domain.proofs import published_draw, stream_proof
from raffles.domain.witnesses.ours import asking
from raffles.domain.witnesses.ours.asking import ask_witnesses
from raffles.domain.witnesses.ours.named import lacking
from raffles.fairness.verify import verify
from raffles.models import Raffle, RunLease, Witness, WitnessAnswer
from raffles.tests.factories import STAFF
from raffles.tests.nothing_lost.harness import (
    KILL_EVERY,
    die_at,
    flaws,
    fork,
    is_killed,
    moments,
    race,
)
from raffles.tests.test_beacon_draws import (  # noqa: F401 - `relay` is a fixture
    ROUND_42,
    SEALED_AT,
    at,
    relay,
    run,
    sold_out,
)
from raffles.tests.witnesses import witnessing
from raffles.tests.witnesses.witnessing import Exchange, LogWitness

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("relay"),
    pytest.mark.slow,
]
RUNNERS = 16


@pytest.fixture
def witness(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogWitness]:
    """The one witness of every raffle that is made; who finds it busy waits for two seconds."""
    monkeypatch.setattr(asking, "TOGETHER", 2.0)
    witness = LogWitness("witness.example.org", lambda: ROUND_42 - 40)
    settings.COSIGNERS = [witness.cosigner]
    with witness.serving():
        yield witness


def seal(raffle: Raffle) -> None:
    """Take a raffle as far as it goes before its round, as cron does."""
    (done,) = run_due([raffle], now=SEALED_AT, clock=lambda: SEALED_AT, by=STAFF)
    assert done.outcome in ("waiting", "busy"), done.detail


def ask_later() -> None:
    """Ask again when a killed process's turn has ended."""
    ask_witnesses(lambda: SEALED_AT + timedelta(seconds=16))


def verdict(raffle: Raffle) -> str:
    """Draw it, and say what its proof is worth."""
    assert run(raffle, at(ROUND_42))
    proof = json.loads("".join(stream_proof(published_draw(raffle.uuid))))
    log = b"".join(line + b"\n" for line in statements(0, size()))
    return verify(proof, {"log": io.BytesIO(log)}).words


WITNESSED = "VALID, the only seal, witnessed before the randomness by 1 of 1"


# --- Killed


def test_killed_at_any_statement_the_next_goes_on_and_the_witness_is_heard(
    witness: LogWitness,
) -> None:
    raffles = []
    for moment in moments():
        raffle = sold_out()
        raffles.append(raffle)

        def die_sealing(moment: int = moment, raffle: Raffle = raffle) -> None:
            die_at(moment)
            seal(raffle)

        was_killed = is_killed(fork(die_sealing))
        assert flaws(raffle) == []
        RunLease.objects.all().delete()  # as if a minute had passed, after which its turn ends
        seal(raffle)
        ask_later()
        assert (flaws(raffle), lacking(SEALED_AT)) == ([], [])
        sizes = [signed.size for signed in witness.signed]
        assert sizes == sorted(sizes)
        if not was_killed:
            break
    assert len(raffles) > 30 // KILL_EVERY
    assert {verdict(raffle) for raffle in raffles[::10]} == {WITNESSED}


def killer(when: str, pid: Callable[[], int]) -> witnessing.Behaviour:
    """A witness that has the asking process killed at a point of its answer, and then is good."""

    def kill(exchange: Exchange) -> None:
        exchange.server.asked.behave = witnessing.honest
        answer = exchange.honest_answer() if when != "before it signs" else None
        if answer and when == "when it has answered":
            exchange.send(*answer)
        os.kill(pid(), signal.SIGKILL)

    return kill


@pytest.mark.parametrize("when", ["before it signs", "before it answers", "when it has answered"])
def test_killed_around_an_answer_the_witness_is_asked_again(when: str, witness: LogWitness) -> None:
    raffle, known, pids = sold_out(), Event(), list[int]()

    def pid() -> int:
        known.wait(10)
        return pids[0]

    witness.behave = killer(when, pid)
    pids.append(fork(lambda: seal(raffle)))
    known.set()
    is_killed(pids[0])
    seal(raffle)
    ask_later()
    assert (flaws(raffle), verdict(raffle)) == ([], WITNESSED)


# --- Many at once


def test_many_runners_ask_a_witness_once(witness: LogWitness) -> None:
    witness.behave = witnessing.is_unavailable
    raffle = sold_out()
    seal(raffle)
    witness.behave, witness.requests[:] = witnessing.honest, []
    race(*[ask_later] * RUNNERS)
    assert (witness.most_at_once, len(witness.requests)) == (1, 1)
    assert WitnessAnswer.objects.count() == 1
    assert verdict(raffle) == WITNESSED


def test_raffles_that_close_in_one_second_are_witnessed_one_after_another(
    witness: LogWitness,
) -> None:
    raffles = [sold_out() for _ in range(4)]
    race(*[lambda raffle=raffle: seal(raffle) for raffle in raffles])
    ask_later()
    sizes = [signed.size for signed in witness.signed]
    assert (witness.most_at_once, sizes) == (1, sorted(sizes))
    assert [verdict(raffle) for raffle in raffles] == [WITNESSED] * 4


def test_without_turns_many_would_ask_at_once(witness: LogWitness) -> None:
    """The same race with every turn given back at once: what the count above would show."""
    witness.behave = witnessing.is_unavailable
    seal(sold_out())
    together = Event()

    def gives_its_turn_away(exchange: Exchange) -> None:
        Witness.objects.update(leased_until=None)
        connection.close()
        together.wait(1)
        witnessing.honest(exchange)

    witness.behave = gives_its_turn_away
    race(*[ask_later] * 4)
    assert witness.most_at_once > 1


# --- The worker


def test_the_worker_asks_again_until_it_is_told_to_end(
    witness: LogWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PAUSE", timedelta(seconds=0.2))
    witness.behave = witnessing.is_unavailable
    seal(sold_out())
    moments, over = count(), Event()
    worker = Thread(
        target=asking.keep_asking,
        args=(lambda: SEALED_AT + timedelta(seconds=next(moments)), over),
    )
    worker.start()
    try:
        wait_until(lambda: len(witness.requests) > 2)
        witness.behave = witnessing.honest
        wait_until(lambda: WitnessAnswer.objects.count() == 1)
    finally:
        over.set()
        worker.join(10)
    assert not worker.is_alive()


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(300):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")
