"""A thousand names at 1080p, and no frame that a room would notice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.models import Raffle
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import STAFF

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Page

pytestmark = BROWSER
NAMES = 1_000
# Seconds of the processor that a frame may take while winners appear, half of what a screen leaves
# it, and all of them in the end. By the wall it would be measured who else is working.
FRAME, WHOLE = 0.008, 0.6
FRAMES = """() => {
  window.frames_drawn = 0;
  const frame = () => { window.frames_drawn++; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


class Clock:
    """Seconds of the processor that a page's main thread has taken."""

    def __init__(self, page: Page) -> None:
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read(self) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def event_of_names() -> Raffle:
    """Return a date of an event on which a thousand people won."""
    before = timezone.now() - timedelta(days=1)
    event = schedule_event(
        Event(
            name="Everybody wins",
            slug=f"all-{uuid4().hex[:8]}",
            start_date=before.date(),
            draw_time=datetime.min.time(),
            time_zone="UTC",
            max_participants=NAMES,
            reward_name="Book",
            reward_amount=NAMES,
        ),
        now=before - timedelta(days=1),
        by=STAFF,
    )
    with transaction.atomic():  # one flush to the disk for all of them
        for number in range(NAMES):
            participant = Participant(f"Participant {number} of Many", STAFF, STAFF)
            take_part(event, participant, now=before - timedelta(days=1))
    call_command("draw_winners", event=event.slug, verbosity=0)
    return Raffle.objects.get(event_slug=event.slug)


def roll(visitor: Visitor, clock: Clock, raffle: Raffle, known: int) -> float:
    """Return seconds per frame while what comes after that many steps is revealed."""
    visitor.run(f"() => localStorage.setItem('show {raffle.uuid}', '{known} {known}')")
    visitor.page.reload()
    visitor.page.locator("[data-scene]:visible:not([data-scene=waiting])").wait_for()
    visitor.run(FRAMES)
    before = clock.read()
    visitor.page.keyboard.press(" ")
    visitor.page.locator(".rolling").first.wait_for(state="attached")
    visitor.page.locator(".rolling").first.wait_for(state="detached")
    return (clock.read() - before) / float(visitor.run("window.frames_drawn"))


def test_a_thousand_names_stay_smooth(visit: Visit) -> None:
    raffle = event_of_names()
    visitor = visit()
    visitor.page.set_viewport_size({"width": 1920, "height": 1080})
    visitor.go(f"/r/{raffle.uuid}/stage/")
    clock = Clock(visitor.page)

    several = roll(visitor, clock, raffle, 1)
    batch = visitor.text("[data-scene=many] .how")
    alone = roll(visitor, clock, raffle, 16)
    before = clock.read()
    visitor.page.keyboard.press("End")
    visitor.page.wait_for_timeout(500)
    whole = clock.read() - before

    print(f"{1000 * several:.1f} ms a frame with a wall of names, {1000 * alone:.1f} with one,")
    print(f"{1000 * whole:.0f} for all {NAMES} in the end")
    assert "ranks 901 to 1,000" in batch
    assert visitor.text(".cell").split()[1] == "Participant"
    assert max(several, alone) <= FRAME
    assert whole <= WHOLE
