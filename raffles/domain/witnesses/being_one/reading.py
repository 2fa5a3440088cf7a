"""Reading another operator's log as its witness: every entry, once, before its tree is signed.

A proof of consistency shows that nothing was taken back, and not that a raffle was sealed once.
What has been read is stored as it goes, so that a long log can be read in many requests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from raffles.domain.log import WIDTH
from raffles.fairness.verify import (
    LARGEST_STATEMENT,
    Invalid,
    Note,
    hash_leaf,
    hash_node,
    read_statement,
)
from raffles.models import WitnessedLog, WitnessedSeal
from raffles.models.witnessed import EMPTY_ROOT
from raffles.web.outgoing import EVERYWHERE, ask
from raffles.web.witness_lists import WatchedLog

Sealed = tuple[UUID, int]  # a raffle, and the number of the statement
PATIENCE = 10.0  # seconds for one answer
_HASH = 32
_MOST = WIDTH * (2 + LARGEST_STATEMENT) + 65_536  # bytes of a bundle of entries, with its head


class Unread(Exception):
    """The entries cannot be had, or not all of them yet; the text says which."""


class Budget:
    """How much may be read in one go: so many bundles of 256 entries, in so many seconds."""

    def __init__(self, *, bundles: int, seconds: float) -> None:
        self._bundles, self._deadline = bundles, time.monotonic() + seconds

    def take(self) -> float:
        """Take a bundle, and return the seconds that are left for it; 0 when nothing is."""
        self._bundles -= 1
        left = self._deadline - time.monotonic() if self._bundles >= 0 else 0.0
        return min(max(left, 0.0), PATIENCE)


class Position(NamedTuple):
    """The roots of the perfect trees over the first ``read`` entries, largest first."""

    read: int
    frontier: tuple[bytes, ...]

    @classmethod
    def of(cls, row: WitnessedLog) -> Position:
        """Return how far the log has been read."""
        stored = bytes(row.frontier)
        return cls(row.read, tuple(_cut(stored)))

    def after(self, entries: Sequence[bytes]) -> Position:
        """Return where one is once these have been read too."""
        read, frontier = self.read, list(self.frontier)
        for entry in entries:
            node, below = hash_leaf(entry), read
            while below & 1:
                node, below = hash_node(frontier.pop(), node), below >> 1
            frontier.append(node)
            read += 1
        return Position(read, tuple(frontier))

    def root(self) -> bytes:
        """Return the root of the tree over what was read."""
        *left, node = self.frontier or (EMPTY_ROOT,)
        for sibling in reversed(left):
            node = hash_node(sibling, node)
        return node


def read_up_to(log: WatchedLog, row: WitnessedLog, note: Note, budget: Budget) -> None:
    """Read the entries of a checkpoint that were not read yet; `row` is as it is stored then.

    Returns when the entries have the checkpoint's root. What they hold is in the row, `flaw` what
    is wrong with it. Raises Unread; then what was read is kept, unless it was something else.
    """
    while row.read < note.size:
        seconds = budget.take()
        if not seconds:
            raise Unread(f"{row.read} of {note.size} entries have been read so far")
        before = Position.of(row)
        entries = _bundle(log, before.read, note.size, seconds)
        after = before.after(entries)
        if after.read == note.size and after.root() != note.root:
            break
        _store(row, before, after, entries)
        row.refresh_from_db()
    if row.read > note.size:
        raise Unread(f"{row.read} entries of a newer checkpoint have been read; send that")
    position = Position.of(row)
    if position.read < note.size or position.root() != note.root:
        _forget(row, position)
        raise Unread(f"the entries at {log.url} do not have the root of this checkpoint")


def _store(row: WitnessedLog, before: Position, after: Position, entries: Sequence[bytes]) -> None:
    """Keep what was read, unless somebody else has read it as well and was first."""
    sealed, flaws = _said(row.origin, before.read, entries)
    with transaction.atomic():
        rows = WitnessedLog.objects.filter(
            pk=row.pk, read=before.read, frontier=b"".join(before.frontier)
        )
        if not rows.update(read=after.read, frontier=b"".join(after.frontier)):
            return
        known = row.seals.filter(raffle_uuid__in=[raffle for raffle, _ in sealed])
        first = dict(known.values_list("raffle_uuid", "n"))
        seals = []
        for raffle, n in sealed:
            if raffle in first:
                before_it = f"statement {first[raffle]}"
                flaws.append(f"statement {n} seals raffle {raffle.hex}, as {before_it} did")
            else:
                first[raffle] = n
                seals.append(WitnessedSeal(log=row, raffle_uuid=raffle, n=n))
        WitnessedSeal.objects.bulk_create(seals)
        if flaws:
            WitnessedLog.objects.filter(pk=row.pk, flaw="").update(flaw=flaws[0])


def _said(origin: str, start: int, entries: Sequence[bytes]) -> tuple[list[Sealed], list[str]]:
    """Return what the entries seal, and which of them are no statements of this log."""
    sealed, flaws = [], []
    for n, entry in enumerate(entries, start):
        said = _statement(entry)
        if (said.get("origin"), said.get("n")) != (origin, n):
            flaws.append(f"entry {n} is not statement {n} of this log")
        elif said["kind"] == "sealed":
            sealed.append((UUID(said["raffle_id"]), n))
    return sealed, flaws


def _statement(entry: bytes) -> dict[str, Any]:
    try:
        return read_statement(entry)
    except Invalid:
        return {}


def _forget(row: WitnessedLog, position: Position) -> None:
    """Begin anew, where what is stored may be of another log than the one we were asked about."""
    if row.read == row.size and position.root() == bytes(row.root):
        return  # all of it was signed
    with transaction.atomic():
        rows = WitnessedLog.objects.filter(pk=row.pk, read=row.read, refused_at=None)
        if rows.update(read=0, frontier=b"", flaw=""):
            row.seals.all().delete()


def _bundle(log: WatchedLog, first: int, size: int, seconds: float) -> list[bytes]:
    """Fetch entries from number `first` to the end of their tile, or of the log. Raises Unread."""
    number, skip = divmod(first, WIDTH)
    width = min(WIDTH, size - number * WIDTH)
    url = f"{log.url}/tile/entries/{_tile_path(number)}" + (f".p/{width}" if width < WIDTH else "")
    entries = list(_entries(fetch(url, seconds=seconds, most=_MOST)))
    if len(entries) != width:
        raise Unread(f"{url} does not hold {width} entries")
    return entries[skip:]


def fetch(url: str, *, seconds: float, most: int) -> bytes:
    """Return what is at a URL of a log; raises Unread."""
    try:
        reply = ask(url, seconds=seconds, most=most, allowed=EVERYWHERE)
    except TimeoutError:
        raise Unread(f"{url} has not answered in time") from None
    except (HTTPException, OSError, ValueError) as error:
        raise Unread(f"{url} cannot be had ({type(error).__name__})") from error
    if reply.status != 200 or reply.body is None:
        raise Unread(f"{url} answers {reply.status}")
    return reply.body


def _tile_path(number: int) -> str:
    """Return a tile's number as tlog-tiles writes it: 1234067 is x001/x234/067."""
    *above, last = (group.zfill(3) for group in f"{number:,}".split(","))
    return "/".join([*(f"x{group}" for group in above), last])


def _entries(bundle: bytes) -> Iterator[bytes]:
    """Yield the entries of a bundle, each with its length before it; none of a cut-off one."""
    at = 0
    while at + 2 <= len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle):
            return
        yield bundle[at + 2 : end]
        at = end


def _cut(stored: bytes) -> Iterator[bytes]:
    return (stored[at : at + _HASH] for at in range(0, len(stored), _HASH))
