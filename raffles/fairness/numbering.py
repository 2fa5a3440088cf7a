"""Ticket numbers: a keyed permutation of a pool's slots.

Slots 0..total-1 are handed out in sequence, numbers 1..total in an order that no outsider can
predict, and no row has to exist before its ticket does. The order is a courtesy: the winners do
not depend on it.
"""

import math
from array import array
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

from raffles.fairness.verify import draw

_LARGEST_TABLE = 4096
_ROUNDS = 10


class _Permutation(Protocol):
    """A bijection of 0..total-1; arguments are in range."""

    def forward(self, slot: int) -> int: ...

    def backward(self, position: int) -> int: ...


class _Table:
    """The order of a draw: exactly uniform, which ten Feistel rounds on a tiny domain are not."""

    def __init__(self, key: bytes, total: int) -> None:
        positions = array("I", draw(key, total))
        slots = array("I", bytes(positions.itemsize * total))
        for slot, position in enumerate(positions):
            slots[position] = slot
        self.forward = positions.__getitem__
        self.backward = slots.__getitem__


class _Feistel:
    """An alternating Feistel network on Z_a x Z_b, a = ceil(sqrt total), b = ceil(total / a).

    A slot x is the pair left = x div b, right = x mod b. Rounds 0, 2, ..., 8 do
    left = left + F_round(right) mod a, rounds 1, 3, ..., 9 do right = right + F_round(left) mod b,
    and the result is left * b + right; while that is not below total, the network is applied to it
    again. F_round(v) is BLAKE2b(be32(round) || be32(v)), keyed with the numbering key, digest size
    8 bytes, read as a big-endian integer.

    A round depends on one half only, so ten tables of about sqrt(total) entries hold all of it:
    126 KB for ten million.
    """

    def __init__(self, key: bytes, total: int) -> None:
        self._total = total
        self._a = math.isqrt(total - 1) + 1
        self._b = -(-total // self._a)
        self._rounds = [
            (
                _round_table(key, number, arguments=self._b, modulus=self._a),
                _round_table(key, number + 1, arguments=self._a, modulus=self._b),
            )
            for number in range(0, _ROUNDS, 2)
        ]
        self._undone = [(onto_right, onto_left) for onto_left, onto_right in self._rounds[::-1]]

    def forward(self, slot: int) -> int:
        a, b, position = self._a, self._b, slot
        while True:
            left, right = divmod(position, b)
            for onto_left, onto_right in self._rounds:
                left = (left + onto_left[right]) % a
                right = (right + onto_right[left]) % b
            position = left * b + right
            if position < self._total:
                return position

    def backward(self, position: int) -> int:
        a, b, slot = self._a, self._b, position
        while True:
            left, right = divmod(slot, b)
            for onto_right, onto_left in self._undone:
                right = (right - onto_right[left]) % b
                left = (left - onto_left[right]) % a
            slot = left * b + right
            if slot < self._total:
                return slot


def _round_table(key: bytes, number: int, *, arguments: int, modulus: int) -> "array[int]":
    """Return F_number(v) mod `modulus` for v = 0..arguments-1."""
    prefix = blake2b(number.to_bytes(4, "big"), key=key, digest_size=8)
    table = array("I")
    for v in range(arguments):
        block = prefix.copy()
        block.update(v.to_bytes(4, "big"))
        table.append(int.from_bytes(block.digest(), "big") % modulus)
    return table


class Numbering:
    """A bijection of slots 0..total-1 and numbers 1..total, determined by a 32-byte key.

    Building it takes about 0.1 s for ten million; prefer `numbering`, which caches.
    """

    def __init__(self, key: bytes, total: int) -> None:
        if len(key) != 32:
            raise ValueError(f"a numbering key has 32 bytes, not {len(key)}")
        if total < 1:
            raise ValueError(f"a pool holds at least one ticket, not {total}")
        self.total = total
        self._permutation: _Permutation = (
            _Table(key, total) if total <= _LARGEST_TABLE else _Feistel(key, total)
        )

    def number(self, slot: int) -> int:
        """Return the number shown for a slot. Raises ValueError for a slot outside 0..total-1."""
        if not 0 <= slot < self.total:
            raise ValueError(f"no slot {slot} among {self.total}")
        return self._permutation.forward(slot) + 1

    def slot(self, number: int) -> int:
        """Return the slot of a number. Raises ValueError for a number outside 1..total."""
        if not 1 <= number <= self.total:
            raise ValueError(f"no number {number} among {self.total}")
        return self._permutation.backward(number - 1)


# A numbering of ten million tickets takes 126 KB, one of 4,096 takes 32 KB: 256 stay below 32 MB
# per process, and a raffle beyond the 256 most recent costs its building time again.
@lru_cache(maxsize=256)
def numbering(key: bytes, total: int) -> Numbering:
    """Return the numbering of a raffle, built once and cached."""
    return Numbering(key, total)
