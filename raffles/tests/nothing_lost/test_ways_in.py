"""Many at once by mailed links and invitations: a holder has what the terms say, and no more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connections, transaction

from raffles.domain.confirming import confirm, take_place
from raffles.domain.creating import hold_terms
from raffles.domain.inviting import enter_by_invitation, make_invitations, withdraw, withdraw_one
from raffles.domain.refusals import ByOrganiser, MailNeeded, NotOpenYet, OtherWayIn, Refusal
from raffles.models import (
    Announcement,
    EntryMode,
    Invitation,
    Raffle,
    SentMail,
    State,
    Stripe,
    Ticket,
)
from raffles.notifications.confirmation import send_confirmation
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth
from raffles.tests.nothing_lost.harness import PATIENCE, flaws, race, tally

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = "alice@example.org"


def by_mail(**terms: Any) -> Raffle:
    return RaffleFactory.create(**{"entry": "email", "total_tickets": 100, **terms})


def links(raffle: Raffle, count: int) -> list[str]:
    """Return what stands in as many links, mailed to one address over more than an hour."""
    found = []
    for _ in range(count):
        SentMail.objects.all().delete()
        send_confirmation(raffle.uuid, address=ALICE, now=NOW)
        match = re.search(r"confirmation=([\w-]+)", str(mail.outbox[-1].body))
        assert match
        found.append(match[1])
    return found


def test_wishes_to_enter_leave_no_ticket_and_take_no_place_in_the_pool() -> None:
    raffle = by_mail(total_tickets=1)
    links(raffle, 5)
    assert not Ticket.objects.exists()
    assert Raffle.objects.with_available().get().available == 1


@pytest.mark.parametrize("most", [1, 3])
def test_64_who_confirm_one_address_get_what_a_holder_may_have(most: int) -> None:
    raffle = by_mail(tickets_per_holder=most)
    ways = [partial(confirm, raffle.uuid, confirmation=link, now=NOW) for link in links(raffle, 16)]
    outcomes = race(*ways * 4)
    assert tally(outcomes) == {"Entry": most * 4, "MailEntered": (16 - most) * 4}
    numbers = Counter(each.ticket_number for each in outcomes if hasattr(each, "ticket_number"))
    assert set(numbers.values()) == {4}  # each link brought one ticket, four times
    assert (raffle.tickets.count(), flaws(raffle)) == (most, [])


def test_one_link_pressed_64_times_is_one_ticket() -> None:
    raffle = by_mail(tickets_per_holder=5)
    (link,) = links(raffle, 1)
    outcomes = race(*[partial(confirm, raffle.uuid, confirmation=link, now=NOW)] * 64)
    assert tally(outcomes) == {"Entry": 64}
    assert len({entry.ticket_number for entry in outcomes}) == 1
    assert (raffle.tickets.count(), flaws(raffle)) == (1, [])


def test_mails_asked_for_at_once_are_three() -> None:
    outcomes = race(*[partial(take_place, ALICE, now=NOW)] * 16)
    assert tally(outcomes) == {"SentMail": 3, "NoneType": 13}


# --- Invitations


def invited(amount: int = 1, *, tickets: int = 1, **terms: Any) -> tuple[Raffle, list[str]]:
    raffle = RaffleFactory.create(
        **{"entry": "invitation", "total_tickets": 100, "tickets_per_holder": tickets, **terms}
    )
    asked: dict[str, Any] = {"batch": "b", "amount": amount, "tickets": tickets}
    return raffle, make_invitations(raffle.uuid, **asked, now=NOW, by=STAFF)


def bring(raffle: Raffle, code: str, key: str | None = None) -> list[Any]:
    return enter_by_invitation(raffle.uuid, code=code, now=NOW, request_key=key)


@pytest.mark.parametrize("tickets", [1, 3])
def test_invitation_used_by_64_at_once_is_used_once(tickets: int) -> None:
    raffle, (code,) = invited(tickets=tickets)
    outcomes = race(*[partial(bring, raffle, code)] * 64)
    assert tally(outcomes) == {"list": 1, "InvitationUsed": 63}
    assert (raffle.tickets.count(), flaws(raffle)) == (tickets, [])


def test_the_same_request_at_once_gets_the_same_tickets() -> None:
    raffle, (code,) = invited(tickets=2)
    outcomes = race(*[partial(bring, raffle, code, "key")] * 16)
    numbers = {tuple(entry.ticket_number for entry in entries) for entries in outcomes}
    assert (len(numbers), raffle.tickets.count()) == (1, 2)


def test_invitations_for_several_at_once_lock_each_other_out_of_nothing() -> None:
    """The last tickets of every stripe are fought for by claims of three."""
    raffle, codes = invited(40, tickets=3, total_tickets=90)
    outcomes = race(*(partial(bring, raffle, code) for code in codes))
    assert tally(outcomes) == {"list": 30, "SoldOut": 10}
    assert Invitation.objects.unused().count() == 10
    assert (raffle.tickets.count(), flaws(raffle)) == (90, [])


def test_invitation_that_finds_too_few_gives_nothing_and_ends_nothing() -> None:
    raffle, codes = invited(2, tickets=3, total_tickets=5)
    bring(raffle, codes[0])
    assert tally(race(partial(bring, raffle, codes[1]))) == {"TooFewLeft": 1}
    assert not Announcement.objects.filter(kind=Announcement.Kind.SOLD_OUT).exists()
    single = make_invitations(raffle.uuid, batch="c", amount=2, now=NOW, by=STAFF)
    assert [len(bring(raffle, code)) for code in single] == [1, 1]
    assert tally(race(partial(bring, raffle, codes[1]))) == {"SoldOut": 1}
    assert Announcement.objects.filter(kind=Announcement.Kind.SOLD_OUT).count() == 1
    assert flaws(raffle) == []


def test_invitation_used_while_it_is_withdrawn_alone_is_one_of_the_two() -> None:
    for n in range(5):
        raffle, (code,) = invited()
        outcomes = race(
            partial(bring, raffle, code),
            partial(withdraw_one, raffle.uuid, code=code, now=NOW, by=STAFF),
        )
        row = raffle.invitations.get()
        assert (row.used_at is None) != (row.withdrawn_at is None), n
        assert raffle.tickets.count() == (1 if row.used_at else 0)
        assert tally(outcomes) in (
            {"list": 1, "InvitationUsed": 1},
            {"InvalidInvitation": 1, "NoneType": 1},
            {"InvitationUsed": 1, "NoneType": 1},
        )


def test_invitation_used_while_it_is_withdrawn_is_one_of_the_two() -> None:
    for n in range(5):
        raffle, (code,) = invited()
        batch = bytes(raffle.invitations.get().batch)
        used, withdrawn = race(
            partial(bring, raffle, code),
            partial(withdraw, raffle.uuid, batch=batch, now=NOW, by=STAFF),
        )
        row = raffle.invitations.get()
        assert (row.used_at is None) == (withdrawn == 1), n
        assert raffle.tickets.count() == (0 if withdrawn else 1)
        assert isinstance(used, list) != bool(withdrawn)


def test_batches_asked_for_at_once_are_one() -> None:
    raffle, _ = invited()
    asked: dict[str, Any] = {"batch": "same", "amount": 20, "now": NOW, "by": STAFF}
    outcomes = race(*[partial(make_invitations, raffle.uuid, **asked)] * 8)
    assert len({tuple(codes) for codes in outcomes}) == 1
    assert raffle.invitations.count() == 21


def test_used_and_withdrawn_invitations_stay_what_they_are() -> None:
    raffle, (code,) = invited()
    bring(raffle, code)
    with pytest.raises(IntegrityError, match="invitation_used_or_withdrawn_stays"):
        Invitation.objects.update(used_at=None)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"entry": EntryMode.EMAIL}, MailNeeded),
        ({"entry": EntryMode.LIST}, ByOrganiser),
        ({"opens_at": NOW + timedelta(hours=1)}, NotOpenYet),
    ],
)
def test_terms_that_change_while_the_first_ticket_is_claimed_refuse_it(
    change: dict[str, Any], refusal: type[Refusal]
) -> None:
    raffle = RaffleFactory.create(state=State.OPEN, total_tickets=1)
    assert _while_terms_change(raffle, change, lambda: enter_nth(raffle, 1)) is refusal


def test_invitation_stays_unused_where_the_way_in_changes_meanwhile() -> None:
    raffle = RaffleFactory.create(state=State.OPEN, entry=EntryMode.INVITATION)
    (code,) = make_invitations(raffle.uuid, batch="a", amount=1, now=NOW, by=STAFF)
    change = {"entry": EntryMode.ADDRESS}
    take = partial(enter_by_invitation, raffle.uuid, code=code, now=NOW)
    assert _while_terms_change(raffle, change, take) is OtherWayIn
    assert Invitation.objects.unused().exists()


def _while_terms_change(
    raffle: Raffle, change: dict[str, Any], take: Callable[[], object]
) -> type[Refusal] | None:
    """Return what refuses a ticket that is asked for before an edit of the terms is committed."""

    def refused() -> type[Refusal] | None:
        try:
            take()
        except Refusal as refusal:
            return type(refusal)
        finally:
            connections.close_all()
        return None

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = hold_terms(raffle.pk)
            Raffle.objects.filter(pk=held.pk).update(**change)
            taking = pool.submit(refused)  # it reads the terms before, and waits for a stripe
            with pytest.raises(TimeoutError):
                taking.result(2)
        found = taking.result(PATIENCE)
    assert not Ticket.objects.exists()
    assert not Stripe.objects.filter(issued__gt=0).exists()
    return found
