"""The back office in a browser: nothing the policy refuses, everything can be read and reached."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from raffles.models import Delivery, Endpoint, State
from raffles.tests.browser.test_every_page import (
    OVERFLOW,
    RULES,
    axe,
    inaccessible,
    pale_in_the_dark,
    too_wide,
)
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import RaffleFactory

__all__ = ["axe"]  # the fixture

pytestmark = BROWSER
WCAG = [rule for rule in RULES if rule != "best-practice"]  # half of each page is Django's own


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss")


def something_of_everything() -> None:
    """Create what fills the panels of the home page."""
    now = timezone.now()
    drawn = {"state": State.DRAWN, "now": now}
    RaffleFactory.create(name="Harvest fair", claim={"claim_days": 2}, **drawn)
    RaffleFactory.create(name="Choir trip", **drawn)
    RaffleFactory.create(name="Cut off", state=State.CLOSED)
    RaffleFactory.create(name="Tombola", closes_at=now + timedelta(hours=5), now=now)
    endpoint = Endpoint.objects.create(
        address="https://shop.example.org/hooks/draws", created_at=now, failing_since=now
    )
    Delivery.objects.create(endpoint=endpoint, created_at=now, next_try_at=now, state="dead")


def unsound(visitor: Visitor, axe: str) -> list[str]:
    found = [*inaccessible(visitor, axe, WCAG), *pale_in_the_dark(visitor), *too_wide(visitor)]
    visitor.page.set_viewport_size({"width": 1280, "height": 800})
    return [*visitor.faults, *visitor.lost, *found]


def test_door_and_first_page_are_sound(visit: Visit, axe: str, boss: User) -> None:
    visitor = visit(reduced_motion="reduce")  # or colours would be on their way to the others
    visitor.go("/admin/login/")
    found = {"login": unsound(visitor, axe)}
    visitor.log_in(boss)
    visitor.go("/admin/")
    visitor.see("First steps")
    found["empty"] = unsound(visitor, axe)
    something_of_everything()
    for name, path in {"home": "/admin/", "record": "/admin/raffles/logentry/"}.items():
        visitor.go(path)
        found[name] = unsound(visitor, axe)
    assert {name: said for name, said in found.items() if said} == {}


def test_first_page_counts_down_and_shows_what_is_to_do_at_once(visit: Visit, boss: User) -> None:
    something_of_everything()
    visitor = visit()
    visitor.log_in(boss)
    page = visitor.go("/admin/")
    page.wait_for_function("document.querySelector('.countdown').textContent.startsWith('0')")
    assert visitor.text(".draw .countdown").startswith(("05:00:00", "04:59:"))
    task = page.locator(".tasks li").first.bounding_box()
    assert task
    assert task["y"] + task["height"] < 600


def test_first_task_is_reached_by_keyboard(visit: Visit, boss: User) -> None:
    something_of_everything()
    visitor = visit()
    visitor.log_in(boss)
    page = visitor.go("/admin/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skips to the content
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(str(page.evaluate("document.activeElement.textContent")).strip())
    assert reached[:4] == ["Schedule an event", "Create a raffle", "Hand over a prize", "Cut off"]


def test_every_page_of_the_admin_fits_a_telephone_and_the_policy(visit: Visit, boss: User) -> None:
    something_of_everything()
    visitor = visit(width=390)
    cut = {}
    visitor.log_in(boss)
    for model in site._registry:
        kind = f"admin:{model._meta.label_lower.replace('.', '_')}"
        row = model._default_manager.first()
        paths = [reverse(f"{kind}_changelist"), reverse(f"{kind}_add")]
        if row is not None:
            paths += [reverse(f"{kind}_{page}", args=[row.pk]) for page in ("change", "history")]
        for path in paths:
            page = visitor.go(path)
            tables = page.locator("#result_list, .inline-group .tabular, .history")
            scrolls = tables.evaluate_all("all => all.some(one => one.scrollWidth > innerWidth)")
            if scrolls or visitor.run(OVERFLOW):
                cut[path] = visitor.run(OVERFLOW)
    assert cut == {}
    page = visitor.go(reverse("admin:raffles_raffle_add"))
    page.locator("[name=closes_at_0]").fill("2030-02-10")
    page.locator(".theme-toggle").first.click()
    visitor.press("Add another Prize")
    assert page.locator("[name=closes_at_0]").input_value()
    # Pages that nobody may see are 403; an icon is lost to whoever goes on at once.
    assert [path for path in visitor.lost if path[0] in "45" and path[:3] != "403"] == []
