"""Several tickets of one holder: as many as the terms allow, each its own chance."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from raffles.domain.audit import audit
from raffles.domain.entering import Entry, enter, tickets_of
from raffles.domain.entering_lists import enter_list
from raffles.domain.erasing import erase_holder
from raffles.domain.keys import ticket_key
from raffles.domain.proofs import drawn, stream_proof
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import AlreadyEntered, SoldOut
from raffles.fairness.tickets import code_key, code_tag, derive_code, read_code
from raffles.models import Channel, EntryMode, Raffle, State
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, enter_nth, take_to
from raffles.tests.nothing_lost.harness import flaws, race, tally

pytestmark = pytest.mark.django_db


def of_three(**terms: Any) -> Raffle:
    """Return a raffle of 200 tickets, three a holder."""
    return RaffleFactory.create(**{"total_tickets": 200, "tickets_per_holder": 3} | terms)


def test_a_holder_gets_as_many_as_the_terms_allow() -> None:
    raffle = of_three()
    entries = [enter_nth(raffle, 7) for _ in range(3)]
    assert [entry.nth for entry in entries] == [0, 1, 2]
    with pytest.raises(AlreadyEntered):
        enter_nth(raffle, 7)
    assert len({entry.ticket_number for entry in entries}) == 3
    assert len({entry.verification_code for entry in entries}) == 3
    identity = f"ip:{address(7)}"
    again = tickets_of(raffle, [identity, "ip:192.0.2.1"])[identity]
    assert [entry.verification_code for entry in again] == [
        entry.verification_code for entry in entries
    ]
    enter_nth(raffle, 8)
    assert flaws(raffle) == []


def test_codes_follow_from_holder_and_nth() -> None:
    raffle = of_three()
    enter_nth(raffle, 7)
    entry = enter_nth(raffle, 7)
    ticket = raffle.tickets.get(nth=1)
    key = code_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes)
    code = derive_code(key, bytes(ticket.holder_tag or b""), 1)
    assert read_code(entry.verification_code) == code
    assert bytes(ticket.code_tag or b"") == code_tag(code)


def test_a_repeated_request_is_the_ticket_it_got() -> None:
    raffle = of_three()
    first, second = (enter_nth(raffle, 7, request_key=key) for key in ("a", "b"))
    for key, entry in ("b", second), ("a", first), ("b", second):
        again = enter_nth(raffle, 7, request_key=key)
        assert (again.nth, again.ticket_number) == (entry.nth, entry.ticket_number)
        assert again.is_repeat
    third = enter_nth(raffle, 7)
    assert third.nth == 2
    with pytest.raises(AlreadyEntered):
        enter_nth(raffle, 7, request_key="c")
    assert enter_nth(raffle, 7, request_key="a").ticket_number == first.ticket_number


def test_a_repeated_request_is_answered_when_all_are_gone() -> None:
    raffle = of_three(total_tickets=2)
    enter_nth(raffle, 7)
    second = enter_nth(raffle, 7, request_key="b")
    with pytest.raises(SoldOut):
        enter_nth(raffle, 7)
    assert enter_nth(raffle, 7, request_key="b").ticket_number == second.ticket_number


def test_terms_that_change_before_the_first_ticket_count() -> None:
    raffle = of_three()
    Raffle.objects.filter(pk=raffle.pk).update(tickets_per_holder=1)
    enter_nth(raffle, 7)
    with pytest.raises(AlreadyEntered):
        enter_nth(raffle, 7)


def test_a_ticket_that_was_rolled_back_leaves_no_gap() -> None:
    raffle = of_three()
    enter_nth(raffle, 7)
    with transaction.atomic():
        enter_nth(raffle, 7)
        transaction.set_rollback(True)
    assert [enter_nth(raffle, 7).nth for _ in range(2)] == [1, 2]
    assert flaws(raffle) == []


def test_a_claim_names_the_uuid_and_not_what_has_its_primary_key_now() -> None:
    """A restored database lacks a raffle that this process has seen tickets of."""
    with transaction.atomic():
        lost = of_three()
        enter_nth(lost, 7)
        transaction.set_rollback(True)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER SEQUENCE raffles_raffle_id_seq RESTART WITH {lost.pk}")
    other = of_three()
    assert other.pk == lost.pk
    for _ in range(2):
        with pytest.raises(Raffle.DoesNotExist):
            enter_nth(lost, 8)
    assert other.tickets.count() == 0


def test_the_channel_is_kept_where_it_is_not_the_way_in() -> None:
    raffle = of_three()
    identity = f"ip:{address(7)}"
    for channel in (None, Channel.ONLINE, Channel.POSTAL):
        enter(raffle.uuid, identity=identity, now=NOW, channel=channel)
    assert [*raffle.tickets.order_by("nth").values_list("channel", flat=True)] == [
        None,
        None,
        "postal",
    ]
    by_list = RaffleFactory.create(entry=EntryMode.LIST, total_tickets=3)
    lines = [Line(1, "a"), Line(2, "b", channel="paid")]
    enter_list(by_list.uuid, lines, now=NOW, by=STAFF)
    assert {*by_list.tickets.values_list("channel", flat=True)} == {None, "paid"}


# --- Drawing


def with_three_holders(**terms: Any) -> Raffle:
    """Return a drawn raffle of seven tickets, five of them of one holder."""
    raffle = of_three(total_tickets=7, tickets_per_holder=5, **terms)
    for n in (0, 0, 0, 0, 0, 1, 2):
        enter_nth(raffle, n)
    take_to(State.DRAWN, raffle)
    return raffle


def proof_of(raffle: Raffle, **page: int) -> dict[str, Any]:
    proof: dict[str, Any] = json.loads("".join(stream_proof(drawn(raffle.uuid), **page)))
    return proof


def test_nobody_is_drawn_more_often_than_the_terms_allow() -> None:
    raffle = with_three_holders(prizes=[("Mug", 2)], alternates=3, max_wins_per_holder=1)
    winners = list(raffle.winners.select_related("ticket"))
    assert len({bytes(winner.ticket.holder_tag or b"") for winner in winners}) == 3
    assert [winner.rank for winner in winners] == [1, 2, 3]
    proof = proof_of(raffle)
    steps = [entry["draw"] for entry in (*proof["winners"], *proof["skipped"])]
    assert (len(proof["skipped"]), sorted(steps)) == (4, [*range(7)])
    said = {step.name: step.computed for step in audit(raffle)}
    assert said["draw"] == "3 winners and alternates, 4 skipped"
    assert flaws(raffle) == []


def test_without_a_limit_nothing_is_skipped() -> None:
    raffle = with_three_holders(prizes=[("Mug", 5)])
    assert (raffle.winners.count(), raffle.skipped.count()) == (6, 0)
    assert proof_of(raffle)["skipped"] == []


def test_pages_of_a_proof_have_each_entry_once() -> None:
    raffle = with_three_holders(prizes=[("Mug", 2)], alternates=3, max_wins_per_holder=1)
    whole = proof_of(raffle)
    for limit in (1, 2, 3):
        pages = [proof_of(raffle, after=after, limit=limit) for after in range(0, 3, limit)]
        for entries in ("winners", "skipped"):
            assert [entry for page in pages for entry in page[entries]] == whole[entries]


def test_an_erased_holder_stays_in_the_proof() -> None:
    raffle = with_three_holders(prizes=[("Mug", 2)], alternates=3, max_wins_per_holder=1)
    before = proof_of(raffle)
    assert erase_holder(f"ip:{address(0)}", now=NOW, raffles=[raffle]) == 5
    assert proof_of(raffle) == before
    assert flaws(raffle) == []


def test_more_are_skipped_than_are_read_ahead() -> None:
    raffle = of_three(total_tickets=2_200, tickets_per_holder=2_199, max_wins_per_holder=1)
    lines = [Line(1, "a", tickets=2_199), Line(2, "b")]
    enter_list(raffle.uuid, lines, now=NOW, by=STAFF)
    take_to(State.DRAWN, raffle)
    assert raffle.winners.count() == 2
    assert flaws(raffle) == []


# --- Races


@pytest.mark.django_db(transaction=True)
def test_64_clients_of_one_holder_get_as_many_as_the_terms_allow() -> None:
    raffle = of_three()
    outcomes = race(*[partial(enter_nth, raffle, 7)] * 64)
    assert tally(outcomes) == {"Entry": 3, "AlreadyEntered": 61}
    entries = [entry for entry in outcomes if isinstance(entry, Entry)]
    assert sorted(entry.nth for entry in entries) == [0, 1, 2]
    assert flaws(raffle) == []


@pytest.mark.django_db(transaction=True)
def test_requests_repeated_at_once_get_one_ticket_each() -> None:
    raffle = of_three()
    keys = [f"key {n % 3}" for n in range(48)]
    outcomes = race(*[partial(enter_nth, raffle, 7, request_key=key) for key in keys])
    assert tally(outcomes) == {"Entry": 48}
    numbers = {(key, entry.ticket_number) for key, entry in zip(keys, outcomes, strict=True)}
    assert len(numbers) == len({key for key, _ in numbers}) == 3
    assert raffle.tickets.count() == 3
    assert flaws(raffle) == []


@pytest.mark.django_db(transaction=True)
def test_lists_and_claims_of_one_holder_at_once() -> None:
    raffle = RaffleFactory.create(total_tickets=200, tickets_per_holder=5)
    enter_twice = partial(enter_list, raffle.uuid, [Line(1, "a", tickets=2)], now=NOW, by=STAFF)
    claim = partial(enter, raffle.uuid, identity="list:a", now=NOW)
    outcomes = tally(race(*[enter_twice] * 4, *[claim] * 8))
    given = raffle.tickets.count()
    assert given == outcomes.get("Entry", 0) + 2 * outcomes.get("dict", 0)
    assert given == 5
    assert outcomes.keys() <= {"Entry", "dict", "AlreadyEntered", "BadLines"}
    take_to(State.OPEN, raffle)
    assert flaws(raffle) == []
