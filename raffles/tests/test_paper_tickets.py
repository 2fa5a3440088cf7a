"""Tickets on paper: handed out once, printed again at will, and checked like any other."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.tests.acting import scheduled, taken
from raffles.domain import entering, paper_tickets
from raffles.domain.paper_tickets import Batch, batches_of, print_tickets
from raffles.domain.prizes import check_ticket
from raffles.domain.proofs import inclusion
from raffles.domain.refusals import AlreadyDrawn, GateShut, SoldOut, ThroughEvent, Voided
from raffles.fairness.verify import hash_leaf
from raffles.models import LogEntry, Raffle, State
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to
from raffles.tests.nothing_lost.harness import flaws, race

pytestmark = pytest.mark.django_db

BATCH = "0" * 32


def printed(raffle: Raffle, amount: int = 3, *, batch: str = BATCH) -> Batch:
    _, made = print_tickets(raffle.uuid, batch=batch, amount=amount, now=NOW, by=STAFF)
    return made


def issued(raffle: Raffle) -> int:
    return raffle.tickets.count()


def test_batch_is_entered_and_recorded() -> None:
    raffle = RaffleFactory.create(total_tickets=5)
    batch = printed(raffle)
    numbers = [entry.ticket_number for entry in batch.entries]
    assert (batch.asked_for, numbers, issued(raffle)) == (3, sorted(set(numbers)), 3)
    assert len({entry.verification_code for entry in batch.entries}) == 3
    assert [(act.by, act.details) for act in batches_of(raffle)] == [
        (STAFF, {"batch": BATCH, "amount": 3})
    ]
    assert flaws(raffle) == []


def test_the_same_batch_again_is_the_same_tickets() -> None:
    raffle = RaffleFactory.create(total_tickets=5)
    first, again = printed(raffle), printed(raffle, 2)
    assert (again.asked_for, again.entries) == (3, first.entries)
    assert issued(raffle) == 3
    actions = LogEntry.objects.about(raffle).values_list("action", flat=True)
    assert [*actions][1:] == ["tickets.printed", "tickets.printed_again"]


def test_another_batch_is_other_tickets_of_the_same_address_or_none() -> None:
    raffle = RaffleFactory.create(total_tickets=6)
    enter_nth(raffle, 0)
    first, other = printed(raffle, 2), printed(raffle, 3, batch="1" * 32)
    numbers = {entry.ticket_number for batch in (first, other) for entry in batch.entries}
    assert len(numbers) == 5
    assert [act.details["amount"] for act in batches_of(raffle)] == [3, 2]


def test_tickets_that_run_out_are_fewer() -> None:
    raffle = RaffleFactory.create(total_tickets=5)
    enter_nth(raffle, 0)
    batch = printed(raffle, 9)
    assert (batch.asked_for, len(batch.entries)) == (9, 4)
    assert printed(raffle, 9).entries == batch.entries
    with pytest.raises(SoldOut):
        printed(raffle, 1, batch="1" * 32)
    assert [act.details["amount"] for act in batches_of(raffle)] == [9]


def test_interrupted_batch_is_completed_by_the_next_print(monkeypatch: pytest.MonkeyPatch) -> None:
    raffle = RaffleFactory.create(total_tickets=5)
    entered = entering.enter
    with monkeypatch.context() as patch:
        left = iter(range(2))
        patch.setattr(paper_tickets, "enter", lambda *a, **k: next(left) >= 0 and entered(*a, **k))
        with pytest.raises(StopIteration):
            printed(raffle)
    assert issued(raffle) == 2
    assert len(printed(raffle).entries) == 3
    assert issued(raffle) == 3


@pytest.mark.django_db(transaction=True)
def test_form_sent_twice_at_once_is_one_batch() -> None:
    raffle = RaffleFactory.create(total_tickets=30)
    outcomes = race(*[partial(printed, raffle, 20)] * 4)
    assert [[entry.ticket_number for entry in batch.entries] for batch in outcomes[1:]] == [
        [entry.ticket_number for entry in outcomes[0].entries]
    ] * 3
    assert (issued(raffle), batches_of(raffle).count()) == (20, 1)
    assert flaws(raffle) == []


def test_paper_is_checked_like_any_ticket() -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    entries = printed(raffle).entries
    take_to(State.DRAWN, raffle)
    prizes = {
        check_ticket(raffle.uuid, ticket_number=entry.ticket_number, code=entry.verification_code)
        for entry in entries
    }
    assert prizes == {raffle.prizes.get(), None}
    for entry in entries:
        path = inclusion(raffle.uuid, entry.ticket_number)
        leaf = bytes.fromhex(entry.receipt["leaf"])
        assert path["leaf_hash"] == hash_leaf(leaf).hex()
    assert flaws(raffle) == []


def test_batch_of_a_shut_raffle_can_be_printed_again_but_not_begun() -> None:
    raffle = RaffleFactory.create(total_tickets=4, closes_at=NOW + timedelta(hours=1))
    first = printed(raffle, 2)
    take_to(State.CLOSED, raffle)
    assert printed(raffle).entries == first.entries
    with pytest.raises(GateShut):
        printed(raffle, batch="1" * 32)


@pytest.mark.parametrize(("state", "refusal"), [(State.DRAWN, AlreadyDrawn), (State.VOID, Voided)])
def test_no_code_is_printed_once_it_can_win(state: State, refusal: type[Exception]) -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    printed(raffle)
    take_to(state, raffle)
    with pytest.raises(refusal):
        printed(raffle)


def test_event_hands_out_its_own_tickets() -> None:
    scheduled()
    taken("alice")
    with pytest.raises(ThroughEvent):
        printed(Raffle.objects.get())
    with pytest.raises(Raffle.DoesNotExist):
        print_tickets(uuid4(), batch=BATCH, amount=1, now=NOW, by=STAFF)


def test_nothing_of_a_code_is_stored() -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    entries = printed(raffle).entries
    told = str([*LogEntry.objects.values_list("details", "why"), *raffle.tickets.values_list()])
    assert not [entry for entry in entries if entry.verification_code in told]


def test_printing_again_costs_as_many_queries_for_three_tickets_as_for_one() -> None:
    counts = []
    for amount in (1, 3):
        raffle = RaffleFactory.create()
        printed(raffle, amount)
        with CaptureQueriesContext(connection) as queries:
            printed(raffle, amount)
        counts.append(len(queries))
    assert counts == [9, 9]  # however many tickets
