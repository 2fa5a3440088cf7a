"""Erasing a participant: the tags go, slot and leaf hash stay, and every proof stays valid.

The tags are needed until the draw is over, because a winner's whole leaf is part of the proof.
A winner's code is checked against that leaf afterwards: an erasure costs nobody their prize.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from raffles.domain.contacts import forget_contacts, slots_of_contact
from raffles.domain.keys import ticket_key
from raffles.domain.locking import locked
from raffles.domain.pool import leaves_of
from raffles.domain.privacy import forget_names
from raffles.fairness.tickets import holder_key, holder_tag
from raffles.fairness.verify import hash_leaf
from raffles.models import FINISHED, Handover, Raffle, Ticket
from raffles.models.raffle import RaffleQuerySet

_CHUNK = 5_000


def erase_holder(identity: str, *, now: datetime, raffles: Iterable[Raffle]) -> int:
    """Erase `identity` (`ip:203.0.113.7`) from the given raffles; return how many tickets.

    The tags of a finished raffle are deleted at once, those of any other when it ends.
    """
    erased = 0
    for raffle in raffles:
        tag = holder_tag(holder_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes), identity)
        erased += erase_tickets(raffle, Q(holder_tag=tag), now=now)
    return erased


def erase_mail(email: str, *, now: datetime, raffles: RaffleQuerySet) -> int:
    """Erase the tickets that this e-mail address was given with; return how many.

    Those that it took by a link are `erase_holder`'s. Addresses that were given are kept until
    there is nothing left to send, so of older tickets nobody knows them.
    """
    return sum(
        erase_tickets(raffle, Q(slot__in=slots), now=now)
        for raffle, slots in slots_of_contact(email, raffles)
    )


def erase_tickets(raffle: Raffle, which: Q | None = None, *, now: datetime) -> int:
    """Erase the tickets of a raffle that match `which`, or all of them; return how many."""
    with transaction.atomic():
        raffle = locked(raffle.pk)
        tickets = Ticket.objects.filter(which or Q(), raffle=raffle, erased_at=None)
        forget_contacts(raffle, tickets)
        marked = tickets.update(erased_at=now, request_tag=None, username=None)
        if raffle.state in FINISHED:
            finish_erasures(raffle)
            if raffle.keeps_names:
                forget_names(Raffle.objects.filter(pk=raffle.pk))
    return marked


def finished_before(moment: datetime, *, now: datetime) -> RaffleQuerySet:
    """Return raffles that ended before `moment`, except those with prizes to be claimed still."""
    ended = Raffle.objects.filter(Q(draw__drawn_at__lt=moment) | Q(voided_at__lt=moment))
    waiting = Handover.objects.unclaimed().filter(claim_until__gt=now)
    return ended.exclude(pk__in=waiting.values("winner__raffle")).distinct()


def finish_erasures(raffle: Raffle) -> None:
    """Replace the tags of a finished raffle's erased tickets with their leaf hash."""
    waiting = Ticket.objects.filter(
        raffle=raffle, erased_at__isnull=False, holder_tag__isnull=False
    )
    while slots := list(waiting.values_list("slot", flat=True)[:_CHUNK]):
        leaves = leaves_of(raffle, slots)
        tickets = list(waiting.filter(slot__in=slots))
        for ticket in tickets:
            ticket.leaf_hash = hash_leaf(leaves[ticket.slot])
            ticket.holder_tag = ticket.code_tag = ticket.address_tag = None
        Ticket.objects.bulk_update(
            tickets, ["leaf_hash", "holder_tag", "code_tag", "address_tag"], batch_size=200
        )
