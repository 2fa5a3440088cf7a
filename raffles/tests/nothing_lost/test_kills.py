"""Each act is killed before and after a statement or COMMIT: nothing of it stays, or all.

At each fourth in turn; `KILL_EVERY=1 pytest -k killed` is the long form, at every one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count, product
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from raffles.domain import (
    claiming,
    creating,
    drawing,
    entering,
    entering_lists,
    erasing,
    prizes,
    sealing,
)
from raffles.domain.announcing import announce
from raffles.domain.creating import Request, create_raffle
from raffles.domain.drawing import advance, void_raffle
from raffles.domain.entering_lists import create_from_list, enter_list
from raffles.domain.erasing import erase_holder
from raffles.domain.log import Turn, take_turn
from raffles.domain.prizes import forfeit_overdue, hand_over, replace_winner
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import Refusal
from raffles.fairness.numbering import numbering
from raffles.fairness.tickets import code_tag, read_code
from raffles.models import Raffle, State, Stripe, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, clock, code_of, enter_nth
from raffles.tests.nothing_lost.harness import (
    WinnerState,
    die_at,
    flaws,
    fork,
    insert_ticket,
    is_killed,
    moments,
    pk_of,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


# --- The acts ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """What is done to a raffle that `prepare` makes; `made` is the one to look at then."""

    prepare: Callable[[], Raffle]
    do: Callable[[Raffle], object]
    made: Callable[[Raffle], Raffle | None] = lambda raffle: raffle


def request_after(raffle: Raffle) -> Request:
    return Request("10.0.0.1", str(raffle.uuid), {})


def create(raffle: Raffle) -> None:
    create_raffle(
        name="Another",
        total_tickets=3,
        prizes=[("Phone", 1), ("Book", 2)],
        now=NOW,
        by=STAFF,
        request=request_after(raffle),
    )


def created(raffle: Raffle) -> Raffle | None:
    return Raffle.objects.filter(request_tag=request_after(raffle).tags()[0]).first()


def participate(raffle: Raffle) -> None:
    enter_nth(raffle, 0, request_key="request")


def draw(raffle: Raffle) -> None:
    advance(raffle.pk, now=NOW, clock=clock, by=STAFF)


def void(raffle: Raffle) -> None:
    void_raffle(raffle.uuid, reason="Called off", now=NOW, by=STAFF)


def replace(raffle: Raffle) -> None:
    number = raffle.winners.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)


def hand_it_over(raffle: Raffle) -> None:
    first = raffle.winners.get(rank=1)
    ticket = {"ticket_number": first.ticket_number(), "code": code_of(first)}
    hand_over(raffle.uuid, **ticket, now=NOW, by=STAFF)  # type: ignore[arg-type]


def let_time_pass(_raffle: Raffle) -> None:
    list(forfeit_overdue(now=NOW + timedelta(days=1), by=STAFF))


def with_deadline(**terms: Any) -> Callable[[], Raffle]:
    """Return a raffle whose prize goes to the alternate after a day."""
    return raffle(claim={"claim_days": 1, "promotes_alternates": True}, **terms)


def erase(raffle: Raffle) -> None:
    erase_holder(f"ip:{address(0)}", now=NOW, raffles=[raffle])


def raffle(**terms: Any) -> Callable[[], Raffle]:
    return partial(RaffleFactory.create, **terms)


def with_holder_to_forget(**terms: Any) -> Callable[[], Raffle]:
    """Return a raffle with a holder who is erased as soon as it is over."""

    def prepare() -> Raffle:
        raffle = RaffleFactory.create(**terms)
        erase(raffle)
        return raffle

    return prepare


MEMBERS = [Line(number, f"member {number}") for number in range(2, 5)]


def bring_list(raffle: Raffle) -> None:
    terms = {"name": "A list", "prizes": [("Phone", 1)]}
    create_from_list(MEMBERS, request=request_after(raffle), terms=terms, now=NOW, by=STAFF)


def add_list(raffle: Raffle) -> None:
    enter_list(raffle.uuid, MEMBERS, request=request_after(raffle), now=NOW, by=STAFF)


DEEDS = {
    "bring a list": Deed(raffle(), bring_list, created),
    "add a list": Deed(raffle(total_tickets=70, tickets=1), add_list),
    "create": Deed(raffle(), create, created),
    "participate": Deed(raffle(total_tickets=1), participate),
    "close what nobody entered": Deed(raffle(), draw),
    "close, seal and draw": Deed(with_holder_to_forget(tickets=3), draw),
    "void": Deed(raffle(tickets=2), void),
    "void what is sealed": Deed(with_holder_to_forget(state=State.SEALED), void),
    "replace": Deed(raffle(state=State.DRAWN), replace),
    "draw with a deadline": Deed(with_deadline(tickets=3), draw),
    "hand over": Deed(raffle(state=State.DRAWN), hand_it_over),
    "forfeit and promote": Deed(with_deadline(state=State.DRAWN), let_time_pass),
    "erase": Deed(raffle(tickets=2), erase),
    "erase after the draw": Deed(raffle(state=State.DRAWN), erase),
}


# --- Killing them --------------------------------------------------------------------------


def killings(action: Deed, moments: Iterator[int]) -> Iterator[list[str]]:
    """Run an action once for each of the moments, killed at it, and then again.

    Yields for each moment what was wrong after it; ends where the action is over before.
    """
    undisturbed = action.prepare()
    action.do(undisturbed)
    whole = WinnerState.of(action.made(undisturbed))
    for moment in moments:
        raffle = action.prepare()
        if not is_killed(fork(partial(do_until, moment, action, raffle))):
            break
        wrong = [f"killed at {moment}: {flaw}" for flaw in flaws(action.made(raffle))]
        try:
            action.do(raffle)
        except Refusal:
            pass  # done already
        except Exception as error:  # noqa: BLE001 - whatever it is, it should have gone through
            wrong.append(f"killed at {moment}, then {error!r}")
        made = action.made(raffle)
        wrong += [f"killed at {moment} and done again: {flaw}" for flaw in flaws(made)]
        if WinnerState.of(made) != whole:
            wrong.append(f"killed at {moment} and done again: {WinnerState.of(made)}")
        yield wrong


def do_until(moment: int, action: Deed, raffle: Raffle) -> None:
    die_at(moment)
    action.do(raffle)


@pytest.mark.parametrize("name", DEEDS)
def test_killed_anywhere_leaves_nothing_or_the_whole(name: str) -> None:
    wrong = list(killings(DEEDS[name], moments()))
    assert wrong == [[]] * max(len(wrong), 1)


def test_ticket_whose_answer_was_lost_is_told_again() -> None:
    """The client was killed before it knew, and asks again with the same request key."""
    was_stored = []
    for moment in count():
        raffle = RaffleFactory.create(total_tickets=70)
        is_cut_off = is_killed(fork(partial(do_until, moment, DEEDS["participate"], raffle)))
        stored = raffle.tickets.first()
        entry = enter_nth(raffle, 0, request_key="request")
        ticket = raffle.tickets.get()
        assert (entry.is_repeat, ticket) == (stored is not None, stored or ticket)
        assert entry.ticket_number == number_of(raffle, ticket)
        assert code_tag(read_code(entry.verification_code) or "") == bytes(ticket.code_tag or b"")
        was_stored.append(stored is not None)
        if not is_cut_off:
            break
    assert {False, True} == set(was_stored[:-1])


def number_of(raffle: Raffle, ticket: Ticket) -> int:
    return numbering(bytes(raffle.numbering_key), raffle.total_tickets).number(ticket.slot)


# --- What it sees --------------------------------------------------------------------------


def announce_alone(*fact: Any, **when: Any) -> None:
    """Announce in a transaction of its own, after what it announces."""
    with transaction.atomic():
        announce(*fact, **when)


def take_turn_alone(now: datetime) -> Turn:
    """Lets the others go on before anything is said."""
    with transaction.atomic():
        return take_turn(now)


def shut_gate_alone(raffle: Raffle) -> int:
    """Shut the gate in a transaction of its own, before the state says so."""
    Stripe.objects.filter(raffle=raffle).update(cap=F("issued"))
    return raffle.tickets.count()


@pytest.mark.parametrize(
    ("action", "modules"),
    [
        (DEEDS["create"], (creating,)),
        (DEEDS["add a list"], (entering_lists,)),
        (DEEDS["close what nobody entered"], (sealing,)),
        (DEEDS["close, seal and draw"], (sealing,)),
        (Deed(raffle(state=State.SEALED), draw), (drawing,)),
        (DEEDS["void"], (drawing, sealing)),
        (DEEDS["replace"], (prizes,)),
        (DEEDS["hand over"], (prizes,)),
        (DEEDS["forfeit and promote"], (prizes,)),
        (DEEDS["erase after the draw"], (erasing,)),
    ],
)
def test_an_act_in_autocommit_is_seen(
    action: Deed, modules: tuple[ModuleType, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same act, its transaction left out: each of its statements commits by itself."""
    alone = {
        "transaction": SimpleNamespace(atomic=nullcontext, on_commit=lambda act, **_: act()),
        "locked": lambda raffle_pk: Raffle.objects.get(pk=raffle_pk),
        "announce": announce_alone,
        "take_turn": take_turn_alone,
        "shut_gate": shut_gate_alone,
        "hold_claims": lambda raffle: raffle.tickets.count(),
        "take_turns": lambda **_: None,
    }
    for module, word in product(modules, alone):
        if hasattr(module, word):
            monkeypatch.setattr(module, word, alone[word])
    assert any(killings(action, count()))


def test_a_claim_in_two_statements_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def claim(
        facts: claiming.Facts, values: list[Any], _excluded: list[bytes]
    ) -> claiming.Landed | None:
        stripe = Stripe.objects.filter(raffle=pk_of(facts), issued__lt=F("cap")).first()
        if stripe is None:
            return None
        Stripe.objects.filter(pk=stripe.pk).update(issued=F("issued") + 1)
        insert_ticket(stripe.raffle_id, stripe.lo + stripe.issued, values)
        return stripe.lo + stripe.issued, None, 0

    monkeypatch.setattr(claiming, f"_claim_{connection.vendor}", claim)
    # A process's first claim in a raffle has one around it, for the terms that it freezes.
    monkeypatch.setattr(entering, "transaction", SimpleNamespace(atomic=nullcontext))
    assert any(killings(DEEDS["participate"], count()))
