"""A thousand names at 1080p, and no frame that a room would notice."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
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

pytestmark = BROWSER
NAMES = 1_000
# The middle frame with all of them in the list takes at most so often as long as with none; and no
# frame takes longer than so many milliseconds, drawn without a graphics card.
RATIO, LONGEST = 1.5, 400
FRAMES = """() => {
  window.between = [];
  let before = performance.now();
  const frame = (now) => {
    window.between.push(now - before);
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def event_of_names() -> Raffle:
    """A date of an event on which a thousand people won."""
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


def roll(visitor: Visitor, raffle: Raffle, known: int) -> list[float]:
    """The milliseconds between frames while two are revealed to a room that knows so many."""
    visitor.run(f"() => localStorage.setItem('stage {raffle.uuid}', {known})")
    visitor.page.reload()
    visitor.page.locator("[data-scene=ready]:visible, [data-scene=reveal]:visible").wait_for()
    visitor.run(FRAMES)
    for _ in range(2):
        visitor.page.keyboard.press(" ")
        visitor.page.locator(".slip b.rolling").wait_for(state="attached")
        visitor.page.locator(".slip b.rolling").wait_for(state="detached")
    frames: list[float] = visitor.run("window.between")
    return frames


def test_a_thousand_names_stay_smooth(visit: Visit) -> None:
    raffle = event_of_names()
    visitor = visit()
    visitor.page.set_viewport_size({"width": 1920, "height": 1080})
    visitor.go(f"/r/{raffle.uuid}/stage/")

    empty = roll(visitor, raffle, 0)
    full = roll(visitor, raffle, NAMES - 2)
    visitor.page.keyboard.press("End")
    visitor.page.wait_for_timeout(500)
    whole = max(visitor.run("window.between")[len(full) :])

    print(f"{median(empty):.0f} and {median(full):.0f} ms a frame with 0 and {NAMES} names,")
    print(f"at most {max(full):.0f}; {whole:.0f} for all at once")
    assert visitor.page.locator(".revealed li").count() == NAMES
    assert visitor.text(".revealed b").startswith("Participant ")
    assert median(full) <= RATIO * median(empty)
    assert max(*full, whole) <= LONGEST
