"""Real threads race for one thing; each check is shown red by a variant with its lock left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from threading import Barrier, BrokenBarrierError
from types import ModuleType
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum

from raffles.domain import claiming, drawing, prizes, sealing
from raffles.domain.creating import Request, create_raffle
from raffles.domain.drawing import advance, void_raffle
from raffles.domain.due import Run, draw_now, run_due
from raffles.domain.pool import build_tree
from raffles.domain.prizes import (
    Forfeit,
    forfeit,
    forfeit_overdue,
    hand_over,
    note_notified,
    replace_winner,
    undo_hand_over,
)
from raffles.domain.refusals import Voided
from raffles.domain.sealing import PoolDiffers, close, seal
from raffles.models import Draw, LogEntry, Raffle, Replacement, State, Stripe, Ticket, Winner
from raffles.tests.factories import NOW, STAFF, RaffleFactory, clock, code_of, enter_nth
from raffles.tests.nothing_lost.harness import (
    PATIENCE,
    flaws,
    insert_ticket,
    pk_of,
    postgresql_only,
    race,
    tally,
)

pytestmark = pytest.mark.django_db(transaction=True)
Meet = Callable[[], None]


def meeting(parties: int) -> Meet:
    """Return a function in which racers wait for each other: the worst moment, every time."""
    barrier = Barrier(parties)

    def meet() -> None:
        with suppress(BrokenBarrierError):
            barrier.wait(2)

    return meet


# --- The last ticket -----------------------------------------------------------------------


def with_one_left() -> Raffle:
    return RaffleFactory.create(total_tickets=70, tickets=69)


def race_to_enter(raffle: Raffle, clients: int) -> dict[str, int]:
    return tally(race(*[partial(enter_nth, raffle, 100 + n) for n in range(clients)]))


def test_last_ticket_goes_to_one_of_64() -> None:
    raffle = with_one_left()
    assert race_to_enter(raffle, 64) == {"Entry": 1, "SoldOut": 63}
    assert flaws(raffle) == []


def test_reading_the_counter_before_writing_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    raffle, meet = with_one_left(), meeting(8)

    def claim(facts: claiming.Facts, values: list[Any], _excluded: list[bytes]) -> claiming.Landed:
        stripe = Stripe.objects.get(raffle=pk_of(facts), issued__lt=F("cap"))
        meet()
        slot = stripe.lo + stripe.issued
        insert_ticket(stripe.raffle_id, slot, values)
        Stripe.objects.filter(pk=stripe.pk).update(issued=stripe.issued + 1)
        return slot, None, 0

    monkeypatch.setattr(claiming, f"_claim_{connection.vendor}", claim)
    assert race_to_enter(raffle, 8) == {"Entry": 1, "IntegrityError": 7}


def race_for_a_ticket_that_comes_back(
    raffle: Raffle, clients: int, *, held: float
) -> dict[str, int]:
    """Race for the last ticket, held by a transaction that aborts while all others ask for it.

    It does so after `held` seconds, or once everybody has an answer.
    """
    with ThreadPoolExecutor(1) as racing:
        with transaction.atomic():
            enter_nth(raffle, 99)
            outcomes = racing.submit(race_to_enter, raffle, clients)
            wait([outcomes], timeout=held)
            transaction.set_rollback(True)
        return outcomes.result()


def test_ticket_that_comes_back_is_not_sold_out() -> None:
    raffle = with_one_left()
    outcomes = race_for_a_ticket_that_comes_back(raffle, 64, held=1)
    assert outcomes == {"Entry": 1, "SoldOut": 63}
    assert flaws(raffle) == []


@contextmanager
def claim_that_never_waits() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('raffles_claim'::regproc)")
        (patient,) = cursor.fetchone()
        cursor.execute(patient.replace("FOR UPDATE )", "FOR UPDATE SKIP LOCKED)"))
        try:
            yield
        finally:
            cursor.execute(patient)


@postgresql_only
def test_skipping_locked_stripes_alone_is_seen() -> None:
    with claim_that_never_waits():
        outcomes = race_for_a_ticket_that_comes_back(with_one_left(), 8, held=PATIENCE)
    assert outcomes == {"GateShut": 8}  # refused for good, though one ticket is left


# --- One address ---------------------------------------------------------------------------


def race_of_one_address(raffle: Raffle) -> dict[str, int]:
    return tally(race(*[partial(enter_nth, raffle, 100)] * 16))


def test_one_address_gets_one_ticket_from_16_clients() -> None:
    raffle = RaffleFactory.create(total_tickets=70)
    assert race_of_one_address(raffle) == {"Entry": 1, "AlreadyEntered": 15}
    assert flaws(raffle) == []


def test_ignoring_the_second_ticket_of_an_address_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def claim(facts: claiming.Facts, values: list[Any], _excluded: list[bytes]) -> claiming.Landed:
        with transaction.atomic():
            stripes = Stripe.objects.filter(raffle=pk_of(facts), issued__lt=F("cap"))
            stripe = stripes.select_for_update().order_by("stripe")[0]
            Stripe.objects.filter(pk=stripe.pk).update(issued=F("issued") + 1)
            insert_ticket(
                stripe.raffle_id, stripe.lo + stripe.issued, values, "ON CONFLICT DO NOTHING"
            )
        return stripe.lo + stripe.issued, None, 0

    raffle = RaffleFactory.create(total_tickets=70)
    monkeypatch.setattr(claiming, f"_claim_{connection.vendor}", claim)
    assert race_of_one_address(raffle) == {"Entry": 16}
    assert flaws(raffle) == ["every slot that was counted is a ticket, once"]


# --- Two managers, eight runners -----------------------------------------------------------


def sold_out() -> Raffle:
    return RaffleFactory.create(total_tickets=70, tickets=70)


def sealed() -> Raffle:
    return RaffleFactory.create(total_tickets=70, state=State.SEALED)


def draw(raffle: Raffle) -> Raffle:
    return draw_now(raffle.uuid, now=NOW, clock=clock, by=STAFF)


def void(raffle: Raffle) -> Raffle:
    return void_raffle(raffle.uuid, reason="Called off", now=NOW, by=STAFF)


def replace_first(raffle: Raffle) -> Replacement:
    number = raffle.winners.get(rank=1).ticket_number()
    return replace_winner(
        raffle.uuid, ticket_number=number, reason="Did not come", now=NOW, by=STAFF
    )


def hand_first_over(raffle: Raffle) -> Winner:
    first = raffle.winners.get(rank=1)
    ticket = {"ticket_number": first.ticket_number(), "code": code_of(first)}
    return hand_over(raffle.uuid, **ticket, now=NOW, by=STAFF)  # type: ignore[arg-type]


def undo_first(raffle: Raffle) -> Winner:
    winner = raffle.winners.get(rank=1)
    return undo_hand_over(winner.pk, handed_over_at=NOW, now=NOW, by=STAFF)


def notify_first(raffle: Raffle) -> None:
    note_notified([raffle.winners.get(rank=1)], now=NOW, by=STAFF)


def forfeit_first(raffle: Raffle) -> Forfeit:
    number = raffle.winners.get(rank=1).ticket_number()
    return forfeit(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)


def let_a_day_pass(_raffle: Raffle) -> list[Forfeit]:
    return list(forfeit_overdue(now=NOW + timedelta(days=1), by=STAFF))


def run(raffle: Raffle) -> Run:
    (outcome,) = run_due([raffle], now=NOW, clock=clock, by="cron")
    return outcome


def drawn() -> Raffle:
    return RaffleFactory.create(total_tickets=70, alternates=10, state=State.DRAWN)


def kept_a_day() -> Raffle:
    """Return a raffle whose handovers are there, so that making one serialises nobody."""
    return RaffleFactory.create(claim={"claim_days": 1}, state=State.DRAWN)


@pytest.mark.parametrize(
    ("prepare", "act", "outcomes"),
    [
        (sold_out, draw, {"Raffle": 1, "AlreadyDrawn": 7}),
        (sealed, draw, {"Raffle": 1, "AlreadyDrawn": 7}),
        (sold_out, void, {"Raffle": 1, "Voided": 7}),
        (sealed, void, {"Raffle": 1, "Voided": 7}),
        (drawn, replace_first, {"Replacement": 1, "NotAWinner": 7}),
        (drawn, hand_first_over, {"Winner": 1, "HandedOver": 7}),
        (drawn, forfeit_first, {"Forfeit": 1, "Forfeited": 7}),
        (sold_out, run, {"Run": 8}),
    ],
)
def test_eight_at_once_do_it_once(
    prepare: Callable[[], Raffle], act: Callable[[Raffle], object], outcomes: dict[str, int]
) -> None:
    raffle = prepare()
    assert tally(race(*[partial(act, raffle)] * 8)) == outcomes
    assert flaws(raffle) == []


@pytest.mark.parametrize("round_", range(5))
def test_prize_is_handed_over_or_passed_on(round_: int) -> None:
    raffle = drawn()
    acts = [partial(act, raffle) for act in (hand_first_over, replace_first)] * 4
    outcomes = tally(race(*acts))
    kept = {"Winner": 1, "HandedOver": 7}
    passed_on = {"Replacement": 1, "NotAWinner": 7}
    assert outcomes in (kept, passed_on)
    assert flaws(raffle) == []


@pytest.mark.parametrize("prepare", [drawn, kept_a_day])
def test_counters_and_a_call_about_one_prize_agree(prepare: Callable[[], Raffle]) -> None:
    raffle = prepare()
    acts = [partial(act, raffle) for act in (hand_first_over, undo_first, notify_first)] * 3
    outcomes = tally(race(*acts))
    said = [entry.action.removeprefix("prize.") for entry in LogEntry.objects.about(raffle)]
    moved = [word for word in said if word in ("handed_over", "hand_over_undone")]
    assert moved == ["handed_over", "hand_over_undone"] * (len(moved) // 2) + moved[:1] * (
        len(moved) % 2
    )
    assert outcomes["Winner"] == len(moved)
    assert (said.count("notified"), said.count("claimed"), outcomes["NoneType"]) == (1, 1, 3)
    handover = raffle.winners.get(rank=1).handover
    assert (handover.handed_over_at is not None) == (len(moved) % 2 == 1)
    assert (handover.notified_at, handover.claimed_at) == (NOW, NOW)
    assert flaws(raffle) == []


def test_sixteen_runs_forfeit_a_prize_once() -> None:
    claim = {"claim_days": 1, "promotes_alternates": True}
    raffle = RaffleFactory.create(
        total_tickets=70, prizes=[("Phone", 5)], alternates=3, claim=claim, state=State.DRAWN
    )
    forfeited = list(chain(*race(*[partial(let_a_day_pass, raffle)] * 16)))
    assert sorted(one.winner.rank for one in forfeited) == [1, 2, 3, 4, 5]
    assert raffle.replacements.count() == 3
    assert flaws(raffle) == []


def test_one_request_of_eight_clients_makes_one_raffle() -> None:
    def create() -> Raffle:
        return create_raffle(
            name="Spring raffle",
            total_tickets=3,
            prizes=[("Phone", 1)],
            now=NOW,
            by=STAFF,
            request=Request("10.0.0.1", "key", {"name": "Spring raffle"}),
        )

    raffles = race(*[create] * 8)
    assert tally(raffles) == {"Raffle": 8}
    assert set(raffles) == {Raffle.objects.get()}
    assert flaws(raffles[0]) == []


@postgresql_only
@pytest.mark.parametrize(
    ("module", "prepare", "act", "outcomes"),
    [
        (drawing, sealed, draw, {"Raffle": 1, "AlreadyDrawn": 1}),
        (drawing, sold_out, void, {"Raffle": 1, "Voided": 1}),
        (prizes, drawn, replace_first, {"Replacement": 1, "NotAWinner": 1}),
        (prizes, kept_a_day, hand_first_over, {"Winner": 1, "HandedOver": 1}),
        (prizes, drawn, forfeit_first, {"Forfeit": 1, "Forfeited": 1}),
    ],
    ids=["draw", "void", "replace", "hand_over", "forfeit"],
)
def test_leaving_out_the_lock_is_seen(
    module: ModuleType,
    prepare: Callable[[], Raffle],
    act: Callable[[Raffle], object],
    outcomes: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meet = meeting(2)

    def unlocked(raffle_pk: int) -> Raffle:
        raffle = Raffle.objects.get(pk=raffle_pk)
        meet()
        return raffle

    def goes_wrong() -> bool:
        raffle = prepare()
        with monkeypatch.context() as patch:
            patch.setattr(module, "locked", unlocked)
            seen = tally(race(*[partial(act, raffle)] * 2)), flaws(raffle)
        return seen != (outcomes, [])

    # Nearly always at once; what is read after they met may still come in turns.
    assert any(goes_wrong() for _ in range(20))


def test_looking_before_the_transaction_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    store, meet = drawing.store_draw, meeting(2)

    def look_and_store(draw: Draw, **how: Any) -> bool:
        raffle = Raffle.objects.get(pk=draw.raffle_id)
        meet()
        monkeypatch.setattr(drawing, "locked", lambda _pk: copy(raffle))
        return store(draw, **how)

    raffle = sealed()
    monkeypatch.setattr(drawing, "store_draw", look_and_store)
    assert tally(race(*[partial(draw, raffle)] * 2)) == {"Raffle": 1, "IntegrityError": 1}


# --- Drawing against calling off -----------------------------------------------------------


@pytest.mark.parametrize("prepare", [sold_out, sealed])
@pytest.mark.parametrize("round_", range(4))
def test_raffle_is_drawn_or_void(prepare: Callable[[], Raffle], round_: int) -> None:
    raffle = prepare()
    outcomes = tally(race(partial(draw, raffle), partial(void, raffle)))
    assert outcomes in ({"Raffle": 1, "AlreadyDrawn": 1}, {"Raffle": 1, "Voided": 1})
    assert flaws(raffle) == []


def at_the_worst_moment(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do `act` once, after the winners are selected and before they are stored."""
    store = drawing.store_draw

    def act_and_store(draw: Draw, **how: Any) -> bool:
        monkeypatch.setattr(drawing, "store_draw", store)
        act()
        return store(draw, **how)

    monkeypatch.setattr(drawing, "store_draw", act_and_store)


def test_void_between_selecting_and_storing_winners(monkeypatch: pytest.MonkeyPatch) -> None:
    raffle = sealed()
    at_the_worst_moment(monkeypatch, partial(void, raffle))
    with pytest.raises(Voided):
        draw(raffle)
    assert flaws(raffle) == []


# --- Entering against closing --------------------------------------------------------------

CLOSES = NOW + timedelta(minutes=1)  # by the clock of whoever closes; the others' stand at NOW


def clock_of_closing() -> datetime:
    return CLOSES


def wait_for_tickets(raffle: Raffle, count: int) -> None:
    while Ticket.objects.filter(raffle=raffle).count() < count:
        time.sleep(0.002)


def race_against(closing: Callable[[Raffle], object]) -> tuple[Raffle, object, dict[str, int]]:
    """Let twelve clients enter holders until they are refused, and close meanwhile.

    Returns the raffle, the outcome of closing, and the refusals in which the clients ended.
    """
    raffle = RaffleFactory.create(total_tickets=10_000, closes_at=CLOSES)

    def enter_many(k: int) -> None:
        for n in range(k, 10_000, 12):
            enter_nth(raffle, n)

    closed, *clients = race(partial(closing, raffle), *[partial(enter_many, k) for k in range(12)])
    return raffle, closed, tally(clients)


def draw_in_time(raffle: Raffle) -> bool:
    wait_for_tickets(raffle, 40)
    return advance(raffle.pk, now=CLOSES, clock=clock_of_closing, by=STAFF)


def test_nothing_comes_late() -> None:
    raffle, is_drawn, clients = race_against(draw_in_time)
    assert (is_drawn, clients) == (True, {"GateShut": 12})
    issued = raffle.stripes.aggregate(sum=Sum("issued"))["sum"]
    assert raffle.pool.tickets == raffle.tickets.count() == issued >= 40
    assert flaws(raffle) == []


def test_hashing_the_pool_before_the_gate_is_shut_is_seen() -> None:
    def hash_first(raffle: Raffle) -> None:
        wait_for_tickets(raffle, 40)
        tree = build_tree(raffle)
        wait_for_tickets(raffle, tree.size + 1)
        close(raffle.pk, now=CLOSES, by=STAFF)
        seal(raffle.pk, tree, clock=clock_of_closing, by=STAFF)

    _, closed, _ = race_against(hash_first)
    assert isinstance(closed, PoolDiffers)


@postgresql_only
def test_reading_the_pool_before_its_locks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_too_early(raffle: Raffle) -> int:
        issued = Stripe.objects.filter(raffle=raffle).aggregate(sum=Sum("issued"))["sum"]
        wait_for_tickets(raffle, 1)
        Stripe.objects.filter(raffle=raffle).update(cap=F("issued"))
        return int(issued)

    def close_at_once(raffle: Raffle) -> None:
        close(raffle.pk, now=NOW, by=STAFF)

    monkeypatch.setattr(sealing, "shut_gate", read_too_early)
    raffle = RaffleFactory.create()
    race(partial(close_at_once, raffle), partial(enter_late, raffle))
    assert flaws(raffle) == ["nobody came only where nobody came"]


def enter_late(raffle: Raffle) -> None:
    time.sleep(0.5)
    enter_nth(raffle, 0)
