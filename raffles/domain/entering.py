"""Taking part: one statement moves a stripe and lands the ticket; the number follows from the slot.

Whoever moves the stripe has the ticket; nothing is looked at before. The gate is the stripes' cap,
so a claim never has to ask whether the raffle is still open.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

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
from raffles.models import Raffle, Stripe, Ticket

from .creating import STRIPES
from .keys import signer, ticket_key
from .refusals import AlreadyEntered, GateShut, SoldOut
from .violations import violated

_REMEMBERED = 4096  # raffles a process keeps the facts of, about 2 KB each


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes about a raffle once it has a ticket."""

    pk: int
    uuid: bytes
    numbering: Numbering
    total: int
    closes_at: datetime | None
    holder_key: bytes
    code_key: bytes
    terms_hash: bytes

    @classmethod
    def of(cls, raffle: Raffle) -> Facts:
        """The facts as the raffle's row and prizes say them now."""
        key, uuid = ticket_key(raffle.ticket_key_id), raffle.uuid.bytes
        return cls(
            pk=raffle.pk,
            uuid=uuid,
            numbering=numbering(bytes(raffle.numbering_key), raffle.total_tickets),
            total=raffle.total_tickets,
            closes_at=raffle.closes_at,
            holder_key=holder_key(key, uuid),
            code_key=code_key(key, uuid),
            terms_hash=hash_terms(raffle.terms()),
        )


_facts: dict[UUID, Facts] = {}
# Nothing comes back into a pool, so its "no" is for good. By uuid, since a row that was rolled
# back leaves its primary key to another raffle.
_emptied: dict[bytes, type[SoldOut]] = {}


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    while len(memory) >= _REMEMBERED:
        memory.pop(next(iter(memory)), None)
    memory[key] = value


@dataclass(frozen=True, slots=True)
class Entry:
    """A ticket as its holder sees it; ``receipt`` is the signed promise that it is in the draw."""

    raffle_id: UUID
    ticket_number: int
    verification_code: str
    receipt: Receipt
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class _Claim:
    """What is written of a holder: tags, never the address nor the code."""

    holder_tag: bytes
    code: str
    code_tag: bytes
    request_tag: bytes | None

    @classmethod
    def of(cls, facts: Facts, identity: str, request_key: str | None) -> _Claim:
        holder = holder_tag(facts.holder_key, identity)
        code = derive_code(facts.code_key, holder)
        return cls(holder, code, code_tag(code), _request_tag(facts, holder, request_key))


def _request_tag(facts: Facts, holder: bytes, request_key: str | None) -> bytes | None:
    if request_key is None:
        return None
    return hmac.digest(facts.holder_key, b"request\0" + holder + request_key.encode(), "sha256")[
        :16
    ]


def enter(
    raffle_id: UUID, *, identity: str, now: datetime, request_key: str | None = None
) -> Entry:
    """Hands ``identity`` (``ip:203.0.113.7``) a ticket of the raffle.

    The same ``request_key`` of the same holder gives the same ticket again, also when sold out.
    Raises Raffle.DoesNotExist, SoldOut, GateShut, AlreadyEntered. One query once the process knows
    the raffle.
    """
    known = _facts.get(raffle_id)
    facts = known or Facts.of(Raffle.objects.get(uuid=raffle_id))
    claim = _Claim.of(facts, identity, request_key)
    try:
        if facts.closes_at is not None and now >= facts.closes_at:
            raise GateShut
        slot, issued_at, is_repeat = _claim_slot(facts, claim, now), now, False
    except (SoldOut, AlreadyEntered) as refusal:
        earlier = _earlier(facts, claim)
        if earlier is None:
            raise refusal from None
        slot, issued_at, is_repeat = earlier.slot, earlier.issued_at, True
    if known is None:
        # Read again: only the ticket that now exists has frozen the terms that the receipt names.
        facts = Facts.of(Raffle.objects.get(uuid=raffle_id))
        _remember(_facts, raffle_id, facts)
    number = facts.numbering.number(slot)
    leaf = make_leaf(facts.uuid, number, claim.holder_tag, claim.code_tag)
    receipt = signer().receipt(leaf, facts.terms_hash, int(issued_at.timestamp()))
    return Entry(raffle_id, number, show_code(claim.code), receipt, is_repeat)


def _earlier(facts: Facts, claim: _Claim) -> Ticket | None:
    """The ticket that the same request got before, if it did."""
    if claim.request_tag is None:
        return None
    return Ticket.objects.filter(
        raffle_id=facts.pk, holder_tag=claim.holder_tag, request_tag=claim.request_tag
    ).first()


def _claim_slot(facts: Facts, claim: _Claim, now: datetime) -> int:
    """Moves a stripe and lands the ticket, or raises SoldOut, GateShut or AlreadyEntered."""
    if facts.uuid in _emptied:
        raise _emptied[facts.uuid]
    issued_at = connection.ops.adapt_datetimefield_value(now)
    values = [claim.holder_tag, claim.code_tag, claim.request_tag, issued_at]
    claimed = _claim_postgresql if connection.vendor == "postgresql" else _claim_sqlite
    try:
        slot = claimed(facts.pk, values)
    except IntegrityError as error:
        if violated(error) != "ticket_holder_once":
            raise
        raise AlreadyEntered from None
    if slot is None:
        _remember(_emptied, facts.uuid, _why_nothing_is_left(facts))
        raise _emptied[facts.uuid]
    return slot


def _why_nothing_is_left(facts: Facts) -> type[SoldOut]:
    issued = Stripe.objects.filter(raffle_id=facts.pk).aggregate(sum=Sum("issued"))["sum"]
    return SoldOut if issued == facts.total else GateShut


_TICKET = "raffles_ticket (raffle_id, slot, holder_tag, code_tag, request_tag, issued_at)"
_CLAIM = f"""
    WITH claimed AS (
        UPDATE raffles_stripe SET issued = issued + 1
        WHERE raffle_id = %s AND stripe = (
            SELECT stripe FROM raffles_stripe
            WHERE raffle_id = %s AND issued < cap AND stripe >= %s
            ORDER BY raffle_id, stripe LIMIT 1 FOR UPDATE {{skip}})
        RETURNING lo + issued - 1 AS slot)
    INSERT INTO {_TICKET}
    SELECT %s, slot, %s, %s, %s, %s FROM claimed RETURNING slot
"""  # noqa: S608 - no value in the text
_CLAIM_FREE = _CLAIM.format(skip="SKIP LOCKED")
_CLAIM_WAITING = _CLAIM.format(skip="")


def _claim_postgresql(raffle_pk: int, values: list[Any]) -> int | None:
    """Three reads: from a random stripe, from the first, and from the first waiting for locks.

    Only the last one's emptiness means that nothing is left: SKIP LOCKED alone says so falsely
    while the last ticket is held by a transaction that then aborts. Each is its own transaction,
    since a stripe's lock held across another round trip would make others wait for it.
    """
    start = random.randrange(STRIPES)  # noqa: S311 - spreads load, decides nothing
    for statement, from_stripe in ((_CLAIM_FREE, start), (_CLAIM_FREE, 0), (_CLAIM_WAITING, 0)):
        with _by_itself(), connection.cursor() as cursor:
            cursor.execute(statement, [raffle_pk, raffle_pk, from_stripe, raffle_pk, *values])
            if row := cursor.fetchone():
                return int(row[0])
    return None


@contextmanager
def _by_itself() -> Iterator[None]:
    """A statement that commits alone; inside a caller's transaction, one that fails alone."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    else:
        yield


def _claim_sqlite(raffle_pk: int, values: list[Any]) -> int | None:
    """One short IMMEDIATE transaction: SQLite has one writer."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE raffles_stripe SET issued = issued + 1 "
            "WHERE raffle_id = %s AND issued < cap RETURNING lo + issued - 1",
            [raffle_pk],
        )
        row = cursor.fetchone()
        cursor.fetchall()  # an unfetched RETURNING makes the COMMIT fail
        if row is None:
            return None
        cursor.execute(
            f"INSERT INTO {_TICKET} VALUES (%s, %s, %s, %s, %s, %s)",  # noqa: S608
            [raffle_pk, row[0], *values],
        )
        return int(row[0])
