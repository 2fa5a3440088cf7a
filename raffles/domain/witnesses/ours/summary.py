"""What pages say about who saw a seal before its random number existed.

The rules are the verifier's own (draw protocol, section 8); here their outcome has a name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from raffles.domain.proofs import proof_head
from raffles.fairness.verify import VOUCHED, Invalid, check_witnesses, verdict_on
from raffles.models import Draw

_REMEMBERED = 64  # draws: a signature costs some milliseconds, and pages are read again


class Kind(StrEnum):
    """Which row of the table of verdicts it is."""

    WITNESSED = "witnessed"
    AUTHORITIES = "authorities"
    NOT_WITNESSED = "not witnessed"
    NOT_AS_PROMISED = "not as promised"
    SYSTEM = "system"
    INVALID = "invalid"


class Answer(NamedTuple):
    """A witness of the terms, and how many seconds before the number it answered; None: not."""

    name: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the witnesses that a draw's terms name.

    ``count`` of ``named`` saw the seal in time, each at least ``seconds`` before the random number;
    ``verdict`` is the verifier's line, or what is wrong with the stored log. Witnesses are the
    cosigners or, where none is named, the authorities; ``answers`` has both.
    """

    kind: Kind
    verdict: str
    count: int = 0
    named: int = 0
    seconds: int = 0
    answers: tuple[Answer, ...] = ()
    is_by_authorities: bool = False


def seen(draw: Draw) -> Summary:
    """Return who saw the seal of a drawn draw, by the log that its proof shows.

    Of this alone, not of the winners: those are for `verify`.
    """
    head = proof_head(draw)
    shown = {name: head[name] for name in _JUDGED if name in head}
    return _seen_in(json.dumps(shown, sort_keys=True, ensure_ascii=False))


_JUDGED = ("commitment", "commitment_hash", "seal", "log")


@lru_cache(_REMEMBERED)
def _seen_in(text: str) -> Summary:
    return seen_in(json.loads(text))


def seen_in(proof: dict[str, Any]) -> Summary:
    """Return who saw the seal of a proof; of its winners and its files it needs nothing."""
    if "round" not in proof["commitment"]:
        return Summary(Kind.SYSTEM, VOUCHED.words)
    try:
        _, cosigners, authorities = check_witnesses(proof, None, lambda _step: None)
    except Invalid as fault:
        return Summary(Kind.INVALID, f"INVALID: {fault}")
    words, status, _ = verdict_on(cosigners, authorities, log_was_read=False)
    terms = proof["commitment"]["terms"]
    names = [each["name"] for each in terms["cosigners"] + terms["authorities"]]
    judged = [each.counted for each in cosigners + authorities]
    named = cosigners or authorities
    counted = [each.counted.seconds for each in named if each.counted]
    kind = Kind.WITNESSED if cosigners else Kind.AUTHORITIES if authorities else Kind.NOT_WITNESSED
    return Summary(
        kind=Kind.NOT_AS_PROMISED if status else kind,
        verdict=words,
        count=len(counted),
        named=len(named),
        seconds=min(counted, default=0),
        answers=tuple(
            Answer(name, answer.seconds if answer else None)
            for name, answer in zip(names, judged, strict=True)
        ),
        is_by_authorities=bool(authorities) and not cosigners,
    )
