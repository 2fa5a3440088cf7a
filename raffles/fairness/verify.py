"""Check a raffle-draw-v2 proof with nothing but Python (3.9 or later) and this file.

    python verify.py proof.json [--receipt FILE] [--commitment FILE] [--inclusion FILE]
                                [--leaves FILE] [--keys FILE] [--log FILE] [--witnesses FILE]
                                [--json]

The last line is the verdict. Exit status: 0 valid, 1 invalid (the last line says why), 2 a file
that cannot be read or is not JSON, 3 the winners follow but too few witnesses saw the seal in
time. Nothing is fetched and nothing is written. The server draws with the same functions.
Sections are those of the protocol. Integers are big-endian, H is SHA-256, hex is lowercase,
times are UNIX seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import time
from base64 import b64decode, b64encode
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import lru_cache
from hashlib import sha256, sha512
from itertools import chain, count, islice, repeat
from typing import Any, BinaryIO, NamedTuple


class Invalid(Exception):
    """What is wrong with the evidence, as one sentence without its full stop."""


class Unreadable(Exception):
    """Why a file is not readable as JSON at all."""


# --- Notation ----------------------------------------------------------------------------

VERSION = "raffle-draw-v2"
# Domain separation: what is hashed or signed for one purpose is valid for no other.
TAGS = {
    purpose: f"{VERSION}/{purpose}\0".encode()
    for purpose in ("terms", "commitment", "seed", "holder", "code", "ticket", "seal", "void")
}


def be64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def canonical(value: Any) -> bytes:
    """Return RFC 8785 JSON of objects, arrays, strings and integers below 2^53, with ASCII keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


# --- Section 2: leaves and receipts ------------------------------------------------------


def make_leaf(raffle_id: bytes, number: int, holder_tag: bytes, code_tag: bytes) -> bytes:
    """Return a ticket's 56 bytes: raffle id (16), number (8), holder tag (16), code tag (16)."""
    return raffle_id + be64(number) + holder_tag + code_tag


def hash_leaf(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


def receipt_message(leaf: bytes, terms_hash: bytes, issued_at: int) -> bytes:
    """Return what the operator signs when a ticket is taken."""
    return TAGS["ticket"] + hash_leaf(leaf) + terms_hash + be64(issued_at)


# --- Section 3: the tree (RFC 9162) ------------------------------------------------------


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Tree(NamedTuple):
    """`levels[k]` joins the nodes of level `keep_from + k`, 32 bytes each, root level last.

    Node i of level L is the tree hash of leaves [i * 2^L, (i + 1) * 2^L), so level L has
    ceil(size / 2^L) nodes. A tree that fits into one kept node has `levels == (root,)`.
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
        """Return the tree of all leaves so far; more can be added afterwards."""
        nodes = self._kept + ([_top(self._pending)] if self._pending else [])
        levels = [nodes or [sha256(b"").digest()]]
        while len(levels[-1]) > 1:
            levels.append(_parents(levels[-1]))
        return Tree(self.size, levels[-1][0], tuple(b"".join(level) for level in levels))


def _parents(nodes: list[bytes]) -> list[bytes]:
    """Return the level above; a lone last node is promoted, never duplicated."""
    parents = list(map(hash_node, nodes[::2], nodes[1::2]))
    return parents + nodes[-1:] if len(nodes) % 2 else parents


def _top(nodes: list[bytes]) -> bytes:
    while len(nodes) > 1:
        nodes = _parents(nodes)
    return nodes[0]


def inclusion_path(index: int, size: int, node_at: Callable[[int, int], bytes]) -> list[bytes]:
    """Return siblings from leaf to root; `node_at(level, i)` is node i of a level, leaves at 0."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is outside a tree of {size}")
    path, level, last = [], 0, size - 1
    while last:
        if index ^ 1 <= last:  # else a lone last node, promoted as it is
            path.append(node_at(level, index ^ 1))
        index, last, level = index >> 1, last >> 1, level + 1
    return path


def root_from_path(index: int, size: int, leaf_hash: bytes, path: list[bytes]) -> bytes:
    """Return the root a path leads to. Raises `Invalid` if index, size and length do not fit."""
    if not 0 <= index < size:
        raise Invalid(f"index {index} is outside a tree of {size}")
    node, last, siblings = leaf_hash, size - 1, iter(path)
    while last:
        if index ^ 1 <= last:
            sibling = next(siblings, None)
            if sibling is None:
                raise Invalid("a path is too short")
            node = hash_node(sibling, node) if index & 1 else hash_node(node, sibling)
        index, last = index >> 1, last >> 1
    if next(siblings, None) is not None:
        raise Invalid("a path is too long")
    return node


def consistency_path(old: int, size: int, node_at: Callable[[int, int], bytes]) -> list[bytes]:
    """Return the proof that the first `old` leaves' tree is a prefix (RFC 9162, 2.1.4)."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {old} does not begin one of {size}")
    if old == size:
        return []
    level, index, last = 0, old - 1, size - 1
    while index & 1:
        index, last, level = index >> 1, last >> 1, level + 1
    path = [node_at(level, index)] if index else []  # else the old root itself
    while last:
        if index & 1 or index < last:
            path.append(node_at(level, index ^ 1))
        index, last, level = index >> 1, last >> 1, level + 1
    return path


def check_consistency(old: int, size: int, old_root: bytes, root: bytes, path: list[bytes]) -> None:
    """Raise `Invalid` unless the path leads from the old root to the new one."""
    if not 0 < old <= size:
        raise Invalid(f"a tree of {old} does not begin one of {size}")
    index, last, siblings = (old - 1, size - 1, iter(path)) if old < size else (0, 0, iter(path))
    while index & 1:
        index, last = index >> 1, last >> 1
    was = now = next(siblings, b"") if index else old_root
    while last:
        if index & 1 or index < last:
            sibling = next(siblings, b"")
            if index & 1:
                was, now = hash_node(sibling, was), hash_node(sibling, now)
            else:
                now = hash_node(now, sibling)
        index, last = index >> 1, last >> 1
    if next(siblings, None) is not None or (was, now) != (old_root, root):
        raise Invalid("the consistency proof does not lead from one root to the other")


# --- Section 3: terms, close, seal -------------------------------------------------------

PATIENCE = 30  # seconds that a seal must be older than its round
PAUSE = 60  # seconds from the close to the first round that may be used
LATE = 180  # seconds after closes_at from which a close counts as late


def hash_terms(terms: dict[str, Any]) -> bytes:
    return sha256(TAGS["terms"] + canonical(terms)).digest()


def hash_commitment(commitment: dict[str, Any]) -> bytes:
    return sha256(TAGS["commitment"] + canonical(commitment)).digest()


def seal_message(commitment_hash: bytes) -> bytes:
    return TAGS["seal"] + commitment_hash


def round_of(closes_at: int, closed_at: int) -> int:
    """Return the round that a seal waits for: the times determine it, nobody chooses it."""
    planned = first_round_at(closes_at + PAUSE)
    if closes_at and closed_at + PATIENCE <= time_of_round(planned):
        return planned
    return first_round_at(closed_at + PAUSE)


# --- Section 4: randomness and seed ------------------------------------------------------

CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
GENESIS, PERIOD = 1692803367, 3


def first_round_at(t: int) -> int:
    """Return the first round at or after a UNIX second, less than 1 before the chain's genesis."""
    return -(-(t - GENESIS) // PERIOD) + 1


def time_of_round(number: int) -> int:
    return GENESIS + (number - 1) * PERIOD


def randomness_of(signature: bytes) -> bytes:
    """Compute the randomness from the signature, so that nobody has to be trusted for it."""
    return sha256(signature).digest()


def derive_seed(commitment_hash: bytes, randomness: bytes) -> bytes:
    return sha256(TAGS["seed"] + commitment_hash + randomness).digest()


@lru_cache(8)  # the proofs of an evening share a round; what is wrong is never kept
def check_beacon(number: int, signature: bytes) -> None:
    """Raise `Invalid` unless this is the beacon's one signature of round `number`."""
    point = decode_signature(signature)
    message = hash_to_g1(sha256(be64(number)).digest())
    negated = (point[0], fp2_sub((0, 0), point[1]))
    if not pairing_is_one([(negated, G2), (message, PUBLIC_KEY)]):
        raise Invalid(f"the signature is not the beacon's for round {number}")


# --- Section 5: the draw -----------------------------------------------------------------


def uniform(seed: bytes, i: int, n: int) -> int:
    """Return number i of the seed's sequence, exactly uniform in 0..n-1 (n at most 2^64)."""
    limit = (1 << 64) // n * n
    for attempt in range(1 << 32):
        block = sha256(seed + be64(i) + attempt.to_bytes(4, "big")).digest()
        word = int.from_bytes(block[:8], "big")
        if word < limit:
            return word % n
    raise AssertionError("2^32 rejections in a row do not happen")


def draw(seed: bytes, n: int) -> Iterator[int]:
    """Yield indices 0..n-1 in drawn order: a Fisher-Yates shuffle that stores only what moved."""
    moved: dict[int, int] = {}
    seeded, accepted, number = sha256(seed), (1 << 64) - n, int.from_bytes
    for i in range(n):
        # uniform(seed, i, n - i) inlined: its first word nearly always suffices
        block = seeded.copy()
        block.update((i << 32).to_bytes(12, "big"))  # be64(i) || be32(0)
        word = number(block.digest()[:8], "big")
        j = i + (word % (n - i) if word < accepted else uniform(seed, i, n - i))
        yield moved.get(j, j)
        moved[j] = moved.pop(i, i)  # i is not used again


class Picked(NamedTuple):
    """One step of the walk; rank None: skipped, prize None: skipped or an alternate."""

    draw: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not needed here
    rank: int | None
    prize: str | None


def select(
    terms: dict[str, Any],
    seed: bytes,
    tickets: int,
    holder_of: Callable[[int], bytes] | None = None,
) -> Iterator[Picked]:
    """Yield winners, alternates and skipped entries in drawn order.

    `holder_of(index)` is called only where the terms limit a holder's wins.
    """
    prizes = chain.from_iterable(repeat(p["name"], p["amount"]) for p in terms["prizes"])
    places = sum(p["amount"] for p in terms["prizes"]) + terms["alternates"]
    limit = terms["max_wins_per_holder"]
    if not limit:
        drawn = islice(draw(seed, tickets), places)
        yield from map(Picked, count(), drawn, count(1), chain(prizes, repeat(None)))
        return
    if holder_of is None:
        raise TypeError("terms with max_wins_per_holder need holder_of")
    wins: Counter[bytes] = Counter()
    rank = 0
    for step, index in enumerate(draw(seed, tickets if places else 0)):
        holder = holder_of(index)
        if wins[holder] >= limit:
            yield Picked(step, index, None, None)
            continue
        wins[holder] += 1
        rank += 1
        yield Picked(step, index, rank, next(prizes, None))
        if rank == places:
            return


# --- Section 6: calling off --------------------------------------------------------------


def hash_reason(reason: str) -> bytes:
    return sha256(reason.encode()).digest()


def void_message(commitment_hash: bytes, reason: str, voided_at: int) -> bytes:
    return TAGS["void"] + commitment_hash + hash_reason(reason) + be64(voided_at)


# --- BLS12-381: fields and points --------------------------------------------------------
# Fp2 elements are pairs (a, b) for a + b*u with u^2 = -1. A point is a pair of coordinates in
# Fp2, None is infinity; points of G1 have b = 0. Fp12 elements are the 12 coefficients of a
# polynomial in w, where w^6 = 1 + u, so w^12 = 2*w^6 - 2.

X = 0xD201000000010000  # the family's parameter is -X
R = X**4 - X**2 + 1  # order of G1 and G2
P = (X + 1) ** 2 * R // 3 - X  # of the base field
Fp2 = tuple[int, int]
Point = tuple[Fp2, Fp2]


def fp2_sub(a: Fp2, b: Fp2) -> Fp2:
    return (a[0] - b[0]) % P, (a[1] - b[1]) % P


def fp2_mul(a: Fp2, b: Fp2) -> Fp2:
    return (a[0] * b[0] - a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P


def fp2_div(a: Fp2, b: Fp2) -> Fp2:
    inverse = pow(b[0] * b[0] + b[1] * b[1], -1, P)
    return fp2_mul(a, (b[0] * inverse, -b[1] * inverse))


def slope_of(p: Point, q: Point) -> Fp2:
    """Return the slope of the line through two points, or of the tangent if they are equal."""
    if p != q:
        return fp2_div(fp2_sub(q[1], p[1]), fp2_sub(q[0], p[0]))
    a, b = fp2_mul(p[0], p[0])
    return fp2_div((3 * a, 3 * b), (2 * p[1][0], 2 * p[1][1]))


def sum_on_line(slope: Fp2, p: Point, q: Point) -> Point:
    x = fp2_sub(fp2_sub(fp2_mul(slope, slope), p[0]), q[0])
    return x, fp2_sub(fp2_mul(slope, fp2_sub(p[0], x)), p[1])


def add(p: Point | None, q: Point | None) -> Point | None:
    if p is None or q is None:
        return p or q
    opposite = p[0] == q[0] and p[1] != q[1]  # no point used here has y = 0: odd orders
    return None if opposite else sum_on_line(slope_of(p, q), p, q)


def times(k: int, p: Point | None) -> Point | None:
    total = None
    for bit in f"{k:b}":
        total = add(total, total)
        if bit == "1":
            total = add(total, p)
    return total


def fp_root(a: int) -> int:
    """Return a square root in Fp of any a that has one (P = 3 mod 4)."""
    return pow(a, (P + 1) // 4, P)


def fp12_fold(wide: list[int]) -> list[int]:
    for k in range(len(wide) - 1, 11, -1):
        wide[k - 6] += 2 * wide[k]
        wide[k - 12] -= 2 * wide[k]
    return [c % P for c in wide[:12]]


def fp12_mul(f: list[int], g: list[int]) -> list[int]:
    wide = [0] * 23
    for i, a in enumerate(f):
        if a:  # lines have 5 coefficients of 12
            for k, b in enumerate(g, i):
                wide[k] += a * b
    return fp12_fold(wide)


def fp12_pow(f: list[int], exponent: int) -> list[int]:
    power = f
    for bit in f"{exponent:b}"[1:]:
        power = fp12_mul(power, power)
        if bit == "1":
            power = fp12_mul(power, f)
    return power


def fp12_conjugate(f: list[int]) -> list[int]:
    return [-c if i % 2 else c for i, c in enumerate(f)]  # f^(P^6)


def fp12_frobenius(f: list[int]) -> list[int]:
    """Return f^P: each w becomes w * (1 + u)^((P - 1) / 6)."""
    wide, factor = [0] * 18, (1, 0)
    for i, c in enumerate(f):
        wide[i] += c * (factor[0] - factor[1])
        wide[i + 6] += c * factor[1]
        factor = fp2_mul(factor, FROBENIUS)
    return fp12_fold(wide)


# --- BLS12-381: the pairing --------------------------------------------------------------


def line_at(slope: Fp2, head: Point, p: Point) -> list[int]:
    """Return the line through head, on the twist, at p of G1, up to a factor in Fp4."""
    (x, _), (y, _) = p
    a, b = fp2_sub(fp2_mul(slope, head[0]), head[1])
    line = [0] * 12
    line[0], line[6] = a - b, b
    line[2], line[8] = -x * (slope[0] - slope[1]), -x * slope[1]
    line[3] = y
    return line


def pairing_is_one(pairs: list[tuple[Point, Point]]) -> bool:
    """Return whether the product of e(p, q) over pairs of G1 and G2 is 1 (ate pairing)."""
    f, heads = [1] + [0] * 11, [q for _, q in pairs]
    for step in f"{X:b}"[1:].replace("0", "d").replace("1", "da"):  # double; double and add
        if step == "d":
            f = fp12_mul(f, f)
        for k, (p, q) in enumerate(pairs):
            head, other = heads[k], heads[k] if step == "d" else q
            slope = slope_of(head, other)
            f = fp12_mul(line_at(slope, head, p), f)
            heads[k] = sum_on_line(slope, head, other)
    return is_one_after_final_power(f)


def is_one_after_final_power(f: list[int]) -> bool:
    """Return whether f^((P^12 - 1) / R) is 1, where -X stands for the family's parameter.

    The factor P^6 - 1 is left out: f^(P^6 - 1) is 1 exactly when f is in Fp6, which has the
    even coefficients. Up to factors in Fp6 the inverse is the conjugate. The rest is
    (P^2 + 1) * h with 3h = (X + 1)^2 * (P - X) * (X^2 + P^2 - 1) + 3; R is no multiple of 3.
    """
    f = fp12_mul(fp12_frobenius(fp12_frobenius(f)), f)
    a = fp12_pow(fp12_pow(f, X + 1), X + 1)
    b = fp12_mul(fp12_frobenius(a), fp12_conjugate(fp12_pow(a, X)))
    c = fp12_mul(fp12_pow(fp12_pow(b, X), X), fp12_frobenius(fp12_frobenius(b)))
    result = fp12_mul(fp12_mul(c, fp12_conjugate(b)), fp12_mul(fp12_mul(f, f), f))
    return not any(result[1::2])


# --- BLS12-381: signatures and messages --------------------------------------------------


def decode_signature(signature: bytes) -> Point:
    """Return the point of G1 in its one encoding, checked to be in the subgroup."""
    if len(signature) != 48 or signature[0] >> 6 != 0b10:
        raise Invalid("the beacon's signature is not a compressed point of 48 bytes")
    x = int.from_bytes(signature, "big") & (1 << 381) - 1
    y = fp_root(x**3 + 4)
    if x >= P or (y * y - x**3 - 4) % P:
        raise Invalid("the beacon's signature is not a point of the curve")
    if (y > P // 2) != bool(signature[0] & 0x20):
        y = P - y
    point = ((x, 0), (y, 0))
    if times(R, point) is not None:
        raise Invalid("the beacon's signature is not in the subgroup of prime order")
    return point


def hash_to_g1(message: bytes) -> Point:
    """Return RFC 9380's hash, suite BLS12381G1_XMD:SHA-256_SSWU_RO_ with the beacon's tag."""
    suffix = DST + bytes([len(DST)])
    first = sha256(bytes(64) + message + b"\0\x80\0" + suffix).digest()
    block, wide = bytes(32), b""
    for i in range(1, 5):
        mixed = bytes(a ^ b for a, b in zip(first, block))  # noqa: B905 - Python 3.9
        block = sha256(mixed + bytes([i]) + suffix).digest()
        wide += block
    halves = (int.from_bytes(half, "big") % P for half in (wide[:64], wide[64:]))
    point = times(X + 1, add(*map(map_to_curve, halves)))
    if point is None:
        raise Invalid("the message hashes to infinity")
    return point


def map_to_curve(u: int) -> Point:
    """Apply simplified SWU onto y^2 = x^3 + A*x + B, then the isogeny to G1's curve."""
    z = 11 * u * u
    d = (z * z + z) % P
    over, under = (1 + pow(d, -1, P), -ISO_A) if d else (1, 11 * ISO_A)
    x = ISO_B * over * pow(under, -1, P) % P
    y = fp_root(x**3 + ISO_A * x + ISO_B)
    if (y * y - x**3 - ISO_A * x - ISO_B) % P:  # then the second candidate has a root
        x = z * x % P
        y = fp_root(x**3 + ISO_A * x + ISO_B)
    if y % 2 != u % 2:
        y = P - y
    x_over, x_under, y_over, y_under = (polynomial_at(x, terms) for terms in ISOGENY)
    return (x_over * pow(x_under, -1, P) % P, 0), (y * y_over * pow(y_under, -1, P) % P, 0)


def polynomial_at(x: int, coefficients: list[int]) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % P
    return value


DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
# One element of Fp a line: the public key of quicknet and the generator of G2 (x and y, each
# with the coefficient of 1 first), (1 + u)^((P - 1) / 6), A and B of the isogenous curve, and
# the isogeny of RFC 9380, E.2: numerator and denominator of x, then of y, lowest degree first.
BLOB = bytes.fromhex("""
0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a
03cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451
0e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273
01a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b
024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8
13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e
0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801
0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be
1904d3bf02bb0667c231beb4202c0d1f0fd603fd3cbd5f4f7b2443d784bab9c4f67ea53d63e7813d8d0775ed92235fb8
00fc3e2b36c4e03288e9e902231f9fb854a14787b6c7b36fec0c8ec971f63c5f282d5ac14d6c7ec22cf78a126ddc4af3
00144698a3b8e9433d693a02c96d4982b0ea985383ee66a8d8e8981aefd881ac98936f8da0e0f97f5cf428082d584c1d
12e2908d11688030018b12e8753eee3b2016c1f0f24f4070a0b9c14fcef35ef55a23215a316ceaa5d1cc48e98e172be0
11a05f2b1e833340b809101dd99815856b303e88a2d7005ff2627b56cdb4e2c85610c2d5f2e62d6eaeac1662734649b7
17294ed3e943ab2f0588bab22147a81c7c17e75b2f6a8417f565e33c70d1e86b4838f2a6f318c356e834eef1b3cb83bb
0d54005db97678ec1d1048c5d10a9a1bce032473295983e56878e501ec68e25c958c3e3d2a09729fe0179f9dac9edcb0
1778e7166fcc6db74e0609d307e55412d7f5e4656a8dbf25f1b33289f1b330835336e25ce3107193c5b388641d9b6861
0e99726a3199f4436642b4b3e4118e5499db995a1257fb3f086eeb65982fac18985a286f301e77c451154ce9ac8895d9
1630c3250d7313ff01d1201bf7a74ab5db3cb17dd952799b9ed3ab9097e68f90a0870d2dcae73d19cd13c1c66f652983
0d6ed6553fe44d296a3726c38ae652bfb11586264f0f8ce19008e218f9c86b2a8da25128c1052ecaddd7f225a139ed84
17b81e7701abdbe2e8743884d1117e53356de5ab275b4db1a682c62ef0f2753339b7c8f8c8f475af9ccb5618e3f0c88e
080d3cf1f9a78fc47b90b33563be990dc43b756ce79f5574a2c596c928c5d1de4fa295f296b74e956d71986a8497e317
169b1f8e1bcfa7c42e0c37515d138f22dd2ecb803a0c5c99676314baf4bb1b7fa3190b2edc0327797f241067be390c9e
10321da079ce07e272d8ec09d2565b0dfa7dccdde6787f96d50af36003b14866f69b771f8c285decca67df3f1605fb7b
06e08c248e260e70bd1e962381edee3d31d79d7e22c837bc23c0bf1bc24c6b68c24b1b80b64d391fa9c8ba2e8ba2d229
08ca8d548cff19ae18b2e62f4bd3fa6f01d5ef4ba35b48ba9c9588617fc8ac62b558d681be343df8993cf9fa40d21b1c
12561a5deb559c4348b4711298e536367041e8ca0cf0800c0126c2588c48bf5713daa8846cb026e9e5c8276ec82b3bff
0b2962fe57a3225e8137e629bff2991f6f89416f5a718cd1fca64e00b11aceacd6a3d0967c94fedcfcc239ba5cb83e19
03425581a58ae2fec83aafef7c40eb545b08243f16b1655154cca8abc28d6fd04976d5243eecf5c4130de8938dc62cd8
13a8e162022914a80a6f1d5f43e7a07dffdfc759a12062bb8d6b44e833b306da9bd29ba81f35781d539d395b3532a21e
0e7355f8e4e667b955390f7f0506c6e9395735e9ce9cad4d0a43bcef24b8982f7400d24bc4228f11c02df9a29f6304a5
0772caacf16936190f3e0c63e0596721570f5799af53a1894e2e073062aede9cea73b3538f0de06cec2574496ee84a3a
14a7ac2a9d64a8b230b3f5b074cf01996e7f63c21bca68a81996e1cdf9822c580fa5b9489d11e2d311f7d99bbdcc5a5e
0a10ecf6ada54f825e920b3dafc7a3cce07f8d1d7161366b74100da67f39883503826692abba43704776ec3a79a1d641
095fc13ab9e92ad4476d6e3eb3a56680f682b4ee96f7d03776df533978f31c1593174e4b4b7865002d6384d168ecdd0a
090d97c81ba24ee0259d1f094980dcfa11ad138e48a869522b52af6c956543d3cd0c7aee9b3ba3c2be9845719707bb33
134996a104ee5811d51036d776fb46831223e96c254f383d0f906343eb67ad34d6c56711962fa8bfe097e75a2e41c696
00cc786baa966e66f4a384c86a3b49942552e2d658a31ce2c344be4b91400da7d26d521628b00523b8dfe240c72de1f6
01f86376e8981c217898751ad8746757d42aa7b90eeb791c09e4a3ec03251cf9de405aba9ec61deca6355c77b0e5f4cb
08cc03fdefe0ff135caf4fe2a21529c4195536fbe3ce50b879833fd221351adc2ee7f8dc099040a841b6daecf2e8fedb
16603fca40634b6a2211e11db8f0a6a074a7d0d4afadb7bd76505c3d3ad5544e203f6326c95a807299b23ab13633a5f0
04ab0b9bcfac1bbcb2c977d027796b3ce75bb8ca2be184cb5231413c4d634f3747a87ac2460f415ec961f8855fe9d6f2
0987c8d5333ab86fde9926bd2ca6c674170a05bfe3bdd81ffd038da6c26c842642f64550fedfe935a15e4ca31870fb29
09fc4018bd96684be88c9e221e4da1bb8f3abd16679dc26c1e8b6e6a1f20cabe69d65201c78607a360370e577bdba587
0e1bba7a1186bdb5223abde7ada14a23c42a0ca7915af6fe06985e7ed1e4d43b9b3f7055dd4eba6f2bafaaebca731c30
19713e47937cd1be0dfd0b8f1d43fb93cd2fcbcb6caf493fd1183e416389e61031bf3a5cce3fbafce813711ad011c132
18b46a908f36f6deb918c143fed2edcc523559b8aaf0c2462e6bfe7f911f643249d9cdf41b44d606ce07c8a4d0074d8e
0b182cac101b9399d155096004f53f447aa7b12a3426b08ec02710e807b4633f06c851c1919211f20d4c04f00b971ef8
0245a394ad1eca9b72fc00ae7be315dc757b3b080d4c158013e6632d3c40659cc6cf90ad1c232a6442d9d3f5db980133
05c129645e44cf1102a159f748c4a3fc5e673d81d7e86568d9ab0f5d396a7ce46ba1049b6579afb7866b1e715475224b
15e6be4e990f03ce4ea50b3b42df2eb5cb181d8f84965a3957add4fa95af01b2b665027efec01c7704b456be69c8b604
16112c4c3a9c98b252181140fad0eae9601a6de578980be6eec3232b5be72e7a07f3688ef60c206d01479253b03663c1
1962d75c2381201e1a0cbd6c43c348b885c84ff731c4d59ca4a10356f453e01f78a4260763529e3532f6102c2e49a03d
058df3306640da276faaae7d6e8eb15778c4855551ae7f310c35a5dd279cd2eca6757cd636f96f891e2538b53dbf67f2
16b7d288798e5395f20d23bf89edb4d1d115c5dbddbcd30e123da489e726af41727364f2c28297ada8d26d98445f5416
0be0e079545f43e4b00cc912f8228ddcc6d19c9f0f69bbb0542eda0fc9dec916a20b15dc0fd2ededda39142311a5001d
08d9e5297186db2d9fb266eaac783182b70152c65550d881c5ecd87b6f0f5a6449f38db9dfa9cce202c6477faaf9b7ac
166007c08a99db2fc3ba8734ace9824b5eecfdfa8d0cf8ef5dd365bc400a0051d5fa9c01a58b1fb93d1a1399126a775c
16a3ef08be3ea7ea03bcddfabba6ff6ee5a4375efa1f4fd7feb34fd206357132b920f5b00801dee460ee415a15812ed9
1866c8ed336c61231a1be54fd1d74cc4f9fb0ce4c6af5920abc5750c4bf39b4852cfe2f7bb9248836b233d9d55535d4a
167a55cda70a6e1cea820597d94a84903216f763e13d87bb5308592e7ea7d4fbc7385ea3d529b35e346ef48bb8913f55
04d2f259eea405bd48f010a01ad2911d9c6dd039bb61a6290e591b36e636a5c871a5c29f4f83060400f8b49cba8f6aa8
0accbb67481d033ff5852c1e48c50c477f94ff8aefce42d28c0f9a88cea7913516f968986f7ebbea9684b529e2561092
0ad6b9514c767fe3c3613144b45f1496543346d98adf02267d5ceef9a00d9b8693000763e3b90ac11e99b138573345cc
02660400eb2e4f3b628bdd0d53cd76f2bf565b94e72927c1cb748df27942480e420517bd8714cc80d1fadc1326ed06f7
0e0fa1d816ddc03e6b24255e0d7819c171c40f65e273b853324efcd6356caa205ca2f570f13497804415473a1d634b8f
""")
CONSTANTS = [int.from_bytes(BLOB[i : i + 48], "big") for i in range(0, len(BLOB), 48)]
PUBLIC_KEY, G2 = (((c[0], c[1]), (c[2], c[3])) for c in (CONSTANTS[:4], CONSTANTS[4:8]))
FROBENIUS = CONSTANTS[8], CONSTANTS[9]
ISO_A, ISO_B = CONSTANTS[10:12]
ISOGENY = (
    CONSTANTS[12:24],
    [*CONSTANTS[24:34], 1],
    CONSTANTS[34:50],
    [*CONSTANTS[50:65], 1],
)


# --- Ed25519: the signatures of operators and cosigners (RFC 8032) -----------------------
# Points are extended coordinates (X, Y, Z, T): x = X / Z, y = Y / Z, x * y = T / Z.

ED_P = 2**255 - 19
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
EdPoint = tuple[int, int, int, int]
# The y of points whose order divides 8; a signature by such a key is valid for other messages too.
ED_Y_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
ED_SMALL = {0, 1, ED_P - 1, ED_Y_OF_ORDER_8, ED_P - ED_Y_OF_ORDER_8}


def ed_add(p: EdPoint, q: EdPoint) -> EdPoint:
    """Add any two points, equal ones and the identity (0, 1, 1, 0) included."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2) % ED_P, (y1 + x1) * (y2 + x2) % ED_P
    c, d = 2 * ED_D * t1 * t2 % ED_P, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % ED_P, g * h % ED_P, f * g % ED_P, e * h % ED_P


def ed_sum(k: int, p: EdPoint, m: int, q: EdPoint) -> EdPoint:
    """Return [k]p + [m]q in one pass over the bits of both."""
    both, total = ed_add(p, q), (0, 1, 1, 0)
    for i in range(max(k, m).bit_length() - 1, -1, -1):
        total = ed_add(total, total)
        first, second = k >> i & 1, m >> i & 1
        if first or second:
            total = ed_add(total, both if first and second else p if first else q)
    return total


def ed_encode(p: EdPoint) -> bytes:
    x, y, z, _ = p
    inverse = pow(z, -1, ED_P)
    return (y * inverse % ED_P | (x * inverse % ED_P & 1) << 255).to_bytes(32, "little")


def ed_decode(encoded: bytes) -> EdPoint | None:
    """Return the point, or None if the bytes are not the one encoding of a point."""
    number = int.from_bytes(encoded, "little")
    y, odd = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if (x * x - square) % ED_P:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    if y >= ED_P or (x * x - square) % ED_P or (x == 0 and odd):
        return None
    x = x if x % 2 == odd else ED_P - x
    return x, y, 1, x * y % ED_P


def has_small_order(public_key: bytes) -> bool:
    """Return whether the key is a point of small order, in any encoding."""
    return (int.from_bytes(public_key, "little") & (1 << 255) - 1) % ED_P in ED_SMALL


def signature_is_good(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Check [S]B = R + [k]A without the cofactor, R in its one encoding, S below the order."""
    key, s = ed_decode(public_key), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ED_ORDER or key is None or has_small_order(public_key):
        return False
    digest = sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % ED_ORDER
    x, y, z, t = key
    return ed_encode(ed_sum(s, ED_BASE, challenge, (-x, y, z, -t))) == signature[:32]


ED_BASE: EdPoint = ed_decode(bytes([0x58]) + bytes([0x66]) * 31) or (0, 1, 1, 0)


# --- Section 7: statements of the operator's log -----------------------------------------
# Shapes are explained in section 8 below.

LARGEST_STATEMENT = 65_535  # bytes


def statement_shape(kind: str) -> Shape:
    return {
        "v": constant(VERSION),
        "origin": ORIGIN,
        "n": integer(),
        "at": MOMENT,
        "kind": constant(kind),
        **STATEMENTS[kind],
    }


def make_statement(kind: str, *, origin: str, n: int, at: int, **adds: Any) -> bytes:
    """Return the canonical bytes of a statement. Raises `Invalid` if `adds` do not fit its kind."""
    statement = {"v": VERSION, "origin": origin, "n": n, "at": at, "kind": kind, **adds}
    check_shape(statement, statement_shape(kind), "statement")
    return canonical(statement)


def read_statement(line: bytes) -> dict[str, Any]:
    """Return a statement from its canonical bytes. Raises `Invalid` for anything else."""
    try:
        statement = json.loads(line)
        check_shape(statement, statement_shape(statement["kind"]), "statement")
        if len(line) <= LARGEST_STATEMENT and canonical(statement) == line:
            return dict(statement)
    except (Invalid, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise Invalid("not a statement")


# --- Section 7: checkpoints and cosignatures (C2SP signed notes) -------------------------

LARGEST_NOTE = 65_536  # bytes
ED25519, COSIGNATURE = 0x01, 0x04  # types of signatures
SIGNATURE_LINE = re.compile("— ([!-*,-~]{1,200}) ([A-Za-z0-9+/]+={0,2})\n")
NOTE = re.compile(
    "(([!-*,-~]{1,200})\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n)"
    "\n"
    f"((?:{SIGNATURE_LINE.pattern}){{1,64}})"
)


class NoteLine(NamedTuple):
    name: str
    key_hash: bytes
    signature: bytes


class Note(NamedTuple):
    """A checkpoint: `text` is its first three lines, which are what everybody signs."""

    text: str
    origin: str
    size: int
    root: bytes
    lines: list[NoteLine]


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def cosignature_message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def note_key_hash(name: str, kind: int, public_key: bytes) -> bytes:
    return sha256(f"{name}\n".encode() + bytes([kind]) + public_key).digest()[:4]


def note_line(name: str, key_hash: bytes, signature: bytes) -> str:
    return f"— {name} {b64encode(key_hash + signature).decode()}\n"


def base64_of(text: str) -> bytes:
    """Return the bytes of strict base64: padded, and with no stray bits."""
    found = b64decode(text, validate=True)
    if b64encode(found).decode() != text:
        raise ValueError("not the one base64 of its bytes")
    return found


def parse_note(note: str) -> Note:
    found = NOTE.fullmatch(note)
    if not found or len(note.encode()) > LARGEST_NOTE:
        raise Invalid("not a signed note")
    text, origin, size, root, signatures = found.groups()[:5]
    lines = []
    try:
        for name, code in SIGNATURE_LINE.findall(signatures):
            signature = base64_of(code)
            lines.append(NoteLine(name, signature[:4], signature[4:]))
        parsed = Note(text, origin, int(size), base64_of(root), lines)
    except ValueError:
        raise Invalid("not a signed note") from None
    if parsed.size >= 1 << 53 or not all(line.signature for line in lines):
        raise Invalid("not a signed note")
    return parsed


def lines_of(note: Note, name: str, kind: int, public_key: bytes) -> list[NoteLine]:
    key_hash = note_key_hash(name, kind, public_key)
    return [line for line in note.lines if line[:2] == (name, key_hash)]


def time_of_cosignature(text: str, signature: bytes, public_key: bytes) -> int | None:
    """Return when a witness saw the checkpoint; None if the signature is not its own."""
    at = int.from_bytes(signature[:8], "big")
    good = signature_is_good(public_key, cosignature_message(text, at), signature[8:])
    return at if good else None


# --- Section 7: authorities (RFC 3161) ---------------------------------------------------
# Anything unexpected raises ValueError: the token does not count.

LARGEST_TOKEN = 16_384  # bytes
INTEGER, BIT_STRING, OCTETS, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME, BOOLEAN = 0x17, 0x18, 0x01
# Object identifiers in DER.
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
TST_INFO = bytes.fromhex("2a864886f70d0109100104")
CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")
SIGNING_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910022f")
RSA_KEY = bytes.fromhex("2a864886f70d010101")
EC_KEY = bytes.fromhex("2a8648ce3d0201")
SHA_2 = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
RSA_WITH = {
    bytes.fromhex("2a864886f70d01010b"): "sha256",
    bytes.fromhex("2a864886f70d01010c"): "sha384",
    bytes.fromhex("2a864886f70d01010d"): "sha512",
}
ECDSA_WITH = {
    bytes.fromhex("2a8648ce3d040302"): "sha256",
    bytes.fromhex("2a8648ce3d040303"): "sha384",
    bytes.fromhex("2a8648ce3d040304"): "sha512",
}


class Der(NamedTuple):
    """One element: its tag, its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes


def der(data: bytes) -> list[Der]:
    """Return the elements that make up the data, with nothing before, between or after them."""
    found, at = [], 0
    while at < len(data):
        start, tag, length, at = at, data[at], int.from_bytes(data[at + 1 : at + 2], "big"), at + 2
        if length > 128:  # a long length, preceded by its size; 128 alone is BER
            size = length & 127
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
            if length < 128 or length >> 8 * (size - 1) == 0:
                raise ValueError("a length is not in its shortest form")
        elif length == 128:
            raise ValueError("a length is left open")
        if tag & 31 == 31 or at + length > len(data):
            raise ValueError("an element is cut off or has a long tag")
        found.append(Der(tag, data[at : at + length], data[start : at + length]))
        at += length
    return found


def opened(element: Der, tag: int) -> bytes:
    if element.tag != tag:
        raise ValueError(f"an element has the tag {element.tag}, not {tag}")
    return element.content


def der_set(content: bytes) -> list[Der]:
    """Return the elements of a SET OF, which DER sorts."""
    found = der(content)
    if [element.raw for element in found] != sorted(element.raw for element in found):
        raise ValueError("a set is not sorted")
    return found


def der_integer(element: Der, tag: int = INTEGER) -> int:
    """Return an integer from 0 on, in its shortest form."""
    content = opened(element, tag)
    if (
        not content
        or content[0] > 127
        or (content[0] == 0 and len(content) > 1 and content[1] < 128)
    ):
        raise ValueError("not a whole number in its shortest form")
    return int.from_bytes(content, "big")


def der_bits(element: Der) -> bytes:
    content = opened(element, BIT_STRING)
    if content[:1] != b"\0":
        raise ValueError("not whole bytes")
    return content[1:]


def der_algorithm(element: Der) -> tuple[bytes, bytes]:
    """Return an algorithm's identifier and its parameters, empty where they are null."""
    name, *parameters = der(opened(element, SEQUENCE))
    raw = b"".join(parameter.raw for parameter in parameters)
    return opened(name, OID), b"" if raw == b"\x05\0" else raw


def digest_by(algorithm: Der, data: bytes) -> tuple[str, bytes]:
    name, parameters = der_algorithm(algorithm)
    if parameters:
        raise ValueError("a hash has parameters")
    return SHA_2[name], hashlib.new(SHA_2[name], data).digest()


def der_time(element: Der) -> tuple[int, bool]:
    """Return whole seconds, and whether a fraction of one follows."""
    text = element.content.decode("ascii")
    if element.tag == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != GENERALIZED_TIME:
        raise ValueError("not a time")
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d*[1-9])?Z", text)
    if not found:
        raise ValueError("not a time as DER writes it")
    *parts, fraction = found.groups()
    at = datetime.fromisoformat("{}-{}-{}T{}:{}:{}+00:00".format(*parts))
    return int(at.timestamp()), fraction is not None


def der_accuracy(element: Der) -> int:
    """Return seconds, milliseconds and microseconds together, rounded up to seconds."""
    parts = {part.tag: part for part in der(element.content)}
    seconds = der_integer(parts.pop(INTEGER)) if INTEGER in parts else 0
    micros = 0
    for tag, unit in ((0x80, 1000), (0x81, 1)):
        if tag in parts:
            amount = der_integer(parts.pop(tag), tag)
            if not 1 <= amount <= 999:
                raise ValueError("a part of an accuracy is out of its range")
            micros += amount * unit
    if parts:
        raise ValueError("an accuracy has other parts")
    return seconds + (1 if micros else 0)


class Certificate(NamedTuple):
    raw: bytes
    issuer: bytes
    serial: bytes
    not_before: int
    not_after: int
    key: bytes  # SubjectPublicKeyInfo, DER


def parse_certificate(element: Der) -> Certificate:
    to_be_signed, *_ = der(opened(element, SEQUENCE))
    fields = der(opened(to_be_signed, SEQUENCE))
    if fields[0].tag == 0xA0:  # the version
        fields.pop(0)
    serial, _, issuer, validity, _, key, *_ = fields
    not_before, not_after = (der_time(moment)[0] for moment in der(opened(validity, SEQUENCE)))
    return Certificate(element.raw, issuer.raw, serial.raw, not_before, not_after, key.raw)


def read_token(token: bytes, text: bytes) -> tuple[str, int]:
    """Return the signing key's hash and the time of a token over the text. Raises ValueError.

    The time is the latest that it can have been. The certificate is the one in the token:
    whether it leads to a root is for `openssl ts -verify`.
    """
    kind, wrapped = der(opened(only(der(token)), SEQUENCE))
    signed = only(der(opened(wrapped, 0xA0)))
    _, _, content, certificates, *_, signers = der(opened(signed, SEQUENCE))
    content_type, octets = der(opened(content, SEQUENCE))
    info = only(der(opened(octets, 0xA0)))
    if (opened(kind, OID), opened(content_type, OID)) != (SIGNED_DATA, TST_INFO):
        raise ValueError("not a timestamp")
    at, has_fraction, accuracy = read_info(opened(info, OCTETS), text)
    known = [parse_certificate(each) for each in der_set(opened(certificates, 0xA0))]
    signer = only(der_set(opened(signers, SET)))
    certificate = check_signer(signer, opened(info, OCTETS), known)
    latest = at + has_fraction
    if not certificate.not_before <= at or not latest <= certificate.not_after:
        raise ValueError("the certificate is not valid at that time")
    return sha256(certificate.key).hexdigest(), latest + accuracy


def only(elements: list[Der]) -> Der:
    [element] = elements
    return element


def read_info(content: bytes, text: bytes) -> tuple[int, bool, int]:
    """Return genTime (seconds, whether a fraction follows) and accuracy of a TSTInfo."""
    version, _, imprint, _, moment, *rest = der(opened(only(der(content)), SEQUENCE))
    algorithm, digest = der(opened(imprint, SEQUENCE))
    if der_integer(version) != 1 or digest_by(algorithm, text) != (
        "sha256",
        opened(digest, OCTETS),
    ):
        raise ValueError("the token is over something else")
    if moment.tag != GENERALIZED_TIME:
        raise ValueError("genTime is not a GeneralizedTime")
    tags = [element.tag for element in rest]
    if tags != [tag for tag in (SEQUENCE, BOOLEAN, INTEGER, 0xA0, 0xA1) if tag in tags]:
        raise ValueError("the token has other members")
    return (*der_time(moment), der_accuracy(rest[0]) if tags[:1] == [SEQUENCE] else 0)


def check_signer(signer: Der, content: bytes, known: list[Certificate]) -> Certificate:
    """Return the certificate whose key signed the content. Raises ValueError without one."""
    version, name, digest, signed, algorithm, signature, *_ = der(opened(signer, SEQUENCE))
    issuer, serial = der(opened(name, SEQUENCE))
    if der_integer(version) != 1:
        raise ValueError("the signer is not named by issuer and serial")
    [certificate] = [c for c in known if (c.issuer, c.serial) == (issuer.raw, serial.raw)]
    attributes = signed_attributes(opened(signed, 0xA0))
    hash_name, content_digest = digest_by(digest, content)
    if opened(attributes[CONTENT_TYPE], OID) != TST_INFO:
        raise ValueError("the signed type is another")
    if opened(attributes[MESSAGE_DIGEST], OCTETS) != content_digest:
        raise ValueError("the signed digest is another")
    check_signing_certificate(attributes, certificate.raw)
    message = bytes([SET]) + signed.raw[1:]  # signed as a SET, which is its own tag
    check_signed_by(certificate.key, hash_name, algorithm, message, opened(signature, OCTETS))
    return certificate


def signed_attributes(content: bytes) -> dict[bytes, Der]:
    found = {}
    for attribute in der_set(content):
        name, values = der(opened(attribute, SEQUENCE))
        if opened(name, OID) in found:
            raise ValueError("an attribute occurs twice")
        found[name.content] = only(der(opened(values, SET)))
    return found


def check_signing_certificate(attributes: dict[bytes, Der], certificate: bytes) -> None:
    """Check that ESSCertIDv2 or ESSCertID names the certificate; both if both are present."""
    named = False
    for attribute in (SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2):
        if attribute not in attributes:
            continue
        certificates, *_ = der(opened(attributes[attribute], SEQUENCE))
        first, *_ = der(opened(certificates, SEQUENCE))
        members = der(opened(first, SEQUENCE))
        if attribute == SIGNING_CERTIFICATE:
            digest = hashlib.sha1(certificate, usedforsecurity=False).digest()
        elif members[0].tag == SEQUENCE:
            digest = digest_by(members.pop(0), certificate)[1]
        else:
            digest = sha256(certificate).digest()
        if opened(members[0], OCTETS) != digest:
            raise ValueError("the signed certificate is another")
        named = True
    if not named:
        raise ValueError("no certificate is signed")


def check_signed_by(
    key: bytes, hash_name: str, algorithm: Der, message: bytes, signature: bytes
) -> None:
    """Raise ValueError unless the key verifies: RSA PKCS#1 v1.5, ECDSA P-256, P-384."""
    kind, bits = der(opened(only(der(key)), SEQUENCE))
    key_type, parameters = der_algorithm(kind)
    name, more = der_algorithm(algorithm)
    digest = hashlib.new(hash_name, message).digest()
    if more or parameters not in (CURVES if key_type == EC_KEY else (b"",)):
        raise ValueError("the key or the signature has other parameters")
    if key_type == RSA_KEY and (name == RSA_KEY or RSA_WITH.get(name) == hash_name):
        good = rsa_is_good(der_bits(bits), hash_name, digest, signature)
    elif key_type == EC_KEY and ECDSA_WITH.get(name) == hash_name:
        good = ecdsa_is_good(CURVES[parameters], der_bits(bits), digest, signature)
    else:
        raise ValueError("the signature is of another kind")
    if not good:
        raise ValueError("the signature is wrong")


def rsa_is_good(key: bytes, hash_name: str, digest: bytes, signature: bytes) -> bool:
    """Check PKCS#1 v1.5 of 2048 to 4096 bits; the padding is built and compared as a whole."""
    modulus, exponent = map(der_integer, der(opened(only(der(key)), SEQUENCE)))
    size, s = (modulus.bit_length() + 7) // 8, int.from_bytes(signature, "big")
    if not 2048 <= modulus.bit_length() <= 4096 or not 3 <= exponent < 1 << 64:
        return False
    name = next(name for name, known in SHA_2.items() if known == hash_name)
    algorithm = bytes([SEQUENCE, len(name) + 4, OID, len(name)]) + name + b"\x05\0"
    inner = algorithm + bytes([OCTETS, len(digest)]) + digest
    info = bytes([SEQUENCE, len(inner)]) + inner
    expected = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    good_size = len(signature) == size and s < modulus
    return good_size and pow(s, exponent, modulus).to_bytes(size, "big") == expected


class Curve(NamedTuple):
    """y^2 = x^3 - 3x + b over the integers modulo p; the base point has order n."""

    p: int
    b: int
    n: int
    x: int
    y: int


CURVES = {
    bytes.fromhex("06082a8648ce3d030107"): Curve(
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    bytes.fromhex("06052b81040022"): Curve(
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        int(
            "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a"
            "c656398d8a2ed19d2a85c8edd3ec2aef",
            16,
        ),
        int(
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
            "581a0db248b0a77aecec196accc52973",
            16,
        ),
        int(
            "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38"
            "5502f25dbf55296c3a545e3872760ab7",
            16,
        ),
        int(
            "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0"
            "0a60b1ce1d7e819d7a431d7c90ea0e5f",
            16,
        ),
    ),
}
EcPoint = tuple[int, int]


def ec_add(curve: Curve, p: EcPoint | None, q: EcPoint | None) -> EcPoint | None:
    if p is None or q is None:
        return p or q
    (x1, y1), (x2, y2) = p, q
    if x1 == x2 and (y1 + y2) % curve.p == 0:
        return None
    over, under = (3 * x1 * x1 - 3, 2 * y1) if p == q else (y2 - y1, x2 - x1)
    slope = over * pow(under, -1, curve.p) % curve.p
    x = (slope * slope - x1 - x2) % curve.p
    return x, (slope * (x1 - x) - y1) % curve.p


def ecdsa_is_good(curve: Curve, key: bytes, digest: bytes, signature: bytes) -> bool:
    """Check a signature in DER by an uncompressed point; digests are cut to the order."""
    size = (curve.p.bit_length() + 7) // 8
    x, y = (int.from_bytes(half, "big") for half in (key[1 : size + 1], key[size + 1 :]))
    r, s = map(der_integer, der(opened(only(der(signature)), SEQUENCE)))
    if len(key) != 2 * size + 1 or key[0] != 4 or x >= curve.p or y >= curve.p:
        return False
    if (y * y - x**3 + 3 * x - curve.b) % curve.p or not (0 < r < curve.n and 0 < s < curve.n):
        return False
    inverse, z = pow(s, -1, curve.n), int.from_bytes(digest[:size], "big")
    k, m = z * inverse % curve.n, r * inverse % curve.n
    base, both, total = (curve.x, curve.y), ec_add(curve, (curve.x, curve.y), (x, y)), None
    for i in range(curve.n.bit_length() - 1, -1, -1):
        total = ec_add(curve, total, total)
        first, second = k >> i & 1, m >> i & 1
        if first or second:
            total = ec_add(curve, total, both if first and second else base if first else (x, y))
    return total is not None and total[0] % curve.n == r


# --- Section 8: strict JSON --------------------------------------------------------------

CHUNK = 1 << 20  # bytes read at once
NOT_WHITE = re.compile("[^ \t\r\n]")
DEEPEST = 12
BAD_NUMBER = "has a number that is not an integer from 0 to 2^53 - 1"
BAD_KEY = "has a key twice in one object"
TOO_DEEP = "is nested too deeply"


class Reader:
    """Reads JSON from an offset of a UTF-8 file, holding little more than one value of it.

    What is JSON but not strict is collected in `faults`, because a file that turns out not to
    be JSON at all is reported differently. Raises ValueError where it is not JSON.
    """

    def __init__(self, file: BinaryIO, start: int = 0) -> None:
        self.faults: set[str] = set()
        self.decode = json.JSONDecoder(
            object_pairs_hook=self.members,
            parse_int=self.integer,
            parse_float=self.no_integer,
            parse_constant=refuse_constant,
        ).raw_decode
        self.file, self.next = file, start  # offset of the next bytes
        self.text, self.at = "", 0  # text already read, and how much of it is used up
        self.to_text = getincrementaldecoder("utf-8")()

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.faults.add(BAD_KEY)
        return found

    def integer(self, digits: str) -> int:
        if digits[0] == "-" or len(digits) > 16 or int(digits) >= 1 << 53:
            return self.no_integer(digits)
        return int(digits)

    def no_integer(self, _digits: str) -> int:
        self.faults.add(BAD_NUMBER)
        return 0

    def more(self, size: int = CHUNK) -> bool:
        """Read on and drop what is used up; return False at the end of the file."""
        self.file.seek(self.next)
        data = self.file.read(size)
        self.next += len(data)
        self.text, self.at = self.text[self.at :] + self.to_text.decode(data, not data), 0
        return bool(data)

    def here(self) -> int:
        """Return the offset in the file of `at`, right after `peek` has found something."""
        pending = len(self.to_text.getstate()[0])
        return self.next - pending - len(self.text[self.at :].encode())

    def peek(self) -> str:
        """Return the next character that is not white space, empty at the end of the file."""
        while True:
            found = NOT_WHITE.search(self.text, self.at)
            self.at = found.start() if found else len(self.text)
            if found or not self.more():
                return found.group() if found else ""

    def value(self, depth: int = 0) -> Any:
        """Return the next value, which is nested in `depth` lists and objects."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = self.decode(self.text, self.at)
                if end + 2 < len(self.text):  # "1." or "1e" may be the beginning of a number
                    break
                end -= self.at  # because reading on drops what is used up
                if not self.more(size):
                    break
            except UnicodeDecodeError:
                raise
            except ValueError:
                if not self.more(size):
                    raise
            size *= 2
        self.at = end
        if depth_of(value) > DEEPEST - depth:
            self.faults.add(TOO_DEEP)
        return value

    def items(self, end: str) -> Iterator[None]:
        """Pause at each item of the list or object that begins here."""
        self.at += 1
        if self.peek() == end:
            self.at += 1
            return
        while True:
            yield
            after, self.at = self.peek(), self.at + 1
            if after == end:
                return
            if after != ",":
                raise ValueError("neither a comma nor the end of a list or object")

    def key(self) -> str:
        key = self.value() if self.peek() == '"' else None
        if key is None or self.peek() != ":":
            raise ValueError("not a key and a colon")
        self.at += 1
        return str(key)


class Entries:
    """A list in a file, read again on each iteration, so that it is never all in memory."""

    def __init__(self, reader: Reader) -> None:
        """Walk the list once, to its end."""
        self.file, self.start, self.length = reader.file, reader.here(), 0
        for _ in reader.items("]"):
            reader.value(depth=2)
            self.length += 1

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        reader = Reader(self.file, self.start)
        reader.peek()
        for _ in reader.items("]"):
            yield reader.value()


def refuse_constant(_name: str) -> int:
    raise ValueError("NaN and Infinity are not JSON")


def depth_of(value: Any) -> int:
    items = value.values() if type(value) is dict else value if type(value) is list else None
    if items is None:
        return 0
    return 1 + max((depth_of(item) for item in items if type(item) in (dict, list)), default=0)


def read_json(file: BinaryIO, label: str, in_file: tuple[str, ...] = ()) -> Any:
    """Return the one value of a file. Raises `Unreadable` if not JSON, `Invalid` if not strict.

    Lists that the outermost object has under the keys `in_file` become `Entries`; the file
    must stay open for them.
    """
    reader = Reader(file if file.seekable() else io.BytesIO(file.read()))
    try:
        value = outermost(reader, in_file)
        if reader.peek():
            raise ValueError("something follows")
    except RecursionError:
        raise Invalid(f"{label} {TOO_DEEP}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{label} is not UTF-8") from None
    except ValueError:
        raise Unreadable(f"{label} is not JSON") from None
    for fault in (BAD_NUMBER, BAD_KEY, TOO_DEEP):
        if fault in reader.faults:
            raise Invalid(f"{label} {fault}")
    return value


def outermost(reader: Reader, in_file: tuple[str, ...]) -> Any:
    if reader.peek() != "{":
        return reader.value()
    pairs = []
    for _ in reader.items("}"):
        key = reader.key()
        from_file = key in in_file and reader.peek() == "["
        pairs.append((key, Entries(reader) if from_file else reader.value(depth=1)))
    return reader.members(pairs)


# --- Section 8: shapes -------------------------------------------------------------------
# A shape is a dict (exactly these keys), Many of one shape, or a Field.

Shape = dict[str, Any]


class Field(NamedTuple):
    words: str
    fits: Callable[[Any], object]


class Many(NamedTuple):
    shape: Any
    low: int = 0
    high: int | None = None


def check_shape(value: Any, shape: Any, where: str) -> None:
    if isinstance(shape, Field):
        if not shape.fits(value):
            raise Invalid(f"{where} is not {shape.words}")
    elif isinstance(shape, Many):
        check_list(value, shape, where)
    else:
        if type(value) is not dict or value.keys() != shape.keys():
            raise Invalid(f"{where} is not an object with exactly the keys {', '.join(shape)}")
        for key, inner in shape.items():
            check_shape(value[key], inner, f"{where}.{key}")


def check_list(value: Any, many: Many, where: str) -> None:
    if type(value) not in (list, Entries):
        raise Invalid(f"{where} is not a list")
    if many.high is not None and not many.low <= len(value) <= many.high:
        raise Invalid(f"{where} is not a list of {many.low} to {many.high}")
    for i, item in enumerate(value):
        check_shape(item, many.shape, f"{where}[{i}]")


def matching(words: str, pattern: str) -> Field:
    found = re.compile(pattern)
    return Field(words, lambda value: type(value) is str and found.fullmatch(value))


def hex_of(size: int) -> Field:
    return matching(f"{2 * size} lowercase hex digits", f"[0-9a-f]{{{2 * size}}}")


def integer(low: int = 0, high: int = (1 << 53) - 1) -> Field:
    return Field(
        f"an integer from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def constant(word: str) -> Field:
    return Field(f'"{word}"', lambda value: value == word)


def is_public_key(value: Any) -> bool:
    return bool(HASH.fits(value)) and not has_small_order(bytes.fromhex(value))


def is_token(value: Any) -> bool:
    try:
        return type(value) is str and len(base64_of(value)) <= LARGEST_TOKEN
    except ValueError:
        return False


NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
ID, HASH, SIGNATURE, LEAF = hex_of(16), hex_of(32), hex_of(64), hex_of(56)
KEY = Field("a public key of 64 lowercase hex digits, not of small order", is_public_key)
TOKEN = Field(f"base64 of at most {LARGEST_TOKEN} bytes", is_token)
MOMENT = integer(0, 253402300799)  # the end of the year 9999
STRING = Field("text", lambda value: type(value) is str)
TEXT = matching(
    "text of 1 to 200 characters without control characters",
    "[^\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    f"{NONCHARACTERS}]{{1,200}}",
)
PRIZE = Field("a prize of the terms or null", lambda value: value is None or TEXT.fits(value))
NAME = matching("a name of 1 to 200 visible ASCII characters without +", "[!-*,-~]{1,200}")
ORIGIN = matching("1 to 200 of a-z 0-9 . - / : _", "[a-z0-9./:_-]{1,200}")
ENTRY = matching(
    "address, username, email, invitation, list or partner",
    "address|username|email|invitation|list|partner",
)
SKIPPED: Shape = {
    "draw": integer(),
    "index": integer(),
    "ticket_number": integer(1),
    "leaf": LEAF,
    "path": Many(HASH),
}
WINNER: Shape = {"rank": integer(1), "prize": PRIZE, **SKIPPED}
SIGNED: Shape = {"public_key": KEY, "signature": SIGNATURE}
CHECKPOINT: Shape = {"path": Many(HASH), "checkpoint": STRING, "tokens": Many(TOKEN, 0, 16)}
LOG: Shape = {"n": integer(1), "checkpoints": Many(CHECKPOINT, 1, 16)}
RECEIPT: Shape = {"leaf": LEAF, "terms_hash": HASH, "issued_at": MOMENT, **SIGNED}
INCLUSION: Shape = {
    "commitment_hash": HASH,
    "index": integer(),
    "tickets": integer(),
    "root": HASH,
    "leaf_hash": HASH,
    "path": Many(HASH),
}
HELD: Shape = {
    "algorithm": constant("Ed25519"),
    "public_key": KEY,
    "since": MOMENT,
    "until": MOMENT,
}
KEYS: Shape = {"keys": Many(HELD)}
STATEMENTS: dict[str, Shape] = {
    "key": {"public_key": KEY},
    "key_retired": {"public_key": KEY},
    "sold_out": {"raffle_id": ID},
    "sealed": {"raffle_id": ID, "commitment_hash": HASH},
    "drawn": {"raffle_id": ID, "commitment_hash": HASH, "randomness": HASH},
    "voided": {"raffle_id": ID, "commitment_hash": HASH, "reason_hash": HASH},
    "replaced": {
        "raffle_id": ID,
        "commitment_hash": HASH,
        "rank": integer(1),
        "by_rank": integer(1),
        "reason_hash": HASH,
    },
}


def terms_shape(source: str) -> Shape:
    """Return the shape of section 3's terms; some members depend on the source."""
    chain_of = {"chain": constant(CHAIN)} if source == "drand" else {}
    return {
        "raffle_id": ID,
        "operator": ORIGIN,
        "name": TEXT,
        "capacity": integer(1, 10**7),
        "opens_at": MOMENT,
        "closes_at": MOMENT,
        "entry": ENTRY,
        "tickets_per_holder": integer(0, 10**6),
        "max_wins_per_holder": integer(0, 10**6),
        "prizes": Many({"name": TEXT, "amount": integer(1, 10**5)}, 1, 1000),
        "alternates": integer(0, 1000),
        "claim": {"days": integer(0, 366), "promotes_alternates": integer(0, 1)},
        "rules_hash": matching("64 lowercase hex digits or empty", "([0-9a-f]{64})?"),
        "entropy": {"source": constant(source), **chain_of},
        "cosigners": Many({"name": NAME, "key": KEY}, 0, 16),
        "authorities": Many({"name": TEXT, "keys": Many(HASH, 1, 8)}, 0, 16),
    }


def commitment_shape(commitment: Any) -> Shape:
    value = commitment
    for key in ("terms", "entropy", "source"):
        value = value.get(key) if type(value) is dict else None
    if value not in ("drand", "system"):
        raise Invalid("the terms name no known source of randomness")
    return {
        "v": constant(VERSION),
        "terms": terms_shape(value),
        "tickets": integer(1, 10**7),
        "root": HASH,
        "closed_at": MOMENT,
        **({"round": integer(1)} if value == "drand" else {}),
    }


def proof_shape(proof: Any) -> Shape:
    commitment = commitment_shape(proof.get("commitment") if type(proof) is dict else None)
    entropy: Shape = {"source": constant("system"), "randomness": HASH}
    if "round" in commitment:
        entropy = {
            "source": constant("drand"),
            "round": integer(1),
            "signature": hex_of(48),
            "randomness": HASH,
        }
    return {
        "commitment": commitment,
        "commitment_hash": HASH,
        "seal": SIGNED,
        "entropy": entropy,
        "seed": HASH,
        "winners": Many(WINNER),
        "skipped": Many(SKIPPED),
        **({"log": LOG} if "round" in commitment and "log" in proof else {}),
    }


# --- Section 8, steps 1 to 7: the proof by itself ----------------------------------------


class Step(NamedTuple):
    """One line of the report: what was checked, and what was computed for it.

    A step without a name is a remark on what was not checked.
    """

    name: str
    computed: str


def shown(text: str) -> str:
    """Quote foreign text so that it can neither end its quotation nor control a terminal."""
    visible = "".join(c if c.isprintable() else "?" for c in text)
    return '"' + visible.replace("\\", "\\\\").replace('"', '\\"') + '"'


def moment(t: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(t))


def watched(items: Iterable[Any], what: str) -> Iterator[Any]:
    """Yield the items unchanged; if they are many, report progress in a line on stderr."""
    done = 0
    for item in items:
        yield item
        done += 1
        if done % 10_000 == 0:
            print(f"\r{done:,} {what}", end="", file=sys.stderr, flush=True)
    if done >= 10_000:
        print(f"\r{done:,} {what}", file=sys.stderr, flush=True)


def check_form(proof: Any) -> Step:
    """Step 1."""
    check_shape(proof, proof_shape(proof), "proof")
    commitment = proof["commitment"]
    check_bounds(commitment, proof["seal"]["public_key"])
    name, raffle_id = shown(commitment["terms"]["name"]), commitment["terms"]["raffle_id"]
    tickets = f"{commitment['tickets']} of {commitment['terms']['capacity']} tickets"
    return Step("raffle", f"{name}, {raffle_id}, {tickets}")


def check_bounds(commitment: Any, public_key: str) -> None:
    """Check what section 3 requires of several members together, and of the seal's key."""
    terms = commitment["terms"]
    cosigners, authorities = terms["cosigners"], terms["authorities"]
    prizes = sum(prize["amount"] for prize in terms["prizes"])
    cosigner_keys = [cosigner["key"] for cosigner in cosigners]
    keys = cosigner_keys + [key for authority in authorities for key in authority["keys"]]
    for is_broken, reason in (
        (
            commitment["tickets"] > terms["capacity"],
            "more tickets are committed than the raffle has",
        ),
        (prizes > 10**5, "the prizes are more than 100000"),
        (prizes > terms["capacity"], "the prizes are more than the raffle has tickets"),
        (
            terms["opens_at"] and 0 < terms["closes_at"] <= terms["opens_at"],
            "opens_at is not before closes_at",
        ),
        (
            keys and terms["entropy"]["source"] == "system",
            "witnesses are named, but the randomness is the operator's",
        ),
        (has_one_twice(c["name"] for c in cosigners), "two cosigners have one name"),
        (has_one_twice(a["name"] for a in authorities), "two authorities have one name"),
        (has_one_twice(keys), "a key is named twice"),
        (public_key in cosigner_keys, "a cosigner has the key of the seal"),
    ):
        if is_broken:
            raise Invalid(reason)


def has_one_twice(names: Iterable[str]) -> bool:
    return max(Counter(names).values(), default=0) > 1


def check_times(proof: Any) -> Step:
    """Step 2: the close and the round as section 3 derives them."""
    commitment = proof["commitment"]
    closes_at, closed_at = commitment["terms"]["closes_at"], commitment["closed_at"]
    if closed_at < closes_at:
        raise Invalid("the pool was closed before its time")
    if not closes_at and commitment["tickets"] < commitment["terms"]["capacity"]:
        raise Invalid("the pool was closed with tickets left and no closing time")
    if "round" in commitment and commitment["round"] != round_of(closes_at, closed_at):
        raise Invalid("the round is not the one that follows from the times")
    lateness = closed_at - closes_at
    late = f", late: {lateness} s after closes_at" if closes_at and lateness > LATE else ""
    return Step("close", f"{moment(closed_at)}{late}")


def check_commitment(proof: Any) -> Step:
    """Step 3."""
    if hash_commitment(proof["commitment"]).hex() != proof["commitment_hash"]:
        raise Invalid("the commitment does not have the commitment_hash")
    return Step("commitment", proof["commitment_hash"])


def check_seal(proof: Any) -> Step:
    """Step 3."""
    message = seal_message(bytes.fromhex(proof["commitment_hash"]))
    check_signature(proof["seal"], message, "seal")
    return Step("seal", f"signature good, by the key {proof['seal']['public_key']}")


def check_signature(signed: Any, message: bytes, what: str) -> None:
    public_key, signature = (bytes.fromhex(signed[key]) for key in SIGNED)
    if not signature_is_good(public_key, message, signature):
        raise Invalid(f"the signature of the {what} is wrong")


def check_randomness(proof: Any) -> Step:
    """Step 4."""
    commitment, entropy = proof["commitment"], proof["entropy"]
    if entropy["source"] == "system":
        return Step("randomness", f"{entropy['randomness']}, the operator's word")
    if entropy["round"] != commitment["round"]:
        raise Invalid("the round of the beacon is not the committed one")
    signature = bytes.fromhex(entropy["signature"])
    check_beacon(entropy["round"], signature)
    if randomness_of(signature).hex() != entropy["randomness"]:
        raise Invalid("the randomness is not the hash of the beacon's signature")
    published = moment(time_of_round(entropy["round"]))
    return Step("randomness", f"beacon round {entropy['round']} of {published}, signature good")


def check_seed(proof: Any) -> Step:
    """Step 5."""
    randomness = bytes.fromhex(proof["entropy"]["randomness"])
    seed = derive_seed(bytes.fromhex(proof["commitment_hash"]), randomness).hex()
    if seed != proof["seed"]:
        raise Invalid("the seed does not follow from the commitment and the randomness")
    return Step("seed", seed)


def check_draw(proof: Any) -> Step:
    """Step 6: draw again in step with the lists, so it never goes further than they do."""
    commitment, winners, skipped = proof["commitment"], proof["winners"], proof["skipped"]
    lists = {True: iter(winners), False: iter(skipped)}
    heads = {ranked: next(entries, None) for ranked, entries in lists.items()}

    def holder_of(index: int) -> bytes:
        for entry in heads.values():
            if entry is not None and entry["index"] == index:
                return bytes.fromhex(entry["leaf"][48:80])
        raise Invalid(f"index {index} was drawn, the proof leaves it out")

    picks = select(
        commitment["terms"], bytes.fromhex(proof["seed"]), commitment["tickets"], holder_of
    )
    for pick in picks:
        ranked = pick.rank is not None
        entry = heads[ranked]
        if entry is None:
            raise Invalid(f"index {pick.index} was drawn, the proof leaves it out")
        if any(entry.get(key) != value for key, value in pick._asdict().items()):
            raise Invalid(f"draw {pick.draw} is index {pick.index}, the proof says otherwise")
        heads[ranked] = next(lists[ranked], None)
    if any(entry is not None for entry in heads.values()):
        raise Invalid("the proof lists entries that were not drawn")
    return Step("draw", f"{len(winners)} winners and alternates, {len(skipped)} skipped")


def check_tickets(proof: Any) -> Step:
    """Step 7."""
    commitment, entries = proof["commitment"], chain(proof["winners"], proof["skipped"])
    raffle_id, capacity = commitment["terms"]["raffle_id"], commitment["terms"]["capacity"]
    seen = bytearray(capacity + 1)
    for entry in watched(entries, "tickets"):
        number, leaf = entry["ticket_number"], bytes.fromhex(entry["leaf"])
        if number > capacity:
            raise Invalid("a ticket number is beyond the capacity")
        if seen[number]:
            raise Invalid("a ticket number occurs twice")
        seen[number] = True
        if leaf[:24] != bytes.fromhex(raffle_id) + be64(number):
            raise Invalid(f"the leaf of index {entry['index']} is not of this raffle and number")
        if root_of(entry, hash_leaf(leaf), commitment["tickets"]) != commitment["root"]:
            raise Invalid(f"the path of index {entry['index']} does not lead to the root")
    total = len(proof["winners"]) + len(proof["skipped"])
    return Step("tickets", f"{total} inclusion paths lead to {commitment['root']}")


def root_of(entry: Any, leaf_hash: bytes, size: int) -> str:
    path = [bytes.fromhex(sibling) for sibling in entry["path"]]
    return root_from_path(entry["index"], size, leaf_hash, path).hex()


# --- Section 8, step 8: the log and its witnesses ----------------------------------------

# Seconds before the close and before the randomness between which an answer counts.
BEFORE_CLOSE, BEFORE_ROUND = 60, 5


def check_log(proof: Any) -> tuple[Step, list[Note]]:
    """Check that the operator signed each checkpoint, and that each one's log holds the seal."""
    terms, log = proof["commitment"]["terms"], proof["log"]
    public_key = bytes.fromhex(proof["seal"]["public_key"])
    sealed = make_statement(
        "sealed",
        origin=terms["operator"],
        n=log["n"],
        at=proof["commitment"]["closed_at"],
        raffle_id=terms["raffle_id"],
        commitment_hash=proof["commitment_hash"],
    )
    notes = []
    for i, checkpoint in enumerate(log["checkpoints"], 1):
        notes.append(check_checkpoint(checkpoint, f"checkpoint {i}", terms["operator"], public_key))
        path = [bytes.fromhex(sibling) for sibling in checkpoint["path"]]
        try:
            root = root_from_path(log["n"], notes[-1].size, hash_leaf(sealed), path)
        except Invalid:
            root = b""
        if root != notes[-1].root:
            raise Invalid(f"checkpoint {i} does not hold the seal")
    if len({note.size for note in notes}) < len({(note.size, note.root) for note in notes}):
        raise Invalid("the operator signed two logs")
    where = f"statement {log['n']} of {shown(terms['operator'])}"
    signed = f"checkpoints signed by the key of the seal: {len(notes)}"
    return Step("log", f"{where}, {signed}"), notes


def check_checkpoint(checkpoint: Any, which: str, origin: str, public_key: bytes) -> Note:
    try:
        note = parse_note(checkpoint["checkpoint"])
    except Invalid:
        raise Invalid(f"{which} is not a signed note") from None
    if note.origin != origin:
        raise Invalid(f"{which} is of another log")
    lines = lines_of(note, origin, ED25519, public_key)
    if not lines:
        raise Invalid(f"{which} is not signed by the key of the seal")
    for line in lines:
        if not signature_is_good(public_key, note.text.encode(), line.signature):
            raise Invalid(f"{which} has a wrong signature by the key of the seal")
    return note


Trusted = set[tuple[str, str]]  # (name, key) of the witnesses that the reader trusts


class Counted(NamedTuple):
    """A witness whose answer counts: its key in hex, its seconds before the randomness."""

    name: str
    key: str
    seconds: int


class Verdict(NamedTuple):
    words: str
    status: int
    counted: list[Counted]


class Answer(NamedTuple):
    """One key's answer to a checkpoint; its time is None where it does not verify."""

    key: str
    at: int | None


class Times(NamedTuple):
    """An answer counts from the earliest to the latest; then the randomness is published."""

    earliest: int
    latest: int
    published: int


class Judged(NamedTuple):
    """What the report says of a witness, and its answer if one counts."""

    step: Step
    counted: Counted | None


def times_of(commitment: Any) -> Times:
    published = time_of_round(commitment["round"])
    return Times(commitment["closed_at"] - BEFORE_CLOSE, published - BEFORE_ROUND, published)


def cosignatures(cosigner: Any, notes: list[Note]) -> list[Answer]:
    name, key = cosigner["name"], cosigner["key"]
    return [
        Answer(key, time_of_cosignature(note.text, line.signature, bytes.fromhex(key)))
        for note in notes
        for line in lines_of(note, name, COSIGNATURE, bytes.fromhex(key))
    ]


def token_answers(checkpoints: list[Any], notes: list[Note]) -> list[Answer]:
    return [
        answer_of(token, note.text.encode())
        for i, note in enumerate(notes)
        for token in checkpoints[i]["tokens"]
    ]


def answer_of(token: str, text: bytes) -> Answer:
    try:
        return Answer(*read_token(base64_of(token), text))
    except (ValueError, KeyError, IndexError, OverflowError):
        return Answer("", None)


def judge(
    kind: str, witness: Any, answers: list[Answer], times: Times, trusted: Trusted | None
) -> Judged:
    """Judge a witness: of its answers, the earliest one in time counts."""
    name, keys = witness["name"], witness["keys"] if "keys" in witness else [witness["key"]]
    held = [key for key in keys if trusted is None or (name, key) in trusted]
    own = [answer for answer in answers if answer.key in held]
    told = sorted((answer.at, answer.key) for answer in own if answer.at is not None)
    counted = None
    if not held:
        words = "not among the witnesses you hold"
    elif not told:
        words = "an answer that does not verify" if own else "no answer"
    else:
        words = "answered too late" if told[-1][0] > times.latest else "answered too early"
    for at, key in told:
        if times.earliest <= at <= times.latest:
            counted = Counted(name, key, times.published - at)
            words = f"{counted.seconds} s before the randomness"
            break
    key = counted.key if counted else keys[0]
    whose = " (as the operator named it)" if trusted is None else ""
    return Judged(Step(kind, f"{shown(name)} {key[:16]}, {words}{whose}"), counted)


def strangers(terms: Any, notes: list[Note], tokens: list[Answer]) -> Iterator[Step]:
    """Report who answered but is not in the terms; they never count."""
    named = {
        (each["name"], note_key_hash(each["name"], COSIGNATURE, bytes.fromhex(each["key"])))
        for each in terms["cosigners"]
    }
    names = [line.name for note in notes for line in note.lines if line[:2] not in named]
    for name in dict.fromkeys(names):
        if name != terms["operator"]:
            yield Step("stranger", f"{shown(name)} is not in the terms and does not count")
    pinned = {key for authority in terms["authorities"] for key in authority["keys"]}
    for key in dict.fromkeys(token.key for token in tokens if token.at is not None):
        if key not in pinned:
            words = f"a token by the key {key[:16]} is not in the terms and does not count"
            yield Step("stranger", words)
    wrong = sum(token.at is None for token in tokens)
    if wrong:
        yield Step("stranger", f"tokens that do not verify: {wrong}")


VOUCHED = Verdict("VALID, randomness vouched for by the operator only", 0, [])


def verdict_on(
    cosigners: list[Judged], authorities: list[Judged], *, log_was_read: bool
) -> Verdict:
    """Apply section 8's table: a majority of the cosigners or, without any, of authorities."""
    counted = [seen.counted for seen in cosigners + authorities if seen.counted]
    named = cosigners or authorities
    k, n = sum(seen.counted is not None for seen in named), len(named)
    if not named:
        return Verdict("VALID, not witnessed", 0, counted)
    if 2 * k <= n:
        words = f"the winners follow, but only {k} of {n} witnesses saw the seal in time"
        return Verdict(f"NOT AS PROMISED: {words}", 3, counted)
    if not cosigners:
        words = f"VALID, older than the randomness by the word of {k} of {n} authorities"
        return Verdict(words, 0, counted)
    only = ", the only seal" if log_was_read else ""
    words = f"VALID{only}, witnessed before the randomness by {k} of {n}"
    return Verdict(words, 0, counted)


# --- Section 8, step 9: files beside the proof -------------------------------------------


class Signers:
    """Who may have signed: the keys of `--keys` in their times, else the seal's key alone."""

    def __init__(self, files: dict[str, Any], proof: Any) -> None:
        seal_key = proof["seal"]["public_key"]
        self.seal_key, self.is_checked = seal_key, "keys" in files
        self.keys = [{"public_key": seal_key, "since": 0, "until": 0}]
        if self.is_checked:
            check_shape(files["keys"], KEYS, "keys")
            self.keys = files["keys"]["keys"]

    def holds(self, public_key: str) -> bool:
        return any(key["public_key"] == public_key for key in self.keys)

    def check_time(self, public_key: str, at: int, reason: str) -> None:
        if not any(
            key["since"] <= at and (at < key["until"] or not key["until"])
            for key in self.keys
            if key["public_key"] == public_key
        ):
            raise Invalid(reason)

    def check_seal(self, closed_at: int) -> Step:
        if not self.is_checked:
            return Step("", "the signer was not checked against keys you hold")
        if not self.holds(self.seal_key):
            raise Invalid("the key of the seal is not among the keys you hold")
        reason = "the key of the seal was not valid at the time of the seal"
        self.check_time(self.seal_key, closed_at, reason)
        return Step("signer", "the key of the seal is among the keys you hold")

    def check_file(self, signed: Any, message: bytes, at: int, what: str) -> None:
        """Check a signature; one by a key not known as the operator's accuses nobody."""
        check_signature(signed, message, what)
        if not self.holds(signed["public_key"]):
            raise Invalid(
                "these two files are of different signers; nothing is shown about the operator"
            )
        reason = f"the key of the {what} was not valid at the time of what it signed"
        self.check_time(signed["public_key"], at, reason)


def check_kept(kept: Any, proof: Any, signers: Signers) -> Step:
    """Check a commitment that somebody kept."""
    commitment = kept.get("commitment") if type(kept) is dict else None
    shape = {"commitment": commitment_shape(commitment), "commitment_hash": HASH, **SIGNED}
    check_shape(kept, shape, "commitment")
    check_bounds(commitment, kept["public_key"])
    digest = hash_commitment(kept["commitment"])
    if digest.hex() != kept["commitment_hash"]:
        raise Invalid("the commitment you kept does not have its commitment_hash")
    closed_at = kept["commitment"]["closed_at"]
    signers.check_file(kept, seal_message(digest), closed_at, "commitment")
    if kept["commitment"]["terms"]["raffle_id"] != proof["commitment"]["terms"]["raffle_id"]:
        raise Invalid("the file is of another raffle")
    if kept["commitment_hash"] != proof["commitment_hash"]:
        raise Invalid("two signed commitments for one draw")
    return Step("kept", "the commitment you kept is the drawn one")


def check_receipt(receipt: Any, proof: Any, signers: Signers) -> bytes:
    """Check a receipt and return its leaf."""
    check_shape(receipt, RECEIPT, "receipt")
    commitment, terms = proof["commitment"], proof["commitment"]["terms"]
    leaf, terms_hash = bytes.fromhex(receipt["leaf"]), bytes.fromhex(receipt["terms_hash"])
    issued_at = receipt["issued_at"]
    message = receipt_message(leaf, terms_hash, issued_at)
    signers.check_file(receipt, message, issued_at, "receipt")
    if leaf[:16].hex() != terms["raffle_id"]:
        raise Invalid("the file is of another raffle")
    if terms_hash != hash_terms(terms):
        raise Invalid("the receipt was given for other terms")
    if issued_at > commitment["closed_at"]:
        raise Invalid("the receipt was issued after the close")
    if not 1 <= number_in(leaf) <= terms["capacity"]:
        raise Invalid("the receipt's number is beyond the capacity")
    return leaf


def number_in(leaf: bytes) -> int:
    return int.from_bytes(leaf[16:24], "big")


def check_inclusion(inclusion: Any, proof: Any, leaf: bytes | None) -> Step:
    """Check an inclusion; it is unsigned, so a wrong one accuses nobody."""
    check_shape(inclusion, INCLUSION, "inclusion")
    commitment, leaf_hash = proof["commitment"], bytes.fromhex(inclusion["leaf_hash"])
    of_proof = proof["commitment_hash"], commitment["tickets"], commitment["root"]
    fits = tuple(inclusion[key] for key in ("commitment_hash", "tickets", "root")) == of_proof
    try:
        root = root_of(inclusion, leaf_hash, commitment["tickets"])
    except Invalid:
        root = ""
    if not fits or root != commitment["root"] or (leaf and hash_leaf(leaf) != leaf_hash):
        raise Invalid("the inclusion file does not show this ticket")
    whose = "the receipt's ticket" if leaf else "a ticket"
    return Step("inclusion", f"{whose} has index {inclusion['index']} in the committed tree")


def check_leaves(leaves: BinaryIO, proof: Any, leaf: bytes | None) -> Step:
    commitment, builder = proof["commitment"], TreeBuilder()
    wanted, found = hash_leaf(leaf) if leaf else b"", leaf is None
    by_first_byte = [bytearray() for _ in range(256)]  # a set of all would be five times as large
    for leaf_hash in watched(iter(lambda: leaves.read(32), b""), "leaves"):
        found = found or leaf_hash == wanted
        builder.add(leaf_hash)
        by_first_byte[leaf_hash[0]] += leaf_hash
        if len(leaf_hash) != 32 or builder.size > commitment["tickets"]:
            break
    tree = builder.finish()
    if tree.size != commitment["tickets"] or tree.root.hex() != commitment["root"]:
        raise Invalid("the leaves do not make the committed tree")
    for some in map(bytes, by_first_byte):
        if len({some[i : i + 32] for i in range(0, len(some), 32)}) * 32 < len(some):
            raise Invalid("a leaf occurs twice")
    if not found:
        raise Invalid("the receipt's ticket is not in the committed tree")
    return Step("leaves", f"{tree.size} leaves make the root {tree.root.hex()}")


def check_outcome(leaf: bytes, proof: Any) -> Step:
    """Report what became of the receipt's ticket."""
    outcome = "not drawn"
    for entry in chain(proof["winners"], proof["skipped"]):
        if entry["ticket_number"] != number_in(leaf):
            continue
        if entry["leaf"] != leaf.hex():
            raise Invalid("another ticket was drawn under the receipt's number")
        if "rank" not in entry:
            outcome = "skipped, its holder has as many ranks as the terms allow"
        else:
            prize = "an alternate" if entry["prize"] is None else f"wins {shown(entry['prize'])}"
            outcome = f"rank {entry['rank']}, {prize}"
    return Step("receipt", f"ticket {number_in(leaf)}, {outcome}")


UNSIGNED = ", in a part that no checkpoint of this proof signs"


class History(NamedTuple):
    """What a log says about one raffle and one key, and its root at some sizes."""

    size: int
    roots: dict[int, bytes]
    of_raffle: list[Any]
    of_key: list[Any]


def read_log(log: BinaryIO, proof: Any, sizes: set[int]) -> History:
    """Read a log, each statement in its place, and keep those on this raffle and this key."""
    terms, public_key = proof["commitment"]["terms"], proof["seal"]["public_key"]
    roots, of_raffle, of_key, latest, builder = {}, [], [], 0, TreeBuilder()
    lines = iter(lambda: log.readline(LARGEST_STATEMENT + 1), b"")
    for n, line in enumerate(watched(lines, "statements")):
        statement = read_line(line, f"line {n + 1} of the log")
        place = statement["n"], statement["origin"]
        if place != (n, terms["operator"]) or statement["at"] < latest:
            raise Invalid(f"line {n + 1} of the log is out of order")
        if n == 0 and statement["kind"] != "key":
            raise Invalid("the log does not begin with a key")
        latest = statement["at"]
        builder.add(hash_leaf(line[:-1]))
        if builder.size in sizes:
            roots[builder.size] = builder.finish().root
        if statement.get("raffle_id") == terms["raffle_id"]:
            of_raffle.append(statement)
        if statement.get("public_key") == public_key:
            of_key.append(statement)
    return History(builder.size, roots, of_raffle, of_key)


def read_line(line: bytes, which: str) -> Any:
    try:
        line.decode()
        if line[-1:] == b"\n":
            return read_statement(line[:-1])
    except UnicodeDecodeError:
        raise Unreadable("log is not UTF-8") from None
    except Invalid:
        pass
    raise Invalid(f"{which} is not a statement")


def check_statements(log: BinaryIO, proof: Any, notes: list[Note]) -> Iterator[Step]:
    """Check that the file is the signed log, and that it seals this raffle once."""
    largest = max(note.size for note in notes)
    history = read_log(log, proof, {note.size for note in notes})
    if history.size < largest:
        raise Invalid("the log is shorter than its checkpoint")
    if any(history.roots[note.size] != note.root for note in notes):
        raise Invalid("the log is not the one that was signed")
    check_key(history, proof["log"]["n"])
    check_history(history, proof["commitment_hash"], largest)
    origin = shown(proof["commitment"]["terms"]["operator"])
    words = f"the first {largest} make the root of the largest checkpoint"
    yield Step("statements", f"{history.size} statements of {origin}, {words}")
    for statement in history.of_raffle:
        if statement["kind"] == "replaced":
            ranks = f"rank {statement['rank']} by rank {statement['by_rank']}"
            unsigned = UNSIGNED if statement["n"] >= largest else ""
            yield Step("replaced", f"{ranks}, {moment(statement['at'])}{unsigned}")


def check_key(history: History, n: int) -> None:
    before = {statement["kind"] for statement in history.of_key if statement["n"] < n}
    if "key" not in before:
        raise Invalid("the key of the seal was not announced before the seal")
    if "key_retired" in before:
        raise Invalid("the key of the seal was retired before the seal")


def check_history(history: History, commitment_hash: str, largest: int) -> None:
    """Require one seal and no void before the draw; unsigned statements accuse nobody."""
    seals = [said for said in history.of_raffle if said["kind"] == "sealed"]
    signed = [said["commitment_hash"] for said in seals if said["n"] < largest]
    voids = list(voided_before_drawn(history, commitment_hash))
    if any(other != commitment_hash for other in signed):
        raise Invalid("the log holds another seal of this raffle")
    if len(signed) > 1:
        raise Invalid("the log holds this seal twice")
    if any(n < largest for n in voids):
        raise Invalid("this raffle was called off before it was drawn")
    if len(seals) > len(signed):
        raise Invalid(f"a second seal follows in the file{UNSIGNED}")
    if voids:
        raise Invalid(f"this raffle is called off in the file{UNSIGNED}")


def voided_before_drawn(history: History, commitment_hash: str) -> Iterator[int]:
    for said in history.of_raffle:
        if said["kind"] == "drawn" and said["commitment_hash"] == commitment_hash:
            return
        if said["kind"] == "voided":
            yield said["n"]


def read_witnesses(file: BinaryIO) -> Trusted:
    """Return (name, key) of each line `NAME KEYHEX`."""
    try:
        text = file.read().decode().strip(" \t\r\n")
    except UnicodeDecodeError:
        raise Unreadable("witnesses is not UTF-8") from None
    if not text:
        raise Invalid("the witnesses are empty")
    found = set()
    for i, line in enumerate(text.split("\n"), 1):
        name, _, key = line.rpartition(" ")
        if not TEXT.fits(name) or not HASH.fits(key):
            raise Invalid(f"line {i} of the witnesses is not a name and a key")
        found.add((name, key))
    return found


# --- The verdict -------------------------------------------------------------------------

Tell = Callable[[Step], object]


def verify(proof: Any, files: dict[str, Any], tell: Tell = lambda _step: None) -> Verdict:
    """Return the verdict, reporting each step once it holds. Raises `Invalid`.

    `files` has what the reader keeps by the names of the options: receipt, commitment,
    inclusion and keys as `read_json` returns them, leaves and log as files open in binary,
    witnesses as `read_witnesses` returns them. A null in a file is not a missing file.
    """
    for check in (
        check_form,
        check_times,
        check_commitment,
        check_seal,
        check_randomness,
        check_seed,
        check_draw,
        check_tickets,
    ):
        tell(check(proof))
    notes, cosigners, authorities = check_witnesses(proof, files.get("witnesses"), tell)
    check_kept_files(proof, files, tell)
    if "log" not in files:
        tell(Step("", "whether the log holds another seal of this raffle was not checked"))
    elif not notes:
        raise Invalid("the proof has no log to hold the file against")
    else:
        for step in check_statements(files["log"], proof, notes):
            tell(step)
    if "round" not in proof["commitment"]:
        return VOUCHED
    return verdict_on(cosigners, authorities, log_was_read="log" in files)


def check_witnesses(
    proof: Any, trusted: Trusted | None, tell: Tell
) -> tuple[list[Note], list[Judged], list[Judged]]:
    """Return the checkpoints, and what cosigners and authorities answered to them."""
    if "round" not in proof["commitment"]:
        return [], [], []
    terms, times = proof["commitment"]["terms"], times_of(proof["commitment"])
    notes: list[Note] = []
    step = Step("log", "the proof shows no log")
    if "log" in proof:
        step, notes = check_log(proof)
    tell(step)
    tokens = token_answers(proof["log"]["checkpoints"], notes) if notes else []
    cosigners = [
        judge("witness", each, cosignatures(each, notes), times, trusted)
        for each in terms["cosigners"]
    ]
    authorities = [
        judge("authority", each, tokens, times, trusted) for each in terms["authorities"]
    ]
    for seen in cosigners + authorities:
        tell(seen.step)
    for step in strangers(terms, notes, tokens):
        tell(step)
    return notes, cosigners, authorities


def check_kept_files(proof: Any, files: dict[str, Any], tell: Tell) -> None:
    """Run step 9, except for the log."""
    signers, leaf = Signers(files, proof), None
    tell(signers.check_seal(proof["commitment"]["closed_at"]))
    if "commitment" in files:
        tell(check_kept(files["commitment"], proof, signers))
    if "receipt" in files:
        leaf = check_receipt(files["receipt"], proof, signers)
        if "inclusion" not in files and "leaves" not in files:
            raise Invalid("a receipt needs the inclusion or the leaves")
    if "inclusion" in files:
        tell(check_inclusion(files["inclusion"], proof, leaf))
    if "leaves" in files:
        tell(check_leaves(files["leaves"], proof, leaf))
    if leaf is not None:
        tell(check_outcome(leaf, proof))


# --- The command line --------------------------------------------------------------------

BINARY = {"leaves", "log"}  # options whose files are streamed; all others are read whole


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Check a {VERSION} proof.")
    parser.add_argument("proof", help="the proof of the draw")
    parser.add_argument("--receipt", help="your receipt; needs --inclusion or --leaves")
    parser.add_argument("--commitment", help="the signed commitment you saved before the draw")
    parser.add_argument("--inclusion", help="the inclusion of your ticket")
    parser.add_argument("--keys", help="the operator's public keys as you know them")
    parser.add_argument("--leaves", help="the hashes of all tickets, 32 bytes each")
    parser.add_argument("--log", help="the operator's log, one statement a line")
    parser.add_argument("--witnesses", help="whom you trust: lines of NAME KEYHEX")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


def read_files(paths: dict[str, str], stack: ExitStack) -> dict[str, Any]:
    """Return each file as `verify` takes it; streamed ones stay open as long as the stack."""
    files: dict[str, Any] = {}
    for label, path in paths.items():
        try:
            file = stack.enter_context(io.BufferedReader(io.FileIO(path)))
            if label == "witnesses":
                files[label] = read_witnesses(file)
            elif label in BINARY:
                files[label] = file
            else:
                in_file = ("winners", "skipped") if label == "proof" else ()
                files[label] = read_json(file, label, in_file)
        except OSError as error:
            raise Unreadable(f"{label} cannot be read: {error}") from None
    return files


def main(arguments: list[str] | None = None) -> int:
    """Print each step as soon as it holds and the verdict last; return the exit status."""
    options = vars(parse_arguments(arguments))
    as_json, steps = options.pop("json"), []

    def tell(step: Step) -> None:
        steps.append(step)
        if not as_json:
            print(f"{step.name:<12} {step.computed}" if step.name else step.computed, flush=True)

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the console may lack letters of a name
    try:
        with ExitStack() as stack:
            paths = {label: path for label, path in options.items() if path is not None}
            files = read_files(paths, stack)
            verdict = verify(files.pop("proof"), files, tell)
    except Invalid as reason:
        verdict = Verdict(f"INVALID: {reason}", 1, [])
    except (OSError, Unreadable) as error:
        print(error, file=sys.stderr)
        return 2
    answer = {
        "verdict": verdict.words,
        "exit": verdict.status,
        "counted": [counted._asdict() for counted in verdict.counted],
        "steps": [step._asdict() for step in steps],
    }
    print(json.dumps(answer) if as_json else verdict.words)
    return verdict.status


if __name__ == "__main__":
    sys.exit(main())
