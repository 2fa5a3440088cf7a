"""Whoever keeps a ticket opens it without a network; nobody else is given a worker."""

from __future__ import annotations

import pytest

from raffles.tests.browser.serving import Site
from raffles.tests.browser.test_ticket_at_home import take_part
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import RaffleFactory

pytestmark = BROWSER
WORKERS = "() => navigator.serviceWorker.getRegistrations().then((all) => all.length)"
CACHES = "() => caches.keys().then((all) => all.length)"
READY = "() => navigator.serviceWorker.ready.then(() => null)"


def has_worker(visitor: Visitor) -> tuple[int, int]:
    """Return how many workers and caches the site has in that browser."""
    return visitor.run(WORKERS), visitor.run(CACHES)


def test_tickets_open_without_a_server_and_the_page_comes_back(visit: Visit) -> None:
    raffle, other = RaffleFactory.create(), RaffleFactory.create(name="Choir trip")
    with Site().up() as site:
        visitor = visit(site.url)
        number, code = take_part(visitor, raffle)
        take_part(visitor, other)
        visitor.run(READY)
        visitor.go("/log/")
        site.kill()

        visitor.go(f"/r/{raffle.uuid}/ticket/#{number}.{code}")
        visitor.see("No connection")
        tickets = visitor.page.locator("[data-tickets]")
        assert tickets.locator(".ticket-of").all_inner_texts() == ["Spring raffle"]
        assert tickets.locator("[data-number]").inner_text() == str(number)
        assert tickets.locator("[data-code]").text_content() == code
        assert tickets.locator(".qr svg").is_visible()

        visitor.go("/winners/")  # for the first time
        visitor.see("No connection")
        assert visitor.page.locator("[data-tickets] .ticket").count() == 2
        visitor.go("/de/my-tickets/")
        visitor.see("Keine Verbindung")
        visitor.see("Choir trip")

    with site.up():
        visitor.press("Noch einmal versuchen")
        visitor.see("Meine Lose")
        visitor.go("/winners/")
        assert visitor.page.get_by_role("heading", name="No connection").count() == 0


@pytest.mark.parametrize("path", ["/my-tickets/", "/winners/", "/admin/login/"])
def test_operator_takes_the_worker_back(visit: Visit, path: str) -> None:
    site = Site()
    with site.up():
        visitor = visit(site.url)
        take_part(visitor, RaffleFactory.create())
        visitor.run(READY)
        assert has_worker(visitor) == (1, 1)

    site.environment["OFFLINE"] = "off"
    with site.up():
        visitor.go(path)
        visitor.page.wait_for_function(f"async () => !await ({WORKERS})() && !await ({CACHES})()")
        visitor.go("/my-tickets/")
        visitor.see("Spring raffle")
        visitor.page.reload()
        assert has_worker(visitor) == (0, 0)


def test_worker_stands_aside_for_the_back_office_forms_files_and_streams(visit: Visit) -> None:
    raffle = RaffleFactory.create()
    with Site().up() as site:
        visitor = visit(site.url)
        take_part(visitor, raffle)
        visitor.run(READY)
        visitor.go("/log/")  # the first page that the worker answers for
        asked: dict[str, bool] = {}
        visitor.page.on(
            "response",
            lambda answer: asked.update({answer.url: answer.from_service_worker}),
        )
        visitor.go(f"/r/{raffle.uuid}/")
        visitor.go("/admin/login/")
        visitor.run(
            """(url) => Promise.all([
              fetch("/my-tickets/", { method: "POST" }),
              fetch(url),
              new Promise((over) => { new EventSource(`${url}stream/`).onerror = over; }),
            ])""",
            f"/raffles/{raffle.uuid}/",
        )
        passed = {
            url.removeprefix(site.url) for url, is_from_worker in asked.items() if is_from_worker
        }
        assert f"/r/{raffle.uuid}/" in passed
        others = {path for path in passed if not path.startswith("/static/")}
        assert others == {f"/r/{raffle.uuid}/"}
        assert len(asked) > len(passed)

        site.kill()
        with pytest.raises(Exception, match=r"ERR_CONNECTION_RE(FUSED|SET)"):
            visitor.page.goto(f"{site.url}/admin/login/")


def test_worker_comes_with_the_first_ticket_and_goes_with_the_last(visit: Visit) -> None:
    visitor = visit()
    raffle = RaffleFactory.create()
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.go("/my-tickets/")
    assert has_worker(visitor) == (0, 0)

    take_part(visitor, raffle)
    visitor.run(READY)
    visitor.go("/my-tickets/")
    assert has_worker(visitor) == (1, 1)

    visitor.page.on("dialog", lambda dialog: dialog.accept())
    visitor.press("Forget it here")
    visitor.see("This browser keeps no ticket.")
    visitor.page.wait_for_function("() => caches.keys().then((all) => all.length === 0)")
    visitor.page.reload()
    assert has_worker(visitor) == (0, 0)
