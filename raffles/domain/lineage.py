"""Is this the database that it was? A restored one hands out again what people hold.

Where the database stands (cluster, timeline, database; of SQLite the file) is compared with its one
row of `Lineage`, and what it holds with the marks outside it. That takes a few queries, when a
connection opens and at most once a second before something is handed out. Behind a pooler, or in
SQLite's file, another database may be there before that second is over, so each claim and each turn
in the log asks in its own transaction for the imprint of what was looked at. In a database that was
restored nothing is taken in, created, drawn or sealed until `manage.py after_restore`. The failover
of a synchronous cluster is another timeline that is behind no mark: the epoch moves on by itself.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection
from django.utils.translation import gettext_noop as _

from raffles.domain import marks
from raffles.domain.marks import Claimed, Mark, Stated, Unreadable
from raffles.models import Announcement, Lineage, StreamCounter, Ticket
from raffles.web.outages import Unavailable

log = logging.getLogger(__name__)
PAUSE = 1.0  # seconds between two looks, and between two marks of claims
_MOST_SLOTS = 64 * 1024 * 1024  # bytes, a bit for each slot that this process handed out


class Restored(Unavailable):
    """The database is an older state of itself, or a copy: it would hand out what others hold."""

    code = "restored"
    sentence = _(
        "This service was put back to an older state, so nothing new is taken or drawn until that"
        " is settled. What you hold stays yours."
    )

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(reasons)
        self.reasons = reasons

    def for_operators(self) -> str:
        """Return what tells it, and the way out."""
        return (
            f"The database was restored: {'; '.join(self.reasons)}. Nothing is handed out or drawn"
            ' before `manage.py after_restore` ("After a restore" in docs/backup.md).'
        )


class Moving(Unavailable):
    """The installation is about to be moved (`manage.py before_move`)."""

    code = "moving"
    sentence = _("This service is moving to another place. Try again later.")

    def for_operators(self) -> str:
        """Return the way on."""
        return (
            "The installation is being moved: entries and draws are shut until"
            " `manage.py after_restore --nothing-lost`."
        )


class Unseen(Unavailable):
    """The statement came to a database that no look has seen, and did nothing there."""

    code = "unavailable"
    sentence = _("Nothing can be taken or drawn here at the moment. Try again later.")


# --- What this process knows


class Standing(NamedTuple):
    """The installation and its epoch, as this process saw them last."""

    installation: bytes = b""
    epoch: int = 0


class Seen(NamedTuple):
    """What a statement asks for: the imprint that was looked at, and what lies below its own."""

    imprint: str
    position: int  # of the newest ticket that this process handed out, as of `marks.Claimed`


Refusal = Callable[[], Unavailable]
_Claim = tuple[int, bytes, int, bytes]  # position, raffle, slot, tag of the code
_NO_CLAIM: _Claim = (0, b"", 0, b"")


@dataclass
class _Seen:
    standing: Standing = field(default_factory=Standing)
    since: int = 1
    unbroken_since: int = 1
    refusal: Refusal | None = None
    imprint: str = ""
    mark: Mark = field(default_factory=Mark)
    proof: str = ""  # that a slot was handed out twice; it holds for the epoch
    look_at: float = 0.0  # on the monotonic clock, and so is the next
    note_at: float = 0.0
    database: str = ""
    slots: dict[bytes, bytearray] = field(default_factory=dict)
    size: int = 0
    last: _Claim = _NO_CLAIM


_seen = _Seen()
_memories: list[dict[Any, Any]] = []
_mending: ContextVar[bool] = ContextVar("mending", default=False)


def dies_with_epoch(memory: dict[Any, Any]) -> dict[Any, Any]:
    """Have a process's memory of rows emptied whenever they may be those of an older database."""
    _memories.append(memory)
    return memory


def forget() -> None:
    """Begin as a process that has seen nothing yet."""
    global _seen  # noqa: PLW0603 - a process has one database
    _seen = _Seen()
    for memory in _memories:
        memory.clear()


def _stand(standing: Standing, refusal: Refusal | None) -> None:
    """Take over what a look has found; all that was remembered goes with another standing."""
    if standing != _seen.standing or (refusal and not _seen.refusal):
        for memory in _memories:
            memory.clear()
    if standing != _seen.standing:
        _seen.slots, _seen.size, _seen.proof = {}, 0, ""
        _seen.mark = Mark()
        _seen.last = _NO_CLAIM
    _seen.standing, _seen.refusal = standing, refusal


# --- Refusing


def refuse_restored() -> None:
    """Raise Restored or Moving where nothing may be handed out, created, drawn or sealed.

    It looks at most once a second, and never inside a transaction, whose begin has looked. A look
    that failed is none: it raises what failed, and whoever comes next looks.
    """
    connection.ensure_connection()  # now: a new one may lead to another database, and is looked at
    if not connection.in_atomic_block and time.monotonic() >= _seen.look_at:
        look()
        _note_log()
    if _seen.refusal is not None and not _mending.get():
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            connection.close()  # it may lead to a file that is no longer there
        raise _seen.refusal()


def seen() -> Seen:
    """Return what a statement that hands something out has to find, or else is Unseen."""
    return Seen(_seen.imprint, _seen.last[0])


@contextmanager
def mending() -> Iterator[None]:
    """Let this thread act in a database that was restored: it is putting it in order."""
    token = _mending.set(True)
    try:
        yield
    finally:
        _mending.reset(token)


def standing() -> Standing:
    """Return the installation and its epoch; the row is made if there is none."""
    if not _seen.standing.installation:
        begin()
    return _seen.standing


def since() -> int:
    """Return the epoch that `after_restore` began last, as this process saw it; it asks nothing."""
    return _seen.since


def is_unbroken_since(then: Standing) -> bool:
    """Return whether all that was committed then is in this database, as this process saw it."""
    own = _seen.standing
    return then.installation == own.installation and _seen.unbroken_since <= then.epoch <= own.epoch


def warnings() -> list[str]:
    """Return a sentence for operators where nothing is handed out, or can be remembered."""
    look()
    _note_log()
    found = [_seen.refusal().for_operators()] if _seen.refusal else []
    try:
        with marks.alone():
            marks.require_writable(_seen.standing.installation)
    except OSError as error:
        found.append(f"STATE_DIR cannot be written, so no restore would be noticed: {error}.")
    return found


# --- Looking


def look_when_opened() -> None:
    """Look after a connection has been opened: it may lead to another database.

    With SQLite each request opens one; there the file alone is looked at, but for once a second.
    """
    if (
        connection.vendor == "sqlite"
        and time.monotonic() < _seen.look_at
        and _file() == _seen.database
    ):
        return
    try:
        look()
    except (DatabaseError, InterfaceError) as error:  # such as no tables yet
        log.debug("The database cannot be looked at: %s", error)


def look() -> None:
    """Compare the database with its lineage and with the marks outside it, now."""
    _seen.look_at = time.monotonic() + PAUSE  # first, so that other threads do not look as well
    try:
        _look()
    except BaseException:
        _seen.look_at = 0.0
        raise


def _look() -> None:
    _seen.database = _file()
    imprint = _read_imprint()  # first: of a database that comes in between, nothing is believed
    row = Lineage.objects.first()
    if row is None:
        _stand(Standing(), None)
        _seen.imprint = imprint
        return
    found = find(row)
    if found.is_failover and _move_on(found):
        imprint = _read_imprint()
        found = find(found.row)
    row = found.row
    _seen.since, _seen.unbroken_since = row.since, row.unbroken_since
    own = Standing(bytes(row.installation), row.epoch)
    reasons = found.reasons
    if _seen.proof and own == _seen.standing:
        reasons += (_seen.proof,)
    refusal: Refusal | None = None
    if reasons:
        refusal = partial(Restored, reasons)
    elif row.state == Lineage.State.MOVING:
        refusal = Moving
    _stand(own, refusal)
    if not reasons:
        _seen.mark = _seen.mark.joined(found.mark)
    _seen.imprint = imprint


# Database and file of the row's table, which a dump that is put back makes anew, as TRUNCATE does,
# and the timeline. It reads no table: every claim asks for it. A server that only reads has none.
IMPRINT = """
    CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_relation_filepath('raffles_lineage') || ' '
        || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END
"""
# SQLite raises it where a backup is written over the file that others have open.
_IMPRINT_ON_SQLITE = "PRAGMA schema_version"


def _read_imprint() -> str:
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(_IMPRINT_ON_SQLITE if is_sqlite else f"SELECT {IMPRINT}")
        return str(cursor.fetchone()[0])


def refuse_other(imprint: str | None = None) -> None:
    """Look where the database is not the one that was looked at. Raises Restored or Moving.

    `imprint` is what a statement has read of it, in the transaction that goes on.
    """
    if (_read_imprint() if imprint is None else imprint) != _seen.imprint:
        look()
        refuse_restored()


class Here(NamedTuple):
    """Where the database is now; nothing is known of a server that only reads."""

    system: str
    timeline: str
    database: str
    position: int

    @property
    def place(self) -> tuple[str, str, str]:
        """Return the part that a lineage remembers."""
        return self.system, self.timeline, self.database


class Found(NamedTuple):
    """What a look found: what tells that it was restored; or the failover of a cluster."""

    row: Lineage
    here: Here | None
    mark: Mark
    reasons: tuple[str, ...]
    is_failover: bool


def find(row: Lineage) -> Found:
    """Compare everything; changes nothing.

    Marks are read before the rows that they speak of: what was noted meanwhile is not missed.
    """
    installation = bytes(row.installation)
    try:
        mark, unreadable = marks.read(installation), ""
    except Unreadable as error:
        mark, unreadable = Mark(), f"what was seen of it cannot be read: {error}"
    if installation == _seen.standing.installation:
        mark = mark.joined(_newest())
    row = Lineage.objects.first() or row
    mark = mark.since(row.since)
    here = read_here()
    if here is None:
        return Found(row, here, mark, (), is_failover=False)
    reasons = [*([unreadable] if unreadable else []), *_elsewhere(row, here, mark)]
    reasons += behind(row, here, mark)
    is_failover = not reasons and here.timeline != row.timeline
    return Found(row, here, mark, tuple(reasons), is_failover)


def _elsewhere(row: Lineage, here: Here, mark: Mark) -> Iterator[str]:
    if row.state == Lineage.State.MENDING:
        yield "`manage.py after_restore` has begun and not ended"
    if here.system != row.system:
        yield "it is in another cluster"
    elif here.database != row.database:
        is_file = connection.vendor == "sqlite"
        yield "it is another file" if is_file else "it is another database of its cluster"
    elif here.timeline != row.timeline and mark == Mark():
        yield (
            f"its cluster is in timeline {int(here.timeline, 16)} instead of"
            f" {int(row.timeline, 16)}, and this machine has not seen enough of it to tell that"
            " nothing was lost"
        )


def behind(row: Lineage, here: Here, mark: Mark) -> Iterator[str]:
    """Yield a sentence for each thing that was seen and that the database does not have."""
    if (epoch := max(mark.claimed.epoch, mark.stated.epoch)) > row.epoch:
        yield f"it is in epoch {row.epoch}, and epoch {epoch} was seen"
    if mark.stated.size:
        yield from _missing_statements(mark.stated)
    if mark.claimed.ticket:
        yield from _missing_ticket(mark.claimed)
    if here.system == row.system and here.position < mark.position:
        yield f"it is at position {here.position:,}, and {mark.position:,} was seen"


def _missing_statements(seen: Stated) -> Iterator[str]:
    size = StreamCounter.objects.values_list("last", flat=True).first() or 0
    if size < seen.size:
        yield f"its log has {size} statements, and {seen.size} were seen"
        return
    rows = Announcement.objects.filter(sequence=seen.size)
    line = rows.values_list("statement", flat=True).first()
    if line is None or hash_of(bytes(line)) != seen.last:
        yield f"statement {seen.size - 1} of its log is another than was seen"


def _missing_ticket(seen: Claimed) -> Iterator[str]:
    raffle, slot, tag = seen.ticket.split()
    rows = Ticket.objects.filter(raffle__uuid=UUID(raffle), slot=int(slot)).order_by()
    row = rows.values_list("code_tag").first()
    # Without a tag it was erased since.
    if row is None or (row[0] is not None and hash_of(bytes(row[0])) != tag):
        yield f"a ticket of raffle {UUID(raffle)} was handed out that it does not have"


def hash_of(content: bytes) -> str:
    """Return the hash by which marks know a statement or a ticket, in hex."""
    return sha256(content).hexdigest()


_HERE = """
    SELECT (SELECT system_identifier::text FROM pg_control_system()),
        (SELECT oid::text FROM pg_database WHERE datname = current_database()),
        CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
            END,
        CASE WHEN NOT pg_is_in_recovery() THEN
            pg_current_wal_insert_lsn() END
"""


def position_of(written: str) -> int:
    """Return a position in PostgreSQL's log, which it writes as `16/B374D848`, as a number."""
    high, _slash, low = written.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def read_here() -> Here | None:
    """Return where the database is; None where it only reads, and so hands nothing out."""
    if connection.vendor == "sqlite":
        last = Ticket.objects.order_by("-pk").values_list("pk", flat=True).first()
        return Here("sqlite", "", _file(), last or 0)
    with connection.cursor() as cursor:
        cursor.execute(_HERE)
        system, database, timeline, position = cursor.fetchone()
    return None if timeline is None else Here(system, timeline, database, position_of(position))


def _file() -> str:
    """Return the inode of SQLite's file; a copy has another. Empty for any other database."""
    if connection.vendor != "sqlite":
        return ""
    try:
        return str(os.stat(connection.settings_dict["NAME"]).st_ino)
    except OSError:
        return ""


# --- The row


def begin() -> None:
    """Make the row if there is none, and look."""
    if not Lineage.objects.exists() and (here := read_here()):
        system, timeline, database = here.place
        made = Lineage(pk=1, system=system, timeline=timeline, database=database)
        Lineage.objects.bulk_create([made], ignore_conflicts=True)
    look()


def _move_on(found: Found) -> bool:
    """Begin the next epoch after a failover that lost nothing; return whether it is begun.

    Marks show that of what was noted. What was committed in the very moment before, a standby
    alone has that had to confirm it; of any other the signer's memory is believed instead.
    """
    row, here = found.row, found.here
    if here is None:
        return False
    marks.note(bytes(row.installation), found.mark)
    epoch = row.epoch + 1
    moved = Lineage.objects.filter(epoch=row.epoch, timeline=row.timeline).update(
        epoch=epoch,
        timeline=here.timeline,
        unbroken_since=row.unbroken_since if _is_synchronous() else epoch,
    )
    if moved:
        log.warning(
            "The cluster is in timeline %s after a failover; nothing that was seen is missing.",
            int(here.timeline, 16),
        )
    return True


def _is_synchronous() -> bool:
    """Return whether a standby has to confirm what is committed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('synchronous_standby_names') <> ''"
            " AND current_setting('synchronous_commit') NOT IN ('off', 'local')"
        )
        return bool(cursor.fetchone()[0])


# --- Noting


def refuse_second(raffle: bytes, slot: int) -> None:
    """Raise Restored where a claim got a slot that this process has handed out before."""
    if not _is_handed_out(raffle, slot):
        return
    look()
    if _is_handed_out(raffle, slot):  # and not in another installation
        _seen.proof = f"a slot of raffle {UUID(bytes=raffle)} was handed out a second time"
        _stand(_seen.standing, partial(Restored, (_seen.proof,)))
        raise Restored((_seen.proof,))


def _is_handed_out(raffle: bytes, slot: int) -> bool:
    bits = _seen.slots.get(raffle, b"")
    return slot >> 3 < len(bits) and bool(bits[slot >> 3] >> (slot & 7) & 1)


def note_claim(raffle: bytes, slot: int, code_tag: bytes, position: int) -> None:
    """Remember a ticket that is committed; `position` as of `marks.Claimed`."""
    try:
        own = standing()
    except (DatabaseError, InterfaceError) as error:
        log.warning("What was handed out cannot be noted yet: %s", error)
        return
    _hand_out(raffle, slot)
    if position > _seen.last[0]:
        _seen.last = position, raffle, slot, code_tag
    if own.installation and time.monotonic() >= _seen.note_at:
        _seen.note_at = time.monotonic() + PAUSE
        marks.note(own.installation, _newest())


def _newest() -> Mark:
    """Return what this process has seen."""
    position, raffle, slot, code_tag = _seen.last
    if not raffle:
        return _seen.mark
    ticket = f"{raffle.hex()} {slot} {hash_of(code_tag)}"
    return _seen.mark.joined(Mark(Claimed(_seen.standing.epoch, position, ticket)))


def _hand_out(raffle: bytes, slot: int) -> None:
    bits = _seen.slots.setdefault(raffle, bytearray())
    if (missing := (slot >> 3) + 1 - len(bits)) > 0:
        _seen.size += missing
        if _seen.size > _MOST_SLOTS:
            _seen.slots, _seen.size = {}, 0
            return
        bits.extend(bytes(missing))
    bits[slot >> 3] |= 1 << (slot & 7)


def _note_log() -> None:
    """Note the newest statement where no mark has it: who only looks has seen it as well.

    And whoever was killed between a COMMIT and its note has seen it by whoever looks next.
    """
    own, known = _seen.standing, _seen.mark.stated
    if not own.installation or _seen.refusal is not None:
        return
    size = StreamCounter.objects.values_list("last", flat=True).first() or 0
    if size <= known.size and known != Stated():
        return
    rows = Announcement.objects.filter(sequence=size).values_list("statement", flat=True)
    last = hash_of(bytes(line)) if (line := rows.first()) else ""
    _seen.mark = _seen.mark.joined(Mark(stated=Stated(own.epoch, size, last)))
    marks.note(own.installation, _newest(), lasting=True)


def note_statement(size: int, statement: bytes, position: int) -> None:
    """Remember the newest statement, which is committed; `position` as of `marks.Stated`."""
    own = standing()
    stated = Stated(own.epoch, size, hash_of(statement), position)
    _seen.mark = _seen.mark.joined(Mark(stated=stated))
    marks.note(own.installation, _newest(), lasting=True)


def _note_last() -> None:
    """Note what was seen since the last mark, as the process ends."""
    if _seen.standing.installation and (mark := _newest()) != Mark():
        marks.note(_seen.standing.installation, mark)


atexit.register(_note_last)
