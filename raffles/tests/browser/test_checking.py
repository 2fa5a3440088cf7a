"""The check in the browser: it ticks what holds, and believes nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from raffles.domain.drawing import advance
from raffles.domain.keys import signer
from raffles.domain.prizes import replace_winner
from raffles.models import Raffle, State, Winner
from raffles.tests.browser.scenes import draw_by_beacon, drawn_by_beacon, sealed_for_beacon
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import FilePayload, Route, Worker

pytestmark = BROWSER
BEFORE = ["raffle", "close", "commitment", "seal", "randomness", "seed", "draw", "tickets"]
STEPS = [*BEFORE, "signer", "", "shown"]
BY_BEACON = [*BEFORE, "log", "signer", "", "shown"]
# The names of verdicts, under which the page has the words.
UNSEEN, VOUCHED, INVALID = "unseen", "vouched", "invalid"
SEVERAL = 80  # tickets, all of which win: too much to be kept for the next check
Proof = dict[str, Any]


def proof_of(raffle: Raffle) -> Proof:
    """Return the published proof."""
    answer = Client().get(f"/raffles/{raffle.uuid}/proof/")
    proof: Proof = json.loads(answer.getvalue())
    return proof


def at_the_result(visit: Visit, raffle: Raffle, **kind: Any) -> Visitor:
    """Return a visitor whose device has checked the draw when the page opened."""
    visitor = visit(**kind)
    visitor.go(f"/r/{raffle.uuid}/result/")
    checked(visitor)
    return visitor


def checked(visitor: Visitor) -> None:
    """Wait until a check has ended."""
    visitor.page.locator("[data-act=check]:enabled").first.wait_for(state="attached")
    visitor.page.locator("[data-verdict]:visible").wait_for()


def drop(visitor: Visitor, *files: object) -> None:
    """Choose files with these contents: text, or a value written as JSON."""
    payloads: list[FilePayload] = [
        {
            "name": f"{number}.json",
            "mimeType": "application/json",
            "buffer": (file if isinstance(file, str) else json.dumps(file)).encode(),
        }
        for number, file in enumerate(files)
    ]
    visitor.page.set_input_files("#files", payloads)
    visitor.page.locator(".verdict:focus").wait_for()
    checked(visitor)


def verdict(visitor: Visitor) -> str:
    return visitor.page.locator("[data-verdict]:visible").get_attribute("data-verdict") or ""


def reason(visitor: Visitor) -> str:
    """Return why a draw does not hold, in the visitor's words."""
    return visitor.text("[data-reason]:visible")


def steps(visitor: Visitor, state: str) -> list[str]:
    """Return the steps that are `done` or have `failed`."""
    rows = visitor.page.locator(f".checks li.{state}:not([hidden])").all()
    return [row.get_attribute("data-step") or "" for row in rows]


def check_again(visitor: Visitor) -> None:
    if not visitor.page.get_by_role("button", name="Check again").is_visible():
        visitor.page.locator(".self-check summary").click()
    hide = "(lines) => lines.forEach((line) => { line.hidden = true; })"
    visitor.page.locator("[data-verdict]").evaluate_all(hide)
    visitor.press("Check again")
    checked(visitor)


def test_draw_by_beacon_is_verified_without_a_network(visit: Visit) -> None:
    visitor = at_the_result(visit, drawn_by_beacon())
    assert (verdict(visitor), steps(visitor, "done")) == (UNSEEN, BY_BEACON)
    assert visitor.shift() == 0
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.context.set_offline(True)

    check_again(visitor)

    assert (verdict(visitor), steps(visitor, "done")) == (UNSEEN, BY_BEACON)
    assert visitor.lost == []


def test_a_limit_of_wins_is_checked_with_what_it_passed_over(visit: Visit) -> None:
    raffle = RaffleFactory.create(
        total_tickets=7,
        prizes=(("Book", 2),),
        alternates=3,
        tickets_per_holder=5,
        max_wins_per_holder=1,
    )
    for n in (0, 0, 0, 0, 0, 1, 2):
        enter_nth(raffle, n)
    take_to(State.DRAWN, raffle)
    visitor = at_the_result(visit, raffle)
    assert (verdict(visitor), steps(visitor, "vouched")) == (VOUCHED, ["randomness", ""])
    visitor.see("Nobody is drawn more than once.")
    proof = proof_of(raffle)
    assert (len(proof["winners"]), len(proof["skipped"])) == (3, 4)
    proof["skipped"].pop()
    drop(visitor, proof)
    assert verdict(visitor) == INVALID


# Of three witnesses; the verdict, what is said, and its colour by name.
SEEN = {
    2: ("witnessed", "seen by 2 of 3 witnesses, 43 seconds or more before", "green"),
    1: ("promised", "only 1 of 3 promised witnesses saw the seal in time", "amber"),
}


@pytest.mark.parametrize("seen", SEEN)
def test_witnesses_are_counted_and_green_is_for_a_majority_alone(visit: Visit, seen: int) -> None:
    visitor = at_the_result(visit, draw_by_beacon(sealed_for_beacon(of=3), seen=seen))

    said, words, colour = SEEN[seen]
    assert verdict(visitor) == said
    assert words in visitor.text("[data-verdict]:visible")
    assert steps(visitor, "done") == [*BEFORE, "log", "witness", "signer", "", "shown"]
    is_so = "(name) => getComputedStyle(document.querySelector(name)).color"
    painted = visitor.run(is_so, "[data-verdict]:not([hidden]) strong")
    assert painted == {"green": "rgb(27, 107, 80)", "amber": "rgb(138, 90, 0)"}[colour]
    assert visitor.run(is_so, ".seen") == painted


def test_steps_are_told_in_the_visitors_language(visit: Visit) -> None:
    raffle = draw_by_beacon(sealed_for_beacon(of=3), seen=2)
    visitor = at_the_result(visit, raffle, locale="de-DE")

    told = visitor.page.locator(".checks .hash")
    said = " ".join(told.all_text_contents())
    assert told.count() > len(BY_BEACON)
    assert visitor.page.locator(".checks .hash[lang]").all_text_contents() == []
    assert "Beacon-Runde 42 von" in said
    assert "s vor der Zufallszahl (wie der Betreiber ihn genannt hat)" in said


def test_operators_number_is_called_that(visit: Visit) -> None:
    visitor = at_the_result(visit, RaffleFactory.create(state=State.DRAWN))

    assert (verdict(visitor), steps(visitor, "vouched")) == (VOUCHED, ["randomness", ""])


def another_winner(proof: Proof) -> None:
    first, second = proof["winners"][:2]
    for key in ("index", "ticket_number", "leaf", "path"):
        first[key], second[key] = second[key], first[key]


def _set(*path: Any, to: Any) -> Callable[[Proof], None]:
    def tamper(proof: Proof) -> None:
        place: Any = proof
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to(place[path[-1]]) if callable(to) else to

    return tamper


def flipped(text: str) -> str:
    """Return the same with the last bit flipped."""
    return text[:-1] + format(int(text[-1], 16) ^ 1, "x")


TAMPERED = {
    "winners exchanged": (another_winner, "draw"),
    "winner's number": (_set("winners", 0, "ticket_number", to=lambda n: n + 1), "tickets"),
    "winner's leaf": (_set("winners", 0, "leaf", to=flipped), "tickets"),
    "winner's path": (_set("winners", 0, "path", 0, to=flipped), "tickets"),
    "prize's name": (_set("commitment", "terms", "prizes", 0, "name", to="Jam"), "commitment"),
    "root": (_set("commitment", "root", to=flipped), "commitment"),
    "number of tickets": (_set("commitment", "tickets", to=8), "close"),
    "closing": (_set("commitment", "closed_at", to=lambda at: at + 1), "close"),
    "randomness": (_set("entropy", "randomness", to=flipped), "randomness"),
    "beacon's signature": (_set("entropy", "signature", to=flipped), "randomness"),
    "beacon's round": (_set("entropy", "round", to=123), "randomness"),
    "seed": (_set("seed", to=flipped), "seed"),
}


def test_tampered_proofs_are_refused(visit: Visit) -> None:
    raffle = drawn_by_beacon()
    visitor = at_the_result(visit, raffle)

    found = {}
    for name, (tamper, _) in TAMPERED.items():
        proof = proof_of(raffle)
        tamper(proof)
        drop(visitor, proof)
        found[name] = (verdict(visitor), steps(visitor, "failed"))
        assert reason(visitor), "it says what that means"
    check_again(visitor)

    assert found == {name: (INVALID, [step]) for name, (_, step) in TAMPERED.items()}
    assert verdict(visitor) == UNSEEN  # the page's own proof again


@pytest.mark.parametrize("text", ["", "{", "[]", '{"winners": 1, "winners": 2}', "\0", "9" * 5000])
def test_what_is_no_proof_is_not_read(visit: Visit, text: str) -> None:
    visitor = at_the_result(visit, RaffleFactory.create(state=State.DRAWN))

    drop(visitor, text)

    assert verdict(visitor) in ("unreadable", INVALID)
    assert steps(visitor, "done") == []


def test_proof_of_another_draw_says_nothing_of_this_page(visit: Visit) -> None:
    other = proof_of(RaffleFactory.create(state=State.DRAWN))
    visitor = at_the_result(visit, RaffleFactory.create(state=State.DRAWN))

    drop(visitor, other)

    assert verdict(visitor) == "another"
    assert steps(visitor, "failed") == ["shown"]


def test_page_that_shows_another_winner_than_the_proof_is_found_out(visit: Visit) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    visitor = at_the_result(visit, raffle)
    visitor.run("() => { document.querySelector('[data-rank]').dataset.tickets = '77'; }")

    check_again(visitor)

    assert (verdict(visitor), steps(visitor, "failed")) == ("different", ["shown"])
    visitor.see("The winners on this page are not those that the proof leads to.")


def test_alternate_who_took_over_is_as_the_proof_says(visit: Visit) -> None:
    raffle = RaffleFactory.create(prizes=(("Phone", 1), ("Book", 1)), state=State.DRAWN)
    first = Winner.objects.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=first, reason="Ill", now=NOW, by=STAFF)
    visitor = at_the_result(visit, raffle)

    assert (verdict(visitor), steps(visitor, "done")) == (VOUCHED, STEPS)


def test_large_proof_is_asked_for_with_its_size_and_can_be_stopped(visit: Visit) -> None:
    raffle = RaffleFactory.create(
        total_tickets=1001, prizes=(("Book", 1001),), alternates=0, state=State.DRAWN
    )
    visitor = visit()
    loaded: list[str] = []
    visitor.page.on("request", lambda request: loaded.append(request.url))
    visitor.go(f"/r/{raffle.uuid}/result/")
    visitor.write("Find your number", str(Winner.objects.get(rank=1001).ticket_number()))
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**/result/?number=*&after=1000#rank-1001")
    assert visitor.page.locator(":focus").get_attribute("id") == "rank-1001"
    visitor.page.wait_for_load_state("networkidle")
    assert not [url for url in loaded if "verify" in url or "proof" in url]
    real = len(Client().get(f"/raffles/{raffle.uuid}/proof/").getvalue())
    said = re.search(r"up to ([\d.]+) KB", visitor.text("[data-asking]"))
    assert said
    assert real < float(said[1]) * 1024 < 1.25 * real

    visitor.run("() => { window.Worker = undefined; }")
    with visitor.page.expect_request("**/proof/"):
        visitor.page.route("**/proof/", lambda _: None)
        visitor.press("Check this draw")
    visitor.press("Stop")
    checked(visitor)
    assert verdict(visitor) == "stopped"
    visitor.page.unroute("**/proof/")
    visitor.go(visitor.page.url.removeprefix(visitor.url))
    visitor.press("Check this draw")
    checked(visitor)

    assert visitor.page.locator("[data-rank]").count() == 1
    assert (verdict(visitor), steps(visitor, "done")) == (VOUCHED, STEPS)


def test_number_is_gone_to_on_the_page_and_back_with_the_keyboard(visit: Visit) -> None:
    raffle = RaffleFactory.create(
        total_tickets=200, prizes=(("Book", 190),), alternates=0, state=State.DRAWN
    )
    numbers = [winner.ticket_number() for winner in Winner.objects.order_by("rank")]
    visitor = at_the_result(visit, raffle)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))

    visitor.write("Find your number", f"# {numbers[149]}")
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("#rank-150:focus").wait_for()

    assert asked == []
    visitor.page.go_back()
    assert visitor.page.url.endswith("/result/")
    left = next(number for number in range(1, 201) if number not in numbers)
    visitor.write("Find your number", str(left))
    visitor.page.keyboard.press("Enter")
    visitor.see(f"Ticket {left} was not drawn.")
    focused = visitor.page.locator("input[name=number]:focus")
    focused.wait_for()
    assert focused.get_attribute("aria-describedby") == "found"
    height = visitor.run("() => document.documentElement.scrollHeight")
    assert height < 4000, "all of them are seen without much scrolling"


def test_who_saves_data_is_asked_and_who_is_turned_away_comes_again(visit: Visit) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    visitor = visit(locale="de-DE")
    turned_away = {"status": 429, "headers": {"Retry-After": "1"}}
    visitor.page.route("**/proof/", lambda route: route.fulfill(**turned_away), times=1)
    saves = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } })"
    visitor.page.add_init_script(saves)
    visitor.go(f"/r/{raffle.uuid}/result/")
    visitor.page.wait_for_timeout(300)
    assert not visitor.page.locator("[data-verdict]:visible").count()

    visitor.press("Diese Ziehung prüfen")
    visitor.see("Gerade prüfen viele.")
    visitor.see("Von diesem Gerät in")

    assert verdict(visitor) == VOUCHED


class TestSavedTicket:
    """The file that a visitor saved is checked with its receipt."""

    def saved(self, visit: Visit, total_tickets: int = 1) -> tuple[Visitor, dict[str, Any]]:
        """Return a visitor at a draw's result, and the ticket they saved when they entered."""
        raffle = RaffleFactory.create(
            total_tickets=total_tickets, prizes=(("Book", total_tickets),)
        )
        for n in range(total_tickets - 1):
            enter_nth(raffle, n)
        visitor = visit()
        visitor.go(f"/r/{raffle.uuid}/")
        visitor.press("Take part")
        visitor.see("This browser keeps your ticket.")
        with visitor.page.expect_download() as saving:
            visitor.press("As JSON")
        ticket: dict[str, Any] = json.loads(saving.value.path().read_text())
        visitor.go("/")  # the raffle's page would keep the seal, if it has the time
        advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)
        visitor.go(f"/r/{raffle.uuid}/result/")
        checked(visitor)
        return visitor, ticket

    def test_receipt_and_place_are_checked(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit)

        drop(visitor, ticket)

        assert verdict(visitor) == VOUCHED, visitor.text("[data-line]")
        assert sorted(steps(visitor, "done")) == sorted([*STEPS, "receipt", "leaves"])

    def test_file_that_comes_during_a_check_begins_another_and_ends_that(
        self, visit: Visit
    ) -> None:
        visitor, ticket = self.saved(visit)
        held: list[Route] = []
        workers: list[Worker] = []

        def hold(route: Route) -> None:
            held.append(route)

        def count(worker: Worker) -> None:
            workers.append(worker)

        visitor.page.route("**/verify-apart*.js", hold)
        visitor.page.on("worker", count)
        visitor.page.reload()
        visitor.page.locator("[data-act=check]:disabled").first.wait_for(state="attached")
        name = "ticket.json"
        visitor.page.set_input_files(
            "#files",
            {"name": name, "mimeType": "application/json", "buffer": json.dumps(ticket).encode()},
        )
        visitor.page.wait_for_function("() => document.querySelector('#files').value === ''")
        held[0].continue_()
        visitor.page.locator(".verdict:focus").wait_for()
        checked(visitor)

        assert verdict(visitor) == VOUCHED
        assert "receipt" in steps(visitor, "done")
        assert len(workers) == 1

    def test_place_is_asked_for_where_nothing_comes_with_the_page(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit, SEVERAL)

        drop(visitor, ticket)

        assert verdict(visitor) == VOUCHED, visitor.text("[data-line]")
        assert sorted(steps(visitor, "done")) == sorted([*STEPS, "receipt", "inclusion"])

    def test_place_that_cannot_be_fetched_is_called_that(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit, SEVERAL)
        visitor.page.route("**/inclusion/", lambda route: route.abort())

        drop(visitor, ticket)

        assert verdict(visitor) == "placeless"

    @pytest.mark.parametrize("total_tickets", [1, SEVERAL])
    def test_ticket_that_was_left_out_is_missing_from_the_tree(
        self, visit: Visit, total_tickets: int
    ) -> None:
        visitor, ticket = self.saved(visit, total_tickets)
        terms_hash = bytes.fromhex(ticket["receipt"]["terms_hash"])
        leaf, at = bytearray.fromhex(ticket["receipt"]["leaf"]), ticket["receipt"]["issued_at"]
        leaf[-1] ^= 1
        ticket["receipt"] = signer().receipt(bytes(leaf), terms_hash, at)
        visitor.page.route("**/inclusion/", lambda route: route.fulfill(status=404))

        drop(visitor, ticket)

        assert (verdict(visitor), steps(visitor, "failed")) == (INVALID, ["receipt"])
        assert "it was left out of the draw" in reason(visitor)
        visitor.see("the receipt's ticket is not in the committed tree")

    def test_receipt_is_checked_without_a_network(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit)
        visitor.page.wait_for_load_state("networkidle")
        visitor.page.context.set_offline(True)

        drop(visitor, ticket)

        assert verdict(visitor) == VOUCHED, visitor.text("[data-line]")
        assert sorted(steps(visitor, "done")) == sorted([*STEPS, "receipt", "leaves"])

    def test_file_is_dropped_with_the_mouse(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit)

        visitor.run(
            """(text) => {
              const carried = new DataTransfer();
              carried.items.add(new File([text], "ticket.json", { type: "application/json" }));
              for (const type of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(type, { dataTransfer: carried, bubbles: true });
                document.querySelector("[data-act=drop] label").dispatchEvent(event);
              }
            }""",
            json.dumps(ticket),
        )
        visitor.page.locator(".verdict:focus").wait_for()

        assert "receipt" in steps(visitor, "done")

    @pytest.mark.parametrize("part", ["leaf", "signature", "terms_hash"])
    def test_forged_receipt_is_refused(self, visit: Visit, part: str) -> None:
        visitor, ticket = self.saved(visit)
        ticket["receipt"][part] = flipped(ticket["receipt"][part])

        drop(visitor, ticket)

        assert (verdict(visitor), steps(visitor, "failed")) == (INVALID, ["receipt"])
