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
from functools import cached_property, partial
from hashlib import sha256
from io import StringIO
from itertools import islice
from secrets import token_bytes
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from raffles.domain import lineage
from raffles.domain.clock import signed_time
from raffles.domain.creating import Request, create_raffle, made_before
from raffles.domain.entering import Entry, tickets_of
from raffles.domain.excluding import excluded_among, take_turns
from raffles.domain.identities import of_entrant, of_user
from raffles.domain.keys import current_key_id, ticket_key
from raffles.domain.locking import locked
from raffles.domain.log import announce_keys
from raffles.domain.pool import hold_claims
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import (
    BadLines,
    GateShut,
    RequestMismatch,
    SoldOut,
    ThroughEvent,
    TooFewLeft,
)
from raffles.fairness.tickets import code_key, code_tag, derive_code, holder_key, holder_tag
from raffles.fairness.verify import canonical
from raffles.models import (
    Channel,
    EntryMode,
    Exclusion,
    LogEntry,
    Privacy,
    Raffle,
    State,
    Stripe,
    Ticket,
)
from raffles.models.raffle import MAX_TICKETS
from raffles.models.record import record
from raffles.web.formats import grouped
from raffles.web.metrics import count_entries

ADDED = "entries.added"
NAMED = 1_000  # faults that are told
_CHUNK = 5_000  # tickets at once
_LOOKED_UP = 500  # holders at once

_STAGE = """
    CREATE TEMPORARY TABLE raffles_staged (
        n integer NOT NULL, line integer NOT NULL, holder_tag bytea NOT NULL,
        code_tag bytea NOT NULL, nth integer NOT NULL, username varchar(150), channel varchar(8),
        order_tag bytea
    )
"""
_STAGED = "raffles_staged (n, line, holder_tag, code_tag, nth, username, channel)"
_TWICE = """
    SELECT DISTINCT line, first FROM (
        SELECT line, min(line) OVER (PARTITION BY holder_tag) AS first FROM raffles_staged
    ) AS staged WHERE line <> first ORDER BY line
"""
_LAND = """
    INSERT INTO raffles_ticket
        (raffle_id, slot, holder_tag, code_tag, nth, issued_at, request_tag, username, channel,
        order_tag)
    SELECT %s, n + %s, holder_tag, code_tag, nth, %s, %s, username, channel, order_tag
    FROM raffles_staged WHERE n >= %s AND n < %s
"""


@dataclass
class Summary:
    """What a list comes to: its entrants, their tickets, and the most that one of them has."""

    entrants: int = 0
    tickets: int = 0
    most: int = 0


def check_list(
    lines: Iterable[Line],
    *,
    tickets_per_holder: int | None = None,
    most: int = MAX_TICKETS,
    now: datetime,
) -> Summary:
    """Return what the list comes to, and enter nobody. Raises BadLines, also beyond `most`."""
    pool = _Pool(uuid4(), b"", now, limit=tickets_per_holder, most=most)
    with transaction.atomic(), _staged(lines, pool) as summary:
        return summary


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
    most: int = MAX_TICKETS,
    now: datetime,
    by: str,
) -> Raffle:
    """Create a raffle of the tickets of all lines, and enter them all.

    They get slots in the order of the lines, which may be `most`. `terms` are those of
    `create_raffle`; where they do not say how many tickets a holder may have, it is the most that
    one has. The same `request` gets the raffle that it made before, without a look at the lines.
    Raises BadLines, TooManyPrizes, RequestMismatch, Restored.
    """
    lineage.refuse_restored()
    if earlier := made_before(request):
        return earlier
    announce_keys(now)  # before a new key signs a receipt, the log must have it
    pool = _Pool(
        uuid4(),
        ticket_key(current_key_id()),
        now,
        limit=terms.get("tickets_per_holder"),
        most=most,
        keeps_names=terms.get("privacy", Privacy.NUMBER) != Privacy.NUMBER,
        own_channel=Channel.LIST,
    )
    with transaction.atomic(), _staged(lines, pool) as summary:
        made = dict(terms) | {"tickets_per_holder": pool.limit or summary.most}
        made |= {"entry": EntryMode.LIST, "total_tickets": summary.tickets, "uuid": pool.raffle_id}
        raffle = create_raffle(**made, request=request, now=now, by=by)
        if raffle.uuid == pool.raffle_id:  # or another call made it meanwhile, with its entries
            _land(raffle, summary, now)
            record(raffle, ADDED, at=now, by=by, amount=summary.tickets)
    return raffle


def enter_list(
    raffle_id: UUID,
    lines: Sequence[Line],
    *,
    now: datetime,
    by: str,
    channel: Channel = Channel.LIST,
    request: Request | None = None,
    order_tag: bytes | None = None,
    through_event: bool = False,
) -> dict[str, list[Entry]]:
    """Enter the lines in a raffle under way; return their new tickets by holder, in their order.

    Lines that name no channel are counted by `channel`. A repeated `request` returns the same
    tickets, and none for who was erased since; another body under its key raises RequestMismatch.
    The holders of an event's raffle, which is entered `through_event`, are its users; `order_tag`
    is put on the first ticket, for the event to find the list by. Raises Raffle.DoesNotExist,
    ThroughEvent, GateShut, SoldOut, TooFewLeft, BadLines, Restored.
    """
    lineage.refuse_restored()
    announce_keys(now)
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        key = ticket_key(raffle.ticket_key_id)
        asked = _asked(raffle, request)
        request_tag = bytes.fromhex(asked["request"]) if asked else token_bytes(16)
        if lines and not _is_repeat(raffle, asked):
            if raffle.event_slug is not None and not through_event:
                raise ThroughEvent
            if raffle.state != State.OPEN or (raffle.closes_at and now >= raffle.closes_at):
                raise GateShut
            pool = _Pool(
                raffle.uuid,
                key,
                now,
                raffle,
                limit=raffle.tickets_per_holder,
                keeps_names=raffle.privacy != Privacy.NUMBER,
                own_channel=raffle.own_channel(),
                channel=channel,
                entered=raffle if hold_claims(raffle) else None,
                is_of_users=through_event,
            )
            with _staged(lines, pool) as summary:
                _land(raffle, summary, now, request_tag, order_tag)
            record(raffle, ADDED, at=now, by=by, amount=summary.tickets, **asked)
    identity_of = of_user if through_event else of_entrant
    identities = {line.holder: identity_of(line.holder) for line in lines}
    tickets = tickets_of(raffle, list(identities.values()), request_tag)
    return {holder: tickets.get(identity, []) for holder, identity in identities.items()}


def _asked(raffle: Raffle, request: Request | None) -> dict[str, str]:
    """Return the request for the record: tags of its key and its body, which name nobody."""
    if request is None:
        return {}
    key = holder_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes)
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


@dataclass(frozen=True)
class _Pool:
    """What the lines are entered in.

    `raffle` is the one that is there already, `entered` the same if it has tickets, its claims
    held; the lines may have `most` tickets together, and with `limit` None they decide how many a
    holder may have. With `is_of_users` the holders are users of an event.
    """

    raffle_id: UUID
    ticket_key: bytes
    now: datetime
    raffle: Raffle | None = None
    limit: int | None = None
    most: int = MAX_TICKETS
    keeps_names: bool = False
    own_channel: Channel | None = None
    channel: Channel | None = None
    entered: Raffle | None = None
    is_of_users: bool = False

    def identity(self, line: Line) -> str:
        """Return whose tickets the line's are."""
        return of_user(line.holder) if self.is_of_users else of_entrant(line.holder)

    def name(self, line: Line) -> str | None:
        """Return the name to keep with them: users are known by theirs."""
        return line.holder if self.is_of_users else (line.name if self.keeps_names else "") or None

    def held(self, tags: Sequence[bytes]) -> dict[bytes, int]:
        """Return how many tickets those have who have any."""
        if self.entered is None:
            return {}
        theirs = Ticket.objects.filter(raffle=self.entered, holder_tag__in=tags)
        last = theirs.values_list("holder_tag").annotate(last=Max("nth"))
        return {bytes(tag): nth + 1 for tag, nth in last}

    @cached_property
    def may_refuse(self) -> bool:
        """Return whether anybody may not enter: else nobody has to be looked for."""
        return Exclusion.objects.from_raffle(self.raffle).in_force(self.now).exists()

    def excluded(self, holders: Mapping[str, str]) -> set[str]:
        """Return those of the identities, with their names as written, who may not enter."""
        return excluded_among(holders, self.raffle, now=self.now) if self.may_refuse else set()


@dataclass
class _Faults:
    """The first faults by line, and how many there are."""

    first: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, fault: str) -> None:
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append((line, fault))

    def add_twice(self) -> None:
        """Add the lines whose holder stands on an earlier one."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(_TWICE)
            for line, first in cursor:
                self.add(line, _("the same holder as line %(line)s") % {"line": first})

    def refuse(self) -> None:
        if self.count:
            raise BadLines(sorted(self.first), self.count)


@contextmanager
def _staged(lines: Iterable[Line], pool: _Pool) -> Iterator[Summary]:
    """Put the lines' tickets in a temporary table meanwhile; yields the sums. Raises BadLines."""
    faults, summary = _Faults(), Summary()
    rows = _rows(lines, pool, faults, summary)
    copy = _copy_postgresql if connection.vendor == "postgresql" else _copy_sqlite
    take_turns(is_maker=False)
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        while chunk := list(islice(rows, _CHUNK)):
            copy(cursor, chunk)
    faults.add_twice()
    if not summary.entrants and not faults.count:
        faults.add(1, _("there is no entrant"))
    faults.refuse()
    yield summary
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE raffles_staged")


_NULL = "\\N"  # of COPY
_Staged = tuple[int, int, bytes, bytes, int, str | None, str | None]


def _rows(
    lines: Iterable[Line], pool: _Pool, faults: _Faults, summary: Summary
) -> Iterator[_Staged]:
    raffle_id = pool.raffle_id.bytes
    of_holders = holder_key(pool.ticket_key, raffle_id)
    of_codes = code_key(pool.ticket_key, raffle_id)
    for tag, line, held in _with_holders(lines, of_holders, pool):
        if fault := line.fault or _too_many(line, held, pool.limit):
            faults.add(line.number, fault)
            continue
        if summary.tickets + line.tickets > pool.most:
            most = _("at most %(most)s tickets; this and all below") % {"most": grouped(pool.most)}
            faults.add(line.number, most)
            return
        name = pool.name(line)
        channel = line.channel or pool.channel
        if channel == pool.own_channel:
            channel = None
        for nth in range(held, held + line.tickets):
            code = code_tag(derive_code(of_codes, tag, nth))
            yield summary.tickets, line.number, tag, code, nth, name, channel
            summary.tickets += 1
        summary.entrants += 1
        summary.most = max(summary.most, line.tickets)


def _with_holders(
    lines: Iterable[Line], key: bytes, pool: _Pool
) -> Iterator[tuple[bytes, Line, int]]:
    """Yield each line with its holder's tag, and how many tickets that has already."""
    lines = iter(lines)
    while chunk := list(islice(lines, _LOOKED_UP)):
        identities = [pool.identity(line) for line in chunk]
        tags = [holder_tag(key, identity) for identity in identities]
        written = (line.holder for line in chunk)
        held, excluded = pool.held(tags), pool.excluded(dict(zip(identities, written, strict=True)))
        for tag, identity, line in zip(tags, identities, chunk, strict=True):
            is_out = identity in excluded and not line.fault
            fault = _("taking part is not possible for this holder") if is_out else line.fault
            yield tag, line._replace(fault=fault), held.get(tag, 0)


def _too_many(line: Line, held: int, limit: int | None) -> str:
    """Return the fault of a line that asks for more tickets than its holder may have."""
    if limit is None or held + line.tickets <= limit:
        return ""
    if held and limit == 1:
        return _("this holder has a ticket already")
    if held:
        said = _("tickets: this holder has %(held)s of at most %(most)s already")
        return said % {"held": grouped(held), "most": grouped(limit)}
    return _("tickets: at most %(most)s for a holder") % {"most": grouped(limit)}


def _copy_postgresql(cursor: Any, rows: list[_Staged]) -> None:
    text = StringIO()
    for n, line, holder, code, nth, name, channel in rows:
        # A name holds no control character, so that the backslash alone means something here.
        said = _NULL if name is None else name.replace("\\", "\\\\")
        text.write(f"{n}\t{line}\t\\\\x{holder.hex()}\t\\\\x{code.hex()}\t{nth}\t{said}\t")
        text.write(f"{channel or _NULL}\n")
    text.seek(0)
    cursor.copy_expert(f"COPY {_STAGED} FROM STDIN", text)


def _copy_sqlite(cursor: Any, rows: list[_Staged]) -> None:
    places = "(%s, %s, %s, %s, %s, %s, %s)"
    cursor.executemany(f"INSERT INTO {_STAGED} VALUES {places}", rows)  # noqa: S608


def _land(
    raffle: Raffle,
    summary: Summary,
    now: datetime,
    request_tag: bytes | None = None,
    order_tag: bytes | None = None,
) -> None:
    """Give the staged tickets slots of the raffle's locked stripes.

    Raises SoldOut, TooFewLeft.
    """
    count = summary.tickets
    lineage.refuse_other()
    hold_claims(raffle)
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
        raise TooFewLeft if n else SoldOut
    Stripe.objects.bulk_update(moved, ["issued"])
    issued_at = connection.ops.adapt_datetimefield_value(signed_time(now))
    with connection.cursor() as cursor:
        if order_tag is not None:
            cursor.execute("UPDATE raffles_staged SET order_tag = %s WHERE n = 0", [order_tag])
        for shift, first, end in runs:
            cursor.execute(_LAND, [raffle.pk, shift, issued_at, request_tag, first, end])
        cursor.execute("SELECT code_tag FROM raffles_staged WHERE n = %s", [n - 1])
        (code_tag,) = cursor.fetchone()
    if here := lineage.read_here():
        last = (raffle.uuid.bytes, shift + n - 1, bytes(code_tag), here.position)
        transaction.on_commit(partial(lineage.note_claim, *last), robust=True)
    transaction.on_commit(partial(count_entries, raffle.entry, count), robust=True)
