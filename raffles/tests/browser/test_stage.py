"""The stage by keyboard: nobody's number early, nobody's twice, whatever happens to the server."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from raffles.domain.drawing import advance
from raffles.domain.pool import build_tree
from raffles.domain.prizes import forfeit, replace_winner
from raffles.domain.sealing import seal
from raffles.models import Raffle, Replacement, State, Winner
from raffles.tests.browser.scenes import draw_by_beacon, sealed_for_beacon
from raffles.tests.browser.serving import Site
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import NOW, STAFF, RaffleFactory, take_to

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Route

pytestmark = BROWSER
LISTED_WHILE_ROLLING = """() => {
  window.listed = [];
  new MutationObserver(() => {
    const isRolling = document.querySelector(".slip b.rolling");
    const numbers = document.querySelectorAll(".revealed .number");
    if (isRolling) window.listed = Array.from(numbers, (number) => number.textContent);
  }).observe(document.querySelector(".revealed"), { childList: true });
}"""
STILL = {"reduced_motion": "reduce"}


def drawn(prizes: int = 6, **terms: object) -> tuple[Raffle, list[str]]:
    """Return a drawn raffle of four-digit tickets, and its winners in the order of revealing."""
    raffle = RaffleFactory.create(
        **{"total_tickets": 9000, "tickets": prizes + 2, "alternates": 2, **terms},
        prizes=(("Phone", prizes),),
        closes_at=NOW + timedelta(hours=1),
    )
    advance(raffle.pk, now=NOW + timedelta(hours=2), clock=timezone.now, by=STAFF)
    winners = Winner.objects.of_prizes().filter(raffle=raffle).order_by("-rank")
    return raffle, [str(winner.ticket_number()) for winner in winners]


def at_the_stage(visitor: Visitor, raffle: Raffle) -> Visitor:
    visitor.go(f"/r/{raffle.uuid}/stage/")
    visitor.page.locator("[data-scene=ready]:visible, [data-scene=reveal]:visible").wait_for()
    return visitor


def press(visitor: Visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)


def in_the_light(visitor: Visitor) -> str:
    """Return the number on the large ticket."""
    return visitor.text(".slip .number b")


def revealed(visitor: Visitor) -> list[str]:
    """Return the numbers in the list, the latest first."""
    rows = visitor.page.locator(".revealed .number").all()
    return [row.text_content() or "" for row in rows]  # also of those scrolled out of sight


def seen(visitor: Visitor, numbers: list[str]) -> list[str]:
    """Return which of the numbers are anywhere in the document."""
    document = visitor.page.content()
    return [number for number in numbers if f">{number}<" in document]


def test_space_reveals_one_by_one_and_nobody_early(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(**STILL), raffle)
    assert seen(visitor, winners) == []

    for count, number in enumerate(winners, start=1):
        press(visitor, " " if count % 2 else "ArrowRight")
        assert in_the_light(visitor) == number
        assert revealed(visitor) == winners[:count][::-1]
        assert seen(visitor, winners) == winners[:count]
    press(visitor, " ")

    assert in_the_light(visitor) == winners[-1]


def test_arrows_go_back_and_forth_and_reveal_nobody_again(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(**STILL), raffle)
    press(visitor, " ", " ", " ")

    press(visitor, "ArrowLeft", "ArrowLeft", "ArrowLeft")
    first = in_the_light(visitor)
    press(visitor, "ArrowRight")

    assert (first, in_the_light(visitor)) == (winners[0], winners[1])
    assert seen(visitor, winners) == winners[:3]


def test_digits_roll_until_they_settle_or_escape_is_pressed(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(), raffle)

    press(visitor, " ")
    rolling = visitor.page.locator(".slip b.rolling").count()
    early = revealed(visitor)
    press(visitor, "Escape")

    assert (rolling, early) == (1, [])
    assert (in_the_light(visitor), revealed(visitor)) == (winners[0], [winners[0]])
    press(visitor, " ")
    visitor.page.locator(".slip b.rolling").wait_for(state="detached")
    assert in_the_light(visitor) == winners[1]


def test_nothing_rolls_where_motion_is_unwanted(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(**STILL), raffle)
    visitor.run(
        """() => {
          window.painted = [];
          const digits = document.querySelector(".slip .number b");
          const note = () => window.painted.push(digits.textContent);
          new MutationObserver(note).observe(digits, { childList: true, characterData: true });
        }"""
    )

    press(visitor, " ")
    visitor.page.wait_for_function("window.painted.length")
    visitor.page.wait_for_timeout(300)  # in which more would follow

    assert visitor.run("window.painted") == winners[:1]


def test_end_reveals_all_at_once_and_escape_leaves(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(), raffle)

    press(visitor, " ", "End")
    all_of_them = (revealed(visitor), visitor.page.locator("[data-scene]:visible").count())
    press(visitor, "Escape")

    assert all_of_them == (winners[::-1], 0)
    assert in_the_light(visitor) == winners[-1]


def test_killed_server_and_reload_bring_nobody_early_and_nobody_twice(visit: Visit) -> None:
    raffle, winners = drawn()
    site = Site()
    with site.up():
        visitor = at_the_stage(visit(site.url, **STILL), raffle)
        press(visitor, " ", " ")
        site.kill()
        visitor.see("No connection. The stage goes on with what it knows.")
        press(visitor, " ")
        alone = (in_the_light(visitor), seen(visitor, winners))
    with site.up():
        at_the_stage(visitor, raffle)  # again: everything it knew is gone with the page
        again = (in_the_light(visitor), seen(visitor, winners))
        press(visitor, " ")
        next_one = (in_the_light(visitor), seen(visitor, winners))

    assert alone == (winners[2], winners[:3])
    assert again == alone
    assert next_one == (winners[3], winners[:4])


def test_reload_while_digits_roll_shows_that_one_and_no_other(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(), raffle)
    press(visitor, " ")

    visitor.page.reload()
    visitor.page.locator("[data-scene=reveal]:visible").wait_for()

    assert (in_the_light(visitor), seen(visitor, winners)) == (winners[0], winners[:1])


def test_draw_arrives_while_the_room_waits(visit: Visit) -> None:
    raffle = RaffleFactory.create(tickets=3, closes_at=timezone.now() + timedelta(hours=1))
    visitor = visit()
    visitor.go(f"/r/{raffle.uuid}/stage/")
    visitor.see("The draw begins in")

    take_to(State.CLOSED, raffle)
    visitor.see("Entries are closed. The tickets are being sealed.")
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)

    visitor.see("Press space for the first.")


def test_forfeited_prize_is_said_to_be_so_and_names_no_winner(visit: Visit) -> None:
    raffle, winners = drawn(prizes=2)
    lost = int(winners[0])
    visitor = at_the_stage(visit(**STILL), raffle)
    press(visitor, " ")
    assert visitor.page.locator(".slip .name:visible").count() == 0

    forfeit(raffle.uuid, ticket_number=lost, reason="Away", now=timezone.now(), by=STAFF)
    visitor.see("Forfeited")

    row = visitor.page.locator(".revealed li").first
    assert row.locator("s.number").text_content() == winners[0]
    assert row.locator(".lost").text_content() == "Forfeited"
    visitor.page.reload()
    visitor.page.locator(".slip b.forfeited").wait_for()
    press(visitor, " ")
    assert visitor.page.locator(".slip b.forfeited").count() == 0

    replace_winner(raffle.uuid, ticket_number=lost, reason="Away", now=timezone.now(), by=STAFF)
    visitor.page.locator(".revealed s").wait_for(state="detached")


class TestOperator:
    """Who is logged in gives the prize of an absent winner to the next alternate."""

    @pytest.fixture
    def operator(self, visit: Visit) -> Visitor:
        visitor = visit(**STILL)
        visitor.log_in(User.objects.create_superuser("sam"))
        return visitor

    def go(self, operator: Visitor, raffle: Raffle) -> None:
        operator.go(f"/admin/raffles/raffle/{raffle.uuid}/stage/")
        operator.see("Press space for the first.")

    def test_absent_winner_is_replaced_before_the_room(
        self, visit: Visit, operator: Visitor
    ) -> None:
        raffle, winners = drawn()
        room = at_the_stage(visit(**STILL), raffle)
        self.go(operator, raffle)
        press(operator, " ")
        press(room, " ")

        press(operator, "r")
        operator.page.keyboard.type("Not in the hall")
        press(operator, "Enter")
        operator.see(f"in place of ticket {winners[0]}: Not in the hall")

        alternate = str(Replacement.objects.get().alternate.ticket_number())
        assert (in_the_light(operator), revealed(operator)) == (alternate, [alternate])
        room.see(f"in place of ticket {winners[0]}: Not in the hall")
        assert (in_the_light(room), revealed(room)) == (alternate, [alternate])
        assert seen(room, winners) == []

    def test_space_in_the_reason_reveals_nobody_and_escape_replaces_nobody(
        self, operator: Visitor
    ) -> None:
        raffle, winners = drawn()
        self.go(operator, raffle)
        press(operator, " ", "r")

        operator.page.keyboard.type("Not in")
        press(operator, "Escape")

        assert (in_the_light(operator), seen(operator, winners)) == (winners[0], winners[:1])
        assert not Replacement.objects.exists()

    def test_no_alternate_left_is_said(self, operator: Visitor) -> None:
        raffle, _ = drawn(alternates=0)
        self.go(operator, raffle)
        press(operator, " ", "r")

        operator.page.keyboard.type("Not in the hall")
        press(operator, "Enter")

        operator.page.locator("dialog .fault:visible").wait_for()
        assert operator.text("dialog .fault") == "There is no alternate left"

    def test_another_window_follows_the_operators(self, operator: Visitor) -> None:
        raffle, winners = drawn()
        self.go(operator, raffle)
        wall = Visitor(operator.page.context.new_page(), operator.url)
        at_the_stage(wall, raffle)

        press(operator, " ")
        wall.page.locator(f".slip b:text-is('{winners[0]}')").wait_for()
        press(operator, "End")
        wall.page.locator("[data-scene=reveal]:visible").wait_for()

        assert revealed(wall) == winners[::-1]

    def test_replacement_elsewhere_names_nobody_whose_digits_roll(self, visit: Visit) -> None:
        raffle, winners = drawn()
        visitor = at_the_stage(visit(), raffle)
        press(visitor, " ", "Escape")
        first = int(winners[0])
        replace_winner(raffle.uuid, ticket_number=first, reason="Ill", now=NOW, by=STAFF)
        held: list[Route] = []
        visitor.page.route("**/replacements/", lambda route: held.append(route))  # noqa: PLW0108
        while not held:
            visitor.page.wait_for_timeout(50)
        visitor.run(LISTED_WHILE_ROLLING)

        press(visitor, " ")
        held[0].continue_()
        alternate = str(Replacement.objects.get().alternate.ticket_number())
        visitor.page.locator(f".revealed .number:text-is('{alternate}')").wait_for()
        visitor.page.locator(".slip b.rolling").wait_for(state="detached")

        assert visitor.run("window.listed") == [alternate]
        assert (in_the_light(visitor), revealed(visitor)) == (winners[1], [winners[1], alternate])


def test_stage_counts_down_to_the_beacon(visit: Visit) -> None:
    raffle = RaffleFactory.create(state=State.CLOSED, entropy="drand")
    seal(raffle.pk, build_tree(raffle), clock=timezone.now, by=STAFF)
    visitor = visit()

    visitor.go(f"/r/{raffle.uuid}/stage/")

    visitor.see("The tickets are sealed. The beacon speaks in")
    assert re.fullmatch(r"00:0[01]:\d\d", visitor.text("[data-time]"))
    assert visitor.lost == []


def test_stage_says_who_saw_the_seal(visit: Visit) -> None:
    raffle = draw_by_beacon(sealed_for_beacon(of=3), seen=2)
    visitor = visit()

    visitor.go(f"/r/{raffle.uuid}/stage/")

    visitor.see("Seen by 2 of 3 witnesses, 43 seconds or more before the random number existed.")
