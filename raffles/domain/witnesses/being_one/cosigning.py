"""Being a witness of other operators' logs (C2SP tlog-witness; draw protocol, section 7).

A witness signs that it saw a checkpoint, and never two that do not begin one another. What it
signs is remembered first, in the database and in a file; the log's entries are read before that.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from raffles.domain.clock import signed_time
from raffles.domain.log import keys
from raffles.domain.refusals import (
    LogRefused,
    NotACheckpoint,
    NotAWitness,
    NotConsistent,
    SignedOtherSize,
    UnknownLog,
    UnknownLogKey,
)
from raffles.domain.sealing import Clock
from raffles.domain.witnesses.being_one.memory import Known, Unclear, alone, known, remember
from raffles.domain.witnesses.being_one.reading import PATIENCE, Budget, Unread, fetch, read_up_to
from raffles.fairness.receipts import Cosigner
from raffles.fairness.verify import (
    ED25519,
    LARGEST_NOTE,
    Invalid,
    Note,
    base64_of,
    check_consistency,
    lines_of,
    parse_note,
    signature_is_good,
)
from raffles.models import WitnessedLog
from raffles.web.witness_lists import WatchedLog

logger = logging.getLogger(__name__)

# A request reads 8,192 entries at the most, within the time that whoever sends it waits for us.
BUNDLES, SECONDS = 32, 4.0
_REQUEST = re.compile("old (0|[1-9][0-9]{0,15})((?:\n[A-Za-z0-9+/]{43}=){0,63})\n\n(.*)", re.DOTALL)


class Unsigned(Exception):
    """Nothing was signed for now; the text says why. It may be asked for again."""


class Request(NamedTuple):
    """A checkpoint, and how it follows from the tree over the first ``old`` entries."""

    old: int
    proof: list[bytes]
    note: Note


def cosign(body: bytes, *, clock: Clock) -> str:
    """Return the signature line over the checkpoint of a request to `add-checkpoint`.

    Its time is read when all is done. Raises a refusal, or Unsigned; then nothing was signed.
    """
    cosigner = ourselves()
    request = _read(body)
    log = settings.WITNESS_LOGS.get(request.note.origin)
    if log is None:
        raise UnknownLog
    check_signed(log, request.note)
    try:
        row, _ = WitnessedLog.objects.get_or_create(origin=log.origin)
        _check(request, known(row))
        read(log, row, request.note, Budget(bundles=BUNDLES, seconds=SECONDS), now=clock())
        with alone(), transaction.atomic():
            row = _locked(row)
            _check(request, known(row))
            row.size, row.root = request.note.size, request.note.root
            remember(log.origin, Known(row.size, row.root, ""))
            row.save(update_fields=["size", "root"])
    except (Unclear, OSError) as error:  # the operator's to mend
        logger.error("Nothing is signed of %s: %s", log.origin, error)
        raise Unsigned("this witness cannot reach its memory") from error
    except Unread as reason:
        raise Unsigned(str(reason)) from reason
    return cosigner.cosign(request.note.text, int(signed_time(clock()).timestamp()))


def catch_up(log: WatchedLog, budget: Budget, *, now: datetime) -> int:
    """Read a log up to its newest checkpoint, without signing it; return its size.

    Raises Unread, LogRefused, UnknownLogKey, Unclear, OSError.
    """
    text = fetch(f"{log.url}/checkpoint", seconds=PATIENCE, most=2 * LARGEST_NOTE)
    try:
        note = parse_note(text.decode())
    except (ValueError, Invalid):
        raise Unread(f"{log.url}/checkpoint is not a checkpoint") from None
    if note.origin != log.origin:
        raise UnknownLogKey
    check_signed(log, note)
    row, _ = WitnessedLog.objects.get_or_create(origin=log.origin)
    if flaw := known(row).flaw:
        raise LogRefused(flaw)
    read(log, row, note, budget, now=now)
    return note.size


def ourselves() -> Cosigner:
    """Return what signs as this witness; NotAWitness without a key of its own."""
    if settings.WITNESS_SEED is None:
        raise NotAWitness
    cosigner = Cosigner(f"{urlsplit(settings.PUBLIC_URL).hostname}/witness", settings.WITNESS_SEED)
    if cosigner.public_key in {key.public_key for key in keys()}:
        logger.error("WITNESS_KEY is, or was, a key of this operator's log: it vouches for nobody")
        raise NotAWitness
    return cosigner


def check_signed(log: WatchedLog, note: Note) -> None:
    """Raise UnknownLogKey unless the log signed it: every line of its keys, and one at least."""
    signed = [
        (public_key, line.signature)
        for public_key in map(bytes.fromhex, log.keys)
        for line in lines_of(note, log.origin, ED25519, public_key)
    ]
    text = note.text.encode()
    if not signed or not all(signature_is_good(key, text, line) for key, line in signed):
        raise UnknownLogKey


def read(log: WatchedLog, row: WitnessedLog, note: Note, budget: Budget, *, now: datetime) -> None:
    """Read the log up to a checkpoint that it signed; raise LogRefused for what it may not hold.

    Raises Unread while there is more to read, OSError where the refusal cannot be kept.
    """
    read_up_to(log, row, note, budget)
    if row.flaw:
        _refuse(row, now)


def _read(body: bytes) -> Request:
    try:
        found = _REQUEST.fullmatch(body.decode())
        if found is None:
            raise NotACheckpoint
        proof = [base64_of(line) for line in found[2].split()]
        request = Request(int(found[1]), proof, parse_note(found[3]))
    except (ValueError, Invalid):
        raise NotACheckpoint from None
    if request.old > request.note.size:
        raise NotACheckpoint
    return request


def _check(request: Request, latest: Known) -> None:
    """Raise unless the checkpoint follows from what we know."""
    old, proof, note = request
    if latest.flaw:
        raise LogRefused(latest.flaw)
    if old != latest.size or (old == note.size and latest.root != note.root):
        raise SignedOtherSize(latest.size)
    try:
        if old:
            check_consistency(old, note.size, latest.root, note.root, proof)
        elif proof:
            raise NotConsistent
    except Invalid:
        raise NotConsistent from None


def _refuse(row: WitnessedLog, now: datetime) -> NoReturn:
    """Sign nothing more of a log, and say so from now on."""
    with alone(), transaction.atomic():
        row = _locked(row)
        remember(row.origin, known(row)._replace(flaw=row.flaw))
        if row.refused_at is None:
            row.refused_at = now
            row.save(update_fields=["refused_at"])
    raise LogRefused(row.flaw)


def _locked(row: WitnessedLog) -> WitnessedLog:
    return WitnessedLog.objects.select_for_update(no_key=True).get(pk=row.pk)
