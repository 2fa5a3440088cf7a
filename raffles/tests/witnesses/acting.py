"""Raffles by the beacon, sealed and drawn over recorded rounds, and what their proofs are worth."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from raffles.domain.drawing import Waiting
from raffles.domain.due import draw_now
from raffles.domain.log import size, statements
from raffles.domain.proofs import published_draw, stream_proof
from raffles.fairness.verify import (
    Step,
    verify,
)
from raffles.models import AuthorityKey, Raffle, WitnessAnswer
from raffles.tests.factories import NOW, STAFF
from raffles.tests.fairness import in_node
from raffles.tests.test_beacon_draws import (
    ROUND_42,
    SEALED_AT,
    at,
    run,
    sold_out,
)
from raffles.tests.witnesses.witnessing import LogWitness

SEEN_AT = ROUND_42 - 58
Invite = Callable[..., list[LogWitness]]


def learn(url: str, key: str, ends_at: datetime = NOW + timedelta(days=365)) -> None:
    AuthorityKey.objects.create(url=url, key=key, ends_at=ends_at, learned_at=NOW)


def seal(raffle: Raffle | None = None, moment: datetime = SEALED_AT) -> Raffle:
    """Seal a raffle for round 42, and so ask its witnesses."""
    raffle = raffle or sold_out()
    with pytest.raises(Waiting):
        draw_now(raffle.uuid, now=moment, clock=lambda: moment, by=STAFF)
    raffle.refresh_from_db()
    return raffle


def drawn(raffle: Raffle) -> dict[str, Any]:
    """Draw it, and return its proof."""
    assert run(raffle, at(ROUND_42))
    proof: dict[str, Any] = json.loads("".join(stream_proof(published_draw(raffle.uuid))))
    return proof


def verdict(proof: dict[str, Any], *, log: bool = True) -> str:
    """What verify.py says of a proof, and verify.js with the same words."""
    lines = b"".join(line + b"\n" for line in statements(0, size()))
    words = verify(proof, {"log": io.BytesIO(lines)} if log else {}).words
    if in_node.NODE:
        with in_node.asking() as ask:
            files = {"proof": json.dumps(proof).encode()} | ({"log": lines} if log else {})
            assert in_node.judging(ask)(files)["verdict"] == words
    return words


def told(proof: dict[str, Any]) -> list[str]:
    """What verify.py says of each witness."""
    steps: list[Step] = []
    verify(proof, {}, steps.append)
    return [step.computed for step in steps if step.name in ("witness", "authority", "stranger")]


def kept() -> list[tuple[str, int, int]]:
    """Every answer that is stored: whose, about which size, of which time."""
    return list(WitnessAnswer.objects.values_list("name", "size", "at"))
