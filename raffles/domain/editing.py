"""Changing a raffle's terms, while nobody holds a ticket under them."""

from __future__ import annotations

from raffles.models import Raffle, State

from .locking import hold_claims, locked
from .refusals import TermsFrozen


def hold_terms(raffle_pk: int) -> Raffle:
    """Locks a raffle and its stripes for an edit in the caller's transaction.

    Claims wait until its end, so no ticket can appear under half-changed terms. Raises TermsFrozen.
    """
    raffle = locked(raffle_pk)
    if raffle.state != State.OPEN or hold_claims(raffle):
        raise TermsFrozen
    return raffle
