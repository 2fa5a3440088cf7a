"""The witnesses of a raffle: named in its terms, still to be asked, and shown in its proof."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Max

from raffles.domain.keys import KeyMissing, signer
from raffles.domain.log import LogTree, checkpoint, size
from raffles.domain.witnesses.ours.answers import Answer
from raffles.fairness.verify import COSIGNATURE, Times, note_key_hash, note_line, times_of
from raffles.models import AuthorityKey, Draw, Raffle, Witness, WitnessAnswer
from raffles.web.witness_lists import Authority, Cosigner

log = logging.getLogger(__name__)
_MOST_KEYS = 8  # of one authority in terms
_MOST_CHECKPOINTS = 16  # of one proof
Kind = WitnessAnswer.Kind


# --- Terms


def named_in_terms(now: datetime) -> dict[str, Any]:
    """Return the `cosigners` and `authorities` of terms that are written now (section 3).

    Whom the settings list and terms cannot name is left out, and the log of the service says so.
    """
    named, left_out = _named(now)
    for sentence in left_out:
        log.warning(sentence)
    return named


def left_out_of_terms(now: datetime) -> list[str]:
    """Return a sentence for each witness of the settings that terms cannot name now."""
    return _named(now)[1]


def _named(now: datetime) -> tuple[dict[str, Any], list[str]]:
    left_out, cosigners, authorities = [], [], []
    for cosigner in settings.COSIGNERS:
        if cosigner.key in signer().public_keys:
            left_out.append(f"No raffle names the cosigner {cosigner.name}: the key is our own.")
        else:
            cosigners.append({"name": cosigner.name, "key": cosigner.key})
    known = [row for row in known_keys() if row.ends_at > now]
    taken: set[str] = set()
    for authority in settings.TIMESTAMP_AUTHORITIES:
        keys = [row.key for row in known if row.url == authority.url and row.key not in taken]
        if keys := keys[:_MOST_KEYS]:
            taken |= set(keys)
            authorities.append({"name": authority.name, "keys": keys})
        else:
            left_out.append(
                f"No raffle names the timestamp authority {authority.name!r}: its keys are not"
                " known, or are another's. Run `manage.py witnesses`."
            )
    return {"cosigners": cosigners, "authorities": authorities}, left_out


def known_keys() -> list[AuthorityKey]:
    """Return the keys of the authorities that the settings list, the longest valid first."""
    urls = [authority.url for authority in settings.TIMESTAMP_AUTHORITIES]
    return list(AuthorityKey.objects.filter(url__in=urls))


def learn_key(authority: Authority, answer: Answer, *, now: datetime) -> bool:
    """Keep the key that an authority answered with, for terms to name; return whether it is new."""
    facts = {"ends_at": answer.ends_at, "learned_at": now}
    _, is_new = AuthorityKey.objects.update_or_create(
        url=authority.url, key=answer.key, defaults=facts
    )
    return is_new


def forget_key(key: str) -> bool:
    """Have no terms from now on name a key of an authority; return whether one was known."""
    return bool(AuthorityKey.objects.filter(key=key).delete()[0])


# --- Who has yet to answer


class Lacking(NamedTuple):
    """A witness that a waiting raffle has no answer of, and the keys that it may answer with."""

    witness: Cosigner | Authority
    keys: frozenset[str]


class _Named(NamedTuple):
    """A witness of somebody's terms; a cosigner has one key."""

    kind: Kind
    name: str
    keys: tuple[str, ...]


def _named_by(raffle: Raffle) -> Iterable[_Named]:
    terms = raffle.witnesses
    for cosigner in terms.get("cosigners", ()):
        yield _Named(Kind.COSIGNATURE, cosigner["name"], (cosigner["key"],))
    for authority in terms.get("authorities", ()):
        yield _Named(Kind.TOKEN, authority["name"], tuple(authority["keys"]))


def lacking(now: datetime) -> list[Lacking]:
    """Return the witnesses, of those that the settings list, whose answer could still count.

    Each is named by a raffle that waits for its round, and has answered for no checkpoint that
    holds its seal.
    """
    if not (listed := _listed()):
        return []
    draws = list(Draw.objects.to_be_witnessed(now).select_related("raffle"))
    if not any(draw.raffle.witnesses for draw in draws):
        return []
    first = min(draw.statement for draw in draws)
    answers = WitnessAnswer.objects.filter(size__gt=first).order_by()
    answered = {
        (kind, name, key): last
        for kind, name, key, last in answers.values_list("kind", "name", "key").annotate(
            last=Max("size")
        )
    }
    wanted: dict[Cosigner | Authority, set[str]] = {}
    for draw in draws:
        for named in _named_by(draw.raffle):
            sizes = [answered.get((named.kind, named.name, key), 0) for key in named.keys]
            witness = listed.get((named.kind, named.name))
            if max(sizes) > draw.statement or witness is None:
                continue
            if isinstance(witness, Authority) or witness.key in named.keys:
                wanted.setdefault(witness, set()).update(named.keys)
    return [Lacking(witness, frozenset(keys)) for witness, keys in wanted.items()]


def _listed() -> dict[tuple[Kind, str], Cosigner | Authority]:
    """Whom we can ask, by kind and name."""
    cosigners = {(Kind.COSIGNATURE, witness.name): witness for witness in settings.COSIGNERS}
    tokens = {(Kind.TOKEN, witness.name): witness for witness in settings.TIMESTAMP_AUTHORITIES}
    return cosigners | tokens


def disagreeing() -> list[str]:
    """Return the names of listed witnesses that have signed what our log does not have."""
    if not settings.COSIGNERS:
        return []
    urls = set(Witness.objects.exclude(disagrees_since=None).values_list("url", flat=True))
    return [cosigner.name for cosigner in settings.COSIGNERS if cosigner.url in urls]


def answered_so_far(draw: Draw) -> list[tuple[str, int | None]]:
    """Return the witnesses that a sealed draw's terms name, and how many seconds before its round.

    None is one that has not answered yet, or not in a way that will count.
    """
    named = list(_named_by(draw.raffle))
    if not named:
        return []
    times = _times(draw)
    root = lru_cache(lambda size: LogTree(size).root())
    seconds: dict[tuple[str, str], int] = {}
    for row in _answers_to(draw):
        if times.earliest <= row.at <= times.latest and bytes(row.root) == root(row.size):
            seconds.setdefault((row.kind, row.name), times.published - row.at)
    return [(each.name, seconds.get((each.kind, each.name))) for each in named]


# --- Proofs


def log_of_proof(draw: Draw) -> dict[str, Any]:
    """Return the part of a proof that shows the seal's statement in the operator's log.

    The checkpoints that witnesses of the terms answered for, or the newest where none did (draw
    protocol, section 8). Raises KeyMissing where they would lack the signature of the seal's key,
    which a verifier refuses.
    """
    if draw.public_key not in signer().public_keys:
        raise KeyMissing(
            f"RECEIPT_KEY no longer holds the key {draw.public_key}, which sealed a waiting raffle"
        )
    answers = _answers_to(draw)
    sizes = _chosen_sizes(draw, answers) or [size()]
    return {
        "n": draw.statement,
        "checkpoints": [
            _witnessed(draw, LogTree(each), [row for row in answers if row.size == each])
            for each in sizes
        ],
    }


def _times(draw: Draw) -> Times:
    """When an answer counts."""
    return times_of({"closed_at": int(draw.closed_at.timestamp()), "round": draw.round})


def _answers_to(draw: Draw) -> list[WitnessAnswer]:
    """What witnesses of the terms said about checkpoints that hold the seal; cosigners first."""
    named = {(each.kind, each.name, key) for each in _named_by(draw.raffle) for key in each.keys}
    rows = WitnessAnswer.objects.filter(size__gt=draw.statement, name__in=[n for _, n, _ in named])
    return [row for row in rows.order_by("kind", "at") if (row.kind, row.name, row.key) in named]


def _chosen_sizes(draw: Draw, answers: list[WitnessAnswer]) -> list[int]:
    """The checkpoints with the answer of each witness that counts, or else with its earliest.

    All cosigners find room, since terms name no more of them than a proof has checkpoints.
    """
    times = _times(draw)
    in_time = [row for row in answers if times.earliest <= row.at <= times.latest]
    of_witness: dict[tuple[str, str], int] = {}
    for row in (*in_time, *answers):
        of_witness.setdefault((row.kind, row.name), row.size)
    by_kind = sorted(of_witness.items())  # cosignatures come before tokens
    return sorted(list(dict.fromkeys(size for _, size in by_kind))[:_MOST_CHECKPOINTS])


def _witnessed(draw: Draw, tree: LogTree, answers: list[WitnessAnswer]) -> dict[str, Any]:
    """A checkpoint with the answers to it, one of each witness."""
    root = tree.root()
    said = {(row.kind, row.name): row for row in reversed(answers) if bytes(row.root) == root}
    lines, tokens = [], []
    for row in said.values():
        content = bytes(row.content)
        if row.kind == Kind.COSIGNATURE:
            key_hash = note_key_hash(row.name, COSIGNATURE, bytes.fromhex(row.key))
            lines.append(note_line(row.name, key_hash, content))
        else:
            tokens.append(b64encode(content).decode())
    return {
        "path": [node.hex() for node in tree.inclusion(draw.statement)],
        "checkpoint": checkpoint(tree) + "".join(sorted(lines)),
        "tokens": sorted(tokens),
    }
