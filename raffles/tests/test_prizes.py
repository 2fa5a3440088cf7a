"""What becomes of a prize: told, claimed, handed over; or forfeited, and promoted where so set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from raffles.domain.prizes import (
    check_ticket,
    claim_prize,
    forfeit,
    forfeit_overdue,
    hand_over,
    note_notified,
    replace_winner,
)
from raffles.domain.refusals import (
    Forfeited,
    HandedOver,
    InvalidCode,
    NoAlternateLeft,
    NotAWinner,
    NotDrawn,
    Refusal,
)
from raffles.models import Handover, LogEntry, Raffle, State, Winner, WinnerState
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)
SOON, LATE = NOW + timedelta(days=1), NOW + WEEK


class Drawn:
    """A drawn raffle of three tickets, one prize and one alternate, with everybody's code."""

    def __init__(self, **claim: object) -> None:
        self.raffle: Raffle = RaffleFactory.create(claim=claim)
        entries = [enter_nth(self.raffle, n) for n in range(3)]
        self.codes = {entry.ticket_number: entry.verification_code for entry in entries}
        take_to(State.DRAWN, self.raffle)

    def winner(self, rank: int = 1) -> Winner:
        return Winner.objects.with_state().get(raffle=self.raffle, rank=rank)

    def number(self, rank: int = 1) -> int:
        return self.winner(rank).ticket_number()

    def present(self, act: Callable[..., Winner], *, rank: int = 1, now: datetime = SOON) -> Winner:
        number = self.number(rank)
        return act(
            self.raffle.uuid, ticket_number=number, code=self.codes[number], now=now, by=STAFF
        )

    def actions(self) -> list[str]:
        """Return what was done about the prizes, oldest first."""
        acts = LogEntry.objects.about(self.raffle).filter(action__startswith="prize.")
        return list(acts.values_list("action", flat=True))


def test_prize_is_drawn_then_told_then_claimed_then_handed_over() -> None:
    drawn = Drawn()
    states = [drawn.winner().state()]
    note_notified([drawn.winner()], now=SOON, by="e-mail")
    states.append(drawn.winner().state())
    drawn.present(claim_prize)
    states.append(drawn.winner().state())
    drawn.present(hand_over)
    states.append(drawn.winner().state())
    assert states == [
        WinnerState.DRAWN,
        WinnerState.NOTIFIED,
        WinnerState.CLAIMED,
        WinnerState.HANDED_OVER,
    ]
    assert drawn.actions() == ["prize.notified", "prize.claimed", "prize.handed_over"]


def test_telling_and_claiming_twice_is_once() -> None:
    drawn = Drawn()
    for now in (SOON, LATE):
        note_notified([drawn.winner()], now=now, by=STAFF)
        drawn.present(claim_prize, now=now)
    handover = Handover.objects.get()
    assert (handover.notified_at, handover.claimed_at) == (SOON, SOON)
    assert drawn.actions() == ["prize.notified", "prize.claimed"]


def test_handing_over_twice_is_refused() -> None:
    drawn = Drawn()
    drawn.present(hand_over)
    with pytest.raises(HandedOver):
        drawn.present(hand_over)


@pytest.mark.parametrize("act", [claim_prize, hand_over])
def test_prize_needs_the_winners_code(act: Callable[..., Winner]) -> None:
    drawn = Drawn()
    number = drawn.number()
    others = next(code for ticket, code in drawn.codes.items() if ticket != number)
    with pytest.raises(InvalidCode):
        act(drawn.raffle.uuid, ticket_number=number, code=others, now=SOON, by=STAFF)
    assert not Handover.objects.exists()


def test_alternate_and_loser_have_nothing_to_claim() -> None:
    drawn = Drawn()
    with pytest.raises(NotAWinner):
        drawn.present(claim_prize, rank=2)
    (loser,) = set(drawn.codes) - {drawn.number(1), drawn.number(2)}
    with pytest.raises(NotAWinner):
        claim_prize(
            drawn.raffle.uuid, ticket_number=loser, code=drawn.codes[loser], now=SOON, by=STAFF
        )


def test_nothing_to_claim_before_the_draw() -> None:
    raffle = RaffleFactory.create(state=State.SEALED)
    with pytest.raises(NotDrawn):
        claim_prize(raffle.uuid, ticket_number=1, code="x", now=SOON, by=STAFF)
    with pytest.raises(NotDrawn):
        forfeit(raffle.uuid, ticket_number=1, reason="No", now=SOON, by=STAFF)


def test_deadline_counts_from_the_draw_and_ends_a_claim() -> None:
    drawn = Drawn(claim_days=7)
    assert drawn.winner().claim_until() == LATE
    assert drawn.winner(2).claim_until() is None
    with pytest.raises(Forfeited):
        drawn.present(claim_prize, now=LATE)
    drawn.present(claim_prize, now=LATE - timedelta(seconds=1))
    drawn.present(hand_over, now=LATE + WEEK)  # it was claimed in time


def test_overdue_prize_is_forfeited_once() -> None:
    drawn = Drawn(claim_days=7)
    assert list(forfeit_overdue(now=LATE - timedelta(seconds=1), by=STAFF)) == []
    (forfeited,) = forfeit_overdue(now=LATE, by=STAFF)
    assert (forfeited.winner.rank, forfeited.replacement) == (1, None)
    assert list(forfeit_overdue(now=LATE, by=STAFF)) == []
    assert drawn.winner().state() == WinnerState.FORFEITED
    assert drawn.winner().held_prize() is None
    assert drawn.actions() == ["prize.forfeited"]


def test_forfeited_prize_is_no_prize_to_its_ticket() -> None:
    drawn = Drawn(claim_days=7)
    number = drawn.number()
    ticket = {"ticket_number": number, "code": drawn.codes[number]}
    before = check_ticket(drawn.raffle.uuid, **ticket)  # type: ignore[arg-type]
    list(forfeit_overdue(now=LATE, by=STAFF))
    assert (before and before.name) == "Phone"
    assert check_ticket(drawn.raffle.uuid, **ticket) is None  # type: ignore[arg-type]


def test_forfeited_prize_is_promoted_where_so_set_with_a_deadline_of_its_own() -> None:
    drawn = Drawn(claim_days=7, promotes_alternates=True)
    (forfeited,) = forfeit_overdue(now=LATE, by=STAFF)
    assert forfeited.replacement is not None
    assert forfeited.replacement.alternate == drawn.winner(2)
    assert forfeited.replacement.reason == "Not claimed in time"
    assert drawn.winner(1).state() == WinnerState.REPLACED
    assert drawn.winner(2).state() == WinnerState.DRAWN
    assert drawn.winner(2).claim_until() == LATE + WEEK
    (again,) = forfeit_overdue(now=LATE + WEEK, by=STAFF)
    assert (again.winner, again.replacement) == (drawn.winner(2), None)  # nobody is left
    assert drawn.winner(2).state() == WinnerState.FORFEITED


def test_claimed_prize_is_not_overdue() -> None:
    drawn = Drawn(claim_days=7)
    drawn.present(claim_prize)
    assert list(forfeit_overdue(now=LATE, by=STAFF)) == []


def test_winner_who_was_replaced_is_not_overdue() -> None:
    drawn = Drawn(claim_days=7)
    replace_winner(
        drawn.raffle.uuid, ticket_number=drawn.number(), reason="Ill", now=SOON, by=STAFF
    )
    with pytest.raises(NotAWinner):
        drawn.present(claim_prize)
    assert [one.winner for one in forfeit_overdue(now=SOON + WEEK, by=STAFF)] == [drawn.winner(2)]


def test_forfeited_prize_can_be_passed_on_by_hand() -> None:
    drawn = Drawn()
    names = {"ticket_number": drawn.number(), "now": SOON, "by": STAFF}
    forfeit(drawn.raffle.uuid, reason="Under age", **names)  # type: ignore[arg-type]
    replace_winner(drawn.raffle.uuid, reason="Under age", **names)  # type: ignore[arg-type]
    assert drawn.winner(2).state() == WinnerState.DRAWN
    assert [act.why for act in LogEntry.objects.about(drawn.raffle)][-2:] == ["Under age"] * 2


def test_handed_over_prize_stays_with_its_winner() -> None:
    drawn = Drawn()
    drawn.present(hand_over)
    for act in (forfeit, replace_winner):
        with pytest.raises(HandedOver):
            act(drawn.raffle.uuid, ticket_number=drawn.number(), reason="No", now=SOON, by=STAFF)


def test_refused_replacement_changes_nothing() -> None:
    drawn = Drawn()
    replace_winner(drawn.raffle.uuid, ticket_number=drawn.number(), reason="A", now=SOON, by=STAFF)
    acts, handovers = LogEntry.objects.count(), Handover.objects.count()
    refusals: list[type[Refusal]] = [NotAWinner, NoAlternateLeft]
    for rank, refusal in zip((1, 2), refusals, strict=True):
        number = drawn.number(rank)
        with pytest.raises(refusal):
            replace_winner(drawn.raffle.uuid, ticket_number=number, reason="B", now=SOON, by=STAFF)
    assert (LogEntry.objects.count(), Handover.objects.count()) == (acts, handovers)


@pytest.mark.parametrize("state", list(WinnerState))
def test_query_and_row_agree_on_the_state(state: WinnerState) -> None:
    for moment in (None, "notified", "claimed", "handed over", "forfeited", "replaced"):
        drawn = Drawn()
        match moment:
            case "notified":
                note_notified([drawn.winner()], now=SOON, by=STAFF)
            case "claimed":
                drawn.present(claim_prize)
            case "handed over":
                drawn.present(hand_over)
            case "forfeited" | "replaced":
                act = forfeit if moment == "forfeited" else replace_winner
                act(drawn.raffle.uuid, ticket_number=drawn.number(), reason="A", now=SOON, by=STAFF)
    everybody = Winner.objects.with_state().order_by("pk")
    by_row = [winner.pk for winner in everybody if winner.state() == state]
    assert list(everybody.state(state).values_list("pk", flat=True)) == by_row
    assert by_row
