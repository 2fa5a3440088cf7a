"""A member of the staff runs a raffle, from the form that makes it to the prize in a hand."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.conf import LazySettings, global_settings
from django.contrib.auth.models import Group, User
from django.utils import timezone

from raffles.domain.drawing import advance
from raffles.models import LogEntry, Raffle, Winner, WinnerState
from raffles.tests.browser.serving import Site, calling_from
from raffles.tests.browser.test_taking_part_pages import READS_CODES
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import STAFF, RaffleFactory, enter_nth

pytestmark = BROWSER

Ticket = dict[str, Any]
PHONE = 360


@pytest.fixture
def manager(settings: LazySettings) -> User:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # those of the server
    user = User.objects.create_user("mia", password="a long and quiet word", is_staff=True)
    user.groups.set([Group.objects.get(name="Manager")])
    return user


def log_in(visitor: Visitor) -> None:
    """Log in on the login page."""
    page = visitor.go("/admin/")
    page.get_by_label("Username").fill("mia")
    page.get_by_label("Password").fill("a long and quiet word")
    visitor.press("Log in")
    visitor.see("Log out")


def create_raffle(visitor: Visitor) -> Raffle:
    """Fill in the form: four tickets, two prizes, a deadline."""
    page = visitor.go("/admin/raffles/raffle/add/")
    page.get_by_label("Name:", exact=True).first.fill("Summer fête")
    page.get_by_label("Total tickets").fill("4")
    page.get_by_label("Alternates:").fill("2")
    page.get_by_label("Claim within").fill("14")
    page.get_by_label("Claim at").fill("Town hall, desk 3")
    page.locator("[name=prizes-0-name]").fill("Bicycle")
    page.locator("[name=prizes-0-amount]").fill("1")
    visitor.press("Add another Prize")
    page.locator("[name=prizes-1-name]").fill("Basket")
    page.locator("[name=prizes-1-amount]").fill("1")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Summer fête").first.wait_for()
    return Raffle.objects.get()


def enter(raffle: Raffle, site: Site) -> dict[int, Ticket]:
    """Return a ticket of the API for each of four addresses, by number."""
    tickets: dict[int, Ticket] = {}
    for host in range(21, 25):
        with calling_from(f"127.0.0.{host}", site) as url:
            asked = Request(f"{url}/raffles/{raffle.uuid}/participate/", method="POST")
            with urlopen(asked) as answer:
                ticket = json.load(answer)
        tickets[ticket["ticket_number"]] = ticket
    return tickets


def winners(raffle: Raffle) -> dict[int, Winner]:
    """Return the winners by rank."""
    found = Winner.objects.with_state().filter(raffle=raffle).select_related("raffle")
    return {winner.rank: winner for winner in found}


def type_ticket(visitor: Visitor, ticket: Ticket) -> None:
    """Type number and code at the counter."""
    visitor.page.get_by_label("Number:").fill(str(ticket["ticket_number"]))
    visitor.page.get_by_label("Code:").fill(ticket["verification_code"].lower())
    visitor.press("Check")


def confirm(visitor: Visitor, act: str, reason: str = "", number: int = 0) -> None:
    """Press an action's button, read the page that follows, and confirm there."""
    visitor.page.get_by_role("link", name=act, exact=True).click()
    if number:
        visitor.page.get_by_label("Ticket number").fill(str(number))
    if reason:
        visitor.page.get_by_label("Reason").fill(reason)
    visitor.page.get_by_role("button", name=act, exact=True).click()


def drawn_before() -> tuple[Raffle, dict[int, Ticket]]:
    """Return a raffle that is drawn already, and its tickets by number."""
    terms = {"prizes": (("Bicycle", 1), ("Basket", 1)), "claim": {"claim_days": 14}}
    raffle = RaffleFactory.create(now=timezone.now(), **terms)
    entries = [enter_nth(raffle, n) for n in range(3)]
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)
    return raffle, {
        entry.ticket_number: {
            "ticket_number": entry.ticket_number,
            "verification_code": entry.verification_code,
        }
        for entry in entries
    }


def test_raffle_is_made_drawn_and_its_prizes_given_away(
    visit: Visit, served: Site, manager: User
) -> None:
    visitor = visit()
    log_in(visitor)
    raffle = create_raffle(visitor)
    tickets = enter(raffle, served)
    visitor.go(f"/admin/raffles/raffle/{raffle.pk}/change/")
    visitor.see("sold out: a manager draws")
    visitor.page.get_by_role("link", name="Seal and draw").click()
    visitor.see("4 tickets of 4 are in the draw; no more are handed out from now on.")
    visitor.page.get_by_role("button", name="Seal and draw").click()
    visitor.see("Drawn. The winners are public.")
    first, second = (winners(raffle)[rank].ticket_number() for rank in (1, 2))

    visitor.press("Counter")
    type_ticket(visitor, tickets[second] | {"ticket_number": first})
    visitor.see("Invalid verification code")
    type_ticket(visitor, tickets[first])
    visitor.see("Kept until")
    assert visitor.text(".answer h2") == "Won"
    visitor.page.locator("button[value=hand-over]:focus").wait_for()
    visitor.page.keyboard.press("Enter")
    visitor.see(f"Handed over: Bicycle, ticket {first}.")
    visitor.page.locator("[name=number]:focus").wait_for()
    visitor.press(f"Undo: ticket {first} has not got its prize")
    visitor.see(f"Undone: ticket {first} has claimed")
    type_ticket(visitor, tickets[first])
    visitor.see("Claimed on")
    visitor.press("Hand over")
    visitor.see(f"Handed over: Bicycle, ticket {first}.")
    type_ticket(visitor, tickets[first])
    visitor.see("Handed over already")
    assert "by staff mia from" in visitor.text(".answer")

    visitor.go("/admin/raffles/winner/")
    visitor.page.get_by_label("Ticket number, code or username").fill(str(second))
    visitor.press("Find")
    confirm(visitor, "Notified by phone")
    visitor.see("Noted that the winner was notified.")
    confirm(visitor, "Forfeit", "Did not come, and does not answer", second)
    visitor.see("The prize is forfeited.")
    confirm(visitor, "Replace by the next alternate", "Did not come", second)
    heir = winners(raffle)[3].ticket_number()
    visitor.see(f"Basket went from ticket {second} to ticket {heir}.")

    visitor.go(f"/admin/raffles/winner/?raffle={raffle.pk}")
    rows = visitor.page.locator("#result_list tbody tr .field-state").all_inner_texts()
    assert rows == ["handed over", "replaced", "drawn", "alternate"]
    assert [winner.state() for winner in winners(raffle).values()] == [
        *(WinnerState.HANDED_OVER, WinnerState.REPLACED, WinnerState.DRAWN, WinnerState.ALTERNATE)
    ]
    visitor.go(f"/admin/raffles/raffle/{raffle.pk}/history/")
    done = LogEntry.objects.about(raffle).filter(by__startswith="staff mia")
    assert {act.action for act in done} >= {
        *("raffle.created", "raffle.closed", "draw.sealed", "draw.drawn", "prize.handed_over"),
        *("prize.notified", "prize.forfeited", "winner.replaced"),
    }
    visitor.see("Did not come, and does not answer")
    visitor.see("winner.replaced")


def test_ticket_is_scanned_at_the_counter_on_a_telephone(
    visit: Visit, served: Site, manager: User
) -> None:
    raffle, tickets = drawn_before()
    phone = visit(width=PHONE, dark=True)
    phone.page.add_init_script(READS_CODES)
    phone.log_in(manager)
    phone.go("/admin/raffles/winner/counter/")
    ticket = tickets[winners(raffle)[2].ticket_number()]
    number, code = ticket["ticket_number"], ticket["verification_code"]
    card = f"{served.url}/r/{raffle.uuid}/ticket/#{number}.{code}"
    phone.press("Scan the QR code")
    phone.run(
        "text => { window.seen = text; }", f"{served.url}/r/{raffle.uuid}/ticket/#{number}.{code}"
    )
    phone.see("Kept until")
    assert phone.run("() => document.documentElement.scrollWidth") == PHONE
    assert code not in phone.page.url
    phone.press("Claimed, to be sent")
    phone.see(f"Claimed, to be sent: Basket, ticket {number}.")
    phone.page.wait_for_load_state()  # with the script that reads a whole card
    phone.page.get_by_label("Number:").fill(card)
    assert phone.page.get_by_label("Code:").input_value() == code
    phone.press("Check")
    phone.see("Claimed on")


def test_counter_works_without_scripts(visit: Visit, manager: User) -> None:
    raffle, tickets = drawn_before()
    plain = visit(width=PHONE, java_script_enabled=False)
    plain.log_in(manager)
    plain.go("/admin/raffles/winner/counter/")
    number = winners(raffle)[1].ticket_number()
    type_ticket(plain, tickets[number])
    plain.press("Hand over")
    plain.see(f"Handed over: Bicycle, ticket {number}.")
    assert winners(raffle)[1].state() == WinnerState.HANDED_OVER
