"""The visitor's device as a witness: it keeps the seal and computes what it is not told yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from pytest_django import DjangoDbBlocker

from raffles.domain.drawing import advance, void_raffle
from raffles.domain.entering import Entry, enter
from raffles.domain.keys import signer
from raffles.domain.pool import build_tree
from raffles.domain.sealing import close, seal
from raffles.fairness.verify import hash_commitment, time_of_round
from raffles.models import Raffle, State
from raffles.tests.browser.serving import Site, announce_keys_long_ago
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import STAFF, RaffleFactory, address
from raffles.tests.fairness import relay as relays
from raffles.tests.fairness.relay import Relay

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Browser

pytestmark = BROWSER
ROUND_AT = datetime.fromtimestamp(time_of_round(42), UTC)
SEALED_AT = ROUND_AT - timedelta(minutes=1)
BEFORE = SEALED_AT - timedelta(minutes=9)
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("blocked", "SecurityError"); },
});"""


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


@pytest.fixture(scope="module")
def site(
    chromium: Browser, django_db_setup: None, django_db_blocker: DjangoDbBlocker, relay: Relay
) -> Iterator[Site]:
    """Yield a site that asks that relay."""
    announce_keys_long_ago(django_db_blocker)
    with Site(DRAND_RELAYS=relay.url).up() as site:
        yield site


def raffle_with_tickets() -> tuple[Raffle, list[Entry]]:
    """A sold-out raffle of three for the beacon, with one prize and one alternate."""
    raffle = RaffleFactory.create(
        name="Lighthouse", entropy="drand", prizes=(("Binoculars", 1),), now=BEFORE
    )
    entries = [enter(raffle.uuid, identity=f"ip:{address(n)}", now=BEFORE) for n in range(3)]
    return raffle, entries


def seal_it(raffle: Raffle) -> None:
    """Seals it for round 42, which has long been spoken."""
    close(raffle.pk, now=SEALED_AT, by=STAFF)
    seal(raffle.pk, build_tree(raffle), clock=lambda: SEALED_AT, by=STAFF)


def words_by_ticket(raffle: Raffle, relay: Relay, settings: Any) -> dict[int, str]:
    """Draws, and returns what each ticket should have been told."""
    settings.DRAND_RELAYS = [relay.url]
    assert advance(raffle.pk, now=ROUND_AT, clock=lambda: ROUND_AT, by=STAFF)
    drawn = {winner.ticket_number(): winner for winner in raffle.winners.all()}
    words = {}
    for n in range(1, 4):
        if n not in drawn:
            words[n] = f"Ticket {n} was not drawn."
        elif drawn[n].prize:
            words[n] = f"Ticket {n} has won: Binoculars"
        else:
            words[n] = f"Ticket {n} is drawn as an alternate, with rank 2."
    return words


def hand_in(visitor: Visitor, entry: Entry) -> None:
    """Chooses the file that was saved with the ticket."""
    saved = {
        "raffle_id": str(entry.raffle_id),
        "ticket_number": entry.ticket_number,
        "verification_code": entry.verification_code,
        "receipt": entry.receipt,
    }
    visitor.page.set_input_files(
        "#file",
        {
            "name": "ticket.json",
            "mimeType": "application/json",
            "buffer": json.dumps(saved).encode(),
        },
    )
    visitor.see("Number and code belong together.")


def look_again(visitor: Visitor) -> None:
    """What coming back to the window does."""
    visitor.run("() => { document.dispatchEvent(new Event('visibilitychange')); }")


def commitment_of(raffle: Raffle) -> dict[str, Any]:
    answer: dict[str, Any] = Client().get(f"/raffles/{raffle.uuid}/commitment/").json()
    return answer


def another_seal(raffle: Raffle) -> dict[str, Any]:
    """A second seal by the operator's own key, over another pool."""
    commitment = commitment_of(raffle)["commitment"] | {"root": "00" * 32}
    digest = hash_commitment(commitment)
    return {
        "commitment": commitment,
        "commitment_hash": digest.hex(),
        **signer().seal(digest),
    }


def kept(visitor: Visitor, raffle: Raffle) -> str | None:
    text: str | None = visitor.run("(key) => localStorage.getItem(key)", f"seal {raffle.uuid}")
    return text


def test_result_is_computed_before_the_site_tells_it(
    visit: Visit, site: Site, relay: Relay, settings: Any
) -> None:
    raffle, entries = raffle_with_tickets()
    relay.behave(42, relays.late)
    windows = [visit(site.url) for _ in entries]
    for visitor, entry in zip(windows, entries, strict=True):
        visitor.go(f"/r/{raffle.uuid}/ticket/")
        hand_in(visitor, entry)
        visitor.see("As soon as the tickets are sealed")

    seal_it(raffle)
    for visitor in windows:
        look_again(visitor)
        visitor.see("The seal is kept in this browser since")
        assert json.loads(kept(visitor, raffle) or "") == commitment_of(raffle)
    relay.behave(42, relays.honest)
    told = {}
    for visitor, entry in zip(windows, entries, strict=True):
        look_again(visitor)
        visitor.see("Computed by this device")
        told[entry.ticket_number] = visitor.text(".keeping .lead:visible")
        visitor.see("this site has not said who won")

    raffle.refresh_from_db()
    assert raffle.state == State.SEALED
    assert told == words_by_ticket(raffle, relay, settings)
    for visitor, entry in zip(windows, entries, strict=True):
        has_won = told[entry.ticket_number].endswith("Binoculars")
        visitor.see("You have won!" if has_won else "This ticket has not won.")
        visitor.see("Checked by this device")
        assert visitor.page.locator(".keeping .lead:visible").count() == 0


def test_result_stays_with_a_reload_in_another_tab_and_without_the_inclusion(
    visit: Visit, site: Site
) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])
    seal_it(raffle)
    look_again(visitor)
    visitor.see("Computed by this device")
    told = visitor.text(".keeping .lead:visible")

    void_raffle(raffle.uuid, reason="The wrong one won", now=datetime.now(UTC), by=STAFF)
    other = Visitor(visitor.page.context.new_page(), site.url)
    for gone in ("**/inclusion/", "**/beacon/", "**/commitment/"):
        visitor.page.context.route(gone, lambda route: route.fulfill(status=404))
    for window in (visitor, other):
        window.go(f"/r/{raffle.uuid}/ticket/")
        window.see("The raffle was called off after its random number was public.")
        assert window.text(".keeping .lead:visible") == told


def test_seal_that_is_kept_before_its_number_exists_is_worth_more(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.page.clock.set_fixed_time(SEALED_AT)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])

    seal_it(raffle)
    look_again(visitor)
    visitor.see("before its random number existed")
    assert visitor.page.locator(".keeping .lead:visible").count() == 0
    visitor.page.clock.set_fixed_time(ROUND_AT + timedelta(seconds=30))
    look_again(visitor)

    visitor.see("Computed by this device")
    visitor.see("It usually does within a minute or two.")
    visitor.see("before its random number existed")


def test_late_visitor_is_told_that_the_seal_may_be_younger(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    seal_it(raffle)
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/ticket/")

    hand_in(visitor, entries[0])

    visitor.see("after its random number existed")


def test_site_that_falls_silent_leaves_the_result_to_the_device(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.page.clock.set_fixed_time(SEALED_AT)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])
    seal_it(raffle)
    look_again(visitor)
    visitor.see("before its random number existed")
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.context.set_offline(True)

    visitor.page.clock.set_fixed_time(ROUND_AT + timedelta(minutes=11))
    look_again(visitor)
    visitor.see("for 11 minutes, and this site has not said who won")
    visitor.write("What the beacon says", relays.ROUNDS[42])

    visitor.see("Computed by this device")


def test_raffle_page_watches_for_those_who_took_part(visit: Visit, site: Site) -> None:
    raffle = RaffleFactory.create(entropy="drand")
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/")
    assert visitor.page.locator(".keeping:visible").count() == 0

    visitor.press("Take part")

    visitor.see("As soon as the tickets are sealed")
    visitor.go(f"/r/{raffle.uuid}/")
    visitor.see("As soon as the tickets are sealed")


def test_second_seal_is_shown_loudly(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])
    seal_it(raffle)
    look_again(visitor)
    visitor.see("The seal is kept in this browser since")
    first, second = commitment_of(raffle), another_seal(raffle)

    visitor.page.route("**/commitment/", lambda route: route.fulfill(json=second))
    look_again(visitor)
    visitor.see("Two different seals of this raffle were signed.")

    saved = []
    for name in ("Save the seal", "Save the other seal"):
        with visitor.page.expect_download() as saving:
            visitor.press(name)
        saved.append(json.loads(saving.value.path().read_text()))
    assert saved == [first, second]
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    visitor.see("Two different seals of this raffle were signed.")


def test_forged_seal_is_neither_kept_nor_taken_for_a_second(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])
    seal_it(raffle)
    forged = another_seal(raffle) | {"signature": "00" * 64}

    visitor.page.route("**/commitment/", lambda route: route.fulfill(json=forged))
    look_again(visitor)

    visitor.see("The seal does not hold.")
    visitor.see("the signature of the commitment is wrong")
    assert kept(visitor, raffle) is None


def test_seal_of_other_terms_than_the_receipts_is_called_that(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])
    seal_it(raffle)
    other = another_seal(raffle)
    other["commitment"]["terms"]["name"] = "Lighthouse, the second"
    digest = hash_commitment(other["commitment"])
    other |= {"commitment_hash": digest.hex(), **signer().seal(digest)}

    visitor.page.route("**/commitment/", lambda route: route.fulfill(json=other))
    look_again(visitor)

    visitor.see("the receipt was given for other terms")


def test_beacon_is_taken_from_the_visitor_where_the_site_has_none(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.page.route("**/beacon/", lambda route: route.fulfill(status=503))
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])
    seal_it(raffle)
    look_again(visitor)
    visitor.see("The random number could not be had from this site.")

    visitor.write("What the beacon says", relays.TORSION_42)
    visitor.see("That is not the beacon's number for this draw.")
    visitor.write("What the beacon says", json.dumps({"signature": relays.ROUNDS[42]}))

    visitor.see("Computed by this device")


def test_browser_without_storage_still_computes(visit: Visit, site: Site) -> None:
    raffle, entries = raffle_with_tickets()
    visitor = visit(site.url)
    visitor.page.add_init_script(NO_STORAGE)
    visitor.go(f"/r/{raffle.uuid}/ticket/")
    hand_in(visitor, entries[0])

    seal_it(raffle)
    look_again(visitor)

    visitor.see("Computed by this device")
    visitor.see("This browser lets us keep nothing. Save the seal as a file.")


def test_page_is_as_it_was_without_scripts(visit: Visit, site: Site) -> None:
    raffle, _ = raffle_with_tickets()
    visitor = visit(site.url, java_script_enabled=False)

    visitor.go(f"/r/{raffle.uuid}/ticket/")

    assert visitor.page.locator(".keeping:visible").count() == 0
    visitor.see("Was I in, did I win?")


@pytest.mark.parametrize("is_another", [False, True])
def test_kept_seal_takes_part_in_the_check(
    visit: Visit, site: Site, relay: Relay, settings: Any, is_another: bool
) -> None:
    raffle, _ = raffle_with_tickets()
    seal_it(raffle)
    words_by_ticket(raffle, relay, settings)
    kept_seal = another_seal(raffle) if is_another else commitment_of(raffle)
    visitor = visit(site.url)
    visitor.go(f"/r/{raffle.uuid}/result/")
    visitor.run(
        "([key, seal]) => localStorage.setItem(key, seal)",
        [f"seal {raffle.uuid}", json.dumps(kept_seal)],
    )

    visitor.go(f"/r/{raffle.uuid}/result/")

    if is_another:
        visitor.see("The operator signed a second seal for this draw.")
        visitor.see("two signed commitments for one draw")
    else:
        visitor.see("Verified here, but not witnessed.")
        visitor.page.locator(".self-check summary").click()
        visitor.see("the commitment you kept is the drawn one")
