"""Replacing a winner by the next alternate: a public line with its reason, the result untouched."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from raffles.models import Announcement, Raffle, Replacement, State, Winner

from .announcing import announce
from .checking import slot_of
from .locking import locked
from .refusals import NoAlternateLeft, NotAWinner, NotDrawn


def replace_winner(
    raffle_id: UUID, *, ticket_number: int, reason: str, now: datetime, by: str
) -> Replacement:
    """Gives the prize of ``ticket_number`` to the first unused alternate.

    Raises Raffle.DoesNotExist, NotDrawn, NotAWinner, NoAlternateLeft.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        if raffle.state != State.DRAWN:
            raise NotDrawn
        if not 1 <= ticket_number <= raffle.total_tickets:
            raise NotAWinner
        standing = Winner.objects.with_standing().filter(raffle=raffle)
        winner = standing.filter(slot=slot_of(raffle, ticket_number)).first()
        prize = winner.standing_prize() if winner else None
        if winner is None or prize is None:
            raise NotAWinner
        alternate = standing.filter(prize=None, replaces=None).order_by("rank").first()
        if alternate is None:
            raise NoAlternateLeft
        replacement = Replacement.objects.create(
            raffle=raffle,
            winner=winner,
            alternate=alternate,
            prize=prize,
            reason=reason,
            replaced_at=now,
            actor=by,
        )
        announce(Announcement.Kind.REPLACED, raffle, replacement.public(), at=now, by=by)
    return replacement
