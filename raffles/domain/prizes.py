"""Prizes: notified, claimed with the code and handed over, or forfeited after the deadline.

Each step is taken under the raffle's lock, so no prize is both handed over and passed on.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from raffles.domain.announcing import announce
from raffles.domain.locking import locked
from raffles.domain.refusals import (
    Claimed,
    Forfeited,
    HandedOver,
    InvalidCode,
    NoAlternateLeft,
    NotAWinner,
    NotDrawn,
    NotLater,
    TooLateToUndo,
)
from raffles.fairness.numbering import numbering
from raffles.fairness.tickets import code_tag, code_tag_of, read_code
from raffles.fairness.verify import hash_reason
from raffles.models import (
    Announcement,
    Handover,
    Prize,
    Raffle,
    Replacement,
    State,
    Ticket,
    Winner,
    WinnerState,
)
from raffles.models.record import record

log = logging.getLogger(__name__)
NOT_CLAIMED = "Not claimed in time"
_OPEN_ALL = """
    INSERT INTO raffles_handover (winner_id, claim_until)
    SELECT id, %s FROM raffles_winner WHERE raffle_id = %s AND prize_id IS NOT NULL
"""


class Forfeit(NamedTuple):
    """A forfeited prize, and its replacement; None if no alternate is left or none is promoted."""

    winner: Winner
    replacement: Replacement | None


def open_handovers(raffle: Raffle, *, now: datetime) -> None:
    """Give every winner of a raffle drawn at `now` its claim deadline, if it has one."""
    if until := raffle.claim_until(now):
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_ALL, [connection.ops.adapt_datetimefield_value(until), raffle.pk])


def note_notified(winners: Iterable[Winner], *, now: datetime, by: str) -> None:
    """Note that winners were notified of their prize; only the first time counts."""
    for winner in winners:
        with transaction.atomic():
            locked(winner.raffle_id)
            handover, _ = Handover.objects.get_or_create(winner=winner)
            if Handover.objects.filter(pk=handover.pk, notified_at=None).update(notified_at=now):
                _record(winner, "prize.notified", now=now, by=by)


def note_all_notified(raffle_pk: int, winners: Iterable[int], *, now: datetime, by: str) -> int:
    """Note that these of a raffle's winners were notified; return how many nobody had noted.

    Whoever has lost or claimed the prize meanwhile is left as they are.
    """
    with transaction.atomic():
        raffle = locked(raffle_pk)
        untold = Winner.objects.with_state().filter(raffle=raffle, pk__in=list(winners))
        found = list(untold.state(WinnerState.DRAWN).order_by("rank"))
        note_notified(found, now=now, by=by)
    return len(found)


def extend_deadline(winner: Winner, until: datetime, *, now: datetime, by: str) -> None:
    """Keep a prize that nobody has claimed for longer. Raises NotLater, Claimed, Forfeited."""
    with transaction.atomic():
        locked(winner.raffle_id)
        handover = Handover.objects.get(winner=winner)
        if handover.claimed_at:
            raise Claimed
        if handover.forfeited_at:
            raise Forfeited
        if until <= now or handover.claim_until is None or until <= handover.claim_until:
            raise NotLater
        was, handover.claim_until = handover.claim_until, until
        handover.save(update_fields=["claim_until"])
        _record(winner, "prize.extended", now=now, by=by, until=until, was=was)


def claim_without_code(
    raffle_id: UUID,
    *,
    ticket_number: int,
    reason: str,
    checked: str,
    is_handed_over: bool,
    now: datetime,
    by: str,
) -> Winner:
    """Note that the winner came without the code, and how somebody made sure that it is they.

    It goes into the record: ``reason`` and ``checked`` must name nobody. Raises
    Raffle.DoesNotExist, NotDrawn, NotAWinner, Forfeited, HandedOver.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        winner = winner_with(raffle, ticket_number)
        handover, _ = Handover.objects.get_or_create(winner=winner)
        if handover.handed_over_at:
            raise HandedOver
        _claim(winner, handover, now=now, by=by)
        if is_handed_over:
            handover.handed_over_at = now
            handover.save(update_fields=["handed_over_at"])
        said = {"checked": checked, "handed_over": is_handed_over}
        _record(winner, "prize.claimed_without_code", now=now, by=by, why=reason, **said)
    return winner


def claim_prize(
    raffle_id: UUID, *, ticket_number: int, code: str, now: datetime, by: str
) -> Winner:
    """Note that the holder came in time; a repeat changes nothing.

    Raises Raffle.DoesNotExist, NotDrawn, InvalidCode, NotAWinner, Forfeited.
    """
    with transaction.atomic():
        winner, handover = _presented(raffle_id, ticket_number, code)
        _claim(winner, handover, now=now, by=by)
    return winner


def hand_over(raffle_id: UUID, *, ticket_number: int, code: str, now: datetime, by: str) -> Winner:
    """Note that the holder has shown the code and received the prize.

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
    winner.handover = handover  # as it is now; what was read before it is not
    return winner


def undo_hand_over(
    winner_pk: int, *, handed_over_at: datetime | None, now: datetime, by: str
) -> Winner:
    """Take back the hand-over of ``handed_over_at``, in the last minute: a slip at the counter.

    Raises TooLateToUndo, also if another counter has undone it and handed the prize over again.
    """
    with transaction.atomic():
        winner = Winner.objects.select_related("raffle").get(pk=winner_pk)
        locked(winner.raffle_id)
        handover = Handover.objects.filter(winner=winner).first()
        if handover is None or not handover.can_be_undone(now):
            raise TooLateToUndo
        if handover.handed_over_at != handed_over_at:
            raise TooLateToUndo
        handover.handed_over_at = None
        handover.save(update_fields=["handed_over_at"])
        _record(winner, "prize.hand_over_undone", now=now, by=by)
    return winner


def forfeit(
    raffle_id: UUID,
    *,
    ticket_number: int,
    reason: str,
    now: datetime,
    by: str,
    despite_claim: bool = False,
) -> Forfeit:
    """Take the prize from a winner; the next alternate gets it where the raffle says so.

    Raises Raffle.DoesNotExist, NotDrawn, NotAWinner, HandedOver, Forfeited, and Claimed unless
    it is ``despite_claim``.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        winner = winner_with(raffle, ticket_number)
        if winner.state() == WinnerState.CLAIMED and not despite_claim:
            raise Claimed
        return _forfeit(raffle, winner, reason=reason, now=now, by=by)


def forfeit_overdue(*, now: datetime, by: str) -> Iterator[Forfeit]:
    """Forfeit prizes not claimed in time, oldest first; a failure does not stop the rest.

    Each is a transaction of its own that checks again under the lock, so any number of runs and
    crashes forfeits it once. Yields what was forfeited.
    """
    overdue = Handover.objects.overdue(now)
    for pk in list(overdue.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                winner = Winner.objects.get(handover=pk)
                raffle = locked(winner.raffle_id)
                winner = Winner.objects.with_state().get(pk=winner.pk)
                if not overdue.filter(pk=pk).exists():
                    continue  # claimed or forfeited since
                forfeited = _forfeit(raffle, winner, reason=NOT_CLAIMED, now=now, by=by)
        except Exception:  # the rest is due too; the next run retries this one
            log.exception("forfeiting handover %s failed", pk)
            continue
        yield forfeited


def _presented(raffle_id: UUID, ticket_number: int, code: str) -> tuple[Winner, Handover]:
    raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
    slot = checked_slot(raffle, ticket_number=ticket_number, code=code)
    winner = Winner.objects.with_state().filter(raffle=raffle, slot=slot).first()
    if winner is None or winner.state() in (WinnerState.ALTERNATE, WinnerState.REPLACED):
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
    if winner.state() == WinnerState.HANDED_OVER:
        raise HandedOver
    if winner.state() == WinnerState.FORFEITED:
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


def _record(
    winner: Winner, action: str, *, now: datetime, by: str, why: str = "", **more: Any
) -> None:
    details = {"rank": winner.rank, "ticket_number": winner.ticket_number(), **more}
    record(winner.raffle, action, at=now, by=by, why=why, **details)


def replace_winner(
    raffle_id: UUID,
    *,
    ticket_number: int,
    reason: str,
    now: datetime,
    by: str,
    despite_claim: bool = True,
) -> Replacement:
    """Give the prize of `ticket_number` to the first unused alternate.

    Raises Raffle.DoesNotExist, NotDrawn, NotAWinner, HandedOver, NoAlternateLeft, and Claimed
    unless it is ``despite_claim``: the API, which asks nobody, always means it.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        winner = winner_with(raffle, ticket_number)
        if winner.state() == WinnerState.CLAIMED and not despite_claim:
            raise Claimed
        return pass_on(raffle, winner, reason=reason, now=now, by=by)


def winner_with(raffle: Raffle, ticket_number: int) -> Winner:
    """Return the winner with that ticket number whose prize was not passed on.

    Raises NotDrawn, NotAWinner.
    """
    if raffle.state != State.DRAWN:
        raise NotDrawn
    if not 1 <= ticket_number <= raffle.total_tickets:
        raise NotAWinner
    state = Winner.objects.with_state().filter(raffle=raffle)
    winner = state.filter(slot=slot_of(raffle, ticket_number)).first()
    if winner is None or winner.current_prize() is None:
        raise NotAWinner
    return winner


def next_alternate(raffle: Raffle) -> Winner | None:
    """Return the first alternate who has replaced nobody; None if none is left."""
    unused = raffle.winners.with_state().filter(prize=None, replaces=None)
    return unused.order_by("rank").first()


def pass_on(raffle: Raffle, winner: Winner, *, reason: str, now: datetime, by: str) -> Replacement:
    """Pass the prize of a locked raffle's winner to the first unused alternate, as a forfeit.

    Raises NotAWinner, HandedOver, NoAlternateLeft.
    """
    prize = winner.current_prize()
    if prize is None:
        raise NotAWinner
    if winner.state() == WinnerState.HANDED_OVER:
        raise HandedOver
    alternate = next_alternate(raffle)
    if alternate is None:
        raise NoAlternateLeft
    replacement = Replacement.objects.create(
        raffle=raffle,
        winner=winner,
        alternate=alternate,
        prize=prize,
        reason=reason,
        replaced_at=now,
        actor=by,
    )
    lost, _ = Handover.objects.get_or_create(winner=winner)
    if lost.forfeited_at is None:
        lost.forfeited_at = now
        lost.save(update_fields=["forfeited_at"])
    if until := raffle.claim_until(now):
        Handover.objects.create(winner=alternate, claim_until=until)
    announce(
        Announcement.Kind.REPLACED,
        raffle,
        replacement.public(),
        at=now,
        by=by,
        commitment_hash=bytes(raffle.draw.commitment_hash).hex(),
        rank=winner.rank,
        by_rank=alternate.rank,
        reason_hash=hash_reason(reason).hex(),
    )
    return replacement


def check_ticket(raffle_id: UUID, *, ticket_number: int, code: str) -> Prize | None:
    """Return the prize that the ticket holds now, None without one.

    Raises Raffle.DoesNotExist, NotDrawn (before the code is checked), InvalidCode (also for a
    number that nobody holds).
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    winner = presented_winner(raffle, ticket_number=ticket_number, code=code)
    return winner.held_prize() if winner else None


def presented_winner(raffle: Raffle, *, ticket_number: int, code: str) -> Winner | None:
    """Return the winner, with its state, whose ticket has this code; None if it was not drawn.

    Raises NotDrawn (before the code is checked), InvalidCode.
    """
    slot = checked_slot(raffle, ticket_number=ticket_number, code=code)
    return Winner.objects.with_state().filter(raffle=raffle, slot=slot).first()


def checked_slot(raffle: Raffle, *, ticket_number: int, code: str) -> int:
    """Return the slot of a drawn raffle's ticket that has this code.

    Raises NotDrawn (before the code is checked), InvalidCode.
    """
    if raffle.state != State.DRAWN:
        raise NotDrawn
    return slot_with_code(raffle, ticket_number=ticket_number, code=code)


def slot_with_code(raffle: Raffle, *, ticket_number: int, code: str) -> int:
    """Return the slot of the ticket that has this code, drawn or not. Raises InvalidCode."""
    written = read_code(code)
    if written is None or not 1 <= ticket_number <= raffle.total_tickets:
        raise InvalidCode
    slot = slot_of(raffle, ticket_number)
    kept = _kept_code_tag(raffle, slot)
    if kept is None or not hmac.compare_digest(kept, code_tag(written)):
        raise InvalidCode
    return slot


def _kept_code_tag(raffle: Raffle, slot: int) -> bytes | None:
    """Return the tag of a ticket's code; a winner's survives an erasure in the proof's leaf."""
    ticket = Ticket.objects.filter(raffle=raffle, slot=slot).only("code_tag").first()
    if ticket is None:
        return None
    if ticket.code_tag is not None:
        return bytes(ticket.code_tag)
    winner = Winner.objects.filter(raffle=raffle, slot=slot).only("leaf").first()
    return code_tag_of(bytes(winner.leaf)) if winner else None


def slot_of(raffle: Raffle, ticket_number: int) -> int:
    """Return the slot of a number 1..N. Raises ValueError for any other."""
    return numbering(bytes(raffle.numbering_key), raffle.total_tickets).slot(ticket_number)
