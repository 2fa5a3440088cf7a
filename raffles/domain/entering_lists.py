"""Entering a list: all of it in one transaction, or nothing and every bad line by its number.

The lines pass through a temporary table of tags, which finds those that stand there twice; then
they take slots in a row from locked stripes. It takes the same memory for a million as for ten.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from io import StringIO
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from raffles.domain.clock import signed_time
from raffles.domain.creating import Request, create_raffle, made_before
from raffles.domain.entering import Entry, tickets_of
from raffles.domain.identities import of_entrant
from raffles.domain.keys import current_key_id, ticket_key
from raffles.domain.locking import locked
from raffles.domain.log import announce_keys
from raffles.domain.pool import hold_claims
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import BadLines, GateShut, RequestMismatch, SoldOut, ThroughEvent
from raffles.fairness.tickets import code_key, code_tag, derive_code, holder_key, holder_tag
from raffles.fairness.verify import canonical
from raffles.models import EntryMode, LogEntry, Privacy, Raffle, State, Stripe
from raffles.models.raffle import MAX_TICKETS
from raffles.models.record import record

ADDED = "entries.added"
NAMED = 1_000  # faults that are told
_CHUNK = 5_000  # lines at once

_STAGE = """
    CREATE TEMPORARY TABLE raffles_staged (
        n integer NOT NULL, line integer NOT NULL,
        holder_tag bytea NOT NULL, code_tag bytea NOT NULL, username varchar(150)
    )
"""
_TWICE = """
    SELECT line, first FROM (
        SELECT line, min(line) OVER (PARTITION BY holder_tag) AS first FROM raffles_staged
    ) AS staged WHERE line <> first ORDER BY line
"""
_THERE = """
    SELECT staged.line, 0 FROM raffles_staged AS staged
    JOIN raffles_ticket AS ticket
        ON ticket.raffle_id = %s AND ticket.holder_tag = staged.holder_tag
    ORDER BY staged.line
"""
_LAND = """
    INSERT INTO raffles_ticket (raffle_id, slot, holder_tag, code_tag, issued_at, username)
    SELECT %s, n + %s, holder_tag, code_tag, %s, username FROM raffles_staged
    WHERE n >= %s AND n < %s
"""


def check_list(lines: Iterable[Line]) -> int:
    """Return how many entrants there are, and enter none. Raises BadLines."""
    with transaction.atomic(), _staged(lines, b"", uuid4(), keeps_names=False) as count:
        return count


def request_for(digest: str, *, columns: Mapping[str, str], terms: Mapping[str, Any]) -> Request:
    """Return the request for a raffle of the file with that digest.

    The same file on the same terms is the same raffle for whoever brings it: nobody draws again
    until they like the winners.
    """
    body = {"columns": dict(columns), "terms": dict(terms)}
    return Request("list", f"{digest} {sha256(canonical(body)).hexdigest()}", body)


def create_from_list(
    lines: Iterable[Line],
    *,
    request: Request,
    terms: Mapping[str, Any],
    now: datetime,
    by: str,
) -> Raffle:
    """Create a raffle of one ticket for each line, and enter them all.

    The n-th line, from 0, gets slot n. `terms` are those of `create_raffle`. The same `request`
    gets the raffle that it made before, without a look at the lines. Raises BadLines,
    TooManyPrizes, RequestMismatch.
    """
    if earlier := made_before(request):
        return earlier
    announce_keys(now)  # before a new key signs a receipt, the log must have it
    uuid, key = uuid4(), ticket_key(current_key_id())
    keeps_names = terms.get("privacy", Privacy.NUMBER) != Privacy.NUMBER
    with transaction.atomic(), _staged(lines, key, uuid, keeps_names=keeps_names) as count:
        made: dict[str, Any] = {"entry": EntryMode.LIST, "total_tickets": count, "uuid": uuid}
        raffle = create_raffle(**terms, **made, request=request, now=now, by=by)
        if raffle.uuid == uuid:  # or another call made it meanwhile, with its entries
            _land(raffle, count, now)
            record(raffle, ADDED, at=now, by=by, amount=count)
    return raffle


def enter_list(
    raffle_id: UUID,
    lines: Sequence[Line],
    *,
    now: datetime,
    by: str,
    request: Request | None = None,
) -> dict[str, Entry | None]:
    """Enter the lines in a raffle under way, and return their tickets by holder, in their order.

    A repeated `request` returns the same tickets, and None for who was erased since; another body
    under its key raises RequestMismatch. Raises Raffle.DoesNotExist, ThroughEvent, GateShut,
    SoldOut (fewer are left than lines, and none was entered), BadLines.
    """
    announce_keys(now)
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        key = ticket_key(raffle.ticket_key_id)
        asked = _asked(holder_key(key, raffle.uuid.bytes), request)
        if lines and not _is_repeat(raffle, asked):
            if raffle.event_slug is not None:
                raise ThroughEvent
            if raffle.state != State.OPEN or (raffle.closes_at and now >= raffle.closes_at):
                raise GateShut
            keeps_names = raffle.privacy != Privacy.NUMBER
            with _staged(lines, key, raffle.uuid, keeps_names=keeps_names) as count:
                _land(raffle, count, now)
            record(raffle, ADDED, at=now, by=by, amount=count, **asked)
    identities = {line.holder: of_entrant(line.holder) for line in lines}
    tickets = tickets_of(raffle, list(identities.values()))
    return {holder: tickets.get(identity) for holder, identity in identities.items()}


def _asked(key: bytes, request: Request | None) -> dict[str, str]:
    """Return the request for the record: tags of its key and its body, which name nobody."""
    if request is None:
        return {}
    once, body = canonical([request.caller, request.key]), canonical(request.body)
    return {
        name: hmac.digest(key, b"entries\0" + text, "sha256")[:16].hex()
        for name, text in (("request", once), ("body", body))
    }


def _is_repeat(raffle: Raffle, asked: Mapping[str, str]) -> bool:
    if not asked:
        return False
    added = LogEntry.objects.about(raffle).filter(action=ADDED)
    earlier = added.filter(details__request=asked["request"]).first()
    if earlier and earlier.details["body"] != asked["body"]:
        raise RequestMismatch
    return earlier is not None


# --- The temporary table


@dataclass
class _Faults:
    """The first faults by line, and how many there are."""

    first: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, fault: str) -> None:
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append((line, fault))

    def add_rows(self, query: str, values: Sequence[Any], sentence: str) -> None:
        """Add what a query finds, (line, another line) each."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(query, values)
            for line, other in cursor:
                self.add(line, sentence.format(other))

    def refuse(self) -> None:
        if self.count:
            raise BadLines(sorted(self.first), self.count)


@contextmanager
def _staged(
    lines: Iterable[Line], ticket_key: bytes, raffle_id: UUID, *, keeps_names: bool
) -> Iterator[int]:
    """Put the lines in a temporary table meanwhile; yields how many. Raises BadLines."""
    faults = _Faults()
    rows = _rows(lines, ticket_key, raffle_id.bytes, keeps_names, faults)
    copy = _copy_postgresql if connection.vendor == "postgresql" else _copy_sqlite
    count = 0
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        while chunk := list(islice(rows, _CHUNK)):
            copy(cursor, chunk)
            count += len(chunk)
    faults.add_rows(_TWICE, [], "the same holder as line {}")
    if not count and not faults.count:
        faults.add(1, "there is no entrant")
    faults.refuse()
    yield count
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE raffles_staged")


_Staged = tuple[int, int, bytes, bytes, str | None]


def _rows(
    lines: Iterable[Line], ticket_key: bytes, raffle_id: bytes, keeps_names: bool, faults: _Faults
) -> Iterator[_Staged]:
    of_holders, of_codes = holder_key(ticket_key, raffle_id), code_key(ticket_key, raffle_id)
    n = 0
    for line in lines:
        if line.fault:
            faults.add(line.number, line.fault)
            continue
        if n == MAX_TICKETS:
            faults.add(line.number, f"at most {MAX_TICKETS:,} entrants; this and all below")
            return
        tag = holder_tag(of_holders, of_entrant(line.holder))
        code = derive_code(of_codes, tag, 0)
        yield n, line.number, tag, code_tag(code), (line.name if keeps_names else "") or None
        n += 1


def _copy_postgresql(cursor: Any, rows: list[_Staged]) -> None:
    text = StringIO()
    for n, line, holder, code, name in rows:
        # A name holds no control character, so that the backslash alone means something here.
        said = "\\N" if name is None else name.replace("\\", "\\\\")
        text.write(f"{n}\t{line}\t\\\\x{holder.hex()}\t\\\\x{code.hex()}\t{said}\n")
    text.seek(0)
    cursor.copy_expert("COPY raffles_staged FROM STDIN", text)


def _copy_sqlite(cursor: Any, rows: list[_Staged]) -> None:
    cursor.executemany("INSERT INTO raffles_staged VALUES (%s, %s, %s, %s, %s)", rows)


def _land(raffle: Raffle, count: int, now: datetime) -> None:
    """Give the staged lines slots of the raffle's locked stripes. Raises SoldOut, BadLines."""
    issued = hold_claims(raffle)
    faults = _Faults()
    if issued:
        faults.add_rows(_THERE, [raffle.pk], "this holder has a ticket already")
    faults.refuse()
    runs: list[tuple[int, int, int]] = []  # (shift of the slot, first n, end)
    moved, n = [], 0
    for stripe in raffle.stripes.order_by("lo"):
        taken = min(stripe.cap - stripe.issued, count - n)
        if not taken:
            continue
        shift = stripe.lo + stripe.issued - n
        first = runs.pop()[1] if runs and runs[-1][0] == shift else n
        n += taken
        runs.append((shift, first, n))
        stripe.issued += taken
        moved.append(stripe)
    if n < count:
        raise SoldOut
    Stripe.objects.bulk_update(moved, ["issued"])
    issued_at = connection.ops.adapt_datetimefield_value(signed_time(now))
    with connection.cursor() as cursor:
        for shift, first, end in runs:
            cursor.execute(_LAND, [raffle.pk, shift, issued_at, first, end])
