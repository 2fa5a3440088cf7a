"""A form that is refused: the first fault is under the eyes and read out, and nothing is lost."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone

from raffles.models import Raffle
from raffles.tests.browser.test_back_office import boss
from raffles.tests.browser.test_back_office_running import PHONE
from raffles.tests.browser.test_every_page import too_wide
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import RaffleFactory

__all__ = ["boss"]  # a fixture

pytestmark = BROWSER
FOCUSED = """() => {
  const field = document.activeElement, { top, bottom } = field.getBoundingClientRect();
  const told = (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
  return [field.name, field.ariaInvalid, top >= 0 && bottom <= innerHeight,
    told.every((id) => document.getElementById(id)), told.some((id) => id.endsWith("_error"))];
}"""
SEEN = ["true", True, True, True]


def by_invitation() -> Raffle:
    return RaffleFactory.create(
        entry="invitation", total_tickets=40, tickets_per_holder=2, now=timezone.now()
    )


def press(visitor: Visitor, name: str) -> None:
    """Press a button of a form whose faults the browser leaves to the site."""
    visitor.page.evaluate("() => { for (const form of document.forms) form.noValidate = true }")
    visitor.press(name)
    visitor.page.locator("[aria-invalid]:focus").wait_for()


def test_the_first_fault_is_under_the_eyes_on_a_telephone(visit: Visit, boss: User) -> None:
    raffle = by_invitation()
    visitor = visit(width=PHONE)
    visitor.go(f"/r/{raffle.uuid}/")
    press(visitor, "Take part")
    assert visitor.page.evaluate(FOCUSED) == ["invitation", *SEEN]

    visitor.log_in(boss)
    visitor.go("/admin/raffles/endpoint/add/")
    visitor.page.fill("[name=address]", "nowhere")
    press(visitor, "Save")
    assert visitor.page.evaluate(FOCUSED) == ["address", *SEEN]
    visitor.go(f"/admin/raffles/raffle/{raffle.pk}/change/")
    visitor.page.fill("[name=tickets_per_holder]", "-1")
    press(visitor, "Save")
    assert visitor.page.evaluate(FOCUSED) == ["tickets_per_holder", *SEEN]
    visitor.go("/admin/raffles/exclusion/people/")
    visitor.page.fill("[name=text]", "identity\nAlice\n")
    press(visitor, "Check")
    assert visitor.page.evaluate(FOCUSED) == ["reason", *SEEN]


def test_what_was_typed_into_the_other_form_stays(visit: Visit, boss: User) -> None:
    raffle = by_invitation()
    visitor = visit()
    visitor.log_in(boss)
    visitor.go(f"/admin/raffles/raffle/{raffle.pk}/invitations/")
    visitor.press("Make and show")
    visitor.see("10 invitations")
    visitor.go(f"/admin/raffles/raffle/{raffle.pk}/invitations/")
    page = visitor.page
    assert too_wide(visitor) == []
    page.fill("[name=code]", "nonsense")
    page.fill("[name=amount]", "0")
    page.press("[name=amount]", "Enter")
    page.locator("[name=amount][aria-invalid]").wait_for()
    assert page.input_value("[name=code]") == "nonsense"
    page.fill("[name=amount]", "7")
    page.press("[name=code]", "Enter")
    page.locator("[name=code][aria-invalid]").wait_for()
    assert page.input_value("[name=amount]") == "7"
    visitor.press("Withdraw 10 unused")
    visitor.see("10 invitations were withdrawn.")
    assert (page.input_value("[name=amount]"), page.input_value("[name=code]")) == ("7", "nonsense")
