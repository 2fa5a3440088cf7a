"""The evidence of a finished raffle in one archive, for an investigation.

The same raffle gives the same bytes on any day and any database: nothing in it depends on the time
or the machine, and it is not compressed, since two builds of zlib need not agree. It is streamed,
in the memory that the proof takes: 256 bytes a winner, whatever the size of the pool.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile, ZipInfo

from django.db import transaction

from raffles.domain.exports import EXPORTED, log_table
from raffles.domain.log import published_keys
from raffles.domain.proofs import commitment_file, published_draw, stream_proof
from raffles.domain.refusals import NotFinished
from raffles.domain.rules import text_of
from raffles.domain.witnesses.ours.summary import seen
from raffles.fairness import verify
from raffles.models import Announcement, Draw, LogEntry, Pool, Raffle, Replacement
from raffles.models.record import record

Member = tuple[str, Iterable[bytes]]

_UNIX, _PLAIN_FILE = 3, 0o100644 << 16
_SUMS = "SHA256SUMS"

_README = """\
Evidence of a draw
==================

Raffle    {name}
Id        {id}
Tickets   {capacity} could be handed out
State     {state}

{outcome}
What is in this archive
-----------------------
raffle.json          the terms that every participant agreed to, and what became of the raffle; by
                     which channels the tickets came, if by several: all have the same odds
raffle.json          the terms that every participant agreed to, and what became of the raffle
rules.txt            the rules that they accepted, if there were any: the SHA-256 of this very file
                     (sha256sum rules.txt) is the rules_hash of the terms
commitment.json      the signed fingerprint of all tickets, from before the draw
void.json            that the sealed draw was called off: the signed reason
proof.json           the winners, and all that they follow from; of a raffle that was drawn
replacements.json    prizes that were passed on to an alternate, with the public reasons
announcements.json   what was published, in its order
record.csv           who changed what, when and why: staff by login and a keyed pseudonym of their
                     address, partners by the name of their key, participants by ticket number
raffle-keys.json     the operator's public keys, for the signatures of receipts, seals and voids
verify.py            the verifier, one file for Python 3.9 or later; it needs nothing else
SHA256SUMS           the SHA-256 of each of these files: sha256sum -c SHA256SUMS

Made of the same raffle by the same release with the same keys, this archive has the same bytes
whenever it is made. Who took such an archive is in the operator's own record, not in this one.
"""
_DRAWN = """\
How to check it
---------------
Unpack the archive into an empty folder and run there:

    python3 -I verify.py proof.json --commitment commitment.json --keys raffle-keys.json

The last line is the verdict. By the log in the proof it is

    {verdict}

and docs/fairness.md of the service says what each one means. It needs no network. An operator who
lies could have changed the verifier and the keys too: compare verify.py and the keys with copies
that others have, and the commitment with one that somebody saved before the draw.

Add --receipt FILE to check the receipt of a participant. The hashes of all tickets, for
--leaves FILE, are at /raffles/{id}/leaves/ of the service.
"""
_VOID = """\
There were no winners: the raffle was called off. The reason, as it was published:

    {reason}
"""


def export_evidence(raffle_id: UUID, *, now: datetime, by: str) -> Iterator[bytes]:
    """Return the archive, a ZIP file, in pieces. Raises Raffle.DoesNotExist, NotFinished."""
    with transaction.atomic():
        raffle = Raffle.objects.get(uuid=raffle_id)
        if not raffle.is_finished:
            raise NotFinished
        record(raffle, "evidence" + EXPORTED, at=now, by=by)
    return _archive(_members(raffle))


def _members(raffle: Raffle) -> Iterator[Member]:
    draw = published_draw(raffle.uuid) if Draw.objects.filter(raffle=raffle).exists() else None
    yield "README.txt", [_readme(raffle, draw).encode()]
    yield "verify.py", [Path(verify.__file__).read_bytes()]
    yield "raffle-keys.json", _json(published_keys())
    yield "raffle.json", _json(_raffle(raffle))
    if raffle.rules_hash:
        yield "rules.txt", [text_of(raffle.rules_hash).encode()]
    if draw:
        yield "commitment.json", _json(commitment_file(draw))
        if void := draw.void():
            yield "void.json", _json(void)
        if raffle.is_drawn:
            yield "proof.json", map(str.encode, stream_proof(draw))
    replacements = Replacement.objects.filter(raffle=raffle)
    lines = replacements.select_related("prize", "winner", "alternate").order_by("pk")
    yield "replacements.json", _json([line.public() for line in lines])
    announced = Announcement.objects.filter(raffle=raffle).order_by("sequence")
    yield "announcements.json", _json([announcement.public() for announcement in announced])
    # Each export is recorded, so with these lines a second archive would differ from the first.
    entries = LogEntry.objects.about(raffle).exclude(action__endswith=EXPORTED)
    yield "record.csv", map(str.encode, log_table(entries))


def _raffle(raffle: Raffle) -> dict[str, Any]:
    terms = raffle.terms()
    void = {"voided_at": raffle.voided_at.isoformat()} if raffle.voided_at else {}
    return {
        "id": str(raffle.uuid),
        "state": raffle.state,
        "terms": terms,
        "terms_hash": verify.hash_terms(terms).hex(),
        "void_reason": raffle.void_reason,
        **_channels(raffle),
        **void,
    }


def _channels(raffle: Raffle) -> dict[str, Any]:
    pool = Pool.objects.filter(raffle=raffle).defer("levels").first()
    counted = pool.by_channel(raffle.own_channel()) if pool else []
    return {"channels": {str(channel): count for channel, count in counted}} if counted else {}


def _readme(raffle: Raffle, draw: Draw | None) -> str:
    outcome = _VOID.format(reason=raffle.void_reason)
    if draw and raffle.is_drawn:
        outcome = _DRAWN.format(id=raffle.uuid, verdict=seen(draw).verdict)
    return _README.format(
        name=raffle.name,
        id=raffle.uuid,
        capacity=raffle.total_tickets,
        state=raffle.state,
        outcome=outcome,
    )


def _json(value: Any) -> list[bytes]:
    # Sorted, since one of the databases keeps no order of keys.
    return [f"{json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)}\n".encode()]


def _archive(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield a ZIP file of the members, with their SHA-256 sums as the last one."""
    sink = _Sink()
    sums: list[str] = []

    def listed() -> Iterator[Member]:
        yield _SUMS, ["".join(sums).encode()]

    with ZipFile(sink, "w") as archive:
        for name, pieces in chain(members, listed()):
            digest = sha256()
            with archive.open(_entry(name), "w") as member:
                for piece in pieces:
                    digest.update(piece)
                    member.write(piece)
                    yield sink.taken()
            sums.append(f"{digest.hexdigest()}  {name}\n")
    yield sink.taken()


def _entry(name: str) -> ZipInfo:
    """Return the entry of a plain file without an owner, dated 1980, when ZIP's time begins."""
    entry = ZipInfo(name)
    entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
    return entry


class _Sink(io.RawIOBase):
    """A write-only, unseekable file that keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken
