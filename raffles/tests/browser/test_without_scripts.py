"""All that matters works without JavaScript."""

from __future__ import annotations

from raffles.models import State
from raffles.tests.browser.test_taking_part import ticket_of
from raffles.tests.browser.visiting import BROWSER, Visit
from raffles.tests.factories import RaffleFactory, take_to

pytestmark = BROWSER


def test_ticket_is_taken_and_looked_up_without_scripts(visit: Visit) -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    visitor = visit(java_script_enabled=False)
    visitor.go(f"/r/{raffle.uuid}/")

    visitor.press("Take part")
    visitor.see("This is your ticket")
    number, code = ticket_of(visitor)
    take_to(State.DRAWN, raffle)
    visitor.go(f"/r/{raffle.uuid}/result/")
    assert visitor.text(".wins").split() == ["Rank", "1", "Phone", "Ticket", "1"]
    visitor.press("How to check it without")
    assert visitor.page.url.endswith("#check")
    assert visitor.text(".verdict") == "! The random number is vouched for by the operator only."
    visitor.press("Did my ticket win?")
    visitor.write("Number", str(number))
    visitor.write("Code", code)
    visitor.press("Look it up")

    visitor.see("You have won!")


def test_stage_leads_to_the_result_without_scripts(visit: Visit) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    visitor = visit(java_script_enabled=False)
    visitor.go(f"/r/{raffle.uuid}/stage/")

    visitor.press("The stage needs JavaScript. See the winners here.")

    visitor.see("The winners")
