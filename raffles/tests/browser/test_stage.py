"""The stage by keyboard: nobody's number early, nobody's twice, whatever happens to the server."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
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
STILL = {"reduced_motion": "reduce"}
PRIZES = (("Phone", 1), ("Bag", 2), ("Book", 6))
# What the room and a screen reader get: the scene, its words, and what was said since the last one.
SCENE = """() => {
  const scene = document.querySelector("[data-scene]:not([hidden])");
  return [scene.dataset.scene, scene.innerText.replace(/\\s+/g, " ").trim()];
}"""
LISTEN = """() => {
  window.heard = [];
  const said = document.querySelector(".said");
  const note = () => window.heard.push(said.textContent);
  new MutationObserver(note).observe(said, { childList: true, characterData: true });
}"""
TOO_LARGE = """() => [...document.querySelectorAll("[data-scene]:not([hidden])")].filter((scene) =>
  scene.scrollHeight > scene.clientHeight || scene.scrollWidth > scene.clientWidth).length > 0"""


def drawn(
    prizes: tuple[tuple[str, int], ...] = PRIZES, **terms: object
) -> tuple[Raffle, list[str]]:
    """Return a drawn raffle and its winners from the first rank on.

    Of so many numbers that hardly one is a rank or a count too, which are on the wall as well.
    """
    tickets = sum(amount for _, amount in prizes) + 2
    raffle = RaffleFactory.create(
        **{"total_tickets": 9_000_000, "tickets": tickets, "alternates": 2, **terms},
        prizes=prizes,
        closes_at=NOW + timedelta(hours=1),
    )
    advance(raffle.pk, now=NOW + timedelta(hours=2), clock=timezone.now, by=STAFF)
    winners = Winner.objects.of_prizes().filter(raffle=raffle).order_by("rank")
    return raffle, [str(winner.ticket_number()) for winner in winners]


def at_the_stage(visitor: Visitor, raffle: Raffle, more: str = "") -> Visitor:
    visitor.go(f"/r/{raffle.uuid}/stage/{more}")
    visitor.page.locator("[data-now]:not([data-now=waiting])").wait_for(state="attached")
    return visitor


def press(visitor: Visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)


def scene(visitor: Visitor) -> tuple[str, str]:
    """Return which scene is on the wall, and its words."""
    name, words = visitor.run(SCENE)
    return name, words


def in_the_light(visitor: Visitor) -> str:
    """Return the number on the large ticket."""
    return visitor.text(".slip .number b")


def on_the_wall(visitor: Visitor) -> list[str]:
    """Return the numbers that are shown at once, as they are read."""
    return [cell.inner_text() for cell in visitor.page.locator(".cell b:visible").all()]


def seen(visitor: Visitor, numbers: list[str]) -> set[str]:
    """Return which of the numbers are anywhere in the document."""
    words = set(re.findall(r"\d+", visitor.run("document.body.textContent")))
    return words & set(numbers)


def heard(visitor: Visitor) -> list[str]:
    """Return the numbers of tickets that a screen reader was told since `LISTEN`."""
    return re.findall(r"ticket (\d+)", " ".join(visitor.run("window.heard")))


def test_lower_ranks_come_at_once_and_the_first_three_alone(visit: Visit) -> None:
    raffle, winners = drawn()
    first, second, third, *books = winners
    visitor = at_the_stage(visit(**STILL), raffle)
    visitor.run(LISTEN)
    assert seen(visitor, winners) == set()

    show, known = [scene(visitor)], set()
    for key in (" ", "ArrowRight", "PageDown", " ", " ", " ", " ", " ", " ", " "):
        press(visitor, key)
        show.append(scene(visitor))
        known |= set(re.findall(r"\d{2,}", show[-1][1]))
        assert seen(visitor, winners) <= known, "nobody early"
        assert visitor.page.locator("header .qr:visible").count() == 1

    assert show == [
        ("ready", "The winners are drawn. Press space for the first."),
        ("intro", "6 winners at once Book"),
        ("many", f"Book The winning tickets, ranks 4 to 9 {' '.join(books)}"),
        ("intro", "Rank 3 Bag"),
        ("one", f"Rank 3 Bag Ticket {third}"),
        ("intro", "Rank 2 Bag"),
        ("one", f"Rank 2 Bag Ticket {second}"),
        ("intro", "Rank 1 Phone"),
        ("one", f"Rank 1 Phone Ticket {first}"),
        *[
            (
                "many",
                f"All the winners Phone {first} Bag {second} {third} Book {' '.join(books)}",
            )
        ]
        * 2,
    ]
    assert heard(visitor) == [*books, third, second, first]
    visitor.press("See and check the result")
    visitor.see("The winners")


def test_many_of_one_prize_come_in_batches_and_very_many_in_ten(visit: Visit) -> None:
    few, winners = drawn((("Book", 28),))
    visitor = at_the_stage(visit(**STILL), few)
    press(visitor, " ")
    told = scene(visitor)
    batches = []
    for _ in range(3):
        press(visitor, " ")
        batches.append(on_the_wall(visitor))
    assert told == ("intro", "25 winners, 10 at a time Book")
    assert batches == [winners[18:], winners[8:18], winners[3:8]]

    many, winners = drawn((("Book", 203),))
    at_the_stage(visitor, many)
    press(visitor, " ")
    assert scene(visitor) == ("intro", "200 winners, 20 at a time Book")


def test_prizes_too_many_to_call_one_by_one_come_together(visit: Visit) -> None:
    raffle, winners = drawn(tuple((f"Prize {n}", 1) for n in range(1, 35)))
    visitor = at_the_stage(visit(**STILL), raffle)

    press(visitor, " ", " ")

    assert on_the_wall(visitor) == winners[24:]
    assert scene(visitor)[1].startswith(
        f"The winning tickets, ranks 25 to 34 Prize 25 {winners[24]} Prize 26 {winners[25]} "
    )


def test_wall_that_is_too_small_for_all_shows_them_in_parts(visit: Visit) -> None:
    raffle, winners = drawn((("Book", 300),))
    visitor = visit(**STILL, width=600)
    at_the_stage(visitor, raffle)
    visitor.run(LISTEN)

    press(visitor, "End")
    parts = [on_the_wall(visitor)]
    while len(parts) < 20 and sum(map(len, parts)) < len(winners):
        press(visitor, " ")
        parts.append(on_the_wall(visitor))
    press(visitor, "ArrowLeft")

    assert [number for part in parts for number in part] == winners
    assert len(parts) > 1
    assert heard(visitor) == winners
    assert f"Part {len(parts) - 1} of {len(parts)}" in scene(visitor)[1]


def test_arrows_go_back_and_forth_and_roll_nothing_again(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = at_the_stage(visit(), raffle)
    press(visitor, *[" ", "Escape"] * 4)

    press(visitor, "ArrowLeft", "ArrowLeft")
    before = on_the_wall(visitor)
    press(visitor, "ArrowRight", "ArrowRight")
    again = (in_the_light(visitor), visitor.page.locator(".rolling").count())

    assert before == winners[3:]
    assert again == (winners[2], 0)


def test_digits_roll_until_they_settle_or_a_key_is_pressed(visit: Visit) -> None:
    raffle, winners = drawn((("Phone", 2),))
    visitor = at_the_stage(visit(), raffle)

    press(visitor, " ", " ")
    rolling = visitor.page.locator(".slip b.rolling").count()
    early = visitor.text(".said")
    press(visitor, "Escape")

    assert (rolling, early) == (1, "Rank 2: Phone")
    assert (in_the_light(visitor), seen(visitor, winners)) == (winners[1], {winners[1]})
    press(visitor, " ", " ")
    visitor.page.locator(".slip b.rolling").wait_for(state="attached")
    visitor.page.locator(".slip b.rolling").wait_for(state="detached")
    assert in_the_light(visitor) == winners[0]


def test_nothing_rolls_where_motion_is_unwanted(visit: Visit) -> None:
    raffle, winners = drawn((("Phone", 1),))
    visitor = at_the_stage(visit(**STILL), raffle)
    visitor.run(
        """() => {
          window.painted = [];
          const digits = document.querySelector(".slip .number b");
          const note = () => window.painted.push(digits.textContent);
          new MutationObserver(note).observe(digits, { childList: true, characterData: true });
        }"""
    )

    press(visitor, " ", " ")
    visitor.page.wait_for_function("window.painted.length")
    visitor.page.wait_for_timeout(300)  # in which more would follow

    assert set(visitor.run("window.painted")) == {winners[0]}


def test_end_reveals_all_at_once_and_home_starts_over(visit: Visit) -> None:
    raffle, winners = drawn((("Phone", 1),))
    visitor = at_the_stage(visit(**STILL), raffle)

    press(visitor, "End")
    whole = scene(visitor)
    press(visitor, "Home")
    over = scene(visitor)[0]
    visitor.page.reload()
    visitor.page.locator("[data-now=ready]").wait_for()

    assert whole == ("many", f"The winner Phone {winners[0]}")
    assert (over, seen(visitor, winners)) == ("ready", set())


def test_rehearsal_shows_the_prizes_and_nobody(visit: Visit) -> None:
    raffle, winners = drawn()
    visitor = visit(**STILL)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    at_the_stage(visitor, raffle)
    asked.clear()

    visitor.press("Rehearse")
    visitor.see("The rehearsal begins.")
    press(visitor, *" " * 4)
    rehearsed = scene(visitor)
    press(visitor, "End")
    whole = scene(visitor)[1]
    visitor.see("Rehearsal. No winner is shown.")
    assert (seen(visitor, winners), visitor.text(".said")) == (set(), "Rank 3: Bag")
    assert not [address for address in asked if "/winners/" in address or "/names/" in address]
    press(visitor, "Home")
    assert scene(visitor)[0] == "ready"
    visitor.press("End the rehearsal")
    visitor.see("The winners are drawn.")

    assert rehearsed == ("one", "Rank 3 Bag Ticket •••")
    assert whole.endswith("Book ••• ••• ••• ••• ••• •••")
    assert seen(visitor, winners) == set()


def test_rehearsal_goes_before_the_draw(visit: Visit) -> None:
    raffle = RaffleFactory.create(closes_at=timezone.now() + timedelta(hours=1))
    visitor = at_the_stage(visit(**STILL), raffle, "?rehearsal")

    press(visitor, "End")

    assert scene(visitor) == ("many", "The winner Phone •••")


def test_show_goes_on_by_itself_and_after_a_reload(visit: Visit) -> None:
    raffle, winners = drawn((("Phone", 1), ("Book", 5)))
    visitor = visit(**STILL)
    visitor.page.clock.install()
    at_the_stage(visitor, raffle)

    press(visitor, "a")
    visitor.page.clock.run_for(7_000)
    first = on_the_wall(visitor)
    visitor.page.reload()
    visitor.page.locator("[data-now=many]").wait_for()
    for _ in range(8):
        visitor.page.clock.run_for(8_000)

    assert first == winners[3:]
    assert scene(visitor)[1].startswith("All the winners")
    assert visitor.page.locator("[data-key=a][aria-pressed=true]").count() == 1


def test_each_prize_is_announced_with_its_own_picture(visit: Visit) -> None:
    with Site().up() as site:
        pictures = [f"{site.url}/static/raffles/{name}" for name in ("icon.svg", "gone.svg")]
        prizes = (("Phone", 1, pictures[0]), ("Bag", 1), ("Book", 1, pictures[1]))
        raffle = RaffleFactory.create(prizes=prizes, state=State.DRAWN)
        visitor = at_the_stage(visit(site.url, **STILL), raffle)
        shown = []
        for _ in prizes:
            press(visitor, " ")
            picture = visitor.page.locator("[data-scene=intro] img").filter(visible=True)
            shown.append((scene(visitor)[1], [each.get_attribute("src") for each in picture.all()]))
            press(visitor, " ")
        visitor.lost.clear()  # the picture that is gone

    assert shown == [("Rank 3 Book", []), ("Rank 2 Bag", []), ("Rank 1 Phone", pictures[:1])]


def test_names_and_prizes_of_any_length_fit(visit: Visit) -> None:
    visitor = visit(**STILL, locale="de-DE")
    raffle = with_names_of_150_characters()
    too_large = {}
    for size in ((1280, 720), (3840, 2160), (320, 480)):
        visitor.page.set_viewport_size({"width": size[0], "height": size[1]})
        at_the_stage(visitor, raffle)
        press(visitor, "Home")
        said: list[tuple[str, bool]] = []
        while len(said) < 60 and "Alle Gewinner" not in scene(visitor)[1]:
            press(visitor, " ")
            said.append((scene(visitor)[0], visitor.run(TOO_LARGE)))
        assert {name for name, _ in said} == {"intro", "many", "one"}
        too_large[size] = [name for name, is_too_large in said if is_too_large]

    assert too_large == {(1280, 720): [], (3840, 2160): [], (320, 480): []}


def with_names_of_150_characters() -> Raffle:
    """Return a date of an event with six winners."""
    before = timezone.now() - timedelta(days=1)
    event = schedule_event(
        Event(
            name="Long names",
            slug=f"long-{uuid4().hex[:8]}",
            start_date=before.date(),
            draw_time=datetime.min.time(),
            time_zone="UTC",
            max_participants=6,
            reward_name=("A weekend for two, with breakfast and a walk at sunrise. " * 4)[:200],
            reward_amount=6,
        ),
        now=before - timedelta(days=1),
        by=STAFF,
    )
    for n in range(6):
        word = f"Wolfeschlegelsteinhausenbergerdorff{n}" + ("-" if n % 2 else "")
        participant = Participant((word * 5)[:150], STAFF, STAFF)
        take_part(event, participant, now=before - timedelta(days=1))
    call_command("draw_winners", event=event.slug, verbosity=0)
    return Raffle.objects.get(event_slug=event.slug)


def test_killed_server_and_reload_bring_nobody_early_and_nobody_twice(visit: Visit) -> None:
    raffle, winners = drawn((("Phone", 3),))
    site = Site()
    with site.up():
        visitor = at_the_stage(visit(site.url, **STILL), raffle)
        press(visitor, " ", " ")
        site.kill()
        visitor.see("No connection. The stage goes on with what it knows.")
        press(visitor, " ", " ")
        alone = (in_the_light(visitor), seen(visitor, winners))
    with site.up():
        at_the_stage(visitor, raffle)  # again: everything it knew is gone with the page
        again = (in_the_light(visitor), seen(visitor, winners))
        press(visitor, " ", " ")
        next_one = (in_the_light(visitor), seen(visitor, winners))

    assert alone == again == (winners[1], {winners[1]})
    assert next_one == (winners[0], {winners[0]})


def test_reload_while_digits_roll_shows_that_one_and_no_other(visit: Visit) -> None:
    raffle, winners = drawn((("Phone", 3),))
    visitor = at_the_stage(visit(), raffle)
    press(visitor, " ", " ")

    visitor.page.reload()
    visitor.page.locator("[data-scene=one]:visible").wait_for()

    assert (in_the_light(visitor), seen(visitor, winners)) == (winners[2], {winners[2]})


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
    raffle, winners = drawn((("Phone", 1), ("Book", 4)))
    lost = winners[3]
    visitor = at_the_stage(visit(**STILL), raffle)
    press(visitor, " ", " ")
    assert on_the_wall(visitor) == winners[3:]

    forfeit(raffle.uuid, ticket_number=int(lost), reason="Away", now=timezone.now(), by=STAFF)
    visitor.see("Forfeited")

    assert scene(visitor)[1].endswith(f"ranks 4 to 5 {lost} Forfeited {winners[4]}")
    assert on_the_wall(visitor) == winners[4:]
    visitor.page.reload()
    visitor.page.locator(f".cell s:text-is('{lost}')").wait_for()

    replace_winner(raffle.uuid, ticket_number=int(lost), reason="Ill", now=timezone.now(), by=STAFF)
    visitor.page.locator(".cell .before").wait_for()
    alternate = str(Replacement.objects.get().alternate.ticket_number())
    assert on_the_wall(visitor) == [alternate, winners[4]]


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
        raffle, winners = drawn((("Phone", 1),))
        room = at_the_stage(visit(**STILL), raffle)
        self.go(operator, raffle)
        press(operator, " ", " ")
        press(room, " ", " ")

        press(operator, "r")
        operator.page.keyboard.type("Not in the hall")
        press(operator, "Enter")
        operator.see(f"in place of ticket {winners[0]}: Not in the hall")

        alternate = str(Replacement.objects.get().alternate.ticket_number())
        assert in_the_light(operator) == alternate
        room.see(f"in place of ticket {winners[0]}: Not in the hall")
        assert in_the_light(room) == alternate

    def test_one_of_many_is_chosen_and_replaced(self, operator: Visitor) -> None:
        raffle, winners = drawn()
        self.go(operator, raffle)
        press(operator, " ", " ", "r")

        offered = operator.page.locator("#who option").all_inner_texts()
        operator.page.locator("#who").select_option(winners[5])
        operator.page.get_by_label("Reason, in public").fill("Not in the hall")
        press(operator, "Enter")
        operator.page.locator(f".cell .before:text-is('{winners[5]}')").wait_for()

        alternate = str(Replacement.objects.get().alternate.ticket_number())
        assert offered == winners[3:]
        assert on_the_wall(operator) == [*winners[3:5], alternate, *winners[6:]]
        assert f"ticket {alternate}, in place of ticket {winners[5]}: Not in" in operator.text(
            ".said"
        )

    def test_space_in_the_reason_reveals_nobody_and_escape_replaces_nobody(
        self, operator: Visitor
    ) -> None:
        raffle, winners = drawn((("Phone", 2),))
        self.go(operator, raffle)
        press(operator, " ", " ", "r")

        operator.page.keyboard.type("Not in")
        press(operator, "Escape")

        assert (in_the_light(operator), seen(operator, winners)) == (winners[1], {winners[1]})
        assert not Replacement.objects.exists()

    def test_no_alternate_left_is_said(self, operator: Visitor) -> None:
        raffle, _ = drawn((("Phone", 1),), alternates=0)
        self.go(operator, raffle)
        press(operator, " ", " ", "r")

        operator.page.keyboard.type("Not in the hall")
        press(operator, "Enter")

        operator.page.locator("dialog .fault:visible").wait_for()
        assert operator.text("dialog .fault") == "There is no alternate left"

    def test_another_window_follows_the_operators(self, operator: Visitor) -> None:
        raffle, winners = drawn((("Phone", 2),))
        self.go(operator, raffle)
        wall = Visitor(operator.page.context.new_page(), operator.url)
        at_the_stage(wall, raffle)

        press(operator, " ", " ")
        wall.page.locator(f".slip b:text-is('{winners[1]}')").wait_for()
        press(operator, "ArrowLeft")
        wall.see("Rank 2")
        press(operator, "End")
        wall.see("All the winners")
        press(operator, "Home")
        wall.see("Press space for the first.")

        assert seen(wall, winners) == set()

    def test_replacement_elsewhere_lets_the_digits_roll(self, visit: Visit) -> None:
        raffle, winners = drawn((("Phone", 2),))
        visitor = at_the_stage(visit(), raffle)
        press(visitor, " ", " ", "Escape", " ")
        second = int(winners[1])
        replace_winner(raffle.uuid, ticket_number=second, reason="Ill", now=NOW, by=STAFF)
        held: list[Route] = []
        visitor.page.route("**/replacements/", lambda route: held.append(route))  # noqa: PLW0108
        while not held:
            visitor.page.wait_for_timeout(50)

        press(visitor, " ")
        held[0].continue_()
        visitor.page.wait_for_timeout(300)
        rolling = visitor.page.locator(".slip b.rolling").count()
        visitor.page.locator(".slip b.rolling").wait_for(state="detached")
        first = in_the_light(visitor)
        press(visitor, "ArrowLeft", "ArrowLeft")

        alternate = str(Replacement.objects.get().alternate.ticket_number())
        assert (rolling, first, in_the_light(visitor)) == (1, winners[0], alternate)


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
