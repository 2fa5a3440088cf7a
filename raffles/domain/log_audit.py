"""Checking the whole log against itself, its tree and the tables that it speaks of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q

from raffles.domain.log import HEIGHT, WORDS, Key, LogTree, checkpoint
from raffles.domain.pool import Progress
from raffles.domain.reading import in_pieces
from raffles.domain.sealing import NOTHING_SEALED
from raffles.fairness.verify import (
    ED25519,
    Invalid,
    Tree,
    TreeBuilder,
    hash_leaf,
    hash_reason,
    lines_of,
    parse_note,
    read_statement,
    signature_is_good,
)
from raffles.models import Announcement, Draw, LogNode, Raffle, Replacement, State, StreamCounter
from raffles.models.announcement import PUT_BACK

_BATCH = 500
_HASH = 32
_NOBODY = "0" * 32


class Line(NamedTuple):
    """A row of the list, as it is stored."""

    sequence: int
    kind: str
    raffle: UUID | None
    statement: bytes | memoryview
    by: str

    @property
    def is_put_back(self) -> bool:
        """Return whether the tables that it speaks of are lost, or older."""
        return self.by == PUT_BACK


def flaws(progress: Progress | None = None) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with the log; nothing when all is well.

    It reads every statement once, in bounded memory.
    """
    reader, is_whole = _Reader(), True
    for flaw in _kept_flaws(reader, progress):
        yield flaw
        is_whole = False
    if is_whole and reader.size:
        yield from _checkpoint_flaws(reader.builder.finish(), reader.keys)


def _kept_flaws(reader: _Reader, progress: Progress | None) -> Iterator[str]:
    """Compare statements, tables, counter and nodes."""
    counter = StreamCounter.objects.first() or StreamCounter()
    for batch in _batches():
        tables = _Tables(batch)
        for line in batch:
            said = _said(line)
            yield from reader.flaws_of(line, said)
            words = None if reader.is_lost(line, said) else tables.differ(said, reader)
            if words:
                yield f"statement {said['n']}, {said['kind']}: {words}"
        if progress:
            progress(reader.size, counter.last)
    if (counter.last, counter.at) != (reader.size, reader.at):
        yield f"the counter is at {counter.last} ({counter.at}), not {reader.size} ({reader.at})"
    yield from _uncounted(reader.counts)
    yield from _node_flaws(reader.builder.finish())


def _batches() -> Iterator[list[Line]]:
    rows = Announcement.objects.order_by("sequence").values_list(
        "sequence", "kind", "raffle__uuid", "statement", "announced_by"
    )
    after = 0
    while batch := [Line(*row) for row in rows.filter(sequence__gt=after)[:_BATCH]]:
        yield batch
        after = batch[-1].sequence


def _said(line: Line) -> dict[str, Any]:
    """What a row says; nothing where it is not a statement, which `_Reader` has reported."""
    try:
        return read_statement(bytes(line.statement))
    except Invalid:
        return {}


class _Reader:
    """Reads the statements in their order, and remembers what the next ones depend on."""

    def __init__(self) -> None:
        self.size = self.at = 0
        self.origin: str | None = None
        self.keys: dict[str, Key] = {}
        self.builder = TreeBuilder(HEIGHT)
        self.counts: Counter[str] = Counter()
        self.lost_seals: dict[str, str] = {}
        self._gone: set[str] = set()

    def is_lost(self, line: Line, said: dict[str, Any]) -> bool:
        """Return whether a restore took from the tables what the statement is about."""
        return line.is_put_back or said.get("raffle_id") in self._gone

    def flaws_of(self, line: Line, said: dict[str, Any]) -> Iterator[str]:
        n, self.size = self.size, self.size + 1
        self.builder.add(hash_leaf(bytes(line.statement)))
        if line.sequence != n + 1:
            yield f"statement {n} is row {line.sequence} of the list, not {n + 1}"
        if not said:
            yield f"statement {n} is not the canonical bytes of a statement"
            return
        kind = said["kind"]
        about = line.raffle.hex if line.raffle else _NOBODY
        if line.is_put_back and not line.raffle and kind not in ("key", "key_retired"):
            self._gone.add(said["raffle_id"])
        if line.is_put_back and kind == "sealed":
            self.lost_seals[said["raffle_id"]] = said["commitment_hash"]
        is_gone = said.get("raffle_id", _NOBODY) in self._gone
        if not (is_gone or (line.is_put_back and kind != "voided")):
            self.counts[kind] += said.get("raffle_id") != _NOBODY
        self.origin = self.origin or said["origin"]
        for is_kept, words in (
            (said["n"] == n, f"says that it is number {said['n']}"),
            (said["origin"] == self.origin, f"is of another log, {said['origin']}"),
            (said["at"] >= self.at, f"is older than the one before it, {said['at']}"),
            (n or kind == "key", "is the first, and no key"),
            (
                WORDS.get(Announcement.Kind(line.kind)) == kind,
                f"is {kind}, and its row {line.kind}",
            ),
            (
                is_gone or said.get("raffle_id", _NOBODY) == about,
                "is of another raffle than its row",
            ),
        ):
            if not is_kept:
                yield f"statement {n} {words}"
        self.at = max(self.at, said["at"])
        yield from self._key_flaws(n, said)

    def _key_flaws(self, n: int, said: dict[str, Any]) -> Iterator[str]:
        """A key is announced once, then retired, for good."""
        name = said.get("public_key", "")
        known = self.keys.get(name)
        if said["kind"] == "key":
            if known:
                yield f"statement {n} announces a key that was announced before, {name}"
            self.keys.setdefault(name, Key(name, said["at"], 0))
        elif said["kind"] == "key_retired":
            if not known or known.until:
                yield f"statement {n} retires a key that is not in use, {name}"
            self.keys[name] = Key(name, known.since if known else 0, said["at"])


class _Tables:
    """What the tables hold about the raffles of a batch of statements."""

    def __init__(self, batch: list[Line]) -> None:
        about = {line.raffle for line in batch if line.raffle}
        draws = Draw.objects.filter(raffle__uuid__in=about).select_related("raffle")
        self._draws = {draw.raffle.uuid.hex: draw for draw in draws}
        self._void = {
            raffle.uuid.hex: raffle
            for raffle in Raffle.objects.filter(uuid__in=about, state=State.VOID)
        }
        self._replaced = {
            (row.raffle.uuid.hex, row.winner.rank, row.alternate.rank): row.reason
            for row in Replacement.objects.filter(raffle__uuid__in=about).select_related(
                "raffle", "winner", "alternate"
            )
        }

    def differ(self, said: dict[str, Any], before: _Reader) -> str | None:
        """Return in what the tables differ from a statement; `before` has read those before it."""
        match said.get("kind"):
            case "sealed":
                return self._sealed(said, before.keys)
            case "drawn":
                return self._drawn(said)
            case "voided" if said["raffle_id"] != _NOBODY:
                return self._voided(said, before.lost_seals)
            case "replaced":
                return self._replacement(said)
        return None

    def _sealed(self, said: dict[str, Any], keys: dict[str, Key]) -> str | None:
        draw = self._draws.get(said["raffle_id"])
        if draw is None:
            return "the raffle has no draw"
        if draw.statement != said["n"]:
            return f"the raffle was sealed by statement {draw.statement}"
        key = keys.get(draw.public_key)
        if key is None or key.until:
            return f"it was signed by a key that was not announced, or retired, {draw.public_key}"
        if int(draw.closed_at.timestamp()) != said["at"]:
            return f"the draw was closed at {int(draw.closed_at.timestamp())}"
        return _other_commitment(said, draw)

    def _drawn(self, said: dict[str, Any]) -> str | None:
        draw = self._draws.get(said["raffle_id"])
        if draw is None or draw.randomness is None:
            return "the raffle is not drawn"
        if bytes(draw.randomness).hex() != said["randomness"]:
            return f"it was drawn by other randomness, {bytes(draw.randomness).hex()}"
        return _other_commitment(said, draw)

    def _voided(self, said: dict[str, Any], lost_seals: dict[str, str]) -> str | None:
        raffle = self._void.get(said["raffle_id"])
        if raffle is None:
            return "the raffle is not void"
        if hash_reason(raffle.void_reason).hex() != said["reason_hash"]:
            return "another reason is stored"
        draw = self._draws.get(said["raffle_id"])
        if draw is None and lost_seals.get(said["raffle_id"]) == said["commitment_hash"]:
            return None
        return _other_commitment(said, draw)

    def _replacement(self, said: dict[str, Any]) -> str | None:
        reason = self._replaced.get((said["raffle_id"], said["rank"], said["by_rank"]))
        if reason is None:
            return "there is no such replacement"
        if hash_reason(reason).hex() != said["reason_hash"]:
            return "another reason is stored"
        return _other_commitment(said, self._draws.get(said["raffle_id"]))


def _other_commitment(said: dict[str, Any], draw: Draw | None) -> str | None:
    own = bytes(draw.commitment_hash).hex() if draw else NOTHING_SEALED
    return None if own == said["commitment_hash"] else f"the commitment is another, {own}"


def _uncounted(counts: Counter[str]) -> Iterator[str]:
    """Compare how many there are: each statement has its row, so none may be left without one."""
    stored = {
        "sealed": Draw.objects.count(),
        "drawn": Draw.objects.exclude(drawn_at=None).count(),
        "voided": Raffle.objects.filter(Q(state=State.VOID)).count(),
        "replaced": Replacement.objects.count(),
    }
    for kind, count in stored.items():
        if counts[kind] != count:
            yield f"{count} raffles or replacements are {kind}, and {counts[kind]} are in the log"


def _node_flaws(tree: Tree) -> Iterator[str]:
    """Compare the kept nodes, which are those of every eighth level that are complete."""
    levels = range(HEIGHT, max(tree.size, 1).bit_length(), HEIGHT)
    for level in levels:
        nodes = tree.levels[level - HEIGHT]
        whole = [nodes[at : at + _HASH] for at in range(0, (tree.size >> level) * _HASH, _HASH)]
        rows = LogNode.objects.filter(level=level).order_by("index").values_list("index", "hash")
        for index, (row, node) in enumerate(zip_longest(in_pieces(rows), whole)):
            if row is None or (row[0], bytes(row[1])) != (index, node):
                yield f"node {index} of level {level} is not the one over the statements"
                break
    if extra := LogNode.objects.exclude(level__in=list(levels)).count():
        yield f"{extra} nodes are kept of levels that the tree does not have"


def _checkpoint_flaws(tree: Tree, keys: dict[str, Key]) -> Iterator[str]:
    """Compare what is signed and served with the statements."""
    try:
        note = parse_note(checkpoint(LogTree(tree.size)))
    except Invalid:
        yield "no key that could sign the checkpoint is announced"
        return
    if (note.size, note.root) != (tree.size, tree.root):
        yield "the checkpoint is not the one over the statements"
    for key in map(bytes.fromhex, keys):
        for line in lines_of(note, note.origin, ED25519, key):
            if not signature_is_good(key, note.text.encode(), line.signature):
                yield f"the checkpoint is not signed by {key.hex()}"
