"""In a browser: entries that open while the page waits, a mailed link, an invitation's code."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from raffles.domain.inviting import link_to, make_invitations
from raffles.models import Raffle, Ticket
from raffles.tests.browser.serving import Site
from raffles.tests.browser.test_taking_part import ticket_of
from raffles.tests.browser.visiting import BROWSER, Visit
from raffles.tests.factories import STAFF, RaffleFactory

pytestmark = BROWSER
ALICE = "alice@example.org"


def raffle_now(**terms: Any) -> Raffle:
    return RaffleFactory.create(total_tickets=5, now=timezone.now(), **terms)


def link_in(folder: Path, site: Site) -> str:
    """Return the path that the last mail's link leads to."""
    mails = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    found = re.findall(rf"{re.escape(site.url)}(/r/\S+confirmation=[\w-]+)", mails[-1].read_text())
    return str(found[0])


def test_button_comes_at_the_moment_and_not_before(visit: Visit) -> None:
    raffle = raffle_now(opens_at=timezone.now() + timedelta(seconds=25))
    visitor = visit()
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.see("Entries are not open yet.")
    visitor.page.locator(".countdown", has_text="00:00:").wait_for()
    assert not visitor.page.locator("#take-part-button").is_visible()

    visitor.page.locator("#take-part-button").wait_for()
    visitor.press("Take part")

    visitor.see("This browser keeps your ticket.")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_mailed_link_leads_to_the_ticket(visit: Visit, tmp_path: Path, scripts: bool) -> None:
    raffle = raffle_now(entry="email")
    with Site(EMAIL_URL=f"filemail:///{tmp_path}").up() as site:
        visitor = visit(site.url, java_script_enabled=scripts)
        visitor.go(f"/r/{raffle.uuid}/")
        visitor.write("Your e-mail address", ALICE)
        visitor.press("Send me the link")
        visitor.see(f"We have written to {ALICE}.")
        assert not Ticket.objects.exists()

        link = link_in(tmp_path, site)
        visitor.go(link)
        visitor.see("is confirmed with your ticket.")
        assert not Ticket.objects.exists()
        visitor.press("Take my ticket")
        visitor.see("This browser keeps your ticket." if scripts else "This is your ticket")
        ticket = ticket_of(visitor)

        other = visit(site.url, java_script_enabled=scripts)  # the link once more, elsewhere
        other.go(link)
        other.press("Take my ticket")
        other.see("This browser keeps your ticket." if scripts else "This is your ticket")
        assert ticket_of(other) == ticket
    assert Ticket.objects.count() == 1


def invitation(raffle: Raffle, **asked: Any) -> str:
    terms: dict[str, Any] = {"batch": "b", "amount": 1, "now": timezone.now(), "by": STAFF}
    return make_invitations(raffle.uuid, **terms, **asked)[0]


def test_link_of_an_invitation_fills_in_its_code(visit: Visit) -> None:
    raffle = raffle_now(entry="invitation")
    code = invitation(raffle)
    visitor = visit()
    visitor.go(link_to(raffle.uuid, code).removeprefix("http://testserver"))
    assert visitor.page.input_value("#id_invitation") == code
    visitor.press("Take part")
    visitor.see("This browser keeps your ticket.")

    second = visit()
    second.go(f"/r/{raffle.uuid}/")
    second.write("The code of your invitation", code)
    second.press("Take part")
    second.see("This invitation has been used.")
    second.lost.clear()  # the 403


def test_invitation_for_several_keeps_them_all(visit: Visit) -> None:
    raffle = raffle_now(entry="invitation", tickets_per_holder=3)
    code = invitation(raffle, tickets=3)
    visitor = visit()
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.write("The code of your invitation", code)
    visitor.press("Take part")
    # What can be saved is kept by then.
    saving = visitor.page.locator(".issued [data-save=page][download]")
    saving.nth(2).wait_for(state="attached")
    visitor.go("/my-tickets/")

    visitor.page.locator("[data-row], li").filter(has_text=raffle.name).nth(2).wait_for()
