"""Every inclusion proof of every odd tree up to 1,024 leaves, against a tree made the slow way."""

from __future__ import annotations

from hashlib import sha256

import pytest

from raffles.fairness.verify import TreeBuilder, hash_node, inclusion_path, root_from_path

LEAVES = [sha256(bytes([0]) + n.to_bytes(8, "big")).digest() for n in range(1_024)]
_known: dict[tuple[int, int], bytes] = {}


def slow_root(first: int, end: int) -> bytes:
    """Return the root as RFC 9162, section 2.1.1, defines it, split at the power of two below n."""
    size = end - first
    if size == 1:
        return LEAVES[first]
    if (first, end) not in _known:
        split = 1 << (size - 1).bit_length() - 1
        left, right = slow_root(first, first + split), slow_root(first + split, end)
        _known[first, end] = hash_node(left, right)
    return _known[first, end]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1, 1_024, 128))
def test_every_inclusion_proof_of_every_odd_size(start: int) -> None:
    for size in range(start, start + 128, 2):
        builder = TreeBuilder(keep_from=0)
        for leaf_hash in LEAVES[:size]:
            builder.add(leaf_hash)
        tree = builder.finish()
        assert tree.root == slow_root(0, size)

        def node_at(level: int, i: int, levels: tuple[bytes, ...] = tree.levels) -> bytes:
            return levels[level][32 * i : 32 * i + 32]

        for index in range(size):
            path = inclusion_path(index, size, node_at)
            assert root_from_path(index, size, LEAVES[index], path) == tree.root
