"""What only a browser shows of taking part: pages that stay true, and a ticket from its QR code."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.utils import timezone

from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.drawing import advance
from raffles.domain.entering import Entry
from raffles.models import Raffle, State
from raffles.tests.browser.serving import Site
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import STAFF, RaffleFactory, enter_nth, take_to

pytestmark = BROWSER

# Chromium on Linux reads no QR codes and this machine has no camera: both are the browser's part,
# and the page uses them as any browser offers them. `window.seen` is what the camera would see.
READS_CODES = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect() { return window.seen ? [{ rawValue: window.seen }] : []; }
};
window.cameras = [];
Object.defineProperty(navigator, "mediaDevices", { value: {
  enumerateDevices: async () => [{ kind: "videoinput" }],
  getUserMedia: async () => {
    if (window.refused) throw new DOMException("no", "NotAllowedError");
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    const camera = canvas.captureStream(5);
    window.cameras.push(camera);
    return camera;
  },
} });
"""
PRESS_THRICE = """() => {
  const button = document.querySelector("form.lookup .act");
  for (const wait of [0, 150, 300]) setTimeout(() => button.click(), wait);
}"""
PICTURE = "ticket-1.png"
IS_OFF = "() => cameras.every((c) => c.getTracks().every((t) => t.readyState === 'ended'))"


def raffle_with_tickets(**terms: object) -> tuple[Raffle, list[Entry]]:
    """Return a raffle on today's clocks with a ticket for each of two people."""
    raffle = RaffleFactory.create(total_tickets=2, now=timezone.now(), **terms)
    return raffle, [enter_nth(raffle, n) for n in range(2)]


def code_of(raffle: Raffle, entry: Entry) -> str:
    """Return what the card's QR code holds."""
    return (
        f"http://localhost:8000/r/{raffle.uuid}/ticket/"
        f"#{entry.ticket_number}.{entry.verification_code}"
    )


def scanning(visit: Visit, raffle: Raffle) -> Visitor:
    """Return a visitor of the ticket page whose browser reads QR codes."""
    visitor = visit()
    visitor.page.add_init_script(READS_CODES)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    return visitor


class TestStaysTrue:
    """A page that is open shows what has become of the draw."""

    def test_without_a_stream_it_looks_by_itself(self, visit: Visit) -> None:
        """Under WSGI a stream ends at once, so the page polls."""
        raffle = RaffleFactory.create(total_tickets=3, now=timezone.now())
        visitor = visit()
        visitor.go(f"/r/{raffle.uuid}/")
        visitor.see("of 3 tickets left")

        for n in range(3):
            enter_nth(raffle, n)
        visitor.see("Tickets are gone.")
        take_to(State.DRAWN, raffle)
        visitor.see("The winners are drawn.")

    def test_with_the_stream_the_draw_shows_at_once(self, visit: Visit) -> None:
        """Its next look by itself is 15 seconds away, so what shows sooner came over the stream."""
        raffle, _ = raffle_with_tickets()
        with Site("asgi").up() as site:
            visitor = visit(site.url)
            visitor.go(f"/r/{raffle.uuid}/")
            visitor.see("The draw comes next.")
            time.sleep(3)  # it has looked once the stream was open

            drawn_at = time.monotonic()
            take_to(State.DRAWN, raffle)
            visitor.see("The winners are drawn.")
            took = time.monotonic() - drawn_at
            visitor.go("/livez")  # hangs up, so that the server may end

        assert took < 10

    def test_stream_is_given_up_for_a_minute_when_it_does_not_stay(self, visit: Visit) -> None:
        raffle, _ = raffle_with_tickets()
        visitor = visit()
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        visitor.go(f"/r/{raffle.uuid}/")

        stream = f"{visitor.url}/raffles/{raffle.uuid}/stream/"
        while asked.count(stream) < 2:  # the stream says: come back after three seconds
            visitor.page.wait_for_timeout(100)
        visitor.page.wait_for_timeout(4_000)

        assert asked.count(stream) == 2

    def test_what_the_visitor_writes_stays(self, visit: Visit) -> None:
        event = daily_event()
        visitor = visit()
        visitor.go("/e/daily/")
        visitor.page.fill("#id_username", "Zoë")
        visitor.page.focus("#id_username")

        take_part(event, Participant("alice", "shop", "shop"), now=timezone.now())
        visitor.see("of 5 tickets left")
        visitor.page.get_by_text("4 of 5 tickets left").wait_for()

        assert visitor.page.input_value("#id_username") == "Zoë"
        assert visitor.run("() => document.activeElement.id") == "id_username"


def daily_event(**terms: Any) -> Event:
    """Return an event that draws tomorrow, with five places."""
    now = timezone.now()
    event = Event(
        name="Daily",
        slug="daily",
        start_date=(now + timedelta(days=1)).date(),
        draw_time=now.time().replace(second=0, microsecond=0),
        time_zone="America/New_York",
        max_participants=5,
        reward_name="Coffee",
        **terms,
    )
    return schedule_event(event, now=now, by="staff")


def test_countdown_and_the_visitors_own_time_move_nothing(visit: Visit) -> None:
    daily_event()
    visitor = visit(width=320)
    visitor.go("/e/daily/")
    visitor.page.locator(".countdown", has_text=":").wait_for()

    assert "your time" in visitor.text(".moment time")
    assert re.search(r"\d\d:\d\d E[SD]T$", visitor.text(".own"))
    assert "Draw" in visitor.text(".due")
    assert visitor.shift() == 0
    visitor.run("() => dispatchEvent(new Event('beforeprint'))")
    assert "your time" not in visitor.text(".moment time")


def test_page_counts_by_the_servers_clock_and_its_button_goes_at_the_closing(visit: Visit) -> None:
    closes_at = timezone.now().replace(microsecond=0) + timedelta(seconds=12)
    raffle = RaffleFactory.create(closes_at=closes_at, now=timezone.now())
    with Site("asgi").up() as site:  # whose stream says nothing of a closing
        visitor = visit(site.url)
        # The visitor's machine is an hour behind.
        visitor.page.clock.install(time=timezone.now() - timedelta(hours=1))
        page = visitor.go(f"/r/{raffle.uuid}/")
        page.locator(".countdown", has_text="00:00:").wait_for()
        assert "Entries close" in visitor.text(".due")
        assert page.is_visible("#take-part-button")

        page.wait_for_selector("#take-part-button", state="hidden")
        gone_at = timezone.now()
        visitor.see("The draw is about to begin.")
        told_at = timezone.now()
        visitor.go("/livez")

    assert timedelta(0) <= gone_at - closes_at < timedelta(seconds=2)
    assert told_at - closes_at < timedelta(seconds=5)


def test_card_of_the_first_page_is_a_link_as_a_whole(visit: Visit) -> None:
    raffle, _ = raffle_with_tickets(closes_at=timezone.now() + timedelta(hours=1))
    visitor = visit()
    visitor.go("/")

    stub = visitor.page.locator(".cards .ticket-stub")
    stub.click(position={"x": 5, "y": 20}, force=True)
    visitor.page.wait_for_url(f"**/r/{raffle.uuid}/")
    visitor.page.go_back()
    visitor.page.locator(".cards .prize").click(force=True)
    visitor.page.wait_for_url(f"**/r/{raffle.uuid}/")


def test_page_says_that_it_has_no_connection_and_goes_on_by_itself(visit: Visit) -> None:
    raffle_with_tickets()
    visitor = visit()
    page = visitor.go("/")

    page.context.set_offline(True)
    page.wait_for_selector(".unconnected", state="visible")
    page.context.set_offline(False)
    page.wait_for_selector(".unconnected", state="hidden")


def test_form_that_was_sent_is_sent_once(visit: Visit) -> None:
    raffle, _ = raffle_with_tickets()
    visitor = visit()
    page = visitor.go(f"/r/{raffle.uuid}/ticket/")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.route("**/ticket/", lambda route: route.fulfill(status=204))  # so that the page stays
    visitor.write("Number", "1")
    visitor.write("Code", "0000-0000-0000-0000-0000")

    visitor.run(PRESS_THRICE)
    page.wait_for_timeout(1_000)

    assert sent.count("POST") == 1
    assert visitor.run("() => document.querySelector('form.lookup').ariaBusy") == "true"


class TestScanning:
    """The ticket page reads QR codes where the browser can."""

    def test_button_is_hidden_where_the_browser_cannot(self, visit: Visit) -> None:
        raffle, _ = raffle_with_tickets()
        visitor = visit()
        visitor.go(f"/r/{raffle.uuid}/ticket/")

        assert not visitor.page.is_visible("[data-act=scan]")
        assert "picture" not in visitor.text("form")

    def test_code_in_front_of_the_camera_is_looked_up(self, visit: Visit) -> None:
        raffle, (entry, _) = raffle_with_tickets(prizes=(("Phone", 2),))
        take_to(State.DRAWN, raffle)
        visitor = scanning(visit, raffle)

        visitor.press("Scan the QR code")
        visitor.run("() => { window.seen = 'https://example.org/'; }")
        visitor.see("That QR code is no ticket.")
        visitor.run("(code) => { window.seen = code; }", code_of(raffle, entry))
        visitor.see("You have won!")

    def test_camera_goes_off_when_it_is_stopped(self, visit: Visit) -> None:
        raffle, _ = raffle_with_tickets()
        visitor = scanning(visit, raffle)

        visitor.press("Scan the QR code")
        visitor.page.wait_for_selector("video", state="visible")
        assert not visitor.run(IS_OFF)
        visitor.press("Stop the camera")
        visitor.page.wait_for_selector("video", state="hidden")

        assert visitor.run(IS_OFF)

    def test_camera_that_is_refused_is_said(self, visit: Visit) -> None:
        raffle, _ = raffle_with_tickets()
        visitor = scanning(visit, raffle)
        visitor.run("() => { window.refused = true; }")

        visitor.press("Scan the QR code")

        visitor.see("The camera cannot be used.")
        assert not visitor.page.is_visible("video")

    def test_ticket_of_another_raffle_leads_there(self, visit: Visit) -> None:
        here, _ = raffle_with_tickets()
        there, (entry, _) = raffle_with_tickets(name="Autumn raffle")
        visitor = scanning(visit, here)

        visitor.press("Scan the QR code")
        visitor.run("(code) => { window.seen = code; }", code_of(there, entry))
        visitor.page.wait_for_url(f"**/r/{there.uuid}/ticket/#*")

        assert visitor.page.input_value("#id_ticket_number") == str(entry.ticket_number)
        assert visitor.page.input_value("#id_verification_code") == entry.verification_code

    def test_picture_of_the_code_is_read(self, visit: Visit, tmp_path: Path) -> None:
        raffle, (entry, _) = raffle_with_tickets(prizes=(("Phone", 2),))
        take_to(State.DRAWN, raffle)
        visitor = scanning(visit, raffle)
        visitor.page.locator("header.site").screenshot(path=tmp_path / "code.png")
        visitor.run("(code) => { window.seen = code; }", code_of(raffle, entry))

        visitor.page.set_input_files("#file", tmp_path / "code.png")

        visitor.see("You have won!")


SHARES = """
navigator.canShare = () => true;
navigator.share = async ({ title, url, files }) => {
  const [file] = files;
  window.shared = { title, url, type: file.type, size: file.size };
};
"""


def test_ticket_is_saved_where_people_keep_things(visit: Visit, tmp_path: Path) -> None:
    """As a page, JSON and a picture; the page opens by itself, and is taken back."""
    raffle = RaffleFactory.create(total_tickets=1, now=timezone.now())
    visitor = visit(accept_downloads=True)
    visitor.page.add_init_script(SHARES)
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.press("Take part")
    visitor.see("This browser keeps your ticket.")
    address = visitor.page.url
    number, code = address.partition("#")[2].split(".")
    for name in ("Save the ticket", "As JSON", "As a picture"):
        with visitor.page.expect_download() as saving:
            visitor.press(name)
        saving.value.save_as(tmp_path / saving.value.suggested_filename)
    assert {path.name for path in tmp_path.iterdir()} == {"ticket-1.html", "ticket-1.json", PICTURE}
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
    visitor.press("Share")
    visitor.page.wait_for_function("() => window.shared")
    shared = visitor.run("() => window.shared")
    assert shared.pop("size") > 10_000
    assert shared == {"title": "Spring raffle", "url": address, "type": "image/png"}

    alone = visit(java_script_enabled=False)
    alone.page.context.set_offline(True)
    alone.page.goto("data:text/html," + quote((tmp_path / "ticket-1.html").read_text()))
    alone.see(code)
    assert alone.text("dd.number") == number
    assert alone.page.get_by_role("link").get_attribute("href") == address
    assert alone.page.locator(".qr svg").is_visible()

    # The ticket was taken by the real clock, so the draw comes by it, too.
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)
    (tmp_path / "other.json").write_text('{"number": 1}')
    for saved in ("ticket-1.html", "ticket-1.json"):
        reader = visit()
        reader.go(f"/r/{raffle.uuid}/ticket/")
        reader.page.set_input_files("#file", tmp_path / "other.json")
        reader.see("That file is no ticket.")
        reader.page.set_input_files("#file", tmp_path / saved)
        reader.see("You have won!")
        reader.press("Keep it in this browser")
        reader.see("This browser keeps your ticket.")
        kept = reader.run("(key) => localStorage.getItem(key)", f"mine {raffle.uuid} 1")
        assert json.loads(kept)["receipt"].keys() >= {"leaf", "signature"}

    reader.go(f"/r/{raffle.uuid}/result/")
    reader.page.locator(".self-check summary").click()
    reader.page.set_input_files("#files", tmp_path / "ticket-1.html")
    reader.page.locator(".checks .done[data-step=receipt]").wait_for()
