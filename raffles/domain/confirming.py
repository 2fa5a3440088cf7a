"""Entering by e-mail: a link is sent to the address, and whoever opens it may take the ticket.

Until then nothing is stored of the entry: the link itself says, under a key of the raffle, whose it
is and since when. The address is encrypted in it, so that no log or history shows it.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from raffles.domain import lineage
from raffles.domain.entering import Entry, enter, refuse_newcomers, tickets_of
from raffles.domain.identities import of_mail
from raffles.domain.keys import ticket_key
from raffles.domain.refusals import AlreadyEntered, LinkNotValid, MailEntered
from raffles.fairness.tickets import holder_key
from raffles.models import EntryMode, Raffle, SentMail
from raffles.models.confirmation import MOST_MAILS

VALID_FOR = timedelta(hours=1)
LONGEST_CONFIRMATION = 1_000  # characters, more than twice those of any
_WRITTEN = re.compile(r"(?:[\w-]{4})*[\w-]{2,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a mail says: the `confirmation` that takes a ticket, or the `numbers` held already."""

    raffle: Raffle
    confirmation: str
    numbers: list[int]


def offer_ticket(raffle_id: UUID, *, address: str, now: datetime) -> Offer:
    """Return what to write to an address, which `read_mail` has read.

    Raises Raffle.DoesNotExist and the refusals of whoever comes new to the raffle: SoldOut,
    GateShut, ThroughEvent, ByOrganiser, NotOpenYet, OtherWayIn; and Restored.
    """
    lineage.refuse_restored()
    raffle = Raffle.objects.with_issued().get(uuid=raffle_id)
    refuse_newcomers(raffle, EntryMode.EMAIL, now=now)
    identity = of_mail(address)
    entries = tickets_of(raffle, [identity]).get(identity, [])
    if len(entries) >= raffle.tickets_per_holder:
        return Offer(raffle, "", [entry.ticket_number for entry in entries])
    sealed = _box(raffle).encrypt_at_time(address.encode(), int(now.timestamp()))
    return Offer(raffle, sealed.decode().rstrip("="), [])


def confirm(
    raffle_id: UUID, *, confirmation: str, now: datetime, accepts: str | None = None
) -> Entry:
    """Hand the ticket to whoever opened the link; within its hour, the same one again.

    Raises Raffle.DoesNotExist, LinkNotValid, and what `enter` raises.
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    identity = of_mail(address_in(raffle, confirmation, now=now))
    try:
        return enter(
            raffle_id, identity=identity, now=now, request_key=confirmation, accepts=accepts
        )
    except AlreadyEntered:
        raise MailEntered from None


def address_in(raffle: Raffle, confirmation: str, *, now: datetime) -> str:
    """Return the address that a link was sent to within the hour. Raises LinkNotValid."""
    if len(confirmation) > LONGEST_CONFIRMATION or not _WRITTEN.fullmatch(confirmation):
        raise LinkNotValid
    padded = (confirmation + "=" * (-len(confirmation) % 4)).encode()
    if base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)) != padded:
        raise LinkNotValid  # another writing of a link would count as another link
    lifetime, at = int(VALID_FOR.total_seconds()), int(now.timestamp())
    try:
        return _box(raffle).decrypt_at_time(padded, lifetime, at).decode()
    except InvalidToken:
        raise LinkNotValid from None


def _box(raffle: Raffle) -> Fernet:
    key = holder_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes)
    return Fernet(base64.urlsafe_b64encode(hmac.digest(key, b"confirmation\0", "sha256")))


# --- How many mails an address gets


def take_place(address: str, *, now: datetime) -> SentMail | None:
    """Return the place that a mail to the address takes; None if it had all of this hour's."""
    free_places(now)
    tag = hmac.digest(settings.TICKET_KEYS[0], b"mail to\0" + address.encode(), "sha256")[:16]
    for place in range(MOST_MAILS):
        taken, is_new = SentMail.objects.get_or_create(
            address_tag=tag, place=place, defaults={"sent_at": now}
        )
        if is_new:
            return taken
    return None


def free_places(now: datetime) -> None:
    """Forget the mails that count no more: before one is sent, and where none is for long."""
    SentMail.objects.past(now).delete()
