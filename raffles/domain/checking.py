"""Checking a ticket: was it drawn, and for which prize?"""

from __future__ import annotations

import hmac
from uuid import UUID

from raffles.fairness.numbering import numbering
from raffles.fairness.tickets import code_tag, read_code
from raffles.models import Prize, Raffle, State, Ticket, Winner

from .refusals import InvalidCode, NotDrawn


def check_ticket(raffle_id: UUID, *, ticket_number: int, code: str) -> Prize | None:
    """The prize that the ticket holds now, None without one.

    Raises Raffle.DoesNotExist, NotDrawn (before the code is looked at), InvalidCode (also for a
    number that nobody holds).
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    winner = presented_winner(raffle, ticket_number=ticket_number, code=code)
    return winner.held_prize() if winner else None


def presented_winner(raffle: Raffle, *, ticket_number: int, code: str) -> Winner | None:
    """How a ticket whose code this is was drawn, with its standing; None when it was not.

    Raises NotDrawn (before the code is looked at), InvalidCode.
    """
    slot = checked_slot(raffle, ticket_number=ticket_number, code=code)
    return Winner.objects.with_standing().filter(raffle=raffle, slot=slot).first()


def checked_slot(raffle: Raffle, *, ticket_number: int, code: str) -> int:
    """The slot of a ticket of a drawn raffle whose code this is.

    Raises NotDrawn (before the code is looked at), InvalidCode.
    """
    if raffle.state != State.DRAWN:
        raise NotDrawn
    written = read_code(code)
    if written is None or not 1 <= ticket_number <= raffle.total_tickets:
        raise InvalidCode
    slot = slot_of(raffle, ticket_number)
    ticket = Ticket.objects.filter(raffle=raffle, slot=slot).only("code_tag").first()
    if ticket is None or ticket.code_tag is None:
        raise InvalidCode
    if not hmac.compare_digest(bytes(ticket.code_tag), code_tag(written)):
        raise InvalidCode
    return slot


def slot_of(raffle: Raffle, ticket_number: int) -> int:
    """The slot behind a number 1..N; ValueError outside of it."""
    return numbering(bytes(raffle.numbering_key), raffle.total_tickets).slot(ticket_number)
