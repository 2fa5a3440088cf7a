"""Claiming: one statement moves a stripe and inserts the ticket; the number follows from the slot.

Whoever moves the stripe has the ticket; nothing is checked before. The gate is the stripes' cap,
so a claim never has to ask whether the raffle is still open.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from raffles.domain import lineage
from raffles.domain.announcing import announce_sold_out
from raffles.domain.clock import is_database_asked
from raffles.domain.excluding import all_names_of, exclusion_tags
from raffles.domain.keys import ticket_key
from raffles.domain.locking import violated
from raffles.domain.pool import count_stripes
from raffles.domain.refusals import (
    AlreadyEntered,
    Excluded,
    GateShut,
    OrderUsed,
    SoldOut,
)
from raffles.fairness.numbering import Numbering, numbering
from raffles.fairness.tickets import (
    code_key,
    code_tag,
    derive_code,
    holder_key,
    holder_tag,
)
from raffles.fairness.verify import hash_terms
from raffles.models import Channel, EntryMode, Raffle
from raffles.web.metrics import count_entries

_REMEMBERED = 4096  # raffles whose facts a process caches, about 2 KB each


# A slot, its time of issue by the database's clock, and the position of `marks.Claimed`.
Landed = tuple[int, datetime | None, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """A raffle's values that never change once it has a ticket.

    The primary key counts only together with the uuid: after a restore it may be another raffle's.
    """

    pk: int
    uuid: bytes
    numbering: Numbering
    total: int
    opens_at: datetime | None
    closes_at: datetime | None
    is_of_event: bool
    entry: EntryMode
    tickets_per_holder: int
    own_channel: Channel
    holder_key: bytes
    code_key: bytes
    terms_hash: bytes
    rules_hash: str

    @classmethod
    def of(cls, raffle: Raffle) -> Facts:
        """Return the facts according to the raffle's row and prizes now."""
        key, uuid = ticket_key(raffle.ticket_key_id), raffle.uuid.bytes
        return cls(
            pk=raffle.pk,
            uuid=uuid,
            numbering=numbering(bytes(raffle.numbering_key), raffle.total_tickets),
            total=raffle.total_tickets,
            opens_at=raffle.opens_at,
            closes_at=raffle.closes_at,
            is_of_event=raffle.event_slug is not None,
            entry=EntryMode(raffle.entry),
            tickets_per_holder=raffle.tickets_per_holder,
            own_channel=raffle.own_channel(),
            holder_key=holder_key(key, uuid),
            code_key=code_key(key, uuid),
            terms_hash=hash_terms(raffle.terms()),
            rules_hash=raffle.rules_hash,
        )


_facts: dict[UUID, Facts] = lineage.dies_with_epoch({})
# A pool never gets a ticket back, so its refusal is final.
_emptied: dict[bytes, type[SoldOut]] = lineage.dies_with_epoch({})


def known_facts(raffle_id: UUID) -> Facts | None:
    """Return what this process remembers of the raffle."""
    return _facts.get(raffle_id)


def remember(facts: Facts) -> Facts:
    """Remember the facts of a raffle, and return them; only a ticket has frozen its terms."""
    _remember(_facts, UUID(bytes=facts.uuid), facts)
    return facts


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()  # one step; evicting the oldest takes two, and threads could interleave
    memory[key] = value


@dataclass(frozen=True, slots=True)
class Entrant:
    """What an event adds to a ticket.

    `username` is the name as entered; `order_tag`, 16 bytes that no other ticket of any raffle may
    have; `address`, an identity that may bring one holder into the raffle; `caller`, whoever asks
    for themselves by address, and may be excluded by it.
    """

    username: str
    order_tag: bytes | None = None
    address: str | None = None
    caller: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The stored part of a claim: tags, and neither the address nor the code (`code` is shown).

    It is for the holder's `nth` ticket. Only the first has the address, which counts holders.
    `exclusion_tags` are looked for and not stored.
    """

    nth: int
    holder_tag: bytes
    code: str
    code_tag: bytes
    request_tag: bytes | None
    entrant: Entrant | None
    address_tag: bytes | None
    channel: Channel | None
    exclusion_tags: list[bytes]

    @classmethod
    def of(
        cls,
        facts: Facts,
        identity: str,
        *,
        request_key: str | None = None,
        entrant: Entrant | None = None,
        channel: Channel | None = None,
    ) -> Claim:
        """Return the claim for the first ticket of `identity`."""
        tag = holder_tag(facts.holder_key, identity)
        code = derive_code(facts.code_key, tag, 0)
        address = entrant.address if entrant else None
        names = all_names_of(identity, entrant.username if entrant else "")
        if entrant and entrant.caller:
            names.add(entrant.caller)
        return cls(
            nth=0,
            holder_tag=tag,
            code=code,
            code_tag=code_tag(code),
            request_tag=request_tag_of(facts, tag, request_key),
            entrant=entrant,
            address_tag=holder_tag(facts.holder_key, address) if address else None,
            channel=None if channel == facts.own_channel else channel,
            exclusion_tags=exclusion_tags(names),
        )

    def for_nth(self, facts: Facts, nth: int) -> Claim:
        """Return the same claim for another ticket of the holder."""
        code = derive_code(facts.code_key, self.holder_tag, nth)
        address_tag = self.address_tag if nth == 0 else None
        return replace(self, nth=nth, code=code, code_tag=code_tag(code), address_tag=address_tag)

    def values(self, issued_at: Any) -> list[Any]:
        """Return the ticket's columns, in the order of `_TICKET`, without raffle and slot."""
        username, order_tag = None, None
        if self.entrant is not None:
            username, order_tag = self.entrant.username, self.entrant.order_tag
        return [
            *(self.holder_tag, self.code_tag, self.request_tag, issued_at),
            *(username, order_tag, self.address_tag, self.nth, self.channel),
        ]


def request_tag_of(facts: Facts, tag: bytes, request_key: str | None) -> bytes | None:
    """Return the 16 bytes by which a holder's request is known again."""
    if request_key is None:
        return None
    return hmac.digest(facts.holder_key, b"request\0" + tag + request_key.encode(), "sha256")[:16]


def say_sold_out(facts: Facts, now: datetime) -> None:
    """Announce, at the first entry refused for it, that no ticket is left."""
    if facts.uuid not in _emptied:
        announce_sold_out(raffle_of(facts), at=now, by="a refused entry")
        _remember(_emptied, facts.uuid, SoldOut)


def raffle_of(facts: Facts) -> Raffle:
    """Return the raffle as it is now, `with_issued`."""
    return Raffle.objects.with_issued().get(uuid=UUID(bytes=facts.uuid))


def claim_slot(facts: Facts, claim: Claim, now: datetime) -> tuple[int, datetime]:
    """Move a stripe and insert the ticket; return its slot and its time of issue.

    Raises SoldOut, GateShut, Excluded, AlreadyEntered, OrderUsed, Restored, Unseen.
    """
    if facts.closes_at is not None and now >= facts.closes_at:
        raise GateShut
    if facts.uuid in _emptied:
        raise _emptied[facts.uuid]
    # By the database's clock, an honest receipt is never dated after the close.
    issued_at = None if is_database_asked() else connection.ops.adapt_datetimefield_value(now)
    try:
        landed = _landed(facts, claim.values(issued_at), claim.exclusion_tags)
    except IntegrityError as error:
        refusal = _REFUSALS.get(violated(error))
        if refusal is None:
            raise
        raise refusal from None
    if landed is None:
        reason = _why_nothing_is_left(facts)
        if reason is GateShut:
            _remember(_emptied, facts.uuid, reason)
        raise reason
    slot, issued, position = landed
    lineage.refuse_second(facts.uuid, slot)
    handed_out = partial(_note, facts, slot, claim.code_tag, position)
    if connection.in_atomic_block:
        transaction.on_commit(handed_out, robust=True)
    else:
        handed_out()
    return slot, issued or now


def _landed(facts: Facts, values: list[Any], excluded: list[bytes]) -> Landed | None:
    claimed = _claim_postgresql if connection.vendor == "postgresql" else _claim_sqlite
    try:
        return claimed(facts, values, excluded)
    except lineage.Unseen:  # as after a failover; what else it may be, a look tells
        lineage.look()
        lineage.refuse_restored()
        return claimed(facts, values, excluded)


def _note(facts: Facts, slot: int, code_tag: bytes, position: int) -> None:
    lineage.note_claim(facts.uuid, slot, code_tag, position)
    count_entries(facts.entry)


_REFUSALS = {
    "ticket_not_excluded": Excluded,
    "ticket_holder_nth_once": AlreadyEntered,
    "ticket_address_once": AlreadyEntered,
    "ticket_order_once": OrderUsed,
}


def _why_nothing_is_left(facts: Facts) -> type[SoldOut]:
    return SoldOut if raffle_of(facts).issued == facts.total else GateShut


_TICKET = (
    "raffles_ticket (raffle_id, slot, holder_tag, code_tag, request_tag, issued_at, "
    "username, order_tag, address_tag, nth, channel)"
)
_CLAIM = """
    SELECT claimed, issued, written FROM raffles_claim_here(
        %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::bytea[])
"""
_EXCLUDED = """
    SELECT 1 FROM raffles_exclusion AS barred JOIN raffles_raffle AS pool ON pool.id = %s
    WHERE barred.tag IN ({}) AND (barred.ends_at IS NULL OR barred.ends_at > %s)
        AND (barred.raffle_id IS NULL OR barred.raffle_id = pool.id)
        AND (barred.event_slug IS NULL OR barred.event_slug = pool.event_slug)
"""


def _claim_postgresql(facts: Facts, values: list[Any], excluded: list[bytes]) -> Landed | None:
    """Make one call that commits by itself: a stripe's lock must not outlive the round trip.

    The function claims in the first free stripe, beginning at a random one, and inserts the ticket
    unless one of the `excluded` tags is there; a raffle that is not this one has no stripe, and in
    another database than was looked at nothing is done. Raises Unseen.
    """
    stripes = count_stripes(facts.total)
    start = int(random.random() * stripes)  # noqa: S311 - spreads load, decides nothing
    # Inside a caller's transaction a failure must not abort that too.
    atomic = transaction.atomic() if connection.in_atomic_block else nullcontext()
    with atomic, connection.cursor() as cursor:
        pool: list[Any] = [facts.pk, facts.uuid.hex(), start]
        cursor.execute(_CLAIM, [*lineage.seen(), *pool, *values, excluded])
        slot, issued, written = cursor.fetchone()
    if written is None:
        raise lineage.Unseen
    return None if slot is None else (slot, issued, lineage.position_of(written))


def _claim_sqlite(facts: Facts, values: list[Any], excluded: list[bytes]) -> Landed | None:
    """Claim in one short IMMEDIATE transaction: SQLite has one writer. Raises Unseen, Restored.

    SQLite gives no key twice, so one that is not above all that were seen is of an older file.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        lineage.refuse_other()
        cursor.execute(
            "UPDATE raffles_stripe SET issued = issued + 1 "
            "WHERE raffle_id = (SELECT id FROM raffles_raffle WHERE uuid = %s) AND issued < cap "
            "RETURNING raffle_id, lo + issued - 1",
            [facts.uuid.hex()],
        )
        row = cursor.fetchone()
        cursor.fetchall()  # an unfetched RETURNING makes the COMMIT fail
        if row is None:
            return None
        issued_at = values[3]
        cursor.execute(_EXCLUDED.format(_places(excluded)), [row[0], *excluded, issued_at])
        if cursor.fetchone():
            raise Excluded
        places = _places([*row, *values])
        cursor.execute(f"INSERT INTO {_TICKET} VALUES ({places})", [*row, *values])  # noqa: S608
        key = int(cursor.lastrowid or 0)
        if key <= lineage.seen().position:
            raise lineage.Unseen
        return int(row[1]), None, key


def _places(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
