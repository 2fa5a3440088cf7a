"""Replacing a winner by the next alternate: a public line with its reason, the result untouched."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from raffles.models import Announcement, Handover, Raffle, Replacement, Standing, State, Winner

from .announcing import announce
from .checking import slot_of
from .locking import locked
from .refusals import HandedOver, NoAlternateLeft, NotAWinner, NotDrawn


def replace_winner(
    raffle_id: UUID, *, ticket_number: int, reason: str, now: datetime, by: str
) -> Replacement:
    """Gives the prize of ``ticket_number`` to the first unused alternate.

    Raises Raffle.DoesNotExist, NotDrawn, NotAWinner, HandedOver, NoAlternateLeft.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        winner = winner_with(raffle, ticket_number)
        return pass_on(raffle, winner, reason=reason, now=now, by=by)


def winner_with(raffle: Raffle, ticket_number: int) -> Winner:
    """The winner whose ticket has the number and whose prize was not passed on.

    Raises NotDrawn, NotAWinner.
    """
    if raffle.state != State.DRAWN:
        raise NotDrawn
    if not 1 <= ticket_number <= raffle.total_tickets:
        raise NotAWinner
    standing = Winner.objects.with_standing().filter(raffle=raffle)
    winner = standing.filter(slot=slot_of(raffle, ticket_number)).first()
    if winner is None or winner.standing_prize() is None:
        raise NotAWinner
    return winner


def next_alternate(raffle: Raffle) -> Winner | None:
    """The first alternate who has taken nobody's place."""
    unused = raffle.winners.with_standing().filter(prize=None, replaces=None)
    return unused.order_by("rank").first()


def pass_on(raffle: Raffle, winner: Winner, *, reason: str, now: datetime, by: str) -> Replacement:
    """Gives the prize of a locked raffle's winner, who forfeits it, to the first unused alternate.

    Raises NotAWinner, HandedOver, NoAlternateLeft.
    """
    prize = winner.standing_prize()
    if prize is None:
        raise NotAWinner
    if winner.standing() == Standing.HANDED_OVER:
        raise HandedOver
    alternate = next_alternate(raffle)
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
    lost, _ = Handover.objects.get_or_create(winner=winner)
    if lost.forfeited_at is None:
        lost.forfeited_at = now
        lost.save(update_fields=["forfeited_at"])
    if until := raffle.claim_until(now):
        Handover.objects.create(winner=alternate, claim_until=until)
    announce(Announcement.Kind.REPLACED, raffle, replacement.public(), at=now, by=by)
    return replacement
