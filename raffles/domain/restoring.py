"""Putting a restored database in order, in public; and moving one on purpose.

Each step is a transaction of its own and leaves alone what is done, so that whoever comes after a
kill goes on. Nothing is handed out before the last of them, which begins the next epoch.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from raffles.domain import lineage, marks, signed
from raffles.domain.announcing import about, wake_readers
from raffles.domain.drawing import void_raffle
from raffles.domain.lineage import Found, behind, mending
from raffles.domain.log import WORDS, keep_nodes, origin, size, statements, take_turn, write
from raffles.fairness.verify import Invalid, hash_reason, read_statement
from raffles.models import Announcement, Draw, Lineage, Outbox, Raffle, StreamCounter
from raffles.models.announcement import PUT_BACK
from raffles.models.raffle import ENTERABLE, UNDER_WAY
from raffles.models.record import record

RESTORED = "service.restored"
_KINDS = {word: kind for kind, word in WORDS.items()}
_ENVELOPE = frozenset({"v", "origin", "n", "at", "kind"})
_NOBODY = "0" * 32
_SEEN_BY_ALL = 2 * lineage.PAUSE  # seconds until every process has seen what stands in the row


class NotSettled(Exception):
    """The database cannot be put in order like this; nothing was changed. The text says why."""


# --- What is missing


def examine() -> Found:
    """Return what tells that the database was restored. Raises NotSettled where nothing can."""
    lineage.begin()
    row = Lineage.objects.first()
    if row is None:
        raise NotSettled("The database can only be read: it is a standby, or its default says so.")
    found = lineage.find(row)
    if found.here is None:
        raise NotSettled("The database can only be read: it is a standby, or its default says so.")
    return found


def lost_seals() -> list[signed.Line]:
    """Return each seal of this installation that was signed and is not in the database.

    The last of a raffle is enough. One that a kill kept from being committed counts as lost too:
    nothing tells it apart.
    """
    own = lineage.standing()
    last = {
        line.raffle_id: line
        for line in signed.lines()
        if line.standing.installation == own.installation
    }
    wanted = [bytes.fromhex(line.file["commitment_hash"]) for line in last.values()]
    rows = Draw.objects.filter(commitment_hash__in=wanted)
    here = {bytes(kept).hex() for kept in rows.values_list("commitment_hash", flat=True)}
    return [line for line in last.values() if line.file["commitment_hash"] not in here]


def kept_statements() -> list[bytes]:
    """Return the statements that this machine has kept beside the database. Raises OSError.

    A last line that a crash tore is no statement: it is kept again after the crash.
    """
    path = marks.log_file(lineage.standing().installation)
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


class Lost(NamedTuple):
    """Statements that the log lacks, as they are and as they read."""

    lines: list[bytes]
    said: list[dict[str, Any]]


def lost_statements(kept: list[bytes]) -> Lost:
    """Return what the log lacks of those that were kept.

    Raises NotSettled where they are not the continuation of this log.
    """
    mine = size()
    for n, (ours, theirs) in enumerate(zip(statements(0, mine), kept, strict=False)):
        if ours != theirs:
            raise NotSettled(f"Statement {n} of the log is another than in the file.")
    lines, said = kept[mine:], []
    for n, line in enumerate(lines, start=mine):
        try:
            said.append(read_statement(line))
        except Invalid as error:
            raise NotSettled(f"Line {n + 1} of the file is no statement: {error}.") from error
        if said[-1]["n"] != n or (mine and said[-1]["origin"] != origin()):
            raise NotSettled(f"Line {n + 1} of the file is not statement {n} of this log.")
    return Lost(lines, said)


# --- Putting it in order


def settle(found: Found, lost: Lost, *, reason: str, now: datetime, by: str) -> Iterator[str]:
    """Put back lost statements, call off what was not finished, and begin the next epoch.

    Yields a line for each act. It may be killed anywhere, and run again. Raises OSError.
    """
    with mending():
        Lineage.objects.update(state=Lineage.State.MENDING)
        for place in marks.set_aside_unreadable(bytes(found.row.installation)):
            yield f"set aside {place}"
        time.sleep(_SEEN_BY_ALL)
        for said, line in zip(lost.said, lost.lines, strict=True):
            _put_back(said, line)
            yield f"put back  statement {said['n']}, {said['kind']}"
        unfinished = Raffle.objects.filter(state__in=ENTERABLE | UNDER_WAY).order_by("pk")
        for raffle in unfinished:
            is_said = raffle.announcements.filter(kind=Announcement.Kind.VOIDED).exists()
            void_raffle(raffle.uuid, reason=reason, now=now, by=by, is_said=is_said)
            yield f"void      {raffle.uuid} {raffle.name}"
        for raffle_id, commitment_hash in _gone():
            _call_off_gone(raffle_id, commitment_hash, reason=reason, now=now, by=by)
            yield f"void      {UUID(raffle_id)}, which is lost"
        _begin_epoch(found, reason=reason, now=now, by=by)


@transaction.atomic
def _put_back(said: dict[str, Any], line: bytes) -> None:
    """Write a statement again, to the byte; it was told to everybody when it was made."""
    StreamCounter.objects.get_or_create(pk=1)
    counter = StreamCounter.objects.select_for_update().get(pk=1)
    if counter.last != said["n"]:
        return  # another run was quicker
    raffle = Raffle.objects.filter(uuid=UUID(said.get("raffle_id", _NOBODY))).first()
    Announcement.objects.create(
        sequence=said["n"] + 1,
        kind=_KINDS[said["kind"]],
        raffle=raffle,
        statement=line,
        payload=(about(raffle) if raffle else {})
        | {name: said[name] for name in sorted(said.keys() - _ENVELOPE)},
        announced_at=datetime.fromtimestamp(said["at"], UTC),
        announced_by=PUT_BACK,
    )
    StreamCounter.objects.update(last=said["n"] + 1, at=said["at"])
    keep_nodes(said["n"] + 1)
    Outbox.objects.update_or_create(pk=1, defaults={"spread": said["n"] + 1})


def _gone() -> list[tuple[str, str]]:
    """Return raffle and commitment of each seal in the log whose raffle is not in the database."""
    waiting: dict[str, str] = {}
    rows = Announcement.objects.filter(raffle=None).order_by("sequence")
    for line in rows.values_list("statement", flat=True):
        said = read_statement(bytes(line))
        if said["kind"] == "sealed":
            waiting[said["raffle_id"]] = said["commitment_hash"]
        elif said["kind"] in ("drawn", "voided"):
            waiting.pop(said["raffle_id"], None)
    return list(waiting.items())


@transaction.atomic
def _call_off_gone(
    raffle_id: str, commitment_hash: str, *, reason: str, now: datetime, by: str
) -> None:
    """State that a raffle which only the log knows has no winners."""
    turn = take_turn(now)
    record(f"raffle {UUID(raffle_id)}", "draw.voided", at=now, by=by, why=reason)
    transaction.on_commit(wake_readers, robust=True)
    adds = {"raffle_id": raffle_id, "commitment_hash": commitment_hash}
    write(
        turn,
        Announcement.Kind.VOIDED,
        adds | {"reason_hash": hash_reason(reason).hex()},
        payload={"raffle": str(UUID(raffle_id)), "reason": reason},
        by=by,
    )


@transaction.atomic
def _begin_epoch(
    found: Found, *, reason: str, now: datetime, by: str, unbroken_since: int | None = None
) -> None:
    """Have the database be what it is from now on; no earlier mark speaks of it any more.

    Without `unbroken_since` nothing says of any machine that all of its seals are here.
    """
    if found.here is None:
        raise TypeError("a server that only reads begins nothing")
    row = Lineage.objects.select_for_update().get()
    installation = bytes(row.installation)
    signed_in = [
        line.standing.epoch for line in signed.lines() if line.standing.installation == installation
    ]
    seen = marks.read(installation)
    row.epoch = 1 + max(row.epoch, seen.claimed.epoch, seen.stated.epoch, *signed_in)
    row.since = row.epoch
    row.unbroken_since = unbroken_since or row.epoch
    row.system, row.timeline, row.database = found.here.place
    row.state, row.token = Lineage.State.SERVING, None
    row.save()
    record("service", RESTORED, at=now, by=by, why=reason, epoch=row.epoch)
    transaction.on_commit(lineage.look)


# --- A move


def prepare_move(*, now: datetime, by: str) -> None:
    """Shut entries and draws, and leave one token in the database and in STATE_DIR.

    Raises NotSettled, and OSError where STATE_DIR cannot be written.
    """
    found = examine()
    if found.reasons:
        raise NotSettled(f"The database was restored: {'; '.join(found.reasons)}.")
    token = secrets.token_bytes(16)
    Lineage.objects.update(state=Lineage.State.MOVING)
    time.sleep(_SEEN_BY_ALL)
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite has one writer: we are it
            with connection.cursor() as cursor:  # who has begun to write ends first
                cursor.execute("LOCK TABLE raffles_stripe, raffles_streamcounter IN EXCLUSIVE MODE")
        Lineage.objects.update(token=token)
        record("service", "service.moving", at=now, by=by)
    _write_token(bytes(found.row.installation), token)
    lineage.look()


def prove_nothing_lost(found: Found, lost: Lost) -> None:
    """Accept the token of a move, or what was seen outside. Raises NotSettled with what is missing.

    The clusters may be different ones, whose positions cannot be compared. The token was written
    when nothing was signed any more: a seal of that epoch that is not here was never committed.
    """
    row, here = found.row, found.here
    if here is None or row.state == Lineage.State.MENDING:
        raise NotSettled("after_restore has begun to call off: end it with --reason.")
    is_moved = _is_moved(row)
    missing = list(behind(row, here, found.mark))
    missing += [f"statement {said['n']} was made" for said in lost.said]
    missing += [
        f"a seal of raffle {UUID(line.raffle_id)} was signed"
        for line in lost_seals()
        if not is_moved or line.standing.epoch > row.epoch
    ]
    if missing:
        raise NotSettled(f"Something was lost: {'; '.join(missing)}.")
    if is_moved:
        return
    if found.mark == marks.Mark():
        raise NotSettled(
            "Nothing proves that nothing was lost: STATE_DIR has no mark of this installation."
        )


def accept(found: Found, *, now: datetime, by: str) -> None:
    """Go on in a database in which nothing is missing."""
    row = found.row
    # The token proves it for every machine, a machine's own marks and seals for that one alone.
    unbroken_since = row.unbroken_since if _is_moved(row) else None
    _begin_epoch(found, reason="nothing was lost", now=now, by=by, unbroken_since=unbroken_since)
    # Of an older dump that is put back some day it would prove nothing.
    _token_file(bytes(row.installation)).unlink(missing_ok=True)


def _is_moved(row: Lineage) -> bool:
    return row.token is not None and _read_token(bytes(row.installation)) == bytes(row.token)


def _write_token(installation: bytes, token: bytes) -> None:
    path = _token_file(installation)
    path.parent.mkdir(parents=True, exist_ok=True)
    with marks.alone(), path.open("wb") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())


def _read_token(installation: bytes) -> bytes | None:
    try:
        return _token_file(installation).read_bytes()
    except FileNotFoundError:
        return None


def _token_file(installation: bytes) -> Path:
    return marks.folder(installation) / "moving"
