"""Closing the gate, hashing the pool with nothing locked, and sealing it.

Each step is its own short transaction, conditional on the state before it: whoever comes after a
crash goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Sum

from raffles.domain.announcing import announce, announce_sold_out
from raffles.domain.keys import signer
from raffles.domain.locking import locked
from raffles.domain.pool import shut_gate
from raffles.fairness.verify import (
    Tree,
    first_round_at,
    hash_commitment,
    time_of_round,
)
from raffles.models import Announcement, Draw, Entropy, Pool, Raffle, State
from raffles.models.draw import BEACON_DELAY, commitment_of, planned_round
from raffles.models.record import record

Clock = Callable[[], datetime]
NOBODY_CAME = "Nobody took part"
_COMMITTED_BEFORE_ROUND = 30  # seconds; a verifier refuses less


class PoolDiffers(Exception):
    """The tickets in the database are not the tickets that were handed out."""


class SealTooLate(Exception):
    """The sealing transaction took so long that its round was near; nothing was stored."""


def close(raffle_pk: int, *, now: datetime, by: str) -> None:
    """Shut the gate of an open raffle. One that nobody entered is void, since it has no pool."""
    with transaction.atomic():
        raffle = locked(raffle_pk)
        if raffle.state != State.OPEN:
            return
        issued = shut_gate(raffle)
        if issued == raffle.total_tickets:
            announce_sold_out(raffle, at=now, by=by)
        if issued:
            raffle.state = State.CLOSED
            raffle.save(update_fields=["state"])
            record(raffle, "raffle.closed", at=now, by=by, tickets=issued)
        else:
            mark_void(raffle, reason=NOBODY_CAME, now=now, by=by)


def mark_void(raffle: Raffle, *, reason: str, now: datetime, by: str) -> None:
    """End a locked raffle without winners, and says why in public."""
    raffle.state, raffle.voided_at, raffle.void_reason = State.VOID, now, reason
    raffle.save(update_fields=["state", "voided_at", "void_reason"])
    announce(Announcement.Kind.VOIDED, raffle, {"reason": reason}, at=now, by=by)


def seal(raffle_pk: int, tree: Tree, *, clock: Clock, by: str) -> None:
    """Store the pool and commits to it. Raises PoolDiffers, SealTooLate."""
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
            raffle=raffle, tickets=tree.size, root=tree.root, levels=b"".join(tree.levels)
        )
        commit(raffle, clock=clock, by=by)
        raffle.state = State.SEALED
        raffle.save(update_fields=["state"])


def commit(raffle: Raffle, *, clock: Clock, by: str, after: Draw | None = None) -> Draw:
    """Make the next draw over a locked raffle's pool: commitment, signature, announcement.

    ``closed_at`` is the clock of this moment, never the scheduled time. Raises SealTooLate.
    """
    now = clock().astimezone(UTC).replace(microsecond=0)
    closed_at = int(now.timestamp())
    number, prev = (after.number + 1, bytes(after.commitment_hash)) if after else (1, bytes(32))
    round_ = round_of_seal(raffle, closed_at)
    pool = raffle.pool
    commitment = commitment_of(
        raffle,
        number=number,
        prev=prev,
        tickets=pool.tickets,
        root=bytes(pool.root),
        closed_at=closed_at,
        round_=round_,
    )
    commitment_hash = hash_commitment(commitment)
    signed = signer().seal(commitment_hash, closed_at)
    draw = Draw.objects.create(
        raffle=raffle,
        number=number,
        prev=prev,
        closed_at=now,
        round=round_,
        commitment_hash=commitment_hash,
        signed_at=now,
        key_id=signed["key_id"],
        signature=bytes.fromhex(signed["signature"]),
    )
    payload = {"draw_no": number, "tickets": pool.tickets, "draws_at": draw.draws_at(), **signed}
    announce(Announcement.Kind.SEALED, raffle, payload, at=now, by=by)
    if round_ and clock().timestamp() > time_of_round(round_) - _COMMITTED_BEFORE_ROUND:
        raise SealTooLate
    return draw


def round_of_seal(raffle: Raffle, closed_at: int) -> int | None:
    """Return the beacon round of a seal at a UNIX second; None without a beacon.

    It is the promised one while there is time, else the next free one.
    """
    if raffle.entropy != Entropy.DRAND:
        return None
    planned = planned_round(raffle)
    if planned and closed_at + _COMMITTED_BEFORE_ROUND <= time_of_round(planned):
        return planned
    return first_round_at(closed_at + BEACON_DELAY)
