"""Commitment, proof and inclusion: views of stored inputs, assembled for each reader."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from raffles.domain.pool import Pages, stream_leaf_hashes
from raffles.domain.prizes import slot_of
from raffles.domain.reading import in_pieces
from raffles.domain.refusals import NoProofYet, NoSuchTicket, NotSealed
from raffles.fairness.verify import Tree, TreeBuilder, derive_seed, inclusion_path
from raffles.models import Draw, Pool, Raffle, SkippedEntry, Winner

KEPT_FROM = 8  # the lowest stored level; a block of 2**8 leaves is read from rows
_FULL = 1 << KEPT_FROM  # leaves per block; the last may have fewer
_READ = 32  # the most neighbouring blocks read together: 8,192 rows
_BATCH = 1_000  # winners read at once
_HASH = 32
_HEAD, _ENTRY = 2_000, 225  # bytes of a proof without winners, of a winner without its path

Node = Callable[[int, int], bytes]  # (level, index within it) to the node's hash


def published_draw(raffle_id: UUID) -> Draw:
    """Return the draw of a raffle with its raffle, pool and prizes, even if it was called off.

    Raises Raffle.DoesNotExist, NotSealed.
    """
    raffle = Raffle.objects.prefetch_related("prizes").get(uuid=raffle_id)
    draw = Draw.objects.filter(raffle=raffle).first()
    if draw is None:
        raise NotSealed
    raffle.pool = Pool.objects.defer("levels").get(raffle=raffle)
    draw.raffle = raffle
    return draw


def drawn(raffle_id: UUID) -> Draw:
    """Return the draw, once drawn. Raises Raffle.DoesNotExist, NotSealed, NoProofYet."""
    draw = published_draw(raffle_id)
    if draw.drawn_at is None:
        raise NoProofYet
    return draw


def inclusion(raffle_id: UUID, ticket_number: int) -> dict[str, Any]:
    """Return the proof that a ticket is in the sealed pool (section 8).

    It reads a range of 256 rows and a few slices. Raises Raffle.DoesNotExist, NotSealed,
    NoSuchTicket.
    """
    draw = published_draw(raffle_id)
    raffle, size = draw.raffle, draw.raffle.pool.tickets
    if not 1 <= ticket_number <= raffle.total_tickets:
        raise NoSuchTicket
    pages = Pages(raffle)
    index = pages.index_of(slot_of(raffle, ticket_number))
    if index is None:
        raise NoSuchTicket
    number, within = divmod(index, _FULL)
    (block,) = _blocks(raffle, pages, [number])
    node_in = _nodes(block.levels)
    path = inclusion_path(within, block.size, node_in)
    path += _slices(raffle.pk, size, _siblings(number, _blocks_of(size)))
    return {
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        "index": index,
        "tickets": size,
        "root": bytes(raffle.pool.root).hex(),
        "leaf_hash": node_in(0, within).hex(),
        "path": [node.hex() for node in path],
    }


def _blocks_of(size: int) -> int:
    """Return how many blocks that many leaves fill, and so the nodes of the lowest stored level."""
    return (size - 1 >> KEPT_FROM) + 1


@lru_cache(_FULL)
def _siblings(index: int, size: int) -> tuple[tuple[int, int], ...]:
    """Return the nodes (level, i) of a leaf's path; those of all blocks are at the same places."""
    asked: list[tuple[int, int]] = []

    def note(level: int, i: int) -> bytes:
        asked.append((level, i))
        return b""

    inclusion_path(index, size, note)
    return tuple(asked)


def commitment_file(draw: Draw) -> dict[str, Any]:
    """Return the file that participants keep from before the draw (section 8)."""
    return {
        "commitment": draw.commitment(),
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        **draw.seal(),
    }


def proof_size(*, entries: int, tickets: int) -> int:
    """Return about how many bytes a proof of that many winners and alternates has."""
    path = 68 * tickets.bit_length()  # a hash in hex, quoted and separated, for each level
    return _HEAD + entries * (path + _ENTRY)


def seed_of(draw: Draw) -> bytes:
    """Return the 32-byte seed of a drawn draw, from which its winners follow."""
    return derive_seed(bytes(draw.commitment_hash), bytes(draw.randomness or b""))


def proof_head(draw: Draw) -> dict[str, Any]:
    """Return the proof of a drawn draw without its winners."""
    randomness = bytes(draw.randomness or b"")
    entropy: dict[str, Any] = {"source": "system", "randomness": randomness.hex()}
    if draw.round is not None:
        entropy = {
            "source": "drand",
            "round": draw.round,
            "signature": bytes(draw.beacon_signature or b"").hex(),
            "randomness": randomness.hex(),
        }
    return {
        "commitment": draw.commitment(),
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        "seal": draw.seal(),
        "entropy": entropy,
        "seed": seed_of(draw).hex(),
        **({} if draw.log is None else {"log": draw.log}),
    }


def stream_proof(draw: Draw, *, after: int = 0, limit: int | None = None) -> Iterator[str]:
    """Yield the proof as JSON text, winner by winner in order of rank.

    `after` and `limit` (ranks) select a page of the winners. It takes the memory of
    `stream_winners`, whatever the size of the pool.
    """
    steps = _Steps(draw.raffle)
    skipped = SkippedEntry.objects.filter(raffle=draw.raffle).order_by("step")
    if after:
        skipped = skipped.filter(step__gt=steps.of_rank(after))
    if limit and Winner.objects.filter(raffle=draw.raffle, rank__gt=after + limit).exists():
        skipped = skipped.filter(step__lt=steps.of_rank(after + limit))
    head = json.dumps(proof_head(draw), ensure_ascii=False)
    yield head[:-1] + ', "skipped": ['
    yield from _joined(_stream_skipped(draw, skipped))
    yield '], "winners": ['
    yield from _joined(stream_winners(draw, after=after, limit=limit))
    yield "]}\n"


def _joined(entries: Iterable[Any]) -> Iterator[str]:
    separator = ""
    for entry in entries:
        yield separator + json.dumps(entry, ensure_ascii=False)
        separator = ", "


class _Steps:
    """Where each rank stands in the order of drawing, which the skipped entries share."""

    def __init__(self, raffle: Raffle) -> None:
        skipped = SkippedEntry.objects.filter(raffle=raffle).order_by("step")
        steps = in_pieces(skipped.values_list("step", flat=True), _BATCH)
        # So many ranks come before each.
        self._ranks_before = array("I", (step - n for n, step in enumerate(steps)))

    def of_rank(self, rank: int) -> int:
        """Return the step of a rank, both from their own beginning: 0 and 1."""
        return rank - 1 + bisect_left(self._ranks_before, rank)


def _stream_skipped(draw: Draw, skipped: QuerySet[SkippedEntry]) -> Iterator[Any]:
    """Yield the skipped entries of a proof with their inclusion paths, in order of drawing."""
    indices = array("I", in_pieces(skipped.values_list("index", flat=True), _BATCH))
    path_at = _paths(draw.raffle, indices)
    for position, entry in enumerate(in_pieces(skipped, _BATCH)):
        yield {
            "draw": entry.step,
            "index": entry.index,
            "ticket_number": entry.ticket_number(),
            "leaf": bytes(entry.leaf).hex(),
            "path": path_at(position),
        }


def stream_winners(draw: Draw, *, after: int = 0, limit: int | None = None) -> Iterator[Any]:
    """Yield the winners of a proof with their inclusion paths, in order of rank.

    Ranks lie anywhere in the pool. The winners' blocks are therefore processed in the pool's order
    first, each read and hashed once, and 256 bytes are kept for each winner: 26 MB for the most
    that terms allow, `MAX_PRIZES` and `MAX_ALTERNATES`.
    """
    raffle = draw.raffle
    winners = Winner.objects.filter(raffle=raffle, rank__gt=after).order_by("rank")[:limit]
    if limit:  # a page is kept in memory
        found, indices = iter(winners), array("I", [winner.index for winner in winners])
    else:
        found = in_pieces(winners, _BATCH)
        indices = array("I", in_pieces(winners.values_list("index", flat=True), _BATCH))
    path_at, steps = _paths(raffle, indices), _Steps(raffle)
    prizes: dict[int | None, str] = {prize.pk: prize.name for prize in raffle.prizes.all()}
    for position, winner in enumerate(found):
        yield {
            "rank": winner.rank,
            "prize": prizes.get(winner.prize_id),
            "draw": steps.of_rank(winner.rank),
            "index": winner.index,
            "ticket_number": winner.ticket_number(),
            "leaf": bytes(winner.leaf).hex(),
            "path": path_at(position),
        }


def stream_leaves(draw: Draw) -> Iterator[bytes]:
    """Yield all leaf hashes in order, 32 bytes each, in pieces of 64 KB."""
    hashes = (hash_ for _, hash_ in stream_leaf_hashes(draw.raffle, 0, draw.raffle.total_tickets))
    while piece := b"".join(islice(hashes, 2_048)):
        yield piece


def _paths(raffle: Raffle, indices: Sequence[int]) -> Callable[[int], list[str]]:
    """Return a function from a position in `indices` to its path in hex."""
    if not indices:
        return lambda _position: []
    size = raffle.pool.tickets
    lower = _lower_paths(raffle, Pages(raffle), indices)
    upper = _nodes(_levels(bytes(Pool.objects.get(raffle=raffle).levels), size))

    def path_at(position: int) -> list[str]:
        block = indices[position] // _FULL
        path = lower(position) + inclusion_path(block, _blocks_of(size), upper)
        return [node.hex() for node in path]

    return path_at


def _lower_paths(
    raffle: Raffle, pages: Pages, indices: Sequence[int]
) -> Callable[[int], list[bytes]]:
    """Return a function from a position in `indices` to its path within its block.

    Every block is read once.
    """

    def block_of(position: int) -> int:
        return indices[position] // _FULL

    kept = memoryview(bytearray(len(indices) * KEPT_FROM * _HASH))
    lengths = bytearray(len(indices))
    order = array("I", sorted(range(len(indices)), key=indices.__getitem__))
    numbers = (number for number, _ in groupby(order, block_of))
    blocks = _blocks(raffle, pages, numbers)
    for block, (_, members) in zip(blocks, groupby(order, block_of), strict=True):
        node_in = _nodes(block.levels)
        for position in members:
            siblings = _siblings(indices[position] % _FULL, block.size)
            path = b"".join([node_in(level, i) for level, i in siblings])
            start = position * KEPT_FROM * _HASH
            kept[start : start + len(path)] = path
            lengths[position] = len(siblings)

    def path_at(position: int) -> list[bytes]:
        start = position * KEPT_FROM * _HASH
        starts = range(start, start + lengths[position] * _HASH, _HASH)
        return [bytes(kept[at : at + _HASH]) for at in starts]

    return path_at


def _blocks(raffle: Raffle, pages: Pages, numbers: Iterable[int]) -> Iterator[Tree]:
    """Yield the tree over each block of 256 leaves, recomputed from its rows, ascending."""

    def run_of(counted: tuple[int, int]) -> tuple[int, int]:
        count, number = counted
        return number - count, number // _READ

    for _, run in groupby(enumerate(numbers), run_of):
        run_numbers = [number for _, number in run]
        first, end = run_numbers[0] * _FULL, (run_numbers[-1] + 1) * _FULL
        low, high = pages.slot_of(first), pages.slot_of(min(end, pages.size) - 1) + 1
        hashes = (leaf_hash for _, leaf_hash in stream_leaf_hashes(raffle, low, high))
        for _ in run_numbers:
            builder = TreeBuilder(keep_from=0)
            for leaf_hash in islice(hashes, _FULL):
                builder.add(leaf_hash)
            yield builder.finish()


def _nodes(levels: Sequence[bytes]) -> Node:
    return lambda level, i: levels[level][i * _HASH : (i + 1) * _HASH]


def _levels(stored: bytes, size: int) -> list[bytes]:
    """Return the levels of `Pool.levels` separately."""
    levels, nodes, start = [], _blocks_of(size), 0
    while start < len(stored):
        levels.append(stored[start : start + nodes * _HASH])
        start, nodes = start + nodes * _HASH, (nodes + 1) // 2
    return levels


def _offset(size: int, level: int, i: int) -> int:
    """Return the byte offset of node `i` of a stored level in `Pool.levels`."""
    below = sum((_blocks_of(size) - 1 >> lower) + 1 for lower in range(level))
    return (below + i) * _HASH


def _slices(raffle_pk: int, size: int, nodes: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return nodes of the stored levels (0 is the lowest), cut out of up to 2.5 MB in SQL."""
    if not nodes:
        return []
    starts = (_offset(size, *node) + 1 for node in nodes)
    columns = ", ".join(f"substr(levels, {start}, {_HASH})" for start in starts)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM raffles_pool WHERE raffle_id = %s",  # noqa: S608 - integers
            [raffle_pk],
        )
        return [bytes(node) for node in cursor.fetchone()]
