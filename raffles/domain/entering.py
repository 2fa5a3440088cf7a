"""Entering: one statement moves a stripe and inserts the ticket; the number follows from the slot.

Whoever moves the stripe has the ticket; nothing is checked before. The gate is the stripes' cap,
so a claim never has to ask whether the raffle is still open.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, Sum

from raffles.domain.announcing import announce_sold_out
from raffles.domain.clock import is_database_asked
from raffles.domain.keys import signer, ticket_key
from raffles.domain.locking import violated
from raffles.domain.log import announce_keys
from raffles.domain.pool import count_stripes
from raffles.domain.refusals import (
    AlreadyEntered,
    ByOrganiser,
    GateShut,
    OrderUsed,
    SoldOut,
    ThroughEvent,
)
from raffles.fairness.numbering import Numbering, numbering
from raffles.fairness.receipts import Receipt
from raffles.fairness.tickets import (
    code_key,
    code_tag,
    derive_code,
    holder_key,
    holder_tag,
    show_code,
)
from raffles.fairness.verify import hash_terms, make_leaf
from raffles.models import EntryMode, Raffle, Stripe, Ticket

_REMEMBERED = 4096  # raffles whose facts a process caches, about 2 KB each


Landed = tuple[int, datetime | None]  # a slot, and its time of issue by the database's clock


@dataclass(frozen=True, slots=True)
class Facts:
    """A raffle's values that never change once it has a ticket."""

    pk: int
    uuid: bytes
    numbering: Numbering
    total: int
    closes_at: datetime | None
    is_of_event: bool
    is_by_list: bool
    holder_key: bytes
    code_key: bytes
    terms_hash: bytes

    @classmethod
    def of(cls, raffle: Raffle) -> Facts:
        """Return the facts according to the raffle's row and prizes now."""
        key, uuid = ticket_key(raffle.ticket_key_id), raffle.uuid.bytes
        return cls(
            pk=raffle.pk,
            uuid=uuid,
            numbering=numbering(bytes(raffle.numbering_key), raffle.total_tickets),
            total=raffle.total_tickets,
            closes_at=raffle.closes_at,
            is_of_event=raffle.event_slug is not None,
            is_by_list=raffle.entry == EntryMode.LIST,
            holder_key=holder_key(key, uuid),
            code_key=code_key(key, uuid),
            terms_hash=hash_terms(raffle.terms()),
        )


_facts: dict[UUID, Facts] = {}
# A pool never gets a ticket back, so its refusal is final. Keyed by uuid, since a rolled-back row
# leaves its primary key to another raffle.
_emptied: dict[bytes, type[SoldOut]] = {}


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()  # one step; evicting the oldest takes two, and threads could interleave
    memory[key] = value


@dataclass(frozen=True, slots=True)
class Entry:
    """A ticket as its holder sees it; `receipt` is the signed promise that it is in the draw."""

    raffle_id: UUID
    ticket_number: int
    verification_code: str
    receipt: Receipt
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class Entrant:
    """What an event adds to a ticket.

    `username` is the name as entered; `order_tag`, 16 bytes that no other ticket of any raffle may
    have; `address`, an identity that may hold one ticket of the raffle.
    """

    username: str
    order_tag: bytes | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    """The stored part of a claim: tags, and neither the address nor the code (`code` is shown)."""

    holder_tag: bytes
    code: str
    code_tag: bytes
    request_tag: bytes | None
    username: str | None
    order_tag: bytes | None
    address_tag: bytes | None

    @classmethod
    def of(
        cls, facts: Facts, identity: str, request_key: str | None, entrant: Entrant | None
    ) -> _Claim:
        key = facts.holder_key
        tag = holder_tag(key, identity)
        code = derive_code(facts.code_key, tag, 0)
        request_tag = _request_tag(facts, tag, request_key)
        if entrant is None:
            return cls(tag, code, code_tag(code), request_tag, None, None, None)
        address_tag = holder_tag(key, entrant.address) if entrant.address else None
        return cls(
            *(tag, code, code_tag(code), request_tag),
            *(entrant.username, entrant.order_tag, address_tag),
        )


def _request_tag(facts: Facts, tag: bytes, request_key: str | None) -> bytes | None:
    if request_key is None:
        return None
    return hmac.digest(facts.holder_key, b"request\0" + tag + request_key.encode(), "sha256")[:16]


def enter(
    raffle_id: UUID,
    *,
    identity: str,
    now: datetime,
    request_key: str | None = None,
    entrant: Entrant | None = None,
) -> Entry:
    """Hand `identity` (`ip:203.0.113.7`) a ticket of the raffle.

    A repeated `request_key` of the same holder returns the same ticket, even when sold out; for an
    `entrant` with an order, the ticket that the order got in any raffle. It takes one query once
    the process has the raffle's facts. Raises Raffle.DoesNotExist, ThroughEvent, ByOrganiser,
    SoldOut, GateShut, AlreadyEntered, OrderUsed.
    """
    known = _facts.get(raffle_id)
    if known is None:
        announce_keys(now)  # before a new key signs a receipt, the log must have it
    facts = known or Facts.of(Raffle.objects.get(uuid=raffle_id))
    if entrant is None:
        _refuse_other_ways(facts, identity)
    claim = _Claim.of(facts, identity, request_key, entrant)
    try:
        if facts.closes_at is not None and now >= facts.closes_at:
            raise GateShut
        slot, issued_at = _claim_slot(facts, claim, now)
    except (SoldOut, AlreadyEntered) as refusal:
        earlier = _earlier(facts, claim, identity, request_key)
        if earlier is not None:
            return earlier
        if type(refusal) is SoldOut:
            _say_sold_out(facts, now)
        raise refusal from None
    if known is None:
        # Read again: only the ticket that now exists has frozen the terms named in the receipt.
        facts = Facts.of(Raffle.objects.get(uuid=raffle_id))
        _remember(_facts, raffle_id, facts)
    return _entry(facts, claim, slot, issued_at, is_repeat=False)


def _refuse_other_ways(facts: Facts, identity: str) -> None:
    """Raise the refusal of whoever comes by themselves where the terms name another way in."""
    if facts.is_of_event:
        raise ThroughEvent
    if facts.is_by_list and identity.startswith("ip:"):
        raise ByOrganiser


def _say_sold_out(facts: Facts, now: datetime) -> None:
    """Announce, at the first entry refused for it, that no ticket is left."""
    if facts.uuid not in _emptied:
        announce_sold_out(Raffle.objects.get(pk=facts.pk), at=now, by="a refused entry")
        _remember(_emptied, facts.uuid, SoldOut)


def _entry(
    facts: Facts, claim: _Claim, slot: int, issued_at: datetime, *, is_repeat: bool
) -> Entry:
    number = facts.numbering.number(slot)
    leaf = make_leaf(facts.uuid, number, claim.holder_tag, claim.code_tag)
    receipt = signer().receipt(leaf, facts.terms_hash, int(issued_at.timestamp()))
    return Entry(UUID(bytes=facts.uuid), number, show_code(claim.code), receipt, is_repeat)


def _earlier(facts: Facts, claim: _Claim, identity: str, request_key: str | None) -> Entry | None:
    """Return the ticket that this request got before, here or in any raffle by its order."""
    if request_key is None:
        return None
    which = Q(raffle_id=facts.pk, holder_tag=claim.holder_tag)
    if claim.order_tag is not None:
        which = Q(order_tag=claim.order_tag)
    return enter_again(which, identity=identity, request_key=request_key)


def enter_again(which: Q, *, identity: str, request_key: str) -> Entry | None:
    """Return the ticket `which` to the holder and request that got it; None to others."""
    ticket = Ticket.objects.filter(which).select_related("raffle").first()
    if ticket is None or ticket.holder_tag is None or ticket.request_tag is None:
        return None
    facts = Facts.of(ticket.raffle)
    claim = _Claim.of(facts, identity, request_key, None)
    held = (bytes(ticket.holder_tag), bytes(ticket.request_tag))
    if held != (claim.holder_tag, claim.request_tag):
        return None
    return _entry(facts, claim, ticket.slot, ticket.issued_at, is_repeat=True)


def tickets_of(raffle: Raffle, identities: Sequence[str]) -> dict[str, Entry]:
    """Return the tickets of those identities that have one."""
    facts = Facts.of(raffle)
    tags = {holder_tag(facts.holder_key, identity): identity for identity in identities}
    entries = {}
    for ticket in Ticket.objects.filter(raffle=raffle, holder_tag__in=list(tags)):
        assert ticket.holder_tag  # noqa: S101 - it was found by its tag
        tag, number = bytes(ticket.holder_tag), facts.numbering.number(ticket.slot)
        code = derive_code(facts.code_key, tag, 0)
        leaf = make_leaf(facts.uuid, number, tag, code_tag(code))
        receipt = signer().receipt(leaf, facts.terms_hash, int(ticket.issued_at.timestamp()))
        entries[tags[tag]] = Entry(raffle.uuid, number, show_code(code), receipt, is_repeat=True)
    return entries


def _claim_slot(facts: Facts, claim: _Claim, now: datetime) -> tuple[int, datetime]:
    """Move a stripe and insert the ticket; return its slot and its time of issue.

    Raises SoldOut, GateShut, AlreadyEntered, OrderUsed.
    """
    if facts.uuid in _emptied:
        raise _emptied[facts.uuid]
    # By the database's clock, an honest receipt is never dated after the close.
    issued_at = None if is_database_asked() else connection.ops.adapt_datetimefield_value(now)
    values = [claim.holder_tag, claim.code_tag, claim.request_tag, issued_at]
    values += [claim.username, claim.order_tag, claim.address_tag]
    claimed = _claim_postgresql if connection.vendor == "postgresql" else _claim_sqlite
    try:
        landed = claimed(facts, values)
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
    slot, issued = landed
    return slot, issued or now


_REFUSALS = {
    "ticket_holder_once": AlreadyEntered,
    "ticket_address_once": AlreadyEntered,
    "ticket_order_once": OrderUsed,
}


def _why_nothing_is_left(facts: Facts) -> type[SoldOut]:
    issued = Stripe.objects.filter(raffle_id=facts.pk).aggregate(sum=Sum("issued"))["sum"]
    return SoldOut if issued == facts.total else GateShut


_TICKET = (
    "raffles_ticket (raffle_id, slot, holder_tag, code_tag, request_tag, issued_at, "
    "username, order_tag, address_tag)"
)
_CLAIM = "SELECT claimed, issued FROM raffles_claim(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


def _claim_postgresql(facts: Facts, values: list[Any]) -> Landed | None:
    """Make one call that commits by itself: a stripe's lock must not outlive the round trip.

    The function claims in the first free stripe, beginning at a random one, and inserts the ticket.
    """
    stripes = count_stripes(facts.total)
    start = int(random.random() * stripes)  # noqa: S311 - spreads load, decides nothing
    # Inside a caller's transaction a failure must not abort that too.
    atomic = transaction.atomic() if connection.in_atomic_block else nullcontext()
    with atomic, connection.cursor() as cursor:
        cursor.execute(_CLAIM, [facts.pk, start, *values])
        slot, issued = cursor.fetchone()
    return None if slot is None else (slot, issued)


def _claim_sqlite(facts: Facts, values: list[Any]) -> Landed | None:
    """Claim in one short IMMEDIATE transaction: SQLite has one writer."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE raffles_stripe SET issued = issued + 1 "
            "WHERE raffle_id = %s AND issued < cap RETURNING lo + issued - 1",
            [facts.pk],
        )
        row = cursor.fetchone()
        cursor.fetchall()  # an unfetched RETURNING makes the COMMIT fail
        if row is None:
            return None
        cursor.execute(
            f"INSERT INTO {_TICKET} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",  # noqa: S608
            [facts.pk, row[0], *values],
        )
        return int(row[0]), None
