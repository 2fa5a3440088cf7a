"""Locks and their order: the raffle, then its stripes, then the stream counter."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, connection

from raffles.models import Raffle


def locked(raffle_pk: int) -> Raffle:
    """Lock and return the raffle; FOR UPDATE would deadlock with the tickets' foreign key."""
    return Raffle.objects.select_for_update(no_key=True).get(pk=raffle_pk)


def held(raffle_id: UUID) -> Raffle:
    """Return the raffle under a shared lock, which keeps its state until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM raffles_raffle WHERE uuid = %s FOR SHARE", [raffle_id])
    return Raffle.objects.get(uuid=raffle_id)


# For a unique constraint SQLite names the columns, not the constraint.
_BY_COLUMNS = {
    "raffles_announcement.raffle_id, raffles_announcement.kind": "announced_once",
    "raffles_raffle.request_tag": "raffle_created_once",
    "raffles_ticket.raffle_id, raffles_ticket.holder_tag, raffles_ticket.nth": (
        "ticket_holder_nth_once"
    ),
    "raffles_ticket.raffle_id, raffles_ticket.address_tag": "ticket_address_once",
    "raffles_ticket.order_tag": "ticket_order_once",
    "raffles_ticket.raffle_id, raffles_ticket.slot": "ticket_slot_once",
}


def violated(error: IntegrityError) -> str:
    """Return the name of the violated constraint or guard; empty if the database gives none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is not None:
        return diagnosis.constraint_name or ""
    message = str(error)
    return _BY_COLUMNS.get(
        message.partition("UNIQUE constraint failed: ")[2]
    ) or message.removeprefix("CHECK constraint failed: ")
