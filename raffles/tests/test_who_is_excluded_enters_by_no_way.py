"""Who is excluded gets no ticket by any way in, whatever runs at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event as Signal

import pytest
from django.db import connections, transaction
from pytest_django import Settings

from events.models import Occurrence
from events.tests import acting as events
from raffles.domain.entering import Entry, enter
from raffles.domain.entering_lists import check_list, create_from_list, enter_list, request_for
from raffles.domain.erasing import erase_holder
from raffles.domain.excluding import Scope, end_exclusion, exclude
from raffles.domain.paper_tickets import print_tickets
from raffles.domain.reading_exclusions import Kind, Person, read_identity
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import AlreadyEntered, BadLines, Excluded, SoldOut
from raffles.models import EntryMode, Exclusion, Raffle, Stripe, Ticket
from raffles.tests.api.acting import MANAGER, STRANGER, caller, manager, refused
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.nothing_lost.harness import PATIENCE, flaws, postgresql_only

pytestmark = pytest.mark.django_db
EXCLUDED = (403, "excluded", "Taking part is not possible for you")
OUT, FINE = "ip:203.0.113.7", "ip:203.0.113.8"


def keep_out(
    kind: str, text: str, scope: Scope | None = None, *, ends_at: datetime | None = None
) -> Exclusion:
    person = Person(Kind(kind), read_identity(kind, text), "Staff", ends_at)
    return exclude([person], scope or Scope(), now=NOW, by=STAFF)[0]


def refusal_of(raffle: Raffle, identity: str = OUT, **how: object) -> str:
    try:
        enter(raffle.uuid, identity=identity, now=NOW, **how)  # type: ignore[arg-type]
    except (Excluded, AlreadyEntered, SoldOut) as refusal:
        return type(refusal).__name__
    return "none"


def issued(raffle: Raffle) -> int:
    return sum(Stripe.objects.filter(raffle=raffle).values_list("issued", flat=True))


# --- Each way in


def test_address_is_refused_with_one_neutral_sentence() -> None:
    raffle = RaffleFactory.create()
    keep_out("address", STRANGER)
    answer = caller().post(f"/raffles/{raffle.uuid}/participate/")
    assert refused(answer) == EXCLUDED
    assert (issued(raffle), Ticket.objects.count()) == (0, 0)
    assert caller("198.51.100.2").post(f"/raffles/{raffle.uuid}/participate/").status_code == 201


def test_any_address_of_an_excluded_network_is_refused() -> None:
    raffle = RaffleFactory.create()
    keep_out("address", "2001:db8::/64")
    path = f"/raffles/{raffle.uuid}/participate/"
    statuses = [caller(each).post(path).status_code for each in ("2001:db8::9", "2001:db8:0:1::9")]
    assert statuses == [403, 201]


def test_page_says_so_and_keeps_nothing() -> None:
    raffle = RaffleFactory.create()
    keep_out("address", STRANGER)
    answer = caller().post(f"/r/{raffle.uuid}/")
    assert answer.status_code == 403
    assert "Taking part is not possible for you" in answer.content.decode()
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(("kind", "text"), [("user", "ALICE"), ("address", "198.51.100.1")])
@pytest.mark.parametrize("slug", [None, "breakfast"])
def test_user_of_an_event_is_refused_by_name_and_by_address(
    kind: str, text: str, slug: str | None
) -> None:
    events.scheduled()
    keep_out(kind, text, Scope(event_slug=slug))
    assert events.refused(events.participate("Alice")) == EXCLUDED
    assert not Occurrence.objects.exists()  # no date was opened for a ticket that was not
    assert events.participate("bob", address="198.51.100.9").status_code == 201
    assert events.refused(events.participate("Alice")) == EXCLUDED


def test_event_is_no_other_event() -> None:
    events.scheduled()
    keep_out("user", "alice", Scope(event_slug="supper"))
    assert events.participate("alice").status_code == 201


def test_bad_line_of_a_list_is_named_with_all_others() -> None:
    keep_out("list", "A-2")
    keep_out("mail", "eve@example.org")
    lines = [Line(2, "a-1"), Line(3, "A-2"), Line(4, "Eve@example.org"), Line(5, fault="empty")]
    with pytest.raises(BadLines) as bad:
        check_list(lines, now=NOW)
    said = "taking part is not possible for this holder"
    assert bad.value.faults == [(3, said), (4, said), (5, "empty")]
    terms = {"name": "List", "prizes": [("Phone", 1)]}
    request = request_for("digest", columns={}, terms=terms)
    with pytest.raises(BadLines):
        create_from_list(lines[:3], request=request, terms=terms, now=NOW, by=STAFF)
    assert not Raffle.objects.exists()


@pytest.mark.parametrize(
    ("out", "others"), [("bea@straße.example", "strasse"), ("bea@νίκος.example", "νίκοσ")]
)
def test_address_is_out_in_its_own_letters_and_nobody_of_like_ones(out: str, others: str) -> None:
    """Names are compared with ss for ß and σ for ς; domains are not."""
    events.scheduled(max_participants=9)
    raffle = RaffleFactory.create(entry=EntryMode.LIST)
    fine = f"bea@{others}.example"
    keep_out("mail", out)
    in_capitals = out.replace("bea", "BEA")
    for holder in out, in_capitals:
        assert events.refused(events.participate(holder)) == EXCLUDED
        with pytest.raises(BadLines):
            enter_list(raffle.uuid, [Line(0, holder)], now=NOW, by=STAFF)
    assert events.participate(fine).status_code == 201
    assert enter_list(raffle.uuid, [Line(0, fine)], now=NOW, by=STAFF)


def test_list_of_a_raffle_looks_at_its_own_exclusions(settings: Settings) -> None:
    settings.MANAGER_IPS = [MANAGER]
    here = RaffleFactory.create(entry=EntryMode.LIST)
    there = RaffleFactory.create(entry=EntryMode.LIST)
    keep_out("list", "A-2", Scope(raffle=here))
    body = [{"holder": "A-1"}, {"holder": "A-2"}]
    answers = [
        manager().post(f"/raffles/{raffle.uuid}/entries/", body, format="json")
        for raffle in (here, there)
    ]
    assert [answer.status_code for answer in answers] == [400, 201]
    assert answers[0].json()["errors"] == {
        "1.holder": ["taking part is not possible for this holder"]
    }
    assert (issued(here), issued(there)) == (0, 2)


def test_tickets_on_paper_are_for_nobody_in_particular() -> None:
    raffle = RaffleFactory.create()
    keep_out("address", STRANGER)
    batch = print_tickets(raffle.uuid, batch="batch", amount=2, now=NOW, by=STAFF)[1]
    assert len(batch.entries) == 2


# --- What stays as it was


def test_ticket_drawn_before_stays_and_its_request_still_brings_it() -> None:
    raffle = RaffleFactory.create()
    before = enter(raffle.uuid, identity=OUT, now=NOW, request_key="once")
    keep_out("address", "203.0.113.7")
    again = enter(raffle.uuid, identity=OUT, now=NOW, request_key="once")
    assert (again.ticket_number, again.is_repeat) == (before.ticket_number, True)
    assert refusal_of(raffle, request_key="twice") == "Excluded"
    assert Ticket.objects.filter(raffle=raffle, erased_at=None).count() == 1


def test_sold_out_comes_first() -> None:
    raffle = RaffleFactory.create(total_tickets=1, tickets=1)
    keep_out("address", "203.0.113.7")
    assert refusal_of(raffle) == "SoldOut"


def test_end_is_judged_by_the_time_of_the_claim() -> None:
    raffle = RaffleFactory.create()
    row = keep_out("address", "203.0.113.7", ends_at=NOW + timedelta(seconds=1))
    assert refusal_of(raffle) == "Excluded"
    late = enter(raffle.uuid, identity=OUT, now=NOW + timedelta(seconds=1))
    assert isinstance(late, Entry)
    assert not end_exclusion(row, now=NOW + timedelta(seconds=1), by=STAFF)


def test_erasure_leaves_the_exclusion_in_force() -> None:
    raffle, other = RaffleFactory.create(), RaffleFactory.create()
    enter(raffle.uuid, identity=OUT, now=NOW)
    keep_out("address", "203.0.113.7")
    assert erase_holder(OUT, now=NOW, raffles=Raffle.objects.all()) == 1
    assert refusal_of(other) == "Excluded"


def test_holder_of_several_tickets_gets_no_further_one() -> None:
    raffle = RaffleFactory.create(total_tickets=9, tickets_per_holder=3)
    enter(raffle.uuid, identity=OUT, now=NOW)
    keep_out("address", "203.0.113.7")
    assert refusal_of(raffle) == "Excluded"
    assert refusal_of(raffle, FINE) == "none"
    assert issued(raffle) == 2


# --- At the same time


@pytest.mark.django_db(transaction=True)
def test_no_claim_that_begins_after_the_exclusion_gets_a_ticket() -> None:
    raffles = [RaffleFactory.create(total_tickets=1000) for _ in range(200)]
    is_made, late = Signal(), []

    def claim(ours: list[Raffle]) -> None:
        for raffle in ours:
            began_after = is_made.is_set()
            if refusal_of(raffle) == "none" and began_after:
                late.append(raffle)
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(claim, raffles[n::4]) for n in range(4)]
        keep_out("address", "203.0.113.7")
        is_made.set()
        for each in running:
            each.result(PATIENCE)
    assert late == []
    assert {tuple(flaws(raffle)) for raffle in raffles} == {()}
    assert refusal_of(raffles[0]) == "Excluded"


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_exclusion_waits_for_a_list_that_is_being_read() -> None:
    raffle = RaffleFactory.create(entry=EntryMode.LIST, total_tickets=9)
    order = []

    def make() -> None:
        keep_out("list", "A-2")
        order.append("excluded")
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            check_list([Line(2, "A-2")], now=NOW)
            made = pool.submit(make)
            with pytest.raises(TimeoutError):
                made.result(1)
            enter_list(raffle.uuid, [Line(2, "A-1"), Line(3, "A-2")], now=NOW, by=STAFF)
            order.append("entered")
        made.result(PATIENCE)
    assert order == ["entered", "excluded"]
    with pytest.raises(BadLines):
        enter_list(raffle.uuid, [Line(2, "A-2")], now=NOW, by=STAFF)
