"""Who saw a seal, by the published cases and by draws of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from raffles.domain.proofs import published_draw
from raffles.domain.witnesses.ours.summary import Kind, Summary, seen, seen_in
from raffles.models import State
from raffles.tests.factories import RaffleFactory
from raffles.tests.fairness.draw_vectors import CASES, Case

# Cases that only files beside the proof decide.
BESIDE = {"receipt", "commitment", "inclusion", "leaves", "keys", "log", "witnesses"}
WHOLE = [
    case
    for case in CASES
    if case.expected["exit"] in (0, 3) and not BESIDE & case.files.keys() - {"keys"}
]


def proof_of(case: Case) -> dict[str, Any]:
    proof: dict[str, Any] = json.loads(case.files["proof"])
    return proof


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_words_and_answers_are_those_of_the_verdict(case: Case) -> None:
    found = seen_in(proof_of(case))

    assert found.verdict == case.expected["verdict"]
    if "counted" in case.expected:
        told = sorted([name, at] for name, at in found.answers if at is not None)
        assert told == sorted(case.expected["counted"])


def test_every_kind_but_invalid_is_among_the_cases() -> None:
    kinds = {seen_in(proof_of(case)).kind for case in WHOLE}

    assert kinds == set(Kind) - {Kind.INVALID}


def witnessed() -> dict[str, Any]:
    cases = [case for case in WHOLE if seen_in(proof_of(case)).kind == Kind.WITNESSED]
    return proof_of(next(case for case in cases if seen_in(proof_of(case)).named > 1))


def test_seconds_are_those_of_the_last_that_counts() -> None:
    found = seen_in(witnessed())

    counted = [answer.seconds for answer in found.answers if answer.seconds is not None]
    assert (found.seconds, found.count) == (min(counted[: found.count]), found.count)


def test_log_that_does_not_hold_is_called_that() -> None:
    proof = witnessed()
    proof["log"]["checkpoints"][0]["path"] = []

    assert seen_in(proof) == Summary(Kind.INVALID, "INVALID: checkpoint 1 does not hold the seal")


@pytest.mark.django_db
def test_own_draw_is_told_by_the_log_of_its_proof() -> None:
    own = RaffleFactory.create(state=State.DRAWN)

    found = seen(published_draw(own.uuid))

    assert found == Summary(Kind.SYSTEM, "VALID, randomness vouched for by the operator only")
