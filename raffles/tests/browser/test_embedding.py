"""A raffle in a frame on another site's page, with strict policies on both sides."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from raffles.models import Raffle
from raffles.tests.browser.scenes import draw_by_beacon, sealed_for_beacon
from raffles.tests.browser.serving import Site
from raffles.tests.browser.visiting import BROWSER
from raffles.tests.serving import free_port

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Browser, Page, Response

pytestmark = BROWSER
HEAVIEST = 15 * 1024  # bytes, compressed, before anybody presses the button


@contextmanager
def club(port: int, framed: str, site: Site) -> Iterator[str]:
    """Yield the address of a page that frames a path of the site and may load nothing else."""
    page = (
        f'<!doctype html><title>Club</title><iframe src="{site.url}{framed}" title="Raffle" '
        'width="100%" height="420" frameborder="0" loading="lazy"></iframe>'
    )

    class Club(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Security-Policy", f"default-src 'none'; frame-src {site.url}")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Club) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{port}/"
        server.shutdown()


def at(chromium: Browser, address: str) -> tuple[Page, list[Response], list[str]]:
    """Return a window at an address, what it receives, and what its console complains of."""
    page = chromium.new_context(locale="en-GB").new_page()
    received: list[Response] = []
    said: list[str] = []
    page.on("response", lambda response: received.append(response))  # noqa: PLW0108
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page, received, said


def drawn() -> Raffle:
    return draw_by_beacon(sealed_for_beacon(of=3), seen=2)


def test_raffle_is_framed_and_checked_where_it_may_be(chromium: Browser, served: Site) -> None:
    framed = f"/embed/r/{drawn().uuid}/"
    port = int(served.embedder.rpartition(":")[2])
    with club(port, framed, served) as address:
        page, received, said = at(chromium, address)
        frame = page.frames[1]
        frame.get_by_text("Binoculars").wait_for()
        ours = [each for each in received if each.url.startswith(served.url)]
        assert sum(len(gzip.compress(each.body(), 5)) for each in ours) < HEAVIEST
        assert not [each.url for each in ours if "verify" in each.url or "proof" in each.url]

        frame.get_by_role("button", name="Check it").click()
        frame.get_by_text("Checked by this device in").first.wait_for()
        shown = frame.locator("[data-verdict]:visible")
        assert shown.get_attribute("data-verdict") == "witnessed"

        frame.evaluate("document.querySelector('[data-rank]').dataset.tickets = '77'")
        frame.get_by_role("button", name="Check it").click()
        frame.get_by_text("The winners on this page are not those").wait_for()
        with page.context.expect_page() as opening:
            frame.get_by_role("link", name="See the whole result").click()
        assert opening.value.url.endswith("/result/")
        assert (said, page.context.cookies()) == ([], [])
        page.context.close()


def test_frame_is_refused_where_it_may_not_be(chromium: Browser, served: Site) -> None:
    raffle = drawn()
    allowed = int(served.embedder.rpartition(":")[2])
    frames = {
        "another origin": (free_port(), f"/embed/r/{raffle.uuid}/"),
        "another page of the site": (allowed, f"/r/{raffle.uuid}/result/"),
    }
    for name, (port, framed) in frames.items():
        with club(port, framed, served) as address:
            page, _, said = at(chromium, address)
            page.wait_for_timeout(200)
            assert page.frames[1].url.startswith("chrome-error:"), name
            assert "Binoculars" not in page.frames[1].content()
            assert [text for text in said if "frame-ancestors" in text], name
            page.context.close()
