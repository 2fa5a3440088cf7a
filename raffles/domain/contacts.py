"""The e-mail addresses given with entries: to notify winners of their prize, and for nothing else.

A winner's is deleted as soon as the mail is sent, also that of an alternate who was promoted;
everybody else's with the draw, and anybody's with an erasure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from raffles.domain.entering import Entry
from raffles.domain.identities import read_mail
from raffles.domain.keys import current_key_id
from raffles.domain.locking import held
from raffles.domain.prizes import note_notified, slot_of
from raffles.models import (
    FINISHED,
    Announcement,
    Contact,
    Endpoint,
    Raffle,
    State,
    Ticket,
    Winner,
)

_TOLD = frozenset({Announcement.Kind.DRAWN, Announcement.Kind.REPLACED})


def keep_contact(entry: Entry, email: str, *, now: datetime) -> None:
    """Keep the address for a ticket until its draw; if there is one already, that one stays.

    A repeated entry does so too: the first may have been cut off before its address was stored.
    """
    _have_winners_told(now)
    with transaction.atomic():
        raffle = held(entry.raffle_id)  # a draw meanwhile would not delete it
        slot = slot_of(raffle, entry.ticket_number)
        ticket = Ticket.objects.filter(raffle=raffle, slot=slot, erased_at=None)
        if raffle.state not in FINISHED and ticket.exists():
            Contact.objects.get_or_create(raffle=raffle, slot=slot, defaults={"email": email})


def _have_winners_told(now: datetime) -> None:
    """Make sure that the one endpoint for mail to winners exists; staff may have disabled it."""
    channel = Endpoint.Channel.WINNERS
    if Endpoint.objects.filter(channel=channel).exists():
        return
    try:
        with transaction.atomic():
            Endpoint.objects.create(channel=channel, created_at=now, key_id=current_key_id())
    except IntegrityError:
        if not Endpoint.objects.filter(channel=channel).exists():  # another entry made it
            raise


def contact_of_row() -> QuerySet[Contact]:
    """Return a subquery for the contact of a row that has raffle and slot."""
    return Contact.objects.filter(raffle=OuterRef("raffle"), slot=OuterRef("slot"))


def winners_to_tell(announcements: QuerySet[Announcement]) -> list[tuple[int, int]]:
    """Return (announcement, winner), as keys, for each winner with an address to be notified."""
    has_contacts = Exists(Contact.objects.filter(raffle=OuterRef("raffle")))
    told = announcements.filter(has_contacts, kind__in=_TOLD)
    return [(announcement.pk, key) for announcement in told for key in _winners_of(announcement)]


def _winners_of(announcement: Announcement) -> list[int]:
    winners = Winner.objects.filter(Exists(contact_of_row()), raffle=announcement.raffle_id)
    if announcement.kind == Announcement.Kind.DRAWN:
        return list(winners.of_prizes().values_list("pk", flat=True))
    promoted = announcement.payload["replaced_by"]
    return [winner.pk for winner in winners if winner.ticket_number() == promoted]


def forget_losers(announcements: QuerySet[Announcement]) -> None:
    """Delete, once a raffle ends, the addresses of those who can win nothing in it any more."""
    told_of = Contact.objects.filter(raffle__in=announcements.values("raffle"))
    drawn = announcements.filter(kind=Announcement.Kind.DRAWN).values("raffle")
    winners = Winner.objects.filter(raffle=OuterRef("raffle"), slot=OuterRef("slot"))
    told_of.filter(raffle__state=State.VOID).delete()
    told_of.filter(raffle__in=drawn).exclude(Exists(winners)).delete()


def forget_told(winners: Sequence[int], *, now: datetime) -> None:
    """Note that winners, given by key, were notified by mail, and delete their addresses."""
    notified = Winner.objects.filter(pk__in=winners)
    note_notified(notified.select_related("raffle"), now=now, by="e-mail")
    of_row = notified.filter(raffle=OuterRef("raffle"), slot=OuterRef("slot"))
    Contact.objects.filter(Exists(of_row)).delete()


def forget_contacts(raffle: Raffle, tickets: QuerySet[Ticket]) -> None:
    """Delete the addresses of the raffle's `tickets`, which are being erased."""
    Contact.objects.filter(raffle=raffle, slot__in=tickets.values("slot")).delete()


def slots_of_contact(email: str, raffles: QuerySet[Raffle]) -> list[tuple[Raffle, list[int]]]:
    """Return the slots of tickets that this address was given with, by raffle.

    `read_mail` has read it.
    """
    local, _at, _domain = email.rpartition("@")
    contacts = Contact.objects.filter(email__istartswith=f"{local}@", raffle__in=raffles)
    rows = contacts.order_by("raffle").select_related("raffle")
    theirs = (row for row in rows if _read(row.email) == email)
    return [
        (raffle, [row.slot for row in group])
        for raffle, group in groupby(theirs, key=lambda row: row.raffle)
    ]


def _read(email: str) -> str:
    """Return a stored address as addresses are compared: some were kept as they were typed."""
    try:
        return read_mail(email)
    except ValidationError:
        return email.lower()
