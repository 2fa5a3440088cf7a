"""Tickets of a raffle that belongs to an event: who may hold one, and who gets it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from raffles.domain.announcing import announce
from raffles.domain.claiming import Entrant
from raffles.domain.entering import Entry, enter
from raffles.domain.erasing import erase_holder
from raffles.domain.refusals import AlreadyEntered, OrderUsed, SoldOut, ThroughEvent
from raffles.domain.sealing import NOTHING_SEALED
from raffles.fairness.verify import hash_reason, read_statement
from raffles.models import Announcement, Raffle, State, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory, take_to

pytestmark = pytest.mark.django_db


def of_event(**terms: Any) -> Raffle:
    return RaffleFactory.create(event_slug="daily", closes_at=NOW + timedelta(hours=1), **terms)


def enter_as(name: str, raffle: Raffle, key: str | None = None, **entrant: Any) -> Entry:
    return enter(
        raffle.uuid,
        identity=f"user:{name}",
        now=NOW,
        request_key=key,
        entrant=Entrant(username=name, **entrant),
    )


def test_nobody_enters_but_through_the_event() -> None:
    raffle = of_event()

    with pytest.raises(ThroughEvent, match="Take part through the event"):
        enter(raffle.uuid, identity="ip:192.0.2.1", now=NOW)
    assert enter_as("alice", raffle).ticket_number in (1, 2, 3)
    with pytest.raises(AlreadyEntered):
        enter_as("alice", raffle)


def test_an_address_enters_once_where_it_counts() -> None:
    raffle = of_event()
    enter_as("alice", raffle, address="ip:192.0.2.1")

    with pytest.raises(AlreadyEntered):
        enter_as("bob", raffle, address="ip:192.0.2.1")
    enter_as("carol", raffle, address="ip:192.0.2.2")
    enter_as("dora", raffle)


def test_an_order_gets_its_ticket_again_from_any_draw() -> None:
    raffle, later = of_event(total_tickets=1), of_event()
    entry = enter_as("alice", raffle, "shop 1", order_tag=b"order")
    take_to(State.CLOSED, raffle)

    again = enter_as("alice", later, "shop 1", order_tag=b"order")

    assert again.is_repeat
    assert (again.raffle_id, again.ticket_number) == (raffle.uuid, entry.ticket_number)
    assert (again.verification_code, again.receipt) == (entry.verification_code, entry.receipt)
    assert Ticket.objects.count() == 1
    with pytest.raises(OrderUsed):
        enter_as("alice", later, "shop 2", order_tag=b"order")
    with pytest.raises(OrderUsed):
        enter_as("bob", later, "shop 1", order_tag=b"order")
    with pytest.raises(SoldOut):
        enter_as("bob", raffle, "shop 1", order_tag=b"other")


def test_an_erased_name_goes_and_its_order_stays() -> None:
    raffle = of_event()
    enter_as("alice", raffle, "shop 1", order_tag=b"order", address="ip:192.0.2.1")

    assert erase_holder("user:alice", now=NOW, raffles=[raffle]) == 1
    assert Ticket.objects.get().username is None
    take_to(State.VOID, raffle)
    ticket = Ticket.objects.get()
    assert (ticket.holder_tag, ticket.address_tag) == (None, None)
    assert bytes(ticket.order_tag or b"") == b"order"
    with pytest.raises(OrderUsed):
        enter_as("alice", of_event(), "shop 1", order_tag=b"order")


def test_announcements_name_the_event(db: None) -> None:
    raffle = of_event()
    take_to(State.VOID, raffle)

    row = Announcement.objects.streamed().get()
    assert row.payload == {
        "raffle": str(raffle.uuid),
        "name": "Spring raffle",
        "event": "daily",
        "reason": "Called off",
    }


def test_a_date_that_nobody_came_to_is_announced_without_a_raffle() -> None:
    announce(
        Announcement.Kind.VOIDED,
        None,
        {"event": "daily"},
        at=NOW,
        by=STAFF,
        commitment_hash=NOTHING_SEALED,
        reason_hash=hash_reason("Nobody").hex(),
    )

    row = Announcement.objects.latest("sequence")
    assert (row.raffle, row.payload) == (None, {"event": "daily"})
    said = read_statement(bytes(row.statement))
    assert (said["kind"], said["raffle_id"]) == ("voided", "0" * 32)
