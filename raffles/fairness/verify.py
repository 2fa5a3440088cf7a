"""Check a raffle-draw-v1 proof with nothing but Python and this file.

    python verify.py proof.json

The server draws with the same functions, so what is checked here is what was run there.
Integers are big-endian on the wire, H is SHA-256, hex is lowercase, times are UNIX seconds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import chain, repeat
from typing import Any, NamedTuple


class Invalid(Exception):  # noqa: N818 - the verdict's own word
    """What is wrong with the evidence, as one sentence without its full stop."""


# --- Bytes -------------------------------------------------------------------------------


def be64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def tag(name: str) -> bytes:
    """Domain separation: what is hashed or signed for one purpose fits no other."""
    return f"raffle-draw-v1/{name}".encode() + b"\0"


def canonical(value: Any) -> bytes:
    """RFC 8785 JSON of objects, arrays, strings and integers below 2^53, with ASCII keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


# --- The tree of tickets (RFC 9162) ------------------------------------------------------


def make_leaf(raffle_id: bytes, number: int, holder_tag: bytes, code_tag: bytes) -> bytes:
    """One ticket, 56 bytes: raffle id (16), number (8), holder tag (16), code tag (16)."""
    return raffle_id + be64(number) + holder_tag + code_tag


def hash_leaf(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Tree(NamedTuple):
    """``levels[k]`` joins the nodes of level ``keep_from + k``, 32 bytes each, root level last.

    Node i of level L is the tree hash of leaves [i * 2^L, (i + 1) * 2^L), so level L has
    ceil(size / 2^L) nodes. A tree that fits into one kept node has ``levels == (root,)``.
    """

    size: int
    root: bytes
    levels: tuple[bytes, ...]


class TreeBuilder:
    """Takes leaf hashes in order of index; holds 2^keep_from of them and the level above."""

    def __init__(self, keep_from: int = 8) -> None:
        self.size = 0
        self._width = 1 << keep_from
        self._pending: list[bytes] = []
        self._kept: list[bytes] = []

    def add(self, leaf_hash: bytes) -> None:
        self.size += 1
        self._pending.append(leaf_hash)
        if len(self._pending) == self._width:
            self._kept.append(_top(self._pending))
            self._pending = []

    def finish(self) -> Tree:
        """The tree of all leaves so far; the builder may go on afterwards."""
        nodes = self._kept + ([_top(self._pending)] if self._pending else [])
        levels = [nodes or [sha256(b"").digest()]]
        while len(levels[-1]) > 1:
            levels.append(_parents(levels[-1]))
        return Tree(self.size, levels[-1][0], tuple(b"".join(level) for level in levels))


def _parents(nodes: list[bytes]) -> list[bytes]:
    """One level up; a lone last node is promoted, never duplicated."""
    parents = list(map(hash_node, nodes[::2], nodes[1::2]))
    return parents + nodes[-1:] if len(nodes) % 2 else parents


def _top(nodes: list[bytes]) -> bytes:
    while len(nodes) > 1:
        nodes = _parents(nodes)
    return nodes[0]


def inclusion_path(index: int, size: int, node_at: Callable[[int, int], bytes]) -> list[bytes]:
    """Siblings from leaf to root; ``node_at(level, i)`` gives node i of a level, leaves at 0."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is outside a tree of {size}")
    path, level, last = [], 0, size - 1
    while last:
        if index ^ 1 <= last:  # else a lone last node, promoted as it is
            path.append(node_at(level, index ^ 1))
        index, last, level = index >> 1, last >> 1, level + 1
    return path


def root_from_path(index: int, size: int, leaf_hash: bytes, path: list[bytes]) -> bytes:
    """The root a path leads to; ``Invalid`` when index, size and length do not fit."""
    if not 0 <= index < size:
        raise Invalid(f"index {index} is outside a tree of {size} tickets")
    node, last, siblings = leaf_hash, size - 1, iter(path)
    while last:
        if index ^ 1 <= last:
            sibling = next(siblings, None)
            if sibling is None:
                raise Invalid("an inclusion path is too short")
            node = hash_node(sibling, node) if index & 1 else hash_node(node, sibling)
        index, last = index >> 1, last >> 1
    if next(siblings, None) is not None:
        raise Invalid("an inclusion path is too long")
    return node


# --- Commitment and seed -----------------------------------------------------------------


def hash_terms(terms: dict[str, Any]) -> bytes:
    return sha256(tag("terms") + canonical(terms)).digest()


def hash_commitment(commitment: dict[str, Any]) -> bytes:
    return sha256(tag("commitment") + canonical(commitment)).digest()


def derive_seed(commitment_hash: bytes, randomness: bytes) -> bytes:
    return sha256(tag("seed") + commitment_hash + randomness).digest()


# --- The draw ----------------------------------------------------------------------------


def uniform(seed: bytes, i: int, n: int) -> int:
    """Number i of the seed's sequence, exactly uniform in 0..n-1 (n at most 2^64)."""
    limit = (1 << 64) // n * n
    for attempt in range(1 << 32):
        block = sha256(seed + be64(i) + attempt.to_bytes(4, "big")).digest()
        word = int.from_bytes(block[:8], "big")
        if word < limit:
            return word % n
    raise AssertionError("2^32 rejections in a row do not happen")


def draw(seed: bytes, n: int) -> Iterator[int]:
    """All indices 0..n-1 in drawn order: a Fisher-Yates shuffle that stores only what moved."""
    moved: dict[int, int] = {}
    for i in range(n):
        j = i + uniform(seed, i, n - i)
        yield moved.get(j, j)
        moved[j] = moved.get(i, i)


class Picked(NamedTuple):
    """One step of the walk; rank None: skipped, prize None: skipped or an alternate."""

    draw: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks here
    rank: int | None
    prize: str | None


def select(
    terms: dict[str, Any],
    seed: bytes,
    tickets: int,
    holder_of: Callable[[int], bytes] | None = None,
) -> Iterator[Picked]:
    """Winners, alternates and skipped entries in drawn order.

    ``holder_of(index)`` is asked only where the terms limit the wins of a holder.
    """
    prizes = chain.from_iterable(repeat(p["name"], p["amount"]) for p in terms["prizes"])
    places = sum(p["amount"] for p in terms["prizes"]) + terms["alternates"]
    limit = terms["max_wins_per_holder"]
    wins: Counter[bytes] = Counter()
    rank = 0
    for step, index in enumerate(draw(seed, tickets if places else 0)):
        if limit:
            if holder_of is None:
                raise TypeError("terms with max_wins_per_holder need holder_of")
            holder = holder_of(index)
            if wins[holder] >= limit:
                yield Picked(step, index, None, None)
                continue
            wins[holder] += 1
        rank += 1
        yield Picked(step, index, rank, next(prizes, None))
        if rank == places:
            return


# --- The beacon: drand quicknet ----------------------------------------------------------

CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
GENESIS, PERIOD = 1692803367, 3


def first_round_at(t: int) -> int:
    """The first round published at or after a UNIX second."""
    return max(1, -(-(t - GENESIS) // PERIOD) + 1)


def time_of_round(number: int) -> int:
    return GENESIS + (number - 1) * PERIOD


def randomness_of(signature: bytes) -> bytes:
    return sha256(signature).digest()
