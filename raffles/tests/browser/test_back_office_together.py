"""Two tabs on one form, and the calendar that follows what is typed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from events.models import Event
from raffles.models import State
from raffles.tests.browser.test_back_office_running import manager
from raffles.tests.browser.test_back_office_scheduling import schedule
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import RaffleFactory

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Page

__all__ = ["manager"]  # the fixture

pytestmark = BROWSER
DAY = timedelta(days=1)


@pytest.fixture
def tabs(visit: Visit, manager: User) -> tuple[Event, Visitor, Page]:
    """An event, and two tabs of one browser on its form."""
    visitor = visit()
    visitor.log_in(manager)
    event = schedule(visitor, timezone.now().date() + DAY)
    address = f"{visitor.url}/admin/events/event/{event.pk}/change/"
    visitor.page.goto(address)
    second = visitor.page.context.new_page()
    second.goto(address)
    return event, visitor, second


def save(page: Page) -> None:
    page.get_by_role("button", name="Save and continue editing").click()


def test_second_tab_puts_nothing_back(tabs: tuple[Event, Visitor, Page]) -> None:
    event, visitor, second = tabs
    first = visitor.page
    first.locator("[name=draw_time]").fill("09:30")
    first.locator("[name=rewards-0-reward_name]").fill("Telephone")
    first.locator("[name=reward_name]").fill("Tea")
    save(first)
    visitor.see("was changed successfully")

    second.locator("[name=reward_name]").fill("Cocoa")
    second.locator("[name=rewards-1-reward_name]").fill("Dishwasher")
    save(second)
    second.get_by_text("Changed while you had this page open, last by staff mia").wait_for()
    beside = second.locator(".field-reward_name .errorlist").first
    assert beside.inner_text().startswith("Now it is “Tea”, last by staff mia")
    values = [
        second.locator(f"[name={name}]").input_value()
        for name in ("reward_name", "rewards-0-reward_name", "rewards-1-reward_name")
    ]
    assert values == ["Cocoa", "Telephone", "Dishwasher"]
    assert second.locator("[name=draw_time]").input_value().startswith("09:30")
    event.refresh_from_db()
    assert event.reward_name == "Tea"

    save(second)
    second.get_by_text("was changed successfully").wait_for()
    event.refresh_from_db()
    assert (event.reward_name, f"{event.draw_time:%H:%M}") == ("Cocoa", "09:30")
    own = list(event.rewards.values_list("reward_name", flat=True))
    assert own == ["Telephone", "Dishwasher", "Bicycle"]
    first.go_back()  # to the form as it was before all this
    first.reload()
    assert first.locator("[name=reward_name]").input_value() == "Cocoa"


def test_calendar_follows_what_is_typed(tabs: tuple[Event, Visitor, Page]) -> None:
    event, visitor, second = tabs
    for page in (visitor.page, second):
        page.locator("[name=draw_time]").fill("19:45")
        page.locator("#calendar").get_by_text("19:45").first.wait_for()
    often = second.locator("[name=how_often]")
    often.select_option("last")
    second.locator("[name=last_weekday]").select_option("FR")
    second.locator("#next-five").get_by_text(re.compile("^Fri [^·]*( · Fri [^·]*){4}$")).wait_for()
    often.select_option("weekdays")
    second.locator("#next-five").get_by_text("filled in: These weekdays").wait_for()
    second.get_by_label("Saturday").check()
    second.locator("#next-five").get_by_text(re.compile("^Sat ")).wait_for()
    assert not second.locator("[name=frequency]").is_visible()
    often.select_option("own")
    second.locator("[name=frequency]").fill("every now and then")
    second.locator("#calendar").get_by_text("Write daily, weekly").wait_for()
    save(second)
    second.locator(".field-frequency .errorlist").wait_for()
    second.locator("[name=frequency]").fill("weekly")
    second.locator("#calendar").get_by_text("The next 30 dates").wait_for()
    second.locator("[name=rewards-0-reward_name]").fill("Telephone")
    second.locator("#calendar").get_by_text("Telephone").wait_for()
    event.refresh_from_db()
    assert (event.frequency, f"{event.draw_time:%H:%M}") == ("daily", "08:00")


def test_no_clock_of_the_browser_gets_into_a_form(tabs: tuple[Event, Visitor, Page]) -> None:
    event, visitor, _ = tabs
    addresses = ("raffles/raffle/add/", f"events/event/{event.pk}/change/", "raffles/apikey/add/")
    for address in addresses:
        page = visitor.go(f"/admin/{address}")
        assert page.locator(".datetimeshortcuts, .timezonewarning").count() == 0
    assert visitor.text(".field-expires_at .zone") == "UTC"
    day = visitor.page.locator("#calendar time").first
    visitor.go(f"/admin/events/event/{event.pk}/change/")
    assert "CE" in day.inner_text()
    assert (day.get_attribute("title") or "").endswith("UTC")


def test_calendar_of_a_new_event_follows_what_is_typed(visit: Visit, manager: User) -> None:
    visitor = visit()
    visitor.log_in(manager)
    page = visitor.go("/admin/events/event/add/")
    first = timezone.now().date() + DAY
    typed = {"start_date": f"{first}", "draw_time": "08:00", "max_participants": "9"}
    for name, value in (typed | {"reward_name": "Coffee"}).items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("#calendar").get_by_text("Coffee").first.wait_for()
    assert not Event.objects.exists()


def test_form_of_a_deleted_event_shows_what_was_typed(tabs: tuple[Event, Visitor, Page]) -> None:
    event, visitor, second = tabs
    second.locator("[name=reward_name]").fill("Cocoa")
    visitor.page.get_by_role("link", name="Delete").click()
    visitor.page.get_by_role("button", name="Yes").click()
    visitor.see("was deleted successfully")
    save(second)
    second.get_by_text(f"{event.name} was deleted by staff mia").wait_for()
    assert "Cocoa" in second.locator("#content table").inner_text()


def test_replacing_shows_how_the_winner_stands_before_anything_is_done(
    visit: Visit, manager: User
) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, time_zone="Europe/Paris")
    number = raffle.winners.get(rank=1).ticket_number()
    visitor = visit()
    visitor.log_in(manager)
    visitor.go(f"/admin/raffles/raffle/{raffle.pk}/replace/")
    number_field = visitor.page.get_by_label("Ticket number")
    number_field.fill("99")
    visitor.press("Replace a winner")
    visitor.see("This ticket holds no prize")
    number_field.fill(str(number))
    visitor.press("Replace a winner")
    visitor.see(f"Ticket {number}, rank 1, holds Phone.")
    assert number_field.input_value() == ""
    assert not raffle.replacements.exists()
