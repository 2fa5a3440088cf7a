"""Commitment, proof and inclusion: views of stored inputs, put together anew for each reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.db import connection

from raffles.fairness.verify import Tree, TreeBuilder, derive_seed, inclusion_path
from raffles.models import Draw, Pool, Raffle, Winner

from .checking import slot_of
from .leaves import Pages, stream_leaf_hashes
from .refusals import NoProofYet, NoSuchTicket, NotSealed

KEPT_FROM = 8  # the lowest stored level; a block of 2**8 leaves is read from rows
_BATCH = 1_000  # winners whose paths are found together
_HASH = 32

Node = Callable[[int, int], bytes]  # (level, index within it) to the node's hash


def published_draw(raffle_id: UUID, number: int | None = None) -> Draw:
    """The draw of that number, the latest without one, with its raffle, pool and prizes.

    Raises Raffle.DoesNotExist, Draw.DoesNotExist, NotSealed.
    """
    raffle = Raffle.objects.prefetch_related("prizes").get(uuid=raffle_id)
    draws = Draw.objects.filter(raffle=raffle).order_by("-number")
    if number is not None:
        draws = draws.filter(number=number)
    draw = draws.first()
    if draw is None:
        raise Draw.DoesNotExist if number else NotSealed
    raffle.pool = Pool.objects.defer("levels").get(raffle=raffle)
    draw.raffle = raffle
    return draw


def drawn(raffle_id: UUID) -> Draw:
    """The draw that decided. Raises Raffle.DoesNotExist, NotSealed, NoProofYet."""
    draw = published_draw(raffle_id)
    if draw.drawn_at is None:
        raise NoProofYet
    return draw


def inclusion(raffle_id: UUID, ticket_number: int) -> dict[str, Any]:
    """What shows that a ticket is in the sealed pool: one range of 256 rows and a few slices.

    Raises Raffle.DoesNotExist, NotSealed, NoSuchTicket.
    """
    draw = published_draw(raffle_id)
    raffle, size = draw.raffle, draw.raffle.pool.tickets
    if not 1 <= ticket_number <= raffle.total_tickets:
        raise NoSuchTicket
    pages = Pages(raffle)
    index = pages.index_of(slot_of(raffle, ticket_number))
    if index is None:
        raise NoSuchTicket
    block = _Block(raffle, pages, index >> KEPT_FROM)
    above = [node for node in _siblings(index, size) if node[0] >= KEPT_FROM]
    kept = dict(zip(above, _slices(raffle.pk, size, above), strict=True))
    path = [kept.get(node) or block.node(*node) for node in _siblings(index, size)]
    return {
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        "index": index,
        "tickets": size,
        "root": bytes(raffle.pool.root).hex(),
        "leaf_hash": block.node(0, index).hex(),
        "path": [node.hex() for node in path],
    }


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    """Which nodes (level, i) the path of a leaf is made of."""
    asked: list[tuple[int, int]] = []

    def note(level: int, i: int) -> bytes:
        asked.append((level, i))
        return b""

    inclusion_path(index, size, note)
    return asked


def proof_head(draw: Draw) -> dict[str, Any]:
    """The proof of a drawn draw without its winners."""
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
        "entropy": entropy,
        "seed": derive_seed(bytes(draw.commitment_hash), randomness).hex(),
    }


def stream_proof(draw: Draw, *, after: int = 0, limit: int | None = None) -> Iterator[str]:
    """The proof as JSON text, winner by winner in order of rank: constant memory at any size.

    ``after`` and ``limit`` (ranks) cut a page out of the winners.
    """
    head = json.dumps(proof_head(draw) | {"skipped": []}, ensure_ascii=False)
    yield head[:-1] + ', "winners": ['
    separator = ""
    for winner in stream_winners(draw, after=after, limit=limit):
        yield separator + json.dumps(winner, ensure_ascii=False)
        separator = ", "
    yield "]}\n"


def stream_winners(draw: Draw, *, after: int = 0, limit: int | None = None) -> Iterator[Any]:
    """The winners of a proof with their inclusion paths, in order of rank."""
    raffle = draw.raffle
    node_above = _kept(bytes(Pool.objects.get(raffle=raffle).levels), raffle.pool.tickets)
    pages = Pages(raffle)
    rows = Winner.objects.filter(raffle=raffle, rank__gt=after).select_related("prize")
    end = None if limit is None else after + limit
    last = after
    while batch := list(rows.filter(rank__gt=last).order_by("rank")[: _size(last, end)]):
        paths = _paths(raffle, pages, [winner.index for winner in batch], node_above)
        for winner in batch:
            yield {
                "rank": winner.rank,
                "prize": winner.prize.name if winner.prize else None,
                "draw": winner.rank - 1,
                "index": winner.index,
                "ticket_number": winner.ticket_number(),
                "leaf": bytes(winner.leaf).hex(),
                "path": [node.hex() for node in paths[winner.index]],
            }
        last = batch[-1].rank


def _size(last: int, end: int | None) -> int:
    return _BATCH if end is None else min(_BATCH, max(0, end - last))


def stream_leaves(draw: Draw) -> Iterator[bytes]:
    """All leaf hashes in order, 32 bytes each, in pieces of 64 KB."""
    hashes = (hash_ for _, hash_ in stream_leaf_hashes(draw.raffle, 0, draw.raffle.total_tickets))
    while piece := b"".join(islice(hashes, 2_048)):
        yield piece


def _paths(
    raffle: Raffle, pages: Pages, indices: Sequence[int], node_above: Node
) -> dict[int, list[bytes]]:
    """The inclusion path of each index; every block of 256 leaves is read once."""
    paths = {}
    for number, members in groupby(sorted(indices), key=lambda index: index >> KEPT_FROM):
        block = _Block(raffle, pages, number)
        for index in members:
            paths[index] = inclusion_path(
                index,
                pages.size,
                lambda level, i, block=block: (  # type: ignore[misc]
                    block.node(level, i) if level < KEPT_FROM else node_above(level, i)
                ),
            )
    return paths


class _Block:
    """The lower levels over 256 leaves, recomputed from their rows."""

    def __init__(self, raffle: Raffle, pages: Pages, number: int) -> None:
        first = number << KEPT_FROM
        self._number = number
        builder = TreeBuilder(keep_from=0)
        last = min(first + (1 << KEPT_FROM), pages.size) - 1
        low, high = pages.slot_of(first), pages.slot_of(last) + 1
        for _, leaf_hash in stream_leaf_hashes(raffle, low, high):
            builder.add(leaf_hash)
        self._tree: Tree = builder.finish()

    def node(self, level: int, i: int) -> bytes:
        """Node ``i`` of a level below the kept ones, counted over the whole pool."""
        within = i - (self._number << KEPT_FROM - level)
        return self._tree.levels[level][within * _HASH : (within + 1) * _HASH]


def _offset(size: int, level: int, i: int) -> int:
    """Where node ``i`` of a kept level starts in `Pool.levels`, in bytes."""
    below = sum((size - 1 >> lower) + 1 for lower in range(KEPT_FROM, level))
    return (below + i) * _HASH


def _kept(levels: bytes, size: int) -> Node:
    def node_above(level: int, i: int) -> bytes:
        start = _offset(size, level, i)
        return levels[start : start + _HASH]

    return node_above


def _slices(raffle_pk: int, size: int, nodes: Sequence[tuple[int, int]]) -> list[bytes]:
    """The kept nodes, cut out by the database: 32 bytes each instead of 2.5 MB."""
    if not nodes:
        return []
    columns = ", ".join(f"substr(levels, {_offset(size, *node) + 1}, {_HASH})" for node in nodes)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM raffles_pool WHERE raffle_id = %s",  # noqa: S608 - integers
            [raffle_pk],
        )
        return [bytes(node) for node in cursor.fetchone()]
