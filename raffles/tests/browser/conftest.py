"""One Chromium and one server for all of these tests; a new window for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from raffles.tests.browser.serving import Site, announce_keys_long_ago
from raffles.tests.browser.visiting import CHROMIUM, Visit, Visitor

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Browser, BrowserContext


collect_ignore = [] if settings.HAS_ACCOUNTS else ["test_staff_accounts.py"]


# Of the package, not of the session: Playwright keeps an event loop running, in which no test of
# the live stream could run its own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a screen: as the shell that never had one, where it is installed.

    It is the same engine, and takes half the processor's time.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs Playwright (requirements-dev.txt)"
    )
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if not program:
        pytest.skip("needs Debian's package chromium-headless-shell or chromium")
    # The loop stands still while a test runs, so Django need not guard its connections.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=CHROMIUM)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def served(
    chromium: Browser, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """Yield the site; a test that kills it starts one of its own."""
    announce_keys_long_ago(django_db_blocker)
    with Site().up() as site:
        yield site


@pytest.fixture
def visit(chromium: Browser, served: Site) -> Iterator[Visit]:
    """Yield `visit()`, or `visit(dark=True, width=320)`: a new window, which must not misbehave.

    `url` is another address of the site than the usual one; the rest is as Playwright's
    `new_context` takes it.
    """
    windows: list[tuple[BrowserContext, Visitor]] = []

    def open_window(
        url: str = "", *, dark: bool = False, width: int = 1280, **kind: Any
    ) -> Visitor:
        kind = {"locale": "en-GB", "timezone_id": "Europe/Berlin"} | kind
        context = chromium.new_context(
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 800},
            **kind,
        )
        visitor = Visitor(context.new_page(), url or served.url)
        windows.append((context, visitor))
        return visitor

    yield open_window
    for context, _ in windows:
        context.close()
    assert [fault for _, visitor in windows for fault in visitor.faults] == []
    assert [address for _, visitor in windows for address in visitor.foreign] == []
