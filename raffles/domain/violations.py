"""Which constraint said no."""

from __future__ import annotations

from django.db import IntegrityError

# SQLite names a unique constraint's columns instead of the constraint.
_BY_COLUMNS = {
    "raffles_announcement.raffle_id": "sold_out_announced_once",
    "raffles_raffle.request_tag": "raffle_created_once",
    "raffles_ticket.raffle_id, raffles_ticket.holder_tag": "ticket_holder_once",
    "raffles_ticket.raffle_id, raffles_ticket.address_tag": "ticket_address_once",
    "raffles_ticket.order_tag": "ticket_order_once",
    "raffles_ticket.raffle_id, raffles_ticket.slot": "ticket_slot_once",
}


def violated(error: IntegrityError) -> str:
    """The name of the constraint or guard that refused; empty when the database does not say."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is not None:
        return diagnosis.constraint_name or ""
    message = str(error)
    return _BY_COLUMNS.get(
        message.partition("UNIQUE constraint failed: ")[2]
    ) or message.removeprefix("CHECK constraint failed: ")
