"""The operator's log: every public act is a statement in one numbered, append-only list.

A statement is the last thing that its transaction writes, under the counter's lock. The tree over
all of them is stored like a pool's: the lower levels are computed from one block's statements,
and a node above them is stored once nothing can change it (draw protocol, section 7).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

from raffles.domain import lineage, marks
from raffles.domain.clock import is_database_asked
from raffles.domain.keys import KeyMissing, signer
from raffles.fairness.verify import (
    TreeBuilder,
    consistency_path,
    hash_leaf,
    inclusion_path,
    make_statement,
    read_statement,
)
from raffles.models import Announcement, Draw, LogNode, Raffle, StreamCounter

HEIGHT = 8  # levels per block: over 256 statements, or over 256 nodes of a stored level
WIDTH = 1 << HEIGHT
_HASH = 32
_PIECE = 2_048  # statements read at once
# In SQL of our own, in two round trips: through the ORM a statement costs twice as much and more.
_LOCK = """
    INSERT INTO raffles_streamcounter (id, last, at) VALUES (1, 0, 0)
    ON CONFLICT (id) DO UPDATE SET last = raffles_streamcounter.last
"""
_ABOUT_KEYS = "raffles_announcement.kind IN ('key', 'key_retired')"
_LOOK = f"""
    SELECT last, at, {{clock}}, {{imprint}}, statement
    FROM raffles_streamcounter LEFT JOIN raffles_announcement ON {_ABOUT_KEYS}
    WHERE raffles_streamcounter.id = 1 ORDER BY sequence
"""  # noqa: S608 - constants
_WRITE = """
    INSERT INTO raffles_announcement
        (sequence, kind, raffle_id, statement, payload, announced_at, announced_by)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_MOVE = "UPDATE raffles_streamcounter SET last = %s, at = %s WHERE id = 1"
# Read in the writing transaction: what is noted once that is committed is then durable.
_POSITION = " RETURNING pg_current_wal_insert_lsn()"
_BY = "the service"
WORDS = {
    Announcement.Kind.KEY: "key",
    Announcement.Kind.KEY_RETIRED: "key_retired",
    Announcement.Kind.SOLD_OUT: "sold_out",
    Announcement.Kind.SEALED: "sealed",
    Announcement.Kind.DRAWN: "drawn",
    Announcement.Kind.VOIDED: "voided",
    Announcement.Kind.REPLACED: "replaced",
}


class Turn(NamedTuple):
    """The next statement's number and time (UNIX seconds), ours until the transaction ends."""

    n: int
    at: int
    origin: str

    def moment(self) -> datetime:
        """Return the time as a datetime in UTC."""
        return datetime.fromtimestamp(self.at, UTC)


def take_turn(now: datetime) -> Turn:
    """Lock the end of the log until the transaction ends, and return the next number and time.

    A key is announced before it signs anything, so keys that the log lacks are announced first.
    Raises Restored, and KeyMissing where the key that would sign has been retired.
    """
    turn, heard = _next_turn(now)
    for public_key in signer().public_keys:
        if public_key not in heard.named:
            write(turn, Announcement.Kind.KEY, {"public_key": public_key})
            turn, heard = _next_turn(now)
    if signer().public_key not in heard.signing:
        raise KeyMissing(
            f"RECEIPT_KEY begins with the key {signer().public_key}, which the log has retired for"
            " good: put a new one in front"
        )
    return turn


def _next_turn(now: datetime) -> tuple[Turn, _Heard]:
    """Return the turn, and what the log says of keys: others wait, so it asks twice at the most."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("state it inside the transaction that makes it true")
    if connection.vendor == "sqlite":
        lineage.look()  # a file is written over in less than the second between two looks
    lineage.refuse_restored()
    clock = "clock_timestamp()" if is_database_asked() else "NULL"
    imprint = "NULL" if connection.vendor == "sqlite" else lineage.IMPRINT
    with connection.cursor() as cursor:
        _execute(cursor, (_LOCK, []), (_LOOK.format(clock=clock, imprint=imprint), []))
        rows = cursor.fetchall()
    n, before, moment, imprint_now, _ = rows[0]
    if imprint_now is not None:
        lineage.refuse_other(imprint_now)
    heard = _heard_in(tuple(bytes(row[4]) for row in rows if row[4] is not None))
    return Turn(
        n, max(before, int((moment or now).timestamp())), heard.origin or _own_origin()
    ), heard


def _execute(cursor: CursorWrapper, *statements: tuple[str, list[Any]]) -> None:
    """Execute them, in one round trip where the database can; each sees what is committed then."""
    if connection.vendor == "postgresql":
        values = [value for _, its_values in statements for value in its_values]
        cursor.execute("; ".join(sql for sql, _ in statements), values)
    else:
        for sql, its_values in statements:
            cursor.execute(sql, its_values)


def write(
    turn: Turn,
    kind: Announcement.Kind,
    adds: dict[str, Any],
    *,
    by: str = _BY,
    at: datetime | None = None,
    raffle: Raffle | None = None,
    payload: dict[str, Any] | None = None,
) -> None:
    """Write the statement of a turn; `adds` are the members of its kind, `payload` stands beside.

    Without a payload the members stand beside it too.
    """
    statement = make_statement(WORDS[kind], origin=turn.origin, n=turn.n, at=turn.at, **adds)
    values = [
        turn.n + 1,
        kind.value,
        raffle.pk if raffle else None,
        statement,
        json.dumps(adds if payload is None else payload),
        connection.ops.adapt_datetimefield_value(at or turn.moment()),
        by,
    ]
    position, is_postgresql = 0, connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        move = _MOVE + (_POSITION if is_postgresql else "")
        _execute(cursor, (_WRITE, values), (move, [turn.n + 1, turn.at]))
        if is_postgresql:
            position = lineage.position_of(cursor.fetchone()[0])
    keep_nodes(turn.n + 1)
    noted = partial(_remember, turn.n + 1, statement, position)
    transaction.on_commit(noted, robust=True)


def _remember(size: int, statement: bytes, position: int) -> None:
    """Note outside the database what the log has now, since the database may be restored."""
    if installation := lineage.standing().installation:
        lineage.note_statement(size, statement, position)
        marks.keep_log(installation, size, statements)


def origin() -> str:
    """Return the log's origin: from statement 0, or from the settings while there is none."""
    return _about_keys().origin or _own_origin()


def _own_origin() -> str:
    return settings.LOG_ORIGIN or f"{urlsplit(settings.PUBLIC_URL).hostname}/log"


class Key(NamedTuple):
    """A public key in hex, and the UNIX seconds of its validity; `until` is 0 while it signs."""

    public_key: str
    since: int
    until: int


class _Heard(NamedTuple):
    """What the statements on keys say: the log's origin, if any, and every key in its order."""

    origin: str
    keys: tuple[Key, ...]
    named: frozenset[str]
    signing: frozenset[str]


def keys() -> tuple[Key, ...]:
    """Return every key that the log has announced, in its order.

    Whoever verifies holds a key that was retired once to be retired for good, so a later
    announcement of it changes nothing.
    """
    return _about_keys().keys


def _about_keys() -> _Heard:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT statement FROM raffles_announcement WHERE {_ABOUT_KEYS} ORDER BY sequence"  # noqa: S608
        )
        return _heard_in(tuple(bytes(line) for (line,) in cursor.fetchall()))


@lru_cache(maxsize=4)
def _heard_in(lines: tuple[bytes, ...]) -> _Heard:
    """Read the statements on keys; the log's first is one of them."""
    said = [read_statement(line) for line in lines]
    found: dict[str, Key] = {}
    for statement in said:
        name, at = statement["public_key"], statement["at"]
        if statement["kind"] == "key":
            found.setdefault(name, Key(name, at, 0))
        elif name in found and not found[name].until:
            found[name] = found[name]._replace(until=at)
    return _Heard(
        origin=str(said[0]["origin"]) if said else "",
        keys=tuple(found.values()),
        named=frozenset(found),
        signing=frozenset(name for name, key in found.items() if not key.until),
    )


def published_keys() -> dict[str, Any]:
    """Return the keys file of section 8: every key, and when it signed."""
    return {
        "keys": [
            {
                "algorithm": "Ed25519",
                "public_key": key.public_key,
                "since": key.since,
                "until": key.until,
            }
            for key in keys()
        ]
    }


def announced_keys() -> frozenset[str]:
    """Return the keys that may sign: announced and not retired."""
    return _about_keys().signing


def announce_keys(now: datetime) -> None:
    """Announce the keys of RECEIPT_KEY that the log lacks, and retire those no longer in it.

    A key stays while a raffle that it sealed waits for its draw. Called after `migrate`, and
    before a process signs its first receipt of a raffle. Raises KeyMissing where the key that
    would sign has been retired.
    """
    ours, heard = set(signer().public_keys), _about_keys()
    if heard.signing == ours:
        return
    with transaction.atomic():
        turn = take_turn(now)
        if "RECEIPT_KEY" in settings.EPHEMERAL_SECRETS:
            return  # a key of this process alone says nothing about other processes
        waiting = set(Draw.objects.waiting().values_list("public_key", flat=True))
        for public_key in sorted(announced_keys() - ours - waiting):
            write(turn, Announcement.Kind.KEY_RETIRED, {"public_key": public_key})
            turn = take_turn(now)


# --- The tree


def size() -> int:
    """Return the number of statements."""
    return StreamCounter.objects.values_list("last", flat=True).first() or 0


class LogTree:
    """The tree over the first `size` statements; a node costs a range of 256 rows, or a few."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._levels = lru_cache(maxsize=16)(self._levels_over)

    def node(self, level: int, index: int) -> bytes:
        """Return node `index` of a level: the tree hash of leaves from `index * 2^level` on."""
        kept, above = divmod(level, HEIGHT)
        block, within = divmod(index, WIDTH >> above)
        levels = self._levels(kept, block)
        # The last block may come down to a single node below this level.
        at = levels[min(above, len(levels) - 1)]
        return at[within * _HASH : (within + 1) * _HASH]

    def root(self) -> bytes:
        """Return the tree's root."""
        if not self.size:
            return sha256(b"").digest()
        return self.node((self.size - 1).bit_length(), 0)

    def inclusion(self, n: int) -> list[bytes]:
        """Return the path from statement `n` to the root."""
        return inclusion_path(n, self.size, self.node)

    def consistency(self, old: int) -> list[bytes]:
        """Return the proof that the tree over the first `old` statements is part of this one."""
        return consistency_path(old, self.size, self.node)

    def tile(self, kept: int, block: int) -> bytes:
        """Return the hashes of a tile: nodes of level `8 * kept` that can no longer change.

        There are 256 of 32 bytes each, fewer in the last tile and none beyond it.
        """
        first = block * WIDTH
        count = min(WIDTH, (self.size >> HEIGHT * kept) - first)
        if count <= 0:
            return b""
        if kept == 0:
            return b"".join(hash_leaf(bytes(row)) for row in _lines(first, first + count))
        nodes = LogNode.objects.filter(level=HEIGHT * kept, index__gte=first)
        rows = nodes.filter(index__lt=first + count).order_by("index")
        return b"".join(bytes(row) for row in rows.values_list("hash", flat=True))

    def top(self, kept: int, block: int) -> bytes:
        """Return the one node over a tile and the incomplete node that may follow it."""
        return self._levels(kept, block)[-1]

    def _levels_over(self, kept: int, block: int) -> Sequence[bytes]:
        """Return the levels over a tile, lowest first, with a node that is still incomplete."""
        hashes = self.tile(kept, block)
        following = block * WIDTH + len(hashes) // _HASH
        is_whole = following << HEIGHT * kept >= self.size
        if kept and not is_whole and len(hashes) < WIDTH * _HASH:
            hashes += self.top(kept - 1, following)
        builder = TreeBuilder(keep_from=0)
        for start in range(0, len(hashes), _HASH):
            builder.add(hashes[start : start + _HASH])
        return builder.finish().levels


def statements(first: int, end: int) -> Iterator[bytes]:
    """Yield the statements from number `first` to before `end`, in canonical bytes.

    They are read by their numbers: whoever reads them slowly keeps no transaction open.
    """
    for start in range(first, end, _PIECE):
        yield from map(bytes, _lines(start, min(start + _PIECE, end)))


def _lines(first: int, end: int) -> QuerySet[Announcement, memoryview | bytes]:
    rows = Announcement.objects.filter(sequence__gt=first, sequence__lte=end).order_by("sequence")
    return rows.values_list("statement", flat=True)


def checkpoint(tree: LogTree) -> str:
    """Return the signed note over a tree, with a line by each of our keys that may sign."""
    return signer().checkpoint(origin(), tree.size, tree.root(), announced_keys())


def keep_nodes(size: int) -> None:
    """Store the nodes that were completed by the statement that made the log this long."""
    kept, tree = 1, LogTree(size)
    while size % (1 << HEIGHT * kept) == 0:
        index = (size >> HEIGHT * kept) - 1
        LogNode.objects.create(level=HEIGHT * kept, index=index, hash=tree.top(kept - 1, index))
        kept += 1
