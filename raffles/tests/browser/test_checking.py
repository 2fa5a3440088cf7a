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
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import FilePayload

pytestmark = BROWSER
BEFORE = ["raffle", "close", "commitment", "seal", "randomness", "seed", "draw", "tickets"]
STEPS = [*BEFORE, "signer", "", "shown"]
BY_BEACON = [*BEFORE, "log", "signer", "", "shown"]
UNSEEN = "Verified here, but not witnessed."
VOUCHED = "Verified here, but for one number."
INVALID = "This does not hold."
LARGE = 80  # tickets, all of which win: too much to come with the page
Proof = dict[str, Any]


def proof_of(raffle: Raffle) -> Proof:
    """Return the published proof."""
    answer = Client().get(f"/raffles/{raffle.uuid}/proof/")
    proof: Proof = json.loads(answer.getvalue())
    return proof


def at_the_result(visit: Visit, raffle: Raffle) -> Visitor:
    visitor = visit()
    visitor.go(f"/r/{raffle.uuid}/result/")
    return visitor


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
    visitor.page.locator("[data-act=check]:enabled").wait_for()


def verdict(visitor: Visitor) -> str:
    return visitor.text(".verdict p:visible strong")


def steps(visitor: Visitor, state: str) -> list[str]:
    """Return the steps that are `done` or have `failed`."""
    rows = visitor.page.locator(f".checks li.{state}:visible").all()
    return [row.get_attribute("data-step") or "" for row in rows]


def press_check(visitor: Visitor) -> None:
    visitor.press("Check this draw")
    visitor.page.locator("[data-act=check]:enabled").wait_for()


def test_draw_by_beacon_is_verified_without_a_network(visit: Visit) -> None:
    visitor = at_the_result(visit, drawn_by_beacon())
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.context.set_offline(True)

    press_check(visitor)

    assert (verdict(visitor), steps(visitor, "done")) == (UNSEEN, BY_BEACON)
    assert visitor.lost == []


# Of three witnesses; the verdict, what is said, and its colour by name.
SEEN = {
    2: ("Verified here.", "seen by 2 of 3 witnesses, 43 seconds or more before", "green"),
    1: ("Not as promised.", "only 1 of 3 promised witnesses saw the seal in time", "amber"),
}


@pytest.mark.parametrize("seen", SEEN)
def test_witnesses_are_counted_and_green_is_for_a_majority_alone(visit: Visit, seen: int) -> None:
    visitor = at_the_result(visit, draw_by_beacon(sealed_for_beacon(of=3), seen=seen))

    press_check(visitor)

    said, words, colour = SEEN[seen]
    assert verdict(visitor) == said
    assert words in visitor.text(".verdict p:visible")
    assert steps(visitor, "done") == [*BEFORE, "log", "witness", "signer", "", "shown"]
    is_so = "(name) => getComputedStyle(document.querySelector(name)).color"
    painted = visitor.run(is_so, ".verdict p:not([hidden]) strong")
    assert painted == {"green": "rgb(27, 107, 80)", "amber": "rgb(138, 90, 0)"}[colour]
    assert visitor.run(is_so, ".seen") == painted


def test_operators_number_is_called_that(visit: Visit) -> None:
    visitor = at_the_result(visit, RaffleFactory.create(state=State.DRAWN))

    press_check(visitor)

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
        assert visitor.text("[data-why]"), "it says why"
    press_check(visitor)

    assert found == {name: (INVALID, [step]) for name, (_, step) in TAMPERED.items()}
    assert verdict(visitor) == UNSEEN  # the page's own proof again


@pytest.mark.parametrize("text", ["", "{", "[]", '{"winners": 1, "winners": 2}', "\0", "9" * 5000])
def test_what_is_no_proof_is_not_read(visit: Visit, text: str) -> None:
    visitor = at_the_result(visit, RaffleFactory.create(state=State.DRAWN))

    drop(visitor, text)

    assert verdict(visitor) in ("We cannot read that file.", INVALID)
    assert steps(visitor, "done") == []


def test_proof_of_another_draw_says_nothing_of_this_page(visit: Visit) -> None:
    other = proof_of(RaffleFactory.create(state=State.DRAWN))
    visitor = at_the_result(visit, RaffleFactory.create(state=State.DRAWN))

    drop(visitor, other)

    assert verdict(visitor) == "This is the proof of another draw."
    assert steps(visitor, "failed") == ["shown"]


def test_page_that_shows_another_winner_than_the_proof_is_found_out(visit: Visit) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    visitor = at_the_result(visit, raffle)
    visitor.run("() => { document.querySelector('[data-rank]').dataset.tickets = '77'; }")

    press_check(visitor)

    assert (verdict(visitor), steps(visitor, "failed")) == (INVALID, ["shown"])
    visitor.see("The winners on this page are not those that the proof leads to.")


def test_alternate_who_took_over_is_as_the_proof_says(visit: Visit) -> None:
    raffle = RaffleFactory.create(prizes=(("Phone", 1), ("Book", 1)), state=State.DRAWN)
    first = Winner.objects.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=first, reason="Ill", now=NOW, by=STAFF)
    visitor = at_the_result(visit, raffle)

    press_check(visitor)

    assert (verdict(visitor), steps(visitor, "done")) == (VOUCHED, STEPS)


def test_winners_behind_the_first_thousand_are_compared_too(visit: Visit) -> None:
    raffle = RaffleFactory.create(
        total_tickets=1001, prizes=(("Book", 1001),), alternates=0, state=State.DRAWN
    )
    visitor = at_the_result(visit, raffle)

    visitor.press("More winners")
    visitor.page.wait_for_url("**/result/?after=1000")
    press_check(visitor)

    assert visitor.page.locator("[data-rank]").count() == 1
    assert (verdict(visitor), steps(visitor, "done")) == (VOUCHED, STEPS)


def test_certificate_is_one_sheet_of_paper(visit: Visit) -> None:
    visitor = visit()
    visitor.go(f"/r/{drawn_by_beacon().uuid}/certificate/")

    paper = visitor.page.pdf(format="A4")

    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


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
        advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)
        visitor.go(f"/r/{raffle.uuid}/result/")
        return visitor, ticket

    def test_receipt_and_place_are_checked(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit)

        drop(visitor, ticket)

        assert verdict(visitor) == VOUCHED, visitor.text("[data-why]")
        assert sorted(steps(visitor, "done")) == sorted([*STEPS, "receipt", "leaves"])

    def test_place_is_asked_for_where_nothing_comes_with_the_page(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit, LARGE)

        drop(visitor, ticket)

        assert verdict(visitor) == VOUCHED, visitor.text("[data-why]")
        assert sorted(steps(visitor, "done")) == sorted([*STEPS, "receipt", "inclusion"])

    def test_place_that_cannot_be_fetched_is_called_that(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit, LARGE)
        visitor.page.route("**/inclusion/", lambda route: route.abort())

        drop(visitor, ticket)

        assert verdict(visitor) == "We could not fetch the place of your ticket."

    @pytest.mark.parametrize("total_tickets", [1, LARGE])
    def test_ticket_that_was_left_out_is_missing_from_the_tree(
        self, visit: Visit, total_tickets: int
    ) -> None:
        visitor, ticket = self.saved(visit, total_tickets)
        terms_hash = bytes.fromhex(ticket["receipt"]["terms_hash"])
        leaf = bytes.fromhex(ticket["receipt"]["leaf"])[:-1] + b"?"
        ticket["receipt"] = signer().receipt(leaf, terms_hash, ticket["receipt"]["issued_at"])
        visitor.page.route("**/inclusion/", lambda route: route.fulfill(status=404))

        drop(visitor, ticket)

        assert (verdict(visitor), steps(visitor, "failed")) == (INVALID, ["receipt"])
        visitor.see("the receipt's ticket is not in the committed tree")

    def test_receipt_is_checked_without_a_network(self, visit: Visit) -> None:
        visitor, ticket = self.saved(visit)
        visitor.page.wait_for_load_state("networkidle")
        visitor.page.context.set_offline(True)

        drop(visitor, ticket)

        assert verdict(visitor) == VOUCHED, visitor.text("[data-why]")
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
        visitor.see(VOUCHED)

        assert "receipt" in steps(visitor, "done")

    @pytest.mark.parametrize("part", ["leaf", "signature", "terms_hash"])
    def test_forged_receipt_is_refused(self, visit: Visit, part: str) -> None:
        visitor, ticket = self.saved(visit)
        ticket["receipt"][part] = flipped(ticket["receipt"][part])

        drop(visitor, ticket)

        assert (verdict(visitor), steps(visitor, "failed")) == (INVALID, ["receipt"])
