"""Taking part in a browser: a ticket for each address, words for every no, a page that keeps up."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone

from raffles.domain.drawing import advance
from raffles.models import Raffle, State
from raffles.tests.browser.serving import Site, calling_from
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import STAFF, RaffleFactory, enter_nth, take_to

pytestmark = BROWSER
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


def ticket_of(visitor: Visitor) -> tuple[int, str]:
    """Return number and code on the card."""
    number = visitor.text(".ticket-number b")
    code = visitor.text(".code b").replace(" ", "")
    assert re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){4}", code)
    return int(number), code


def draw(raffle: Raffle) -> None:
    """Draw now."""
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)


def test_three_addresses_take_the_three_tickets_and_one_of_them_wins(
    visit: Visit, served: Site
) -> None:
    raffle = RaffleFactory.create()
    path = f"/r/{raffle.uuid}/"
    tickets = {}
    with ExitStack() as callers:
        for address in ADDRESSES:
            visitor = visit(callers.enter_context(calling_from(address, served)))
            visitor.go(path)
            visitor.press("Take part")
            visitor.see("This browser keeps your ticket.")
            tickets[visitor] = ticket_of(visitor)
        late = visit(callers.enter_context(calling_from("127.0.0.5", served)))
        late.go(path)
        late.see("Tickets are gone.")

        draw(raffle)

        won = {}
        for number, code in tickets.values():
            reader = visit()  # on another device, which reads the card's QR code
            reader.go(f"{path}ticket/#{number}.{code}")
            reader.press("Look it up")
            reader.see("Entry ")
            won[number] = reader.text(".outcome .lead")

    assert sorted(number for number, _ in tickets.values()) == [1, 2, 3]
    assert sorted(won.values()) == [
        "This ticket has not won.",
        "This ticket has not won.",
        "You have won! Phone",
    ]


def test_same_address_gets_no_second_ticket_and_is_told_what_else_works(
    visit: Visit, served: Site
) -> None:
    raffle = RaffleFactory.create()
    first, second = visit(), visit()
    for visitor in (first, second):
        visitor.go(f"/r/{raffle.uuid}/")

    first.press("Take part")
    first.see("This browser keeps your ticket.")
    second.press("Take part")

    second.see("This address has its ticket.")
    assert f"403 /r/{raffle.uuid}/" in second.lost
    second.see("Switch your telephone to mobile data, and take part here again.")
    with calling_from(ADDRESSES[0], served) as by_mobile_data:
        elsewhere = visit(by_mobile_data)
        elsewhere.go(f"/r/{raffle.uuid}/")
        elsewhere.press("Take part")
        elsewhere.see("This browser keeps your ticket.")


def test_whoever_may_take_another_ticket_is_offered_it(visit: Visit) -> None:
    raffle = RaffleFactory.create(total_tickets=9, tickets_per_holder=3)
    visitor, tickets = visit(), set()
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.see("Up to 3 tickets for each holder; every ticket has the same odds.")
    visitor.press("Take part")
    for held in (1, 2):
        visitor.see("This browser keeps your ticket.")
        tickets.add(ticket_of(visitor))
        visitor.page.get_by_role("link", name="Take another ticket").click()
        visitor.see(f"You hold {held} of 3 tickets.")
        visitor.press("Take another ticket")
    visitor.see("This browser keeps your ticket.")
    tickets.add(ticket_of(visitor))
    assert (len(tickets), raffle.tickets.count()) == (3, 3)
    assert not visitor.page.get_by_role("link", name="Take another ticket").is_visible()
    visitor.go(f"/r/{raffle.uuid}/")
    assert visitor.page.get_by_role("link", name="Your ticket: no.").count() == 3
    assert not visitor.page.locator("#take-part").is_visible()
    visitor.go("/my-tickets/")
    assert visitor.page.locator("[data-row]:visible").count() == 3
    stranger = visit()  # at the same address, in another browser
    stranger.go(f"/r/{raffle.uuid}/")
    stranger.press("Take part")
    stranger.see("This address has all its tickets.")


@pytest.mark.parametrize("again", [False, True], ids=["back", "back and the page again"])
def test_another_ticket_is_taken_after_back_too(visit: Visit, again: bool) -> None:
    raffle = RaffleFactory.create(total_tickets=9, tickets_per_holder=3)
    visitor, tickets = visit(), set()
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.press("Take part")
    for held in (1, 2):
        visitor.see("This browser keeps your ticket.")
        tickets.add(ticket_of(visitor))
        visitor.page.go_back()
        if again:
            visitor.go(f"/r/{raffle.uuid}/")
        visitor.see(f"You hold {held} of 3 tickets.")
        visitor.press("Take another ticket")
    visitor.see("This browser keeps your ticket.")
    tickets.add(ticket_of(visitor))
    assert (len(tickets), raffle.tickets.count()) == (3, 3)


def test_what_was_wrong_stays_when_the_page_looks_for_news(visit: Visit) -> None:
    raffle = RaffleFactory.create(total_tickets=9, rules="From 18 years on.")
    visitor = visit()
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.run("() => { document.querySelector('#take-part').noValidate = true; }")
    visitor.press("Take part")
    visitor.see("Accept the rules to take part.")
    visitor.lost.clear()  # the 400
    for _ in range(2):
        with visitor.page.expect_response("**/state/*"):
            pass
    visitor.page.wait_for_timeout(200)
    visitor.see("Accept the rules to take part.")
    visitor.page.get_by_role("checkbox").check()
    visitor.press("Take part")
    visitor.see("This browser keeps your ticket.")


def test_last_ticket_that_another_took_is_said_to_be_gone(visit: Visit) -> None:
    raffle = RaffleFactory.create(tickets=2)
    visitor = visit()
    visitor.page.context.route("**/state/", lambda route: route.abort())  # the page grows old
    visitor.go(f"/r/{raffle.uuid}/")
    enter_nth(raffle, 2)

    visitor.press("Take part")

    visitor.see("Every ticket has been given out.")
    assert visitor.page.get_by_role("button", name="Take part").count() == 0


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_open_page_keeps_up_to_the_winners(visit: Visit, interface: str) -> None:
    """By the stream, and by looking again where no stream is served."""
    raffle = RaffleFactory.create(tickets=2, closes_at=timezone.now() + timedelta(hours=1))
    with Site(interface).up() as site:
        visitor = visit(site.url)
        if interface == "wsgi":
            visitor.page.context.route("**/stream/**", lambda route: route.abort())
        visitor.go(f"/r/{raffle.uuid}/")
        visitor.see("1 of 3 tickets left")

        take_to(State.CLOSED, raffle)
        visitor.see("Entries are closed.")
        draw(raffle)
        visitor.see("The winners are drawn.")
        visitor.press("See and check the result")

        visitor.see("The winners")
