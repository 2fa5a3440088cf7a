"""A member of the staff schedules lucky draws, from an empty site to a year of rewards."""

from __future__ import annotations

from datetime import date, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from events.models import Event
from raffles.models import LogEntry
from raffles.tests.browser.test_back_office_running import PHONE, confirm, log_in, manager
from raffles.tests.browser.test_every_page import too_wide
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor

__all__ = ["manager"]  # the fixture

pytestmark = BROWSER
DAY = timedelta(days=1)


def schedule(visitor: Visitor, first: date) -> Event:
    """Fill in the form: every day at eight in Paris, with rewards on three dates."""
    page = visitor.go("/admin/events/event/add/")
    page.locator("[name=name]").fill("Breakfast")
    page.locator("[name=start_date]").fill(str(first))
    page.locator("[name=draw_time]").fill("08:00")
    page.locator("[name=time_zone]").select_option("Europe/Paris")
    page.locator("[name=max_participants]").fill("100")
    page.locator("[name=reward_name]").fill("Coffee")
    for n, reward in enumerate(("Phone", "Washing machine", "Bicycle")):
        if n:
            visitor.press("Add another Reward")
        page.locator(f"[name=rewards-{n}-date]").fill(str(first + DAY * n))
        page.locator(f"[name=rewards-{n}-reward_name]").fill(reward)
    page.get_by_role("button", name="Save and continue editing").click()
    visitor.see("was added successfully")
    return Event.objects.get()


def import_table(visitor: Visitor, lines: list[str], then: str) -> None:
    """Paste a table, and wait for the verdict on it."""
    visitor.page.locator("[name=text]:visible").fill("\n".join(["date,name,amount", *lines]))
    visitor.page.get_by_role("button", name="Check").click()
    visitor.see(then)


def rewards(event: Event) -> dict[date, str]:
    return dict(event.rewards.values_list("date", "reward_name"))


def test_event_is_scheduled_filled_copied_duplicated_and_paused(
    visit: Visit, manager: User
) -> None:
    visitor = visit()
    log_in(visitor)
    today = timezone.now().date()
    first = today + DAY * (8 - today.weekday())  # a Tuesday
    event = schedule(visitor, first)
    own = {first: "Phone", first + DAY: "Washing machine", first + DAY * 2: "Bicycle"}
    assert rewards(event) == own
    for reward in (*own.values(), "Coffee"):
        visitor.see(reward)

    # By keyboard: the reward of one more date, and the same on another.
    page = visitor.page
    cells = page.locator("#calendar [data-day]")
    cells.nth(3).locator("[data-act=write]").press("Enter")
    page.keyboard.type("Radio")
    copy = cells.nth(3).locator("[data-act=copy]")
    copy.press("Enter")
    cells.nth(5).locator("[data-act=onto]").press("Enter")
    cells.nth(5).get_by_text("Radio").wait_for()
    assert rewards(event) == own
    page.get_by_role("button", name="Save and continue editing").click()
    visitor.see("was changed successfully")
    own |= {first + DAY * 3: "Radio", first + DAY * 5: "Radio"}
    assert rewards(event) == own
    page.locator("[data-turn=later]").press("Enter")
    following = (today.replace(day=1) + DAY * 31).replace(day=1)
    visitor.see(f"{following:%B %Y}, on the clocks of Europe/Paris")
    page.locator("[data-turn=earlier]:focus, [data-turn=later]:focus").wait_for()
    last = (following + DAY * 31).replace(day=1) - DAY
    assert page.locator("#calendar [data-day]").count() >= (last - max(first, following)).days
    page.locator("[data-turn=next]").press("Enter")
    visitor.see("The next 30 dates")

    month = [f"{first + DAY * n},Day {n},1" for n in range(7, 37)]
    broken = [*month[:3], f"{first},,1", *month[3:], f"{first - DAY * 30},Too late,1"]
    visitor.press("Import rewards")
    import_table(visitor, broken, "2 of 32 lines can't be set, so nothing was.")
    assert rewards(event) == own
    import_table(
        visitor, month, "Nothing is saved yet: 30 rewards will be set, with 30 prizes in all."
    )
    assert rewards(event) == own
    visitor.press("Set 30 rewards")
    visitor.see("30 rewards set.")
    assert len(rewards(event)) == 35

    visitor.press("Copy a week")
    visitor.page.locator("select[name=week]").select_option(str(first - DAY))
    visitor.page.locator("[name=weeks]:visible").fill("10")
    visitor.press("Show")
    visitor.see("Nothing is saved yet")
    visitor.page.get_by_role("button", name="Copy").click()
    visitor.see("50 rewards set.")
    assert rewards(event)[first + DAY * 70] == "Phone"

    confirm(visitor, "Pause")
    visitor.see("Breakfast is paused.")
    confirm(visitor, "Resume")
    visitor.see("Breakfast is resumed.")
    confirm(visitor, "Duplicate")
    visitor.see("Copy of Breakfast is made.")
    twin = Event.objects.exclude(pk=event.pk).get()
    assert rewards(twin) == rewards(event)

    done = (
        LogEntry.objects.about(event)
        .filter(by__startswith="staff mia")
        .values_list("action", flat=True)
    )
    assert {*done} == {"event.scheduled", "reward.set", "event.changed"}
    visitor.go(f"/admin/events/event/{event.pk}/history/")
    visitor.see("event.scheduled")


def test_pages_of_scheduling_fit_a_telephone(visit: Visit, manager: User) -> None:
    visitor = visit(width=PHONE)
    visitor.log_in(manager)
    first = timezone.now().date() + DAY
    event = schedule(visitor, first)
    found = {}
    for page in ("change", "import", "copy-week", "duplicate", "pause"):
        visitor.go(f"/admin/events/event/{event.pk}/{page}/")
        found[page] = too_wide(visitor)
    assert {page: said for page, said in found.items() if said} == {}
