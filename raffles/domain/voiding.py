"""Calling off: a raffle, or one draw over a pool that is then drawn again. Always in public."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from raffles.models import Announcement, Draw, Raffle, State

from .announcing import announce
from .erasing import finish_erasures
from .keys import signer
from .locking import locked, shut_gate
from .refusals import AlreadyDrawn, AlreadyRedrawn, NotSealed, RoundHasCome, Voided
from .sealing import Clock, commit, mark_void

BEACON_UNAVAILABLE = "beacon unavailable"
_BEACON_IS_DEAD_AFTER = timedelta(days=7)


def void_raffle(raffle_id: UUID, *, reason: str, now: datetime, by: str) -> Raffle:
    """Ends a raffle without winners. Raises AlreadyDrawn, Voided, RoundHasCome."""
    with transaction.atomic():
        raffle = _voidable(raffle_id)
        if raffle.state == State.OPEN:
            shut_gate(raffle)
        if raffle.state == State.SEALED:
            _void_draw(raffle.draws.live().get(), reason=reason, now=now)
        mark_void(raffle, reason=reason, now=now, by=by)
        finish_erasures(raffle)
    return raffle


def redraw(
    raffle_id: UUID,
    *,
    reason: str,
    now: datetime,
    clock: Clock,
    by: str,
    number: int | None = None,
) -> Draw:
    """Voids the sealed draw and commits to the same pool again, as the next in the chain.

    ``number`` is the draw that is meant, where the caller knows. Raises NotSealed, AlreadyDrawn,
    Voided, RoundHasCome, AlreadyRedrawn, SealTooLate.
    """
    with transaction.atomic():
        raffle = _voidable(raffle_id)
        if raffle.state != State.SEALED:
            raise NotSealed
        draw = raffle.draws.live().get()
        if number not in (None, draw.number):
            raise AlreadyRedrawn
        _void_draw(draw, reason=reason, now=now)
        payload = {"reason": reason, "draw_no": draw.number}
        announce(Announcement.Kind.VOIDED, raffle, payload, at=now, by=by)
        return commit(raffle, clock=clock, by=by, after=draw)


def _voidable(raffle_id: UUID) -> Raffle:
    raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
    if raffle.state == State.DRAWN:
        raise AlreadyDrawn
    if raffle.state == State.VOID:
        raise Voided
    return raffle


def _void_draw(draw: Draw, *, reason: str, now: datetime) -> None:
    """Signs and stores the end of a sealed draw.

    Once its round is public the result is known, so then only a beacon that stayed silent for a
    week is a reason, and anyone can refute it by producing the round.
    """
    draws_at = draw.draws_at()
    if draws_at is not None and now.timestamp() >= draws_at:
        is_dead = now.timestamp() >= draws_at + _BEACON_IS_DEAD_AFTER.total_seconds()
        if not (is_dead and reason == BEACON_UNAVAILABLE):
            raise RoundHasCome
    now = now.replace(microsecond=0)
    signed = signer().void(bytes(draw.commitment_hash), reason, int(now.timestamp()))
    draw.voided_at, draw.void_reason = now, reason
    draw.void_key_id, draw.void_signature = signed["key_id"], bytes.fromhex(signed["signature"])
    draw.save(update_fields=["voided_at", "void_reason", "void_key_id", "void_signature"])
