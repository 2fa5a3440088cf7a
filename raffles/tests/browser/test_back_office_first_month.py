"""From an empty database to a month of draws out of a spreadsheet: how much it asks of a person."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from django.conf import LazySettings, global_settings
from django.contrib.auth.models import User
from django.utils import timezone

from events.models import Event
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor

pytestmark = BROWSER
DAY = timedelta(days=1)
# What a person needs for a click and for a field, in seconds, reading included.
CLICK, FIELD = 4, 8


class Hands:
    """Somebody at a form, whose clicks and fields are counted; `visitor` sees what they see."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.clicks = self.fields = 0

    def press(self, name: str) -> None:
        """Press a button or link."""
        self.clicks += 1
        role = self.visitor.page.get_by_role
        found = role("button", name=name, exact=True).or_(role("link", name=name, exact=True))
        found.first.click()

    def fill(self, name: str, text: str) -> None:
        """Fill the field of that name."""
        self.fields += 1
        self.visitor.page.locator(f"[name={name}]:visible").fill(text)

    def choose(self, file: Path) -> None:
        """Choose a file."""
        self.fields += 1
        self.visitor.page.locator("[name=file]").set_input_files(file)


def saved_by_a_spreadsheet(folder: Path, days: list[date]) -> Path:
    """Return a file as a German spreadsheet saves it: semicolons, its own dates and letters."""
    lines = [f"{day:%d.%m.%Y};Frühstück für {n + 2}, süß;1" for n, day in enumerate(days)]
    file = folder / "rewards.csv"
    text = "\r\n".join(["sep=;", "date;name;amount", *lines, ";;", ""])
    file.write_bytes(text.encode("cp1252"))
    return file


def test_month_is_scheduled_from_a_spreadsheet_in_under_three_minutes(
    visit: Visit, settings: LazySettings, tmp_path: Path
) -> None:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # those of the server
    User.objects.create_superuser("boss", password="a long and quiet word")
    visitor = visit()
    hands = Hands(visitor)
    visitor.go("/admin/")

    hands.fill("username", "boss")
    hands.fill("password", "a long and quiet word")
    hands.press("Log in")
    visitor.see("First steps")
    hands.press("Schedule an event")
    hands.fill("name", "Breakfast")
    hands.fill("draw_time", "08:00")
    hands.fill("max_participants", "100")
    hands.fill("reward_name", "Coffee")
    visitor.page.locator("#calendar").get_by_text("The next 30 dates").wait_for()
    hands.press("Save and continue editing")
    visitor.see("was added successfully")
    hands.press("Import rewards")
    days = [timezone.now().date() + DAY * n for n in range(1, 31)]
    hands.choose(saved_by_a_spreadsheet(tmp_path, days))
    hands.press("Check")
    visitor.see("Nothing is saved yet: 30 rewards will be set, 30 prizes in all.")
    visitor.see("was read as Windows-1252")
    hands.press("Set 30 rewards")
    visitor.see("30 rewards set.")

    event = Event.objects.get()
    own = dict(event.rewards.values_list("date", "reward_name"))
    assert own == {day: f"Frühstück für {n + 2}, süß" for n, day in enumerate(days)}
    assert (hands.clicks, hands.fields) == (6, 7)
    assert hands.clicks * CLICK + hands.fields * FIELD < 180
