"""A page of another site, in a real browser, can do nothing in its visitor's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from raffles.models import Raffle, State, Ticket
from raffles.tests.browser.serving import Site, calling_from
from raffles.tests.browser.visiting import BROWSER
from raffles.tests.factories import RaffleFactory

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Browser, Page

pytestmark = BROWSER

# What a page may send across sites without asking: by script, by beacon, and as a form.
SENDING = {
    "fetch": "fetch(there, {method: 'POST', mode: 'no-cors'})",
    "fetch with a body": "fetch(there, {method: 'POST', mode: 'no-cors', body: '{}'})",
    "beacon": "navigator.sendBeacon(there)",
    "hidden referrer": (
        "fetch(there, {method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer'})"
    ),
}
FORM = """(there) => {
  const form = document.createElement("form");
  form.method = "POST"; form.action = there; document.body.append(form); form.submit();
}"""


@contextmanager
def elsewhere() -> Iterator[int]:
    """Yield the port of a server with an empty page, a different origin under each name."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Elsewhere</title><body>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(params=["127.0.0.1", "localhost"])  # the same site, and another
def foreign(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """Yield a window on a page of another origin."""
    context = chromium.new_context()
    with elsewhere() as port:
        page = context.new_page()
        page.goto(f"http://{request.param}:{port}/")
        yield page
        context.close()


def answer_to(page: Page, script: str, there: str) -> int:
    """Return the status that the site gives to what a script on the page sends."""
    with page.expect_response(lambda response: response.url == there) as found:
        page.evaluate(script, there)
    return int(found.value.status)


@pytest.mark.parametrize("name", SENDING)
def test_other_sites_spend_nobodys_ticket(foreign: Page, served: Site, name: str) -> None:
    raffle = RaffleFactory.create()
    there = f"{served.url}/raffles/{raffle.uuid}/participate/"

    assert answer_to(foreign, f"(there) => {{ {SENDING[name]} }}", there) == 403
    assert not Ticket.objects.exists()

    foreign.goto(f"{served.url}/r/{raffle.uuid}/")  # from here it would have worked
    assert answer_to(foreign, f"(there) => {{ {SENDING['fetch']} }}", there) == 201
    assert Ticket.objects.count() == 1


def test_other_sites_forms_get_a_page_that_says_so(foreign: Page, served: Site) -> None:
    raffle = RaffleFactory.create()

    assert answer_to(foreign, FORM, f"{served.url}/r/{raffle.uuid}/") == 403

    foreign.get_by_text("That did not come from this page.").first.wait_for()
    assert not Ticket.objects.exists()
    foreign.get_by_role("link", name="Back").click()
    foreign.get_by_role("button", name="Take part").first.click()
    foreign.wait_for_url("**/ticket/#*")


def test_other_sites_draw_in_no_managers_name(foreign: Page, served: Site) -> None:
    raffle = RaffleFactory.create(tickets=3)
    with calling_from("127.0.0.9", served) as url:
        there = f"{url}/raffles/{raffle.uuid}/winners/"
        script = f"(there) => {{ {SENDING['fetch']} }}"

        assert answer_to(foreign, script, there) == 403
        assert answer_to(foreign, FORM, there) == 403
        foreign.wait_for_url(there)
        assert Raffle.objects.get().state == State.OPEN

        foreign.goto(f"{url}/r/{raffle.uuid}/")
        assert answer_to(foreign, script, there) == 201
        assert Raffle.objects.get().state == State.DRAWN
