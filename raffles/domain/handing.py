"""Handing over: told, claimed with the code, handed over; or forfeited once the time is over.

Each moment is set under the raffle's lock, so no prize is handed over and passed on at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from raffles.models import Handover, Raffle, Replacement, Standing, Winner

from .checking import checked_slot
from .locking import locked
from .recording import record
from .refusals import Forfeited, HandedOver, NoAlternateLeft, NotAWinner
from .replacing import pass_on, winner_with

log = logging.getLogger(__name__)

NOT_CLAIMED = "Not claimed in time"

_OPEN_ALL = """
    INSERT INTO raffles_handover (winner_id, claim_until)
    SELECT id, %s FROM raffles_winner WHERE raffle_id = %s AND prize_id IS NOT NULL
"""


class Forfeit(NamedTuple):
    """A prize that was forfeited, and who has it now; nobody where none is left or promoted."""

    winner: Winner
    replacement: Replacement | None


def open_handovers(raffle: Raffle, *, now: datetime) -> None:
    """Gives every winner of a raffle that is drawn at ``now`` the deadline, if it has one."""
    if until := raffle.claim_until(now):
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_ALL, [connection.ops.adapt_datetimefield_value(until), raffle.pk])


def note_told(winners: Iterable[Winner], *, now: datetime, by: str) -> None:
    """Notes that winners were told of their prize; the first time counts."""
    for winner in winners:
        handover, _ = Handover.objects.get_or_create(winner=winner)
        if Handover.objects.filter(pk=handover.pk, notified_at=None).update(notified_at=now):
            _record(winner, "prize.notified", now=now, by=by)


def claim_prize(
    raffle_id: UUID, *, ticket_number: int, code: str, now: datetime, by: str
) -> Winner:
    """Notes that the holder came in time; again is the same as once.

    Raises Raffle.DoesNotExist, NotDrawn, InvalidCode, NotAWinner, Forfeited.
    """
    with transaction.atomic():
        winner, handover = _presented(raffle_id, ticket_number, code)
        _claim(winner, handover, now=now, by=by)
    return winner


def hand_over(raffle_id: UUID, *, ticket_number: int, code: str, now: datetime, by: str) -> Winner:
    """Notes that the holder, who showed the code, has the prize in hand.

    Raises Raffle.DoesNotExist, NotDrawn, InvalidCode, NotAWinner, Forfeited, HandedOver.
    """
    with transaction.atomic():
        winner, handover = _presented(raffle_id, ticket_number, code)
        if handover.handed_over_at:
            raise HandedOver
        _claim(winner, handover, now=now, by=by)
        handover.handed_over_at = now
        handover.save(update_fields=["handed_over_at"])
        _record(winner, "prize.handed_over", now=now, by=by)
    return winner


def forfeit(raffle_id: UUID, *, ticket_number: int, reason: str, now: datetime, by: str) -> Forfeit:
    """Takes the prize from a winner; the next alternate gets it where the raffle says so.

    Raises Raffle.DoesNotExist, NotDrawn, NotAWinner, HandedOver, Forfeited.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        winner = winner_with(raffle, ticket_number)
        return _forfeit(raffle, winner, reason=reason, now=now, by=by)


def forfeit_overdue(*, now: datetime, by: str) -> Iterator[Forfeit]:
    """Forfeits what nobody claimed in time, oldest first; one that fails stops no other.

    Each is a transaction of its own that looks again under the lock, so any number of runs and any
    crash forfeit it once.
    """
    overdue = Handover.objects.overdue(now)
    for pk in list(overdue.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                winner = Winner.objects.get(handover=pk)
                raffle = locked(winner.raffle_id)
                winner = Winner.objects.with_standing().get(pk=winner.pk)
                if not overdue.filter(pk=pk).exists():
                    continue  # claimed or forfeited since
                forfeited = _forfeit(raffle, winner, reason=NOT_CLAIMED, now=now, by=by)
        except Exception:  # the rest is due as well; this one is tried again next time
            log.exception("forfeiting handover %s failed", pk)
            continue
        yield forfeited


def _presented(raffle_id: UUID, ticket_number: int, code: str) -> tuple[Winner, Handover]:
    raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
    slot = checked_slot(raffle, ticket_number=ticket_number, code=code)
    winner = Winner.objects.with_standing().filter(raffle=raffle, slot=slot).first()
    if winner is None or winner.standing() in (Standing.ALTERNATE, Standing.REPLACED):
        raise NotAWinner
    handover, _ = Handover.objects.get_or_create(winner=winner)
    return winner, handover


def _claim(winner: Winner, handover: Handover, *, now: datetime, by: str) -> None:
    if handover.forfeited_at or handover.is_overdue(now):
        raise Forfeited
    if handover.claimed_at is None:
        handover.claimed_at = now
        handover.save(update_fields=["claimed_at"])
        _record(winner, "prize.claimed", now=now, by=by)


def _forfeit(raffle: Raffle, winner: Winner, *, reason: str, now: datetime, by: str) -> Forfeit:
    if winner.standing() == Standing.HANDED_OVER:
        raise HandedOver
    if winner.standing() == Standing.FORFEITED:
        raise Forfeited
    handover, _ = Handover.objects.get_or_create(winner=winner)
    handover.forfeited_at = now
    handover.save(update_fields=["forfeited_at"])
    _record(winner, "prize.forfeited", now=now, by=by, why=reason)
    if not raffle.promotes_alternates:
        return Forfeit(winner, None)
    winner.handover = handover
    try:
        return Forfeit(winner, pass_on(raffle, winner, reason=reason, now=now, by=by))
    except NoAlternateLeft:
        return Forfeit(winner, None)


def _record(winner: Winner, deed: str, *, now: datetime, by: str, why: str = "") -> None:
    details = {"rank": winner.rank, "ticket_number": winner.ticket_number()}
    record(winner.raffle, deed, at=now, by=by, why=why, **details)
