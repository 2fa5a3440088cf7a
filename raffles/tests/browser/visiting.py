"""A visitor with a real browser, who notices what people would not: errors, foreign requests."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from django.contrib.auth.models import User
from django.test import Client

if TYPE_CHECKING:  # a tool of development, which the browser's tests find or are skipped
    from playwright.sync_api import ConsoleMessage, Page, Request, Response, Route

# Of every module of these tests: what a server of its own reads must be committed.
BROWSER = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
]
CHROMIUM = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
# What comes once a page is there, within a budget of its own (test_compressed.py).
VERIFIER = re.compile(r"/static/raffles/(verify[a-z-]*|loading)\.js$")
PATIENCE = 30_000  # milliseconds
# A browser tells these alone of what it refuses, and of what moves under the reader's eyes.
WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

Visit: TypeAlias = "Callable[..., Visitor]"


class Visitor:
    """One window of a browser that knows nothing from before; paths are of `url`.

    `faults` are errors and warnings of the console, with what the policy refused; `lost` the
    requests that failed or were refused; `foreign` those to anybody else, none of which is sent.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        self.lost: list[str] = []
        self.foreign: list[str] = []
        self._responses: list[Response] = []
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", self._lose)
        page.on("response", self._receive)
        page.context.route(lambda address: not self._is_own(address), self._refuse)

    def log_in(self, user: User) -> None:
        """Go on as a member of the staff who has logged in."""
        client = Client()
        client.force_login(user)
        session = client.cookies["sessionid"].value
        self.page.context.add_cookies([{"name": "sessionid", "value": session, "url": self.url}])

    def go(self, path: str) -> Page:
        """Return the page at a path, loaded and quiet."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page

    def leave(self) -> None:
        """Close the window, which would keep polling."""
        self.page.context.close()

    def see(self, text: str) -> None:
        """Wait until that text is visible."""
        self.page.get_by_text(text).filter(visible=True).first.wait_for()

    def write(self, label: str, text: str) -> None:
        """Fill the field with that label."""
        self.page.get_by_label(label, exact=True).fill(text)

    def press(self, name: str) -> None:
        """Press the button or link with that name."""
        role = self.page.get_by_role
        role("button", name=name).or_(role("link", name=name)).first.click()

    def text(self, selector: str = "main") -> str:
        """Return the visible text there, with single spaces."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def weight(self) -> int:
        """Return the bytes of all that the page loaded, compressed as by nginx.

        Pictures and the verifier are not in them.
        """
        kinds = ("document", "script", "stylesheet", "fetch", "xhr", "other")
        return sum(
            len(gzip.compress(response.body(), compresslevel=5))
            for response in self._responses
            if response.request.resource_type in kinds
            and response.ok
            and not VERIFIER.search(response.url)
        )

    def shift(self) -> float:
        """Return the cumulative layout shift."""
        moved: float = self.page.evaluate("window.shifted")
        return moved

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function in the page, and return its result."""
        return self.page.evaluate(script, *arguments)

    def _is_own(self, address: str) -> bool:
        return address.startswith((self.url + "/", "data:", "blob:", "about:"))

    def _refuse(self, route: Route, request: Request) -> None:
        self.foreign.append(request.url)
        route.abort()

    def _hear(self, message: ConsoleMessage) -> None:
        # What failed to load is in `lost`, with its address.
        if message.type in ("error", "warning") and not re.match("Failed to load", message.text):
            self.faults.append(message.text)

    def _lose(self, request: Request) -> None:
        # Whoever leaves a page ends its stream, which is nothing lost.
        if (request.resource_type, request.failure) != ("eventsource", "net::ERR_ABORTED"):
            self.lost.append(self._path(request.url))

    def _receive(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._responses = []
        self._responses.append(response)
        if not response.ok and not 300 <= response.status < 400:
            self.lost.append(f"{response.status} {self._path(response.url)}")

    def _path(self, address: str) -> str:
        return address.removeprefix(self.url)
