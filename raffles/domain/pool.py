"""A raffle's pool: its gate, its stripes, and its leaves, which stream in ascending slot."""

from __future__ import annotations

import hashlib
import io
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from django.db import connection
from django.db.models import Count, F, Sum

from raffles.fairness.numbering import numbering
from raffles.fairness.verify import (
    Tree,
    TreeBuilder,
    make_leaf,
)
from raffles.models import Raffle, Stripe, Ticket

_CHUNK = 32_768  # rows per read: 1.7 MB on the wire
_ROW = struct.Struct(">hiii32si?")  # int2 fields; int4 size and value of slot, material, is_erased
_COPY_HEADER, _COPY_TRAILER = 19, 2
_SELECT = f"""
    SELECT slot, {{material}} FROM raffles_ticket
    WHERE raffle_id = {{raffle:d}} AND slot >= {{first:d}} AND slot < {{end:d}}
    ORDER BY slot LIMIT {_CHUNK}
"""  # noqa: S608 - {:d} takes integers only
# One column of 32 bytes, erased or not, so that every row of the copy has the same size.
_JOINED = "COALESCE(leaf_hash, holder_tag || code_tag), leaf_hash IS NOT NULL"
_APART = "holder_tag, code_tag, leaf_hash"


class Pages:
    """A raffle's slots to leaf indexes and back: stripes fill from their `lo`, so sums suffice."""

    def __init__(self, raffle: Raffle) -> None:
        rows = list(raffle.stripes.order_by("lo").values_list("lo", "issued"))
        self._lows = [lo for lo, _ in rows]
        self._issued = [issued for _, issued in rows]
        self._starts = [0, *accumulate(self._issued)]

    @property
    def size(self) -> int:
        """Return the number of tickets handed out."""
        return self._starts[-1]

    def slot_of(self, index: int) -> int:
        """Return the slot of leaf `index`, 0..size-1."""
        stripe = bisect_right(self._starts, index) - 1
        return self._lows[stripe] + index - self._starts[stripe]

    def index_of(self, slot: int) -> int | None:
        """Return the leaf index of a slot; None if it was never handed out."""
        stripe = bisect_right(self._lows, slot) - 1
        within = slot - self._lows[stripe]
        return self._starts[stripe] + within if within < self._issued[stripe] else None


def stream_leaf_hashes(raffle: Raffle, first: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (slot, 32-byte leaf hash) of the issued slots in [first, end), ascending."""
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    prefix = b"\0" + raffle.uuid.bytes
    pack, sha256 = struct.Struct(">Q").pack, hashlib.sha256
    while rows := _read(raffle.pk, first, end):
        for slot, material, is_erased in rows:
            if is_erased:
                yield slot, material
            else:
                yield slot, sha256(prefix + pack(number(slot)) + material).digest()
        if len(rows) < _CHUNK:
            return
        first = rows[-1][0] + 1


def _read(raffle_pk: int, first: int, end: int) -> list[tuple[int, bytes, bool]]:
    """Return at most a chunk of rows (slot, 32 bytes, whether those are a leaf hash), ascending."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            binary = io.BytesIO()
            select = _SELECT.format(material=_JOINED, raffle=raffle_pk, first=first, end=end)
            cursor.copy_expert(f"COPY ({select}) TO STDOUT (FORMAT binary)", binary)
            rows = memoryview(binary.getvalue())[_COPY_HEADER:-_COPY_TRAILER]
            return [(row[2], row[4], row[6]) for row in _ROW.iter_unpack(rows)]
        # SQLite's || turns blobs into text, so they are joined here.
        cursor.execute(_SELECT.format(material=_APART, raffle=raffle_pk, first=first, end=end))
        return [
            (slot, leaf_hash or holder + code, leaf_hash is not None)
            for slot, holder, code, leaf_hash in cursor.fetchall()
        ]


def leaves_of(raffle: Raffle, slots: Sequence[int]) -> dict[int, bytes]:
    """Return the 56-byte leaves of those slots whose tags are not erased, by slot."""
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    uuid, step = raffle.uuid.bytes, (connection.features.max_query_params or 10_000) - 1
    leaves = {}
    for start in range(0, len(slots), step):
        rows = Ticket.objects.filter(raffle=raffle, slot__in=slots[start : start + step])
        for slot, holder, code in rows.values_list("slot", "holder_tag", "code_tag"):
            if holder is not None and code is not None:
                leaves[slot] = make_leaf(uuid, number(slot), bytes(holder), bytes(code))
    return leaves


def hold_claims(raffle: Raffle) -> int:
    """Lock a locked raffle's stripes, waiting for claims in flight; return how many were issued.

    Locking them in order prevents a deadlock with a waiting claim. The sum is read after the locks:
    together with them it would be read too early.
    """
    stripes = Stripe.objects.filter(raffle=raffle)
    list(stripes.select_for_update().order_by("raffle_id", "stripe").values_list("pk"))
    return stripes.aggregate(issued=Sum("issued"))["issued"] or 0


def count_channels(raffle: Raffle) -> dict[str, int]:
    """Return how many tickets name each channel; those of the raffle's own way in name none."""
    named = Ticket.objects.filter(raffle=raffle, channel__isnull=False).values_list("channel")
    return {channel: count for channel, count in named.annotate(count=Count("pk")) if channel}


def shut_gate(raffle: Raffle) -> int:
    """Set each stripe's cap to what it issued, and return the sum; the raffle is locked."""
    issued = hold_claims(raffle)
    Stripe.objects.filter(raffle=raffle).update(cap=F("issued"))
    return issued


STRIPES = 64  # at least twice the connections; more would make summing what is left slower


def count_stripes(total_tickets: int) -> int:
    """Return how many stripes a raffle of that size has; one on SQLite, which has one writer."""
    return min(total_tickets, STRIPES if connection.vendor == "postgresql" else 1)


def make_stripes(raffle: Raffle) -> None:
    """Divide a new raffle's slots among its stripes."""
    count = count_stripes(raffle.total_tickets)
    bounds = [raffle.total_tickets * stripe // count for stripe in range(count + 1)]
    Stripe.objects.bulk_create(
        Stripe(
            raffle=raffle, stripe=stripe, lo=bounds[stripe], cap=bounds[stripe + 1] - bounds[stripe]
        )
        for stripe in range(count)
    )


Progress = Callable[[int, int], None]  # leaves hashed so far, of how many


def build_tree(raffle: Raffle, progress: Progress | None = None) -> Tree:
    """Return the Merkle tree over a shut pool, in one pass of constant memory."""
    builder = TreeBuilder()
    add = builder.add
    for slot, leaf_hash in stream_leaf_hashes(raffle, 0, raffle.total_tickets):
        add(leaf_hash)
        if progress and slot % 65_536 == 0:
            progress(slot, raffle.total_tickets)
    return builder.finish()
