"""A ticket has an address of its own, and every way leads home to it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from django.test import Client
from django.utils import timezone

from raffles.domain.prizes import slot_of
from raffles.models import Raffle, State, Ticket
from raffles.tests.browser.test_keeping import NO_STORAGE
from raffles.tests.browser.test_taking_part import ticket_of
from raffles.tests.browser.test_taking_part_pages import daily_event
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import RaffleFactory, take_to

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Route

pytestmark = BROWSER
KEEP_RUBBISH = """() => {
  localStorage.setItem("mine 1?", "{");
  const other = { raffle: "r", number: 1, code: "c", name: "Rubbish", home: "javascript:alert(1)" };
  localStorage.setItem("mine 2?", JSON.stringify(other));
  localStorage.setItem("mine 3?", JSON.stringify({ ...other, home: "/r/", closes_at: "soon" }));
}"""


def another_tab(visitor: Visitor) -> Visitor:
    """Return a second tab of the same browser."""
    return Visitor(visitor.page.context.new_page(), visitor.url)


def is_home(visitor: Visitor, raffle: Raffle, ticket: tuple[int, str]) -> None:
    """The ticket is shown at its own address."""
    number, code = ticket
    visitor.page.wait_for_url(f"**/r/{raffle.uuid}/ticket/#{number}.{code}")
    visitor.page.locator(".mine .code:visible").wait_for()
    assert ticket_of(visitor) == ticket


def take_part(visitor: Visitor, raffle: Raffle) -> tuple[int, str]:
    """Press the button, and return the ticket at its address."""
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.press("Take part")
    visitor.page.wait_for_url(re.compile("/ticket/#"))
    visitor.page.locator(".mine .code:visible").wait_for()
    return ticket_of(visitor)


def test_every_way_leads_home(visit: Visit) -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    visitor = visit()
    early = another_tab(visitor)
    early.go(f"/r/{raffle.uuid}/")
    visitor.go("/")
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url + str(request.post_data)))

    ticket = take_part(visitor, raffle)
    number, code = ticket
    is_home(visitor, raffle, ticket)
    visitor.page.reload()
    is_home(visitor, raffle, ticket)

    visitor.page.go_back()
    visitor.see(f"Your ticket: no. {number}")
    assert not visitor.page.is_visible("#take-part-button")
    visitor.page.go_forward()
    is_home(visitor, raffle, ticket)
    visitor.page.go_back()
    visitor.press(f"Your ticket: no. {number}")
    is_home(visitor, raffle, ticket)

    # The tab that was open all the time, and one that knows the raffle's ticket page alone.
    early.see(f"Your ticket: no. {number}")
    assert not early.page.is_visible("#take-part-button")
    early.run(
        "() => document.querySelector('#take-part').requestSubmit()"
    )  # as a press just before
    is_home(early, raffle, ticket)
    early.go(f"/r/{raffle.uuid}/ticket/")
    is_home(early, raffle, ticket)

    early.go("/")
    early.press("My tickets")
    early.press("Spring raffle")
    is_home(early, raffle, ticket)
    assert Ticket.objects.filter(raffle=raffle).count() == 1
    assert not [address for address in sent if code in address]

    key = f"mine {raffle.uuid} {number}"
    kept = early.run("(key) => localStorage.getItem(key)", key)
    early.run(KEEP_RUBBISH)
    early.go("/my-tickets/")
    early.page.on("dialog", lambda dialog: dialog.accept())
    early.press(f"Forget it here: Spring raffle, {number}")
    early.see("This browser keeps no ticket.")
    assert early.run("() => Object.keys(localStorage).filter((key) => !key.endsWith('?'))") == []
    visitor.page.locator(".mine").wait_for(state="hidden")  # the other tab knows
    assert visitor.page.input_value("#id_verification_code") == code

    # As a browser brings a page back that it had put aside, with what has changed meanwhile.
    early.go(f"/r/{raffle.uuid}/")
    assert early.page.is_visible("#take-part-button")
    early.run("([key, text]) => localStorage.setItem(key, text)", [key, kept])
    early.run("() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    early.see(f"Your ticket: no. {number}")


def test_press_whose_answer_was_lost_brings_its_ticket_the_next_time(visit: Visit) -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    visitor = visit()
    visitor.go(f"/r/{raffle.uuid}/")

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        route.fetch()
        return route.abort("connectionreset")

    visitor.page.route(f"**/r/{raffle.uuid}/", lose)
    with visitor.page.expect_event("requestfailed"):
        visitor.press("Take part")
    held = Ticket.objects.get(raffle=raffle)
    visitor.page.unroute_all()

    number, _ = take_part(another_tab(visitor), raffle)

    assert Ticket.objects.get(raffle=raffle) == held
    assert slot_of(raffle, number) == held.slot


def test_ticket_is_at_home_in_a_language_that_was_chosen(visit: Visit) -> None:
    raffle = RaffleFactory.create()
    visitor = visit()
    visitor.go(f"/de/r/{raffle.uuid}/")
    visitor.press("Teilnehmen")
    visitor.page.wait_for_url(f"**/de/r/{raffle.uuid}/ticket/#*")
    visitor.page.locator(".mine .code:visible").wait_for()
    ticket = ticket_of(visitor)

    visitor.page.go_back()
    visitor.see(f"Ihr Los: Nr. {ticket[0]}")
    assert not visitor.page.is_visible("#take-part-button")
    for start in ("/de/my-tickets/", "/my-tickets/", "/en/my-tickets/"):
        visitor.go(start)
        visitor.press("Spring raffle")
        is_home(visitor, raffle, ticket)
    visitor.go(f"/r/{raffle.uuid}/")  # in the browser's own
    visitor.see(f"Your ticket: no. {ticket[0]}")
    assert not visitor.page.is_visible("#take-part-button")


def test_ticket_of_an_event_is_at_home_and_others_can_still_take_part(visit: Visit) -> None:
    event = daily_event()
    visitor = visit()
    visitor.go(f"/e/{event.slug}/")
    visitor.write("Your name", "Anna")
    visitor.press("Take part")
    visitor.page.wait_for_url(re.compile("/ticket/#"))
    number, _ = ticket_of(visitor)

    visitor.page.go_back()
    visitor.see(f"Your ticket: no. {number}")
    assert not visitor.page.is_visible("#take-part-button")
    visitor.go("/")
    visitor.go(f"/e/{event.slug}/")
    visitor.press("Take part for somebody else")
    visitor.write("Your name", "Anna")
    visitor.press("Take part")
    visitor.see("This name has its ticket.")
    visitor.see(f"Your ticket: no. {number}")
    visitor.write("Your name", "Ben")
    visitor.press("Take part")
    visitor.page.wait_for_url(re.compile("/ticket/#"))

    other, _ = ticket_of(visitor)
    visitor.go("/my-tickets/")
    assert sorted(visitor.page.locator(".kept b").all_inner_texts()) == sorted(
        [str(number), str(other)]
    )
    visitor.page.on("dialog", lambda dialog: dialog.accept())
    visitor.press("Forget all of them here")
    visitor.see("This browser keeps no ticket.")
    assert visitor.run("() => localStorage.length") == 0


def test_who_may_have_another_ticket_of_an_event_is_offered_it(visit: Visit) -> None:
    event = daily_event(tickets_per_holder=2)
    visitor, numbers = visit(), set()
    visitor.go(f"/e/{event.slug}/")
    visitor.see("Up to 2 tickets for each holder; every ticket has the same odds.")
    for button in ("Take part", "Take another ticket"):
        visitor.write("Your name", "Anna")
        visitor.press(button)
        visitor.page.wait_for_url(re.compile("/ticket/#"))
        visitor.see("This browser keeps your ticket.")
        numbers.add(ticket_of(visitor)[0])
        another = visitor.page.get_by_role("link", name="Take another ticket")
        if len(numbers) == 1:
            another.click()
    assert (len(numbers), another.is_visible()) == (2, False)

    visitor.go(f"/e/{event.slug}/")
    assert not visitor.page.is_visible("#take-part-button")
    visitor.press("Take part for somebody else")
    visitor.write("Your name", "Anna")
    visitor.press("Take another ticket")
    visitor.see("This name has all its tickets.")


def test_browser_that_keeps_nothing_loses_nothing(visit: Visit) -> None:
    """Neither the ticket on the page, nor its address, nor the way back to it."""
    raffle = RaffleFactory.create(total_tickets=3)
    visitor = visit()
    visitor.page.add_init_script(NO_STORAGE)
    visitor.go(f"/r/{raffle.uuid}/")

    visitor.press("Take part")
    visitor.page.wait_for_url(re.compile("/ticket/#"))
    ticket = number, code = ticket_of(visitor)
    visitor.see("Save the ticket")
    visitor.page.reload()
    visitor.page.wait_for_url(f"**#{number}.{code}")
    visitor.press("Look it up")
    is_home(visitor, raffle, ticket)
    visitor.page.reload()
    is_home(visitor, raffle, ticket)
    visitor.press("Keep it in this browser")
    visitor.see("This browser lets us keep nothing")
    visitor.go("/my-tickets/")
    visitor.see("This browser lets us keep nothing.")
    visitor.go(f"/r/{raffle.uuid}/")

    visitor.press("Take part")
    visitor.see("This address has its ticket.")


def test_back_and_a_second_press_bring_the_same_ticket_where_nothing_is_kept(
    visit: Visit,
) -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    visitor = visit()
    visitor.page.add_init_script(NO_STORAGE)
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.press("Take part")
    visitor.page.wait_for_url(re.compile("/ticket/#"))
    ticket = ticket_of(visitor)

    visitor.page.go_back()
    visitor.press("Take part")
    visitor.page.wait_for_url(re.compile("/ticket/#"))

    assert ticket_of(visitor) == ticket


def test_address_with_a_wrong_code_says_only_that(visit: Visit) -> None:
    raffle = RaffleFactory.create(total_tickets=3)
    visitor = visit()
    number, code = take_part(visitor, raffle)
    wrong = ("0" if code[0] != "0" else "1") + code[1:]

    for press in (False, True):
        visitor.go("/")
        visitor.go(f"/r/{raffle.uuid}/ticket/#{number}.{wrong}")
        if press:
            visitor.press("Look it up")
        visitor.see("Number and code do not belong together.")
        assert not visitor.page.is_visible(".mine")
        assert not visitor.page.is_visible(".keeping")
        assert not visitor.page.is_visible(".home")
        assert visitor.page.input_value("#id_verification_code") == wrong


def test_ticket_waits_and_knows_by_itself_at_the_draw(visit: Visit) -> None:
    """The winner sees prize, place and deadline without a reload, checked by their own device."""
    raffle = RaffleFactory.create(
        closes_at=timezone.now() + timedelta(hours=1),
        claim={"claim_days": 14, "claim_place": "Town hall, room 3"},
    )
    visitor = visit()
    number, _ = take_part(visitor, raffle)
    visitor.see("Your ticket waits for the draw.")
    visitor.page.locator(".countdown", has_text=":").wait_for()
    checked = "Checked by this device: it follows from the sealed tickets."

    take_to(State.DRAWN, raffle)  # with the one ticket that there is
    visitor.see("You have won!")
    visitor.see(checked)
    visitor.see("Entry 1 of 1")
    outcome = visitor.text(".outcome")
    assert "Claim it until" in outcome
    assert "Where Town hall, room 3" in outcome

    visitor.page.reload()
    visitor.see(checked)
    state = Client().get(f"/r/{raffle.uuid}/ticket/{number}/state/").content.decode()
    lie = state.replace("Phone", "Car")
    visitor.page.route("**/ticket/*/state/", lambda route: route.fulfill(body=lie))
    visitor.page.reload()
    visitor.see("Your device computed something else than this site says.")
    visitor.page.unroute("**/ticket/*/state/")
    visitor.page.route("**/proof/", lambda route: route.abort())
    visitor.page.reload()
    visitor.see("The winners are drawn. Your device is checking the draw.")
    assert not visitor.page.is_visible(".outcome")
    visitor.see("This is what the site says.")
    visitor.see("You have won!")
