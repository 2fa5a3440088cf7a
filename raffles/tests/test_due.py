"""Runs of what is due take turns with a raffle, and nobody waits for a run that is gone."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from functools import partial

import pytest

from raffles.domain.due import LEASE, run_due
from raffles.models import Raffle, RunLease, State
from raffles.models.draw import LATE_AFTER
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.nothing_lost.harness import fork, is_killed


def sold_out() -> Raffle:
    return RaffleFactory.create(total_tickets=3, tickets=3)


def outcome(raffle: Raffle, after: timedelta) -> str:
    at = NOW + after
    (run,) = run_due([raffle], now=at, clock=lambda: at, by="cron")
    return run.outcome


@pytest.mark.django_db
@pytest.mark.parametrize(("pace", "seen"), [(LEASE * 2 / 3, "busy"), (LATE_AFTER, "failed")])
def test_hashing_keeps_the_turn_and_lasting_too_long_is_a_failure(
    pace: timedelta, seen: str
) -> None:
    raffle, passed, others = sold_out(), [timedelta(0)], []

    def progress(_done: int, _total: int) -> None:
        others.append(outcome(raffle, passed[0] + LEASE - timedelta(seconds=1)))

    def clock() -> datetime:
        passed[0] += pace
        return NOW + passed[0]

    (run,) = run_due([raffle], now=NOW, clock=clock, by="cron", progress=lambda _: progress)

    assert (run.outcome, others) == ("drawn", [seen])
    assert not RunLease.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_killed_run_leaves_the_raffle_to_others_after_a_minute() -> None:
    raffle = sold_out()

    def die(_done: int, _total: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    run = partial(run_due, [raffle], now=NOW, clock=lambda: NOW, by="cron", progress=lambda _: die)
    assert is_killed(fork(lambda: list(run())))

    assert outcome(raffle, LEASE - timedelta(seconds=1)) == "busy"
    assert Raffle.objects.get(pk=raffle.pk).state == State.CLOSED
    assert outcome(raffle, LEASE) == "drawn"


@pytest.mark.django_db
def test_turn_from_a_time_to_come_is_over() -> None:
    raffle, later = sold_out(), NOW + timedelta(days=30)
    RunLease.objects.create(raffle=raffle, since=later, until=later + LEASE)

    assert outcome(raffle, timedelta(0)) == "drawn"


@pytest.mark.django_db
def test_run_whose_turn_has_ended_does_not_end_another_one() -> None:
    raffle = sold_out()
    theirs = NOW + LEASE * 3

    def overtaken(_done: int, _total: int) -> None:
        RunLease.objects.update(until=theirs)

    (run,) = run_due([raffle], now=NOW, clock=lambda: NOW, by="cron", progress=lambda _: overtaken)

    assert run.outcome == "drawn"
    assert RunLease.objects.get().until == theirs
