"""Ticket numbers: a bijection, its inverse, and the published definition computed the long way."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raffles.fairness.numbering import Numbering, numbering
from raffles.fairness.verify import draw

KEY = bytes(range(32))
keys = st.binary(min_size=32, max_size=32)


def numbers(key: bytes, total: int) -> list[int]:
    pool = Numbering(key, total)
    return [pool.number(slot) for slot in range(total)]


@given(key=keys, total=st.integers(1, 6000))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("shift", [0, 4096])
def test_numbers_are_a_bijection(shift: int, key: bytes, total: int) -> None:
    pool = Numbering(key, shift + total)
    shown = [pool.number(slot) for slot in range(shift + total)]
    assert sorted(shown) == list(range(1, shift + total + 1))
    assert [pool.slot(number) for number in shown] == list(range(shift + total))


@given(key=keys, total=st.integers(1, 10_000_000), position=st.floats(0, 1, exclude_max=True))
@settings(max_examples=25, deadline=None)
def test_slot_is_the_inverse_of_number(key: bytes, total: int, position: float) -> None:
    pool, slot = numbering(key, total), int(position * total)
    assert 1 <= pool.number(slot) <= total
    assert pool.slot(pool.number(slot)) == slot


@pytest.mark.parametrize("total", [1, 2, 3, 10, 4096])
def test_numbers_of_a_small_pool_are_in_drawn_order(total: int) -> None:
    assert numbers(KEY, total) == [index + 1 for index in draw(KEY, total)]


def feistel(key: bytes, total: int, slot: int) -> int:
    """Compute the definition for larger pools, with neither tables nor shortcuts."""
    a = next(side for side in itertools.count(1) if side * side >= total)
    b = next(side for side in itertools.count(1) if a * side >= total)

    def function(number: int, value: int) -> int:
        words = number.to_bytes(4, "big") + value.to_bytes(4, "big")
        return int.from_bytes(hashlib.blake2b(words, key=key, digest_size=8).digest(), "big")

    position = slot
    while True:
        left, right = position // b, position % b
        for number in range(10):
            if number % 2 == 0:
                left = (left + function(number, right)) % a
            else:
                right = (right + function(number, left)) % b
        position = left * b + right
        if position < total:
            return position + 1


# 4,097 = 65 * 64 - 63 walks most; 4,160 = 65 * 64 fills the square; 10,000 = 100 * 100.
@pytest.mark.parametrize("total", [4097, 4160, 10_000])
def test_numbers_of_a_large_pool_follow_the_definition(total: int) -> None:
    assert numbers(KEY, total) == [feistel(KEY, total, slot) for slot in range(total)]


def test_numbers_stay_as_they_were() -> None:
    # Recorded: numbers on tickets in people's hands must not change with the program.
    assert numbers(KEY, 10) == [7, 2, 9, 5, 1, 4, 3, 6, 8, 10]
    pool = Numbering(KEY, 10_000_000)
    assert [pool.number(slot) for slot in (0, 1, 2, 9_999_999)] == [
        675_336,
        7_393_695,
        6_328_860,
        7_914_693,
    ]


def test_numbers_differ_between_keys() -> None:
    assert numbers(KEY, 5000) != numbers(KEY[::-1], 5000)
    assert numbers(KEY, 100) != numbers(KEY[::-1], 100)


@pytest.mark.parametrize("total", [10, 5000])
def test_slot_or_number_outside_the_pool_is_refused(total: int) -> None:
    pool = Numbering(KEY, total)
    for slot in (-1, total, 10**40):
        with pytest.raises(ValueError, match=f"^no slot {slot} among {total}$"):
            pool.number(slot)
    for number in (-1, 0, total + 1, 10**40):
        with pytest.raises(ValueError, match=f"^no number {number} among {total}$"):
            pool.slot(number)


@pytest.mark.parametrize("total", [0, -1])
def test_empty_pool_is_refused(total: int) -> None:
    with pytest.raises(ValueError, match="at least one ticket"):
        Numbering(KEY, total)


@pytest.mark.parametrize("key", [b"", KEY[:31], KEY + b"\0"])
def test_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Numbering(key, 5000)


def test_numbering_is_built_once() -> None:
    assert numbering(KEY, 5000) is numbering(KEY, 5000)
    assert numbering(KEY, 5000) is not numbering(KEY, 5001)
