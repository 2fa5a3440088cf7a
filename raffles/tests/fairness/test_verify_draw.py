"""The functions that the server draws with: trees, paths, numbers, selections."""

import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import proofs
from raffles.tests.fairness.proofs import Json

NUMBERS = json.loads(Path(__file__).with_name("vectors").joinpath("numbers.json").read_text())


def build(hashes: list[bytes], keep_from: int) -> verify.Tree:
    builder = verify.TreeBuilder(keep_from)
    for leaf_hash in hashes:
        builder.add(leaf_hash)
    return builder.finish()


def node_in(tree: verify.Tree) -> Callable[[int, int], bytes]:
    return lambda level, i: tree.levels[level][32 * i : 32 * i + 32]


def some_hashes(count: int) -> list[bytes]:
    return [proofs.digest(i.to_bytes(8, "big")) for i in range(count)]


# --- Tree ---------------------------------------------------------------------------------


def test_root_of_a_million_leaves() -> None:
    builder = verify.TreeBuilder()
    for i in range(10**6):
        builder.add(verify.hash_leaf(bytes(56) + i.to_bytes(8, "big")))
    tree = builder.finish()
    assert tree.root.hex() == "b4d333f2e6155df7458785bd3b6edb91d16d5502cd90919b767aa56300955f38"
    nodes = [len(level) // 32 for level in tree.levels]
    assert nodes == [3907, 1954, 977, 489, 245, 123, 62, 31, 16, 8, 4, 2, 1]


def test_root_of_no_leaves_is_the_hash_of_nothing() -> None:
    root = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert verify.TreeBuilder().finish() == verify.Tree(0, root, (root,))


def test_root_of_every_small_size_follows_the_recursive_definition() -> None:
    hashes = some_hashes(130)
    for size in range(131):
        assert build(hashes[:size], 0).root == proofs.tree_hash(hashes[:size])


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 255, 256, 257, 511, 513, 1000, 1024])
@pytest.mark.parametrize("keep_from", [0, 1, 3, 8])
def test_kept_levels_hold_the_hash_of_every_aligned_run(size: int, keep_from: int) -> None:
    hashes = some_hashes(size)
    tree = build(hashes, keep_from)
    for level, nodes in enumerate(tree.levels, keep_from):
        width = 1 << level
        runs = [proofs.tree_hash(hashes[at : at + width]) for at in range(0, size, width)]
        assert nodes == b"".join(runs)
    assert tree.levels[-1] == tree.root == proofs.tree_hash(hashes)


def test_inclusion_of_every_index_of_every_size_to_128() -> None:
    hashes = some_hashes(128)
    for size in range(1, 129):
        tree = build(hashes[:size], 0)
        for index in range(size):
            path = verify.inclusion_path(index, size, node_in(tree))
            assert verify.root_from_path(index, size, hashes[index], path) == tree.root


@pytest.mark.parametrize("size", [129, 255, 256, 257, 383, 511, 512, 513, 767, 1000, 1023, 1024])
def test_inclusion_of_every_index_of_larger_sizes(size: int) -> None:
    hashes = some_hashes(size)
    tree = build(hashes, 0)
    for index in range(size):
        path = verify.inclusion_path(index, size, node_in(tree))
        assert verify.root_from_path(index, size, hashes[index], path) == tree.root


@pytest.mark.parametrize("size", [1, 2, 3, 6, 21, 64, 65])
def test_inclusion_path_is_the_recursive_one(size: int) -> None:
    hashes = some_hashes(size)
    tree = build(hashes, 0)
    for index in range(size):
        expected = proofs.audit_path(index, hashes)
        assert verify.inclusion_path(index, size, node_in(tree)) == expected


def test_inclusion_path_outside_the_tree_is_an_error() -> None:
    tree = build(some_hashes(3), 0)
    for index in (-1, 3):
        with pytest.raises(ValueError, match="outside a tree of 3"):
            verify.inclusion_path(index, 3, node_in(tree))


def test_root_from_path_counts_the_path() -> None:
    hashes = some_hashes(21)
    tree = build(hashes, 0)
    for index in range(21):
        path = verify.inclusion_path(index, 21, node_in(tree))
        with pytest.raises(verify.Invalid, match="a path is too long"):
            verify.root_from_path(index, 21, hashes[index], [*path, hashes[0]])
        with pytest.raises(verify.Invalid, match="a path is too short"):
            verify.root_from_path(index, 21, hashes[index], path[:-1])
    with pytest.raises(verify.Invalid, match="index 21 is outside a tree of 21"):
        verify.root_from_path(21, 21, hashes[0], [])


def subproof(old: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    """Return SUBPROOF as RFC 9162, section 2.1.4.1, defines it."""
    if old == len(hashes):
        return [] if whole else [proofs.tree_hash(hashes)]
    split = proofs.split_at(len(hashes))
    if old <= split:
        return [*subproof(old, hashes[:split], whole), proofs.tree_hash(hashes[split:])]
    return [*subproof(old - split, hashes[split:], False), proofs.tree_hash(hashes[:split])]


@pytest.mark.parametrize("size", range(1, 41))
def test_consistency_path_is_the_recursive_one_and_is_believed(size: int) -> None:
    hashes = some_hashes(size)
    tree = build(hashes, 0)
    for old in range(1, size + 1):
        path = verify.consistency_path(old, size, node_in(tree))
        assert path == subproof(old, hashes, True)
        verify.check_consistency(old, size, proofs.tree_hash(hashes[:old]), tree.root, path)


@pytest.mark.parametrize(("old", "size"), [(1, 2), (3, 7), (4, 7), (6, 8), (7, 7), (8, 21)])
def test_consistency_of_anything_else_is_not_believed(old: int, size: int) -> None:
    hashes = some_hashes(size)
    tree, was = build(hashes, 0), proofs.tree_hash(hashes[:old])
    path = verify.consistency_path(old, size, node_in(tree))
    other = bytes(32)
    spoilt = [
        (old, size, other, tree.root, path),
        (old, size, was, other, path),
        (old, size, was, tree.root, [*path, other]),
        (0, size, was, tree.root, path),
        (size + 1, size, was, tree.root, path),
    ]
    spoilt += [
        (old, size, was, tree.root, [*path[:i], other, *path[i + 1 :]]) for i in range(len(path))
    ]
    spoilt += [(old, size, was, tree.root, path[:-1])] if path else []
    for arguments in spoilt:
        with pytest.raises(verify.Invalid):
            verify.check_consistency(*arguments)


def test_consistency_path_of_a_larger_tree_is_an_error() -> None:
    for old in (0, 4):
        with pytest.raises(ValueError, match="does not begin one of 3"):
            verify.consistency_path(old, 3, node_in(build(some_hashes(3), 0)))


def test_leaf_is_laid_out_as_published() -> None:
    leaf = verify.make_leaf(bytes(range(16)), 258, b"h" * 16, b"c" * 16)
    assert leaf == bytes(range(16)) + b"\0\0\0\0\0\0\1\2" + b"h" * 16 + b"c" * 16


# --- Numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", NUMBERS["uniform"], ids=lambda case: case["note"])
def test_uniform_gives_the_written_number(case: Json) -> None:
    seed, i, n = bytes.fromhex(case["seed"]), case["i"], int(case["n"])
    assert verify.uniform(seed, i, n) == int(case["value"])
    assert proofs.uniform(seed, i, n) == (int(case["value"]), case["rejected"])


@pytest.mark.parametrize("case", NUMBERS["draw"], ids=lambda case: f"n={case['n']}")
def test_draw_begins_as_written(case: Json) -> None:
    drawn = verify.draw(bytes.fromhex(case["seed"]), case["n"])
    assert list(islice(drawn, len(case["begins"]))) == case["begins"]


def test_draw_of_a_hundred_thousand_of_ten_million() -> None:
    seed = bytes.fromhex("324240c4c1487541c1ac67ab587cf9ba349109b99b67f577fd5bec11cd4fff5a")
    indices = islice(verify.draw(seed, 10**7), 100_000)
    assert (
        proofs.digest(b"".join(index.to_bytes(8, "big") for index in indices)).hex()
        == "65235986f0d211cda062b400c04b9694bf10200c4a5f54235d393523d9f54d0c"
    )


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 257])
def test_draw_is_the_plain_shuffle(n: int) -> None:
    seed = proofs.digest(n.to_bytes(2, "big"))
    assert list(verify.draw(seed, n)) == proofs.shuffled(seed, n)


def test_draw_gives_each_order_of_four_its_share() -> None:
    orders = Counter(
        tuple(verify.draw(proofs.digest(i.to_bytes(4, "big")), 4)) for i in range(24_000)
    )
    chi_square = sum((count - 1000) ** 2 / 1000 for count in orders.values())
    assert len(orders) == 24
    assert chi_square < 49.73  # 0.999 quantile with 23 degrees of freedom; the seeds are fixed


# --- Selection ----------------------------------------------------------------------------


def picks(terms: Json, tickets: int, **options: Any) -> list[verify.Picked]:
    return list(verify.select(terms, bytes(32), tickets, **options))


def test_select_gives_prizes_in_listed_order_and_then_alternates() -> None:
    chosen = picks(proofs.make_terms(), 20)
    assert [pick.index for pick in chosen] == proofs.shuffled(bytes(32), 20)[:5]
    assert [(pick.draw, pick.rank, pick.prize) for pick in chosen] == [
        (0, 1, "telescope"),
        (1, 2, "pen"),
        (2, 3, "pen"),
        (3, 4, None),
        (4, 5, None),
    ]


def test_select_ends_with_the_tickets() -> None:
    assert [pick.rank for pick in picks(proofs.make_terms(), 2)] == [1, 2]
    assert picks(proofs.make_terms(), 0) == []


def test_select_of_no_place_draws_nothing() -> None:
    assert picks(proofs.make_terms(prizes=[], alternates=0), 20) == []


def test_select_with_more_alternates_keeps_the_winners() -> None:
    few, many = (picks(proofs.make_terms(alternates=count), 20) for count in (0, 17))
    assert many[: len(few)] == few
    assert len(many) == 20


@pytest.mark.parametrize("limit", [1, 2])
def test_select_skips_a_holder_at_the_limit(limit: int) -> None:
    terms = proofs.make_terms(max_wins_per_holder=limit)
    chosen = picks(terms, 20, holder_of=lambda index: bytes([index % 2]))
    wins = Counter(pick.index % 2 for pick in chosen if pick.rank is not None)
    assert max(wins.values()) == limit
    assert len(chosen) == 20  # two holders cannot fill five places
    assert all(pick.prize is None for pick in chosen if pick.rank is None)


def test_select_with_a_limit_asks_who_holds_what() -> None:
    with pytest.raises(TypeError, match="need holder_of"):
        picks(proofs.make_terms(max_wins_per_holder=1), 20)


@pytest.mark.parametrize("seed", range(50))
def test_select_is_what_the_plain_walk_gives(seed: int) -> None:
    proof, leaves = proofs.make_random(random.Random(seed))
    commitment = proof["commitment"]
    chosen = verify.select(
        commitment["terms"],
        bytes.fromhex(proof["seed"]),
        commitment["tickets"],
        lambda index: leaves[index][24:40],
    )
    expected = [
        (entry["draw"], entry["index"], entry.get("rank"), entry.get("prize"))
        for entry in proof["winners"] + proof["skipped"]
    ]
    assert [tuple(pick) for pick in chosen] == sorted(expected, key=lambda entry: entry[0])


# --- Rounds -------------------------------------------------------------------------------


def test_rounds_and_their_times() -> None:
    assert [verify.time_of_round(number) for number in (1, 2, 1000)] == [
        1692803367,
        1692803370,
        1692806364,
    ]
    times = (1692803367, 1692803368, 1692803370, 1692803371)
    assert [verify.first_round_at(t) for t in times] == [1, 2, 2, 3]


def test_no_round_is_at_or_after_a_time_before_the_chain() -> None:
    assert verify.first_round_at(1692803364) == 0
    assert verify.first_round_at(0) < 0


def test_first_round_at_is_the_first_not_before() -> None:
    for t in range(1692803367, 1692803400):
        number = verify.first_round_at(t)
        times = [verify.time_of_round(number - 1), t, verify.time_of_round(number)]
        assert all(early <= late for early, late in pairwise(times))
        assert times[0] < t


@pytest.mark.parametrize(
    ("closes_at", "closed_at", "round_no"),
    [
        # Round 1000 is at 1692806364: planned for whoever closes at 301 to 304.
        (1692806304, 1692806304, 1000),
        (1692806302, 1692806303, 1000),
        (1692806305, 1692806305, 1001),
        (1692806304, 1692806334, 1000),  # 30 s before it
        (1692806304, 1692806335, 1011),  # 29 s: the first a minute later, at 1692806397
        (1692806304, 1692899999, 32232),
        (0, 1692806304, 1000),
        (0, 1692806305, 1001),
    ],
)
def test_round_follows_from_the_times(closes_at: int, closed_at: int, round_no: int) -> None:
    assert verify.round_of(closes_at, closed_at) == round_no


# --- Hashes and messages ------------------------------------------------------------------


def test_every_purpose_has_its_tag() -> None:
    purposes = ["terms", "commitment", "seed", "holder", "code", "ticket", "seal", "void"]
    assert list(verify.TAGS) == purposes
    for purpose in purposes:
        assert verify.TAGS[purpose] == b"raffle-draw-v2/" + purpose.encode() + b"\0"


def test_terms_commitment_and_seed_are_tagged_hashes() -> None:
    terms = proofs.make_terms(name="Lãva “Ω” 🎉")
    assert verify.hash_terms(terms) == proofs.digest(b"raffle-draw-v2/terms\0", proofs.dump(terms))
    commitment = {"terms": terms, "tickets": 3}
    assert verify.hash_commitment(commitment) == proofs.hash_of(commitment)
    assert verify.derive_seed(b"c" * 32, b"r" * 32) == proofs.digest(
        b"raffle-draw-v2/seed\0", b"c" * 32, b"r" * 32
    )


def test_void_is_signed_over_the_hash_of_its_reason() -> None:
    reason_hash = proofs.digest("o prêmio caiu".encode())
    assert verify.hash_reason("o prêmio caiu") == reason_hash
    assert verify.void_message(b"c" * 32, "o prêmio caiu", 258) == (
        b"raffle-draw-v2/void\0" + b"c" * 32 + reason_hash + b"\0\0\0\0\0\0\1\2"
    )
