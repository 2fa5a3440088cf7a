"""Finding one's own ticket: by a personal link, or by number or identifier, each with the code.

Whoever was entered from a list has taken no ticket, so nobody has shown them one. The organiser
sends them a link, made from the list again, since who holds which ticket is stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.conf import settings

from raffles.domain.identities import of_entrant
from raffles.domain.keys import held_key, ticket_key
from raffles.domain.prizes import slot_with_code
from raffles.domain.reading import in_pieces
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import InvalidCode
from raffles.fairness.numbering import numbering
from raffles.fairness.tickets import (
    code_key,
    code_tag,
    derive_code,
    holder_key,
    holder_tag,
    read_code,
    show_code,
)
from raffles.models import EntryMode, Raffle, Ticket
from raffles.models.raffle import MAX_TICKETS

_DIGITS = len(str(MAX_TICKETS))


def link_to_ticket(raffle_id: UUID, number: int, code: str) -> str:
    """Return the address of a ticket's page; browsers send what is behind the # to nobody."""
    return f"{settings.PUBLIC_URL}/r/{raffle_id}/ticket/#{number}.{code}"


def links_of_list(raffle: Raffle, lines: Iterable[Line]) -> Iterator[tuple[str, int, str, str]]:
    """Return holder, number, code and link of each ticket, in the order of the lines.

    `lines` are those that the raffle was made of. Erased tickets are left out. Raises KeyMissing.
    """
    key = code_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes)
    number_of = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    tickets = Ticket.objects.filter(raffle=raffle).order_by("slot")
    rows = in_pieces(tickets.values_list("slot", "nth", "holder_tag", "erased_at"))
    each = (line.holder for line in lines for _ in range(line.tickets))

    def linked(holder: str, slot: int, nth: int, tag: bytes) -> tuple[str, int, str, str]:
        number, code = number_of(slot), show_code(derive_code(key, tag, nth))
        return holder, number, code, link_to_ticket(raffle.uuid, number, code)

    return (
        linked(holder, slot, nth, bytes(tag))
        for holder, (slot, nth, tag, erased_at) in zip(each, rows, strict=True)
        if tag is not None and erased_at is None
    )


def find_ticket(raffle: Raffle, *, said: str, code: str) -> tuple[int, int]:
    """Return number and slot of the ticket that has this code.

    `said` is its number or, where entrants come from a list, its holder as the list has it. Raises
    InvalidCode, whichever of both is wrong.
    """
    if said.isdecimal() and len(said) <= _DIGITS:
        try:
            return int(said), slot_with_code(raffle, ticket_number=int(said), code=code)
        except InvalidCode:
            if raffle.entry != EntryMode.LIST:
                raise
    if raffle.entry != EntryMode.LIST:
        raise InvalidCode
    slot = _slot_of_entrant(raffle, said, code)
    return numbering(bytes(raffle.numbering_key), raffle.total_tickets).number(slot), slot


def _slot_of_entrant(raffle: Raffle, holder: str, code: str) -> int:
    written, key = read_code(code), held_key(raffle.ticket_key_id)
    if written is None or key is None:  # without its key no identifier leads to a ticket
        raise InvalidCode
    tag = holder_tag(holder_key(key, raffle.uuid.bytes), of_entrant(holder))
    theirs = Ticket.objects.filter(raffle=raffle, holder_tag=tag, code_tag=code_tag(written))
    slot: int | None = theirs.values_list("slot", flat=True).first()
    if slot is None:
        raise InvalidCode
    return slot
