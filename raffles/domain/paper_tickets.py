"""Tickets on paper: handed out in batches, each with a holder of its own.

A batch's holders are derived from its name, so the same batch can be printed again and no code is
stored. The name is in the record; without the ticket key it opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from uuid import UUID

from django.db import transaction

from raffles.domain.entering import Entry, enter, tickets_of
from raffles.domain.locking import locked
from raffles.domain.refusals import AlreadyDrawn, GateShut, SoldOut, ThroughEvent, Voided
from raffles.models import FINISHED, Channel, LogEntry, Raffle, State
from raffles.models.record import LogEntryQuerySet, record

MAX_BATCH = 1_000

PRINTED, PRINTED_AGAIN = "tickets.printed", "tickets.printed_again"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's tickets as their holders will see them, in order of number."""

    name: str
    asked_for: int
    entries: list[Entry]


def print_tickets(
    raffle_id: UUID, *, batch: str, amount: int, now: datetime, by: str
) -> tuple[Raffle, Batch]:
    """Hand out `amount` tickets, at most `MAX_BATCH`, to be printed; fewer when they run out.

    `batch` is a random name of the caller's making. The same name again returns the same tickets,
    whatever the amount, and hands out those that a crash prevented. Raises Raffle.DoesNotExist,
    ThroughEvent, GateShut, SoldOut (none was left), AlreadyDrawn and Voided (a finished raffle's
    codes are not shown again: only an impostor would want them).
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        made = batches_of(raffle).filter(details__batch=batch).first()
        _refuse_unless_printable(raffle, is_new=made is None)
        action = PRINTED_AGAIN if made else PRINTED
        amount = made.details["amount"] if made else amount
        # First, so that no ticket of an interrupted batch lacks its line.
        record(raffle, action, at=now, by=by, batch=batch, amount=amount)
    # Of the kinds of holders that the protocol knows, whoever the staff hands a ticket is invited.
    identities = [f"invitation:{batch}:{n}" for n in range(amount)]
    entries = _entries(raffle, identities)
    if len(entries) < amount and raffle.state == State.OPEN:
        _hand_out(raffle, identities, batch, now)
        entries = _entries(raffle, identities)
    if not entries:
        raise SoldOut
    return raffle, Batch(batch, amount, entries)


def batches_of(raffle: Raffle) -> LogEntryQuerySet:
    """Return the record's lines on batches, latest first."""
    return LogEntry.objects.about(raffle).filter(action=PRINTED).order_by("-pk")


def _refuse_unless_printable(raffle: Raffle, *, is_new: bool) -> None:
    if raffle.event_slug is not None:
        raise ThroughEvent
    if raffle.state in FINISHED:
        raise AlreadyDrawn if raffle.is_drawn else Voided
    if is_new and raffle.state != State.OPEN:
        raise GateShut
    left = Raffle.objects.with_available().get(pk=raffle.pk)
    if is_new and not left.available:
        raise SoldOut


def _hand_out(raffle: Raffle, identities: list[str], batch: str, now: datetime) -> None:
    """Enter each in a transaction of its own: together they would block all other claims."""
    for identity in identities:
        try:
            enter(
                raffle.uuid,
                identity=identity,
                now=now,
                request_key=batch,
                channel=Channel.PAPER,
                is_given=True,
            )
        except SoldOut:
            return


def _entries(raffle: Raffle, identities: list[str]) -> list[Entry]:
    entries = chain.from_iterable(tickets_of(raffle, identities).values())
    return sorted(entries, key=lambda entry: entry.ticket_number)
