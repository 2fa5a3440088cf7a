"""Check a raffle-draw-v1 proof with nothing but Python (3.9 or later) and this file.

    python verify.py proof.json [--receipt FILE] [--commitment FILE] [--inclusion FILE]
                                [--leaves FILE] [--keys FILE] [--json]

Exit status: 0 valid, 1 invalid (the last line says why), 2 a file is missing or not JSON.
Nothing is fetched and nothing is written. The server draws with the same functions.
Integers are big-endian on the wire, H is SHA-256, hex is lowercase, times are UNIX seconds.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256, sha512
from itertools import chain, count, islice, repeat
from typing import Any, BinaryIO, NamedTuple


class Invalid(Exception):
    """What is wrong with the evidence, as one sentence without its full stop."""


class Unreadable(Exception):
    """Why a file cannot be read as JSON at all."""


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
    seeded, accepted, number = sha256(seed), (1 << 64) - n, int.from_bytes
    for i in range(n):
        # uniform(seed, i, n - i) in one piece: its first word all but always will do
        block = seeded.copy()
        block.update((i << 32).to_bytes(12, "big"))  # be64(i) || be32(0)
        word = number(block.digest()[:8], "big")
        j = i + (word % (n - i) if word < accepted else uniform(seed, i, n - i))
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


# --- The beacon: drand quicknet ----------------------------------------------------------

CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
GENESIS, PERIOD = 1692803367, 3


def first_round_at(t: int) -> int:
    """The first round published at or after a UNIX second."""
    return max(1, -(-(t - GENESIS) // PERIOD) + 1)


def time_of_round(number: int) -> int:
    return GENESIS + (number - 1) * PERIOD


def randomness_of(signature: bytes) -> bytes:
    """The randomness is computed from the signature; nobody's word is taken for it."""
    return sha256(signature).digest()


def check_beacon(number: int, signature: bytes) -> None:
    """Raises ``Invalid`` unless this is the beacon's one signature of round ``number``."""
    point = decode_signature(signature)
    message = hash_to_g1(sha256(be64(number)).digest())
    negated = (point[0], fp2_sub((0, 0), point[1]))
    if not pairing_is_one([(negated, G2), (message, PUBLIC_KEY)]):
        raise Invalid(f"the signature is not the beacon's for round {number}")


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
    """Of the line through two points, of the tangent where they are one."""
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
    """A square root in Fp of any a that has one (P = 3 mod 4)."""
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
    """f^P: each w becomes w * (1 + u)^((P - 1) / 6)."""
    wide, factor = [0] * 18, (1, 0)
    for i, c in enumerate(f):
        wide[i] += c * (factor[0] - factor[1])
        wide[i + 6] += c * factor[1]
        factor = fp2_mul(factor, FROBENIUS)
    return fp12_fold(wide)


# --- BLS12-381: the pairing --------------------------------------------------------------


def line_at(slope: Fp2, head: Point, p: Point) -> list[int]:
    """The line through head, a point of the twist, at p of G1, up to a factor in Fp4."""
    (x, _), (y, _) = p
    a, b = fp2_sub(fp2_mul(slope, head[0]), head[1])
    line = [0] * 12
    line[0], line[6] = a - b, b
    line[2], line[8] = -x * (slope[0] - slope[1]), -x * slope[1]
    line[3] = y
    return line


def pairing_is_one(pairs: list[tuple[Point, Point]]) -> bool:
    """Whether the product of e(p, q) over pairs of p in G1 and q in G2 is 1 (ate pairing)."""
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
    """Whether f^((P^12 - 1) / R) is 1, where -X stands for the family's parameter.

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
    """The point of G1 in its one encoding; without the subgroup check others verify too."""
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
    """RFC 9380, suite BLS12381G1_XMD:SHA-256_SSWU_RO_ with the beacon's own tag."""
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
    """Simplified SWU onto the isogenous curve y^2 = x^3 + A*x + B, then the isogeny to G1's."""
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


# --- Ed25519: the operator's signatures (RFC 8032) ---------------------------------------

ED_P = 2**255 - 19
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
EdPoint = tuple[int, int]


def ed_add(p: EdPoint, q: EdPoint) -> EdPoint:
    (x1, y1), (x2, y2) = p, q
    t = ED_D * x1 * x2 * y1 * y2 % ED_P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, ED_P)
    return x % ED_P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, ED_P) % ED_P


def ed_times(k: int, p: EdPoint) -> EdPoint:
    total = (0, 1)
    for bit in f"{k:b}":
        total = ed_add(total, total)
        if bit == "1":
            total = ed_add(total, p)
    return total


def ed_decode(encoded: bytes) -> EdPoint | None:
    """The point, or None when the bytes are not the one encoding of a point."""
    number = int.from_bytes(encoded, "little")
    y, odd = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if (x * x - square) % ED_P:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    if y >= ED_P or (x * x - square) % ED_P or (x == 0 and odd):
        return None
    return (x if x % 2 == odd else ED_P - x), y


def signature_is_good(public_key: bytes, message: bytes, signature: bytes) -> bool:
    key, nonce = ed_decode(public_key), ed_decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ED_ORDER or key is None or nonce is None:
        return False
    challenge = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little")
    return ed_times(s, ED_BASE) == ed_add(nonce, ed_times(challenge % ED_ORDER, key))


ED_BASE: EdPoint = ed_decode(bytes([0x58]) + bytes([0x66]) * 31) or (0, 1)


# --- Strict JSON -------------------------------------------------------------------------


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("has a key twice in one object")
    return found


def small_integer(digits: str) -> int:
    if digits.startswith("-") or len(digits) > 16 or int(digits) >= 1 << 53:
        raise Invalid("has a number that is not an integer from 0 to 2^53 - 1")
    return int(digits)


def refuse_fraction(_digits: str) -> int:
    raise Invalid("has a number with a fraction or an exponent")


def refuse_constant(_name: str) -> int:
    raise ValueError("NaN and Infinity are not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=unique_keys,
    parse_int=small_integer,
    parse_float=refuse_fraction,
    parse_constant=refuse_constant,
)


def read_json(text: str, label: str) -> Any:
    """The one value of a text. ``Unreadable`` if it is not JSON, ``Invalid`` if not strict."""
    text = text.strip(" \t\r\n")
    try:
        value, end = DECODER.raw_decode(text)
    except Invalid as reason:
        raise Invalid(f"{label} {reason}") from None
    except RecursionError:
        raise Invalid(f"{label} is nested too deeply") from None
    except ValueError:
        raise Unreadable(f"{label} is not JSON") from None
    if end != len(text):
        raise Invalid(f"{label} goes on after its end")
    return value


# --- Shapes ------------------------------------------------------------------------------
# A shape is a dict (exactly these keys), a list of one shape (any number of it), or a Field.


Shape = dict[str, Any]


class Field(NamedTuple):
    words: str
    fits: Callable[[Any], object]


def check_shape(value: Any, shape: Any, where: str) -> None:
    if isinstance(shape, Field):
        if not shape.fits(value):
            raise Invalid(f"{where} is not {shape.words}")
    elif isinstance(shape, list):
        if type(value) is not list:
            raise Invalid(f"{where} is not a list")
        for i, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{i}]")
    else:
        if type(value) is not dict or value.keys() != shape.keys():
            raise Invalid(f"{where} is not an object with exactly the keys {', '.join(shape)}")
        for key, inner in shape.items():
            check_shape(value[key], inner, f"{where}.{key}")


def hex_of(size: int) -> Field:
    pattern = re.compile(f"[0-9a-f]{{{2 * size}}}")
    return Field(
        f"{2 * size} lowercase hex digits",
        lambda value: type(value) is str and pattern.fullmatch(value),
    )


def integer(low: int = 0, high: int = (1 << 53) - 1) -> Field:
    return Field(
        f"an integer from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def constant(word: str) -> Field:
    return Field(f'"{word}"', lambda value: value == word)


def is_text(value: object) -> bool:
    return type(value) is str and not any("\ud800" <= c <= "\udfff" for c in value)


ID, HASH, SIGNATURE, LEAF = hex_of(16), hex_of(32), hex_of(64), hex_of(56)
TEXT = Field("text", is_text)
PRIZE = Field("text or null", lambda value: value is None or is_text(value))
MOMENT = integer(0, 253402300799)  # the end of the year 9999
SKIPPED: Shape = {
    "draw": integer(),
    "index": integer(),
    "ticket_number": integer(1),
    "leaf": LEAF,
    "path": [HASH],
}
WINNER: Shape = {"rank": integer(1), "prize": PRIZE, **SKIPPED}
SIGNED: Shape = {"key_id": hex_of(8), "signature": SIGNATURE}
RECEIPT: Shape = {"leaf": LEAF, "terms_hash": HASH, "issued_at": MOMENT, **SIGNED}
INCLUSION: Shape = {
    "commitment_hash": HASH,
    "index": integer(),
    "tickets": integer(),
    "root": HASH,
    "leaf_hash": HASH,
    "path": [HASH],
}
KEYS: Shape = {
    "keys": [{"key_id": hex_of(8), "algorithm": constant("Ed25519"), "public_key": HASH}]
}


def commitment_shape(commitment: Any) -> Shape:
    """The keys depend on where the terms take their randomness from."""
    value = commitment
    for key in ("terms", "entropy", "source"):
        value = value.get(key) if type(value) is dict else None
    if value not in ("drand", "system"):
        raise Invalid("the terms name no known source of randomness")
    drand = value == "drand"
    return {
        "v": constant("raffle-draw-v1"),
        "terms": {
            "raffle_id": ID,
            "name": TEXT,
            "capacity": integer(1),
            "closes_at": MOMENT,
            "prizes": [{"name": TEXT, "amount": integer(1)}],
            "alternates": integer(),
            "max_wins_per_holder": integer(),
            "entropy": {"source": constant(value), **({"chain": constant(CHAIN)} if drand else {})},
        },
        "draw_no": integer(1),
        "prev": HASH,
        "tickets": integer(),
        "root": HASH,
        "closed_at": MOMENT,
        **({"round": integer(1)} if drand else {}),
    }


def proof_shape(proof: Any) -> Shape:
    commitment = commitment_shape(proof.get("commitment") if type(proof) is dict else None)
    if "round" in commitment:
        entropy = {"source": constant("drand"), "round": integer(1), "signature": hex_of(48)}
    else:
        entropy = {"source": constant("system")}
    return {
        "commitment": commitment,
        "commitment_hash": HASH,
        "entropy": {**entropy, "randomness": HASH},
        "seed": HASH,
        "winners": [WINNER],
        "skipped": [SKIPPED],
    }


# --- The proof, step by step -------------------------------------------------------------

VERDICTS = {
    "drand": "VALID",
    "system": "VALID, randomness vouched for by the operator only",
}
KEPT = ("receipt", "commitment", "inclusion", "keys")  # files beside the proof, all JSON
PATIENCE = 30  # seconds from the close to the earliest acceptable round


class Step(NamedTuple):
    """One line of the account: what was checked, and what was computed for it."""

    name: str
    computed: str


def shown(text: str) -> str:
    """A name from the file in quotes; nothing in it reaches the terminal as a command."""
    return "“" + "".join(c if c.isprintable() else "?" for c in text) + "”"


def moment(t: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(t))


def watched(items: Iterable[Any], total: int, what: str) -> Iterator[Any]:
    """The items unchanged; when they are many, a terminal is told how far it is."""
    tells = total >= 20_000 and sys.stderr.isatty()
    for done, item in enumerate(items, 1):
        if tells and (done % 1_000 == 0 or done == total):
            end = "\n" if done == total else "\r"
            print(f"{done:,} of {total:,} {what}", end=end, file=sys.stderr, flush=True)
        yield item


def check_form(proof: Any) -> Step:
    check_shape(proof, proof_shape(proof), "proof")
    commitment = proof["commitment"]
    if (commitment["draw_no"] == 1) != (commitment["prev"] == "0" * 64):
        raise Invalid("draw_no and prev contradict each other")
    if commitment["tickets"] > commitment["terms"]["capacity"]:
        raise Invalid("more tickets are committed than the raffle has")
    name, raffle_id = shown(commitment["terms"]["name"]), commitment["terms"]["raffle_id"]
    return Step("raffle", f"{name}, {raffle_id}, {commitment['tickets']} tickets")


def check_draw_no(proof: Any) -> Step:
    draw_no = proof["commitment"]["draw_no"]
    earlier = "no earlier one" if draw_no == 1 else "an earlier draw of this raffle was voided"
    return Step("draw number", f"{draw_no}: {earlier}")


def check_commitment(proof: Any) -> Step:
    commitment = proof["commitment"]
    if hash_commitment(commitment).hex() != proof["commitment_hash"]:
        raise Invalid("the commitment does not have the commitment_hash")
    closed_at = moment(commitment["closed_at"])
    return Step("commitment", f"{proof['commitment_hash']}, closed {closed_at}")


def check_randomness(proof: Any) -> Step:
    commitment, entropy = proof["commitment"], proof["entropy"]
    if entropy["source"] == "system":
        return Step("randomness", f"{entropy['randomness']}, the operator's word")
    if entropy["round"] != commitment["round"]:
        raise Invalid("the round of the beacon is not the committed one")
    if time_of_round(entropy["round"]) < commitment["closed_at"] + PATIENCE:
        raise Invalid(f"the round of the beacon is earlier than {PATIENCE} s after the close")
    signature = bytes.fromhex(entropy["signature"])
    check_beacon(entropy["round"], signature)
    if randomness_of(signature).hex() != entropy["randomness"]:
        raise Invalid("the randomness is not the hash of the beacon's signature")
    published = moment(time_of_round(entropy["round"]))
    return Step("randomness", f"beacon round {entropy['round']} of {published}, signature good")


def check_seed(proof: Any) -> Step:
    randomness = bytes.fromhex(proof["entropy"]["randomness"])
    seed = derive_seed(bytes.fromhex(proof["commitment_hash"]), randomness).hex()
    if seed != proof["seed"]:
        raise Invalid("the seed does not follow from the commitment and the randomness")
    return Step("seed", seed)


def check_draw(proof: Any) -> Step:
    """Draws again and compares step by step, so it never goes further than the proof does."""
    commitment, winners, skipped = proof["commitment"], proof["winners"], proof["skipped"]
    holders = {entry["index"]: entry["leaf"][48:80] for entry in chain(winners, skipped)}

    def holder_of(index: int) -> bytes:
        if index not in holders:
            raise Invalid(f"index {index} was drawn, the proof leaves it out")
        return bytes.fromhex(holders[index])

    given = {True: iter(winners), False: iter(skipped)}
    picks = select(
        commitment["terms"], bytes.fromhex(proof["seed"]), commitment["tickets"], holder_of
    )
    for pick in picks:
        entry = next(given[pick.rank is not None], None)
        if entry is None:
            raise Invalid(f"index {pick.index} was drawn, the proof leaves it out")
        if any(entry.get(key) != value for key, value in pick._asdict().items()):
            raise Invalid(f"draw {pick.draw} is index {pick.index}, the proof says otherwise")
    if any(next(rest, None) for rest in given.values()):
        raise Invalid("the proof lists entries that were not drawn")
    return Step("draw", f"{len(winners)} winners and alternates, {len(skipped)} skipped")


def check_tickets(proof: Any) -> Step:
    commitment = proof["commitment"]
    raffle_id, capacity = commitment["terms"]["raffle_id"], commitment["terms"]["capacity"]
    entries = proof["winners"] + proof["skipped"]
    if len({entry["ticket_number"] for entry in entries}) != len(entries):
        raise Invalid("a ticket number occurs twice")
    for entry in watched(entries, len(entries), "tickets"):
        number, leaf = entry["ticket_number"], bytes.fromhex(entry["leaf"])
        if leaf[:16].hex() != raffle_id or leaf[16:24] != be64(number) or number > capacity:
            raise Invalid(f"the leaf of index {entry['index']} is not of this raffle and number")
        check_path(entry, hash_leaf(leaf), commitment)
    return Step("tickets", f"{len(entries)} inclusion paths lead to {commitment['root']}")


def check_path(entry: Any, leaf_hash: bytes, commitment: Any) -> None:
    path = [bytes.fromhex(sibling) for sibling in entry["path"]]
    root = root_from_path(entry["index"], commitment["tickets"], leaf_hash, path)
    if root.hex() != commitment["root"]:
        raise Invalid(f"the path of index {entry['index']} does not lead to the root")


# --- What a participant kept -------------------------------------------------------------


def read_keys(keys: Any) -> dict[str, bytes]:
    check_shape(keys, KEYS, "keys")
    found = {}
    for key in keys["keys"]:
        public_key = bytes.fromhex(key["public_key"])
        if sha256(public_key).hexdigest()[:16] != key["key_id"]:
            raise Invalid("a key_id is not the beginning of its key's hash")
        found[key["key_id"]] = public_key
    return found


def check_signature(keys: Any, signed: Any, message: bytes, what: str) -> str:
    if keys is None:
        return "signature not checked"
    public_key = read_keys(keys).get(signed["key_id"])
    if public_key is None:
        raise Invalid(f"the key that signed the {what} is not among the keys")
    if not signature_is_good(public_key, message, bytes.fromhex(signed["signature"])):
        raise Invalid(f"the signature of the {what} is wrong")
    return "signature good"


def check_saved_commitment(saved: Any, proof: Any, keys: Any) -> Step:
    commitment = saved.get("commitment") if type(saved) is dict else None
    shape = {"commitment": commitment_shape(commitment), "commitment_hash": HASH}
    check_shape(saved, {**shape, "signed_at": MOMENT, **SIGNED}, "commitment")
    digest = hash_commitment(saved["commitment"])
    if digest.hex() != saved["commitment_hash"]:
        raise Invalid("the saved commitment does not have its commitment_hash")
    message = tag("seal") + digest + be64(saved["signed_at"])
    signature = check_signature(keys, saved, message, "saved commitment")
    if saved["commitment_hash"] != proof["commitment_hash"]:
        raise Invalid(why_commitments_differ(saved["commitment"], proof["commitment"]))
    return Step("seal", f"the saved commitment, signed {moment(saved['signed_at'])}, {signature}")


def why_commitments_differ(saved: Any, drawn: Any) -> str:
    same_raffle = saved["terms"]["raffle_id"] == drawn["terms"]["raffle_id"]
    if same_raffle and saved["draw_no"] == drawn["draw_no"]:
        return "two signed hashes for one draw"
    return "the saved commitment is of another draw"


def check_receipt(receipt: Any, proof: Any, keys: Any) -> Step:
    check_shape(receipt, RECEIPT, "receipt")
    leaf, terms_hash = bytes.fromhex(receipt["leaf"]), bytes.fromhex(receipt["terms_hash"])
    message = tag("ticket") + hash_leaf(leaf) + terms_hash + be64(receipt["issued_at"])
    signature = check_signature(keys, receipt, message, "receipt")
    terms = proof["commitment"]["terms"]
    if leaf[:16].hex() != terms["raffle_id"]:
        raise Invalid("the receipt is of another raffle")
    if terms_hash != hash_terms(terms):
        raise Invalid("the receipt was given for other terms than the committed ones")
    number = int.from_bytes(leaf[16:24], "big")
    return Step("receipt", f"ticket {number}, {outcome_of(leaf, number, proof)}, {signature}")


def outcome_of(leaf: bytes, number: int, proof: Any) -> str:
    for entry in proof["winners"] + proof["skipped"]:
        if entry["ticket_number"] == number:
            if entry["leaf"] != leaf.hex():
                raise Invalid("the drawn ticket of the receipt's number is not the receipt's")
            if "rank" not in entry:
                return "skipped, its holder had won before"
            prize = "an alternate" if entry["prize"] is None else f"wins {shown(entry['prize'])}"
            return f"rank {entry['rank']}, {prize}"
    return "not drawn"


def check_inclusion(inclusion: Any, proof: Any, leaf_hash: str | None) -> Step:
    check_shape(inclusion, INCLUSION, "inclusion")
    commitment = proof["commitment"]
    expected = proof["commitment_hash"], commitment["tickets"], commitment["root"]
    if tuple(inclusion[key] for key in ("commitment_hash", "tickets", "root")) != expected:
        raise Invalid("the inclusion is of another commitment")
    if leaf_hash not in (None, inclusion["leaf_hash"]):
        raise Invalid("the inclusion is of another ticket than the receipt's")
    check_path(inclusion, bytes.fromhex(inclusion["leaf_hash"]), commitment)
    whose = "a ticket" if leaf_hash is None else "the receipt's ticket"
    return Step("inclusion", f"{whose} has index {inclusion['index']} in the committed tree")


def check_leaves(leaves: BinaryIO, proof: Any, leaf_hash: str | None) -> Step:
    commitment, builder, found = proof["commitment"], TreeBuilder(), leaf_hash is None
    hashes = iter(lambda: leaves.read(32), b"")
    for leaf in watched(hashes, commitment["tickets"], "leaves"):
        found = found or leaf.hex() == leaf_hash
        builder.add(leaf)
        if len(leaf) != 32 or builder.size > commitment["tickets"]:
            break
    tree = builder.finish()
    if tree.size != commitment["tickets"] or tree.root.hex() != commitment["root"]:
        raise Invalid("the leaves do not make the committed tree")
    if not found:
        raise Invalid("the receipt's ticket is not in the committed tree")
    return Step("leaves", f"{tree.size} leaves make the root {tree.root.hex()}")


def verify(
    proof: Any,
    *,
    receipt: Any = None,
    commitment: Any = None,
    inclusion: Any = None,
    leaves: BinaryIO | None = None,
    keys: Any = None,
) -> Iterator[Step]:
    """Each step once it holds, from files as ``read_json`` gives them; else ``Invalid``."""
    for check in (
        check_form,
        check_draw_no,
        check_commitment,
        check_randomness,
        check_seed,
        check_draw,
        check_tickets,
    ):
        yield check(proof)
    if commitment is not None:
        yield check_saved_commitment(commitment, proof, keys)
    leaf_hash = None
    if receipt is not None:
        receipt = receipt.get("receipt", receipt) if type(receipt) is dict else receipt
        yield check_receipt(receipt, proof, keys)
        leaf_hash = hash_leaf(bytes.fromhex(receipt["leaf"])).hex()
    if inclusion is not None:
        yield check_inclusion(inclusion, proof, leaf_hash)
    if leaves is not None:
        yield check_leaves(leaves, proof, leaf_hash)


# --- The command line --------------------------------------------------------------------


def read_file(path: str | None, label: str) -> Any:
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{label} cannot be read: {error}") from None
    return read_json(text, label)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check a raffle-draw-v1 proof.")
    parser.add_argument("proof", help="the proof of the draw")
    parser.add_argument("--receipt", help="your receipt, or the answer that holds it")
    parser.add_argument("--commitment", help="the signed commitment you saved before the draw")
    parser.add_argument("--inclusion", help="the inclusion of your ticket")
    parser.add_argument("--leaves", help="the hashes of all tickets, 32 bytes each")
    parser.add_argument("--keys", help="the operator's public keys; else no signature is checked")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> int:
    """Prints every step as soon as it holds and the verdict last; returns the exit status."""
    arguments, steps = parse_arguments(), []
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console without the letters of a name
    try:
        proof = read_file(arguments.proof, "proof")
        kept = {name: read_file(getattr(arguments, name), name) for name in KEPT}
        with open(arguments.leaves or os.devnull, "rb") as leaves:
            for step in verify(proof, leaves=leaves if arguments.leaves else None, **kept):
                steps.append(step)
                if not arguments.json:
                    print(f"{step.name:<12} {step.computed}", flush=True)
        valid, verdict = True, VERDICTS[proof["entropy"]["source"]]
    except Invalid as reason:
        valid, verdict = False, f"INVALID: {reason}"
    except (OSError, Unreadable) as error:
        print(error, file=sys.stderr)
        return 2
    answer = {"verdict": verdict, "valid": valid, "steps": [step._asdict() for step in steps]}
    print(json.dumps(answer) if arguments.json else verdict)
    return 0 if valid else 1


if __name__ == "__main__":
    sys.exit(main())
