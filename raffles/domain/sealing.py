"""Closing the gate, hashing the pool with nothing locked, and sealing it.

Each step is a short transaction of its own, conditional on the state before it: after a crash the
next caller goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from raffles.domain import lineage
from raffles.domain.announcing import announce, announce_sold_out
from raffles.domain.clock import signed_time
from raffles.domain.keys import signer
from raffles.domain.locking import locked
from raffles.domain.log import Turn, take_turn
from raffles.domain.pool import count_channels, shut_gate
from raffles.domain.refusals import BeforeDrawTime
from raffles.domain.signed import remember
from raffles.fairness.verify import (
    PATIENCE,
    Tree,
    hash_commitment,
    hash_reason,
    round_of,
    time_of_round,
)
from raffles.models import Announcement, Draw, Entropy, Pool, Raffle, State
from raffles.models.draw import commitment_of
from raffles.models.record import record

Clock = Callable[[], datetime]
NOBODY_CAME = "Nobody took part"
NOTHING_SEALED = "0" * 64  # in place of a commitment's hash


class PoolDiffers(Exception):
    """The tickets in the database are not the tickets that were handed out."""


class SealTooLate(Exception):
    """The sealing transaction took so long that its beacon round was near; nothing was stored."""


def close(raffle_pk: int, *, now: datetime, by: str) -> None:
    """Close an open raffle; one that nobody entered becomes void.

    Raises BeforeDrawTime, Restored.
    """
    lineage.refuse_restored()
    with transaction.atomic():
        raffle = locked(raffle_pk)
        if raffle.state != State.OPEN:
            return
        if raffle.closes_at and signed_time(now) < raffle.closes_at:
            raise BeforeDrawTime  # by the clock that dates the seal
        issued = shut_gate(raffle)
        if issued == raffle.total_tickets:
            announce_sold_out(raffle, at=now, by=by)
        if issued:
            raffle.state = State.CLOSED
            raffle.save(update_fields=["state"])
            record(raffle, "raffle.closed", at=now, by=by, tickets=issued)
        else:
            mark_void(raffle, reason=NOBODY_CAME, turn=take_turn(now), by=by)


def mark_void(raffle: Raffle, *, reason: str, turn: Turn, by: str, is_said: bool = False) -> None:
    """End a locked raffle without winners at the time of its statement, and say why in public.

    Where the log has said so, that is not said again.
    """
    raffle.state, raffle.voided_at, raffle.void_reason = State.VOID, turn.moment(), reason
    raffle.save(update_fields=["state", "voided_at", "void_reason"])
    if is_said:
        record(raffle, Announcement.Kind.VOIDED, at=turn.moment(), by=by, why=reason)
        return
    announce(
        Announcement.Kind.VOIDED,
        raffle,
        {"reason": reason},
        at=turn.moment(),
        by=by,
        turn=turn,
        commitment_hash=_sealed_as(raffle),
        reason_hash=hash_reason(reason).hex(),
    )


def _sealed_as(raffle: Raffle) -> str:
    """Return the hash of the raffle's commitment, also of one that a restore took away."""
    draw = Draw.objects.filter(raffle=raffle).first()
    if draw is not None:
        return bytes(draw.commitment_hash).hex()
    said = raffle.announcements.filter(kind=Announcement.Kind.SEALED).first()
    return said.payload["commitment_hash"] if said else NOTHING_SEALED


def seal(raffle_pk: int, tree: Tree, *, clock: Clock, by: str) -> None:
    """Store the pool and its commitment, once and for all.

    Raises PoolDiffers, SealTooLate, SealedBefore, Restored, Forgetful.

    `closed_at` is the time of the statement: the database's clock, read once nobody else can
    write a statement before it.
    """
    lineage.begin()
    lineage.refuse_restored()
    with transaction.atomic():
        raffle = locked(raffle_pk)
        if raffle.state != State.CLOSED:
            return
        issued = raffle.stripes.aggregate(issued=Sum("issued"))["issued"]
        if tree.size != issued:
            raise PoolDiffers(
                f"{raffle.uuid}: {tree.size} tickets are stored, {issued} were handed out"
            )
        raffle.pool = Pool.objects.create(
            raffle=raffle,
            tickets=tree.size,
            root=tree.root,
            levels=b"".join(tree.levels),
            channels=count_channels(raffle),
        )
        draw = _commit(raffle, take_turn(clock()), by=by)
        raffle.state = State.SEALED
        raffle.save(update_fields=["state"])
        if draw.round and signed_time(clock()).timestamp() > time_of_round(draw.round) - PATIENCE:
            raise SealTooLate


def _commit(raffle: Raffle, turn: Turn, *, by: str) -> Draw:
    """Store a locked raffle's commitment with its signature, and announce it."""
    pool = raffle.pool
    is_public = raffle.entropy == Entropy.DRAND
    round_ = round_of(raffle.closes_at_seconds(), turn.at) if is_public else None
    commitment = commitment_of(
        raffle, tickets=pool.tickets, root=bytes(pool.root), closed_at=turn.at, round_=round_
    )
    commitment_hash = hash_commitment(commitment)
    said = {"commitment_hash": commitment_hash.hex()}
    signed = signer().seal(commitment_hash)
    remember(lineage.standing(), {"commitment": commitment} | said | signed)
    draw = Draw.objects.create(
        raffle=raffle,
        closed_at=turn.moment(),
        round=round_,
        commitment_hash=commitment_hash,
        public_key=signed["public_key"],
        signature=bytes.fromhex(signed["signature"]),
        statement=turn.n,
    )
    payload = {"tickets": pool.tickets, "draws_at": draw.draws_at(), **said, **signed}
    at = turn.moment()
    announce(Announcement.Kind.SEALED, raffle, payload, at=at, by=by, turn=turn, **said)
    return draw
