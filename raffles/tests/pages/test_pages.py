"""What the pages show of a raffle in each of its states, to whom, and at what cost."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from raffles.domain.drawing import store_draw, void_raffle
from raffles.domain.prizes import (
    claim_prize,
    extend_deadline,
    forfeit,
    forfeit_overdue,
    hand_over,
    replace_winner,
)
from raffles.domain.proofs import inclusion, published_draw
from raffles.models import Raffle, Replacement, State, Winner
from raffles.tests.factories import (
    NOW,
    STAFF,
    RaffleFactory,
    clock,
    code_of,
    enter_nth,
    take_to,
)
from raffles.tests.pages.visiting import PAGES, head_of, notice, press, text_of, visitor
from raffles.web.problems import (
    ProblemMiddleware,
    csrf_failure,
    handler400,
    handler403,
    handler500,
)

WRONG = (
    "Number and code do not belong together. Compare both with your ticket. Capital letters and "
    "hyphens do not matter."
)
pytestmark = pytest.mark.django_db

STATES = {
    State.OPEN: "3 of 3 tickets left",
    State.CLOSED: "Entries are closed. We are sealing the tickets.",
    State.SEALED: "3 tickets are sealed. The winners follow in a moment.",
    State.DRAWN: "The winners are drawn.",
    State.VOID: "This raffle was called off. Called off",
}


@pytest.mark.parametrize("state", STATES)
def test_raffle_says_where_it_stands(state: State) -> None:
    raffle = RaffleFactory.create(state=state)

    whole = visitor().get(f"/r/{raffle.uuid}/")
    part = visitor().get(f"/r/{raffle.uuid}/state/")

    assert (whole.status_code, part.status_code) == (200, 200)
    assert STATES[state] in text_of(whole)
    assert STATES[state] in text_of(part)
    assert part.content in whole.content


@pytest.mark.parametrize("state", sorted(set(STATES) - {State.DRAWN}))
def test_result_before_the_draw_says_so(state: State) -> None:
    raffle = RaffleFactory.create(state=state)

    response = visitor().get(f"/r/{raffle.uuid}/result/")

    assert response.status_code == 200
    title = "There is no result." if state == State.VOID else "The result is not there yet."
    assert title in text_of(response)


@pytest.mark.parametrize("state", STATES)
def test_who_saw_it_is_told_after_the_draw_alone(state: State) -> None:
    raffle = RaffleFactory.create(state=state)

    response = visitor().get(f"/r/{raffle.uuid}/seen/")

    assert response.status_code == (200 if state == State.DRAWN else 404)


def test_beacon_is_awaited_by_its_time() -> None:
    raffle = RaffleFactory.create(state=State.SEALED, entropy="drand")

    response = visitor().get(f"/r/{raffle.uuid}/")

    draws_at = raffle.draw.draws_at()
    assert draws_at is not None
    waited = draws_at - NOW.timestamp()
    due = (NOW + timedelta(seconds=waited)).isoformat()
    assert f'data-countdown="{due}"' in response.content.decode()


def test_result_says_of_a_beacon_that_nobody_witnessed_the_seal() -> None:
    public = RaffleFactory.create(state=State.SEALED, entropy="drand")
    draw = published_draw(public.uuid)
    store_draw(draw, randomness=bytes(32), signature=bytes(48), clock=clock, by=STAFF)
    own = RaffleFactory.create(state=State.DRAWN)

    of_public, of_own = (
        text_of(visitor().get(f"/r/{raffle.uuid}/result/")) for raffle in (public, own)
    )

    doubt = "Not witnessed. That the seal came before the random number is our word"
    assert doubt in of_public
    assert doubt not in of_own
    assert "vouched for by the operator only" in of_own


def test_result_lists_winners_and_who_took_their_place() -> None:
    raffle = RaffleFactory.create(prizes=(("Phone", 1), ("Book", 1)), state=State.DRAWN)
    first, second, alternate = (w.ticket_number() for w in Winner.objects.order_by("rank"))
    replace_winner(raffle.uuid, ticket_number=first, reason="Did not come", now=NOW, by=STAFF)

    text = text_of(visitor().get(f"/r/{raffle.uuid}/result/"))

    assert (
        f"Rank 1 Phone {first} passed on: Did not come Ticket {alternate} "
        f"Rank 2 Book Ticket {second}" in text
    )
    assert bytes(raffle.draw.commitment_hash).hex() in text


def test_forfeited_prize_has_no_winner_until_somebody_takes_it() -> None:
    claim = {"claim_days": 1}
    raffle = RaffleFactory.create(
        total_tickets=4, prizes=(("Phone", 1), ("Book", 1)), claim=claim, state=State.DRAWN
    )
    first, second, alternate = (w.ticket_number() for w in Winner.objects.order_by("rank")[:3])
    path = f"/r/{raffle.uuid}/"
    assert list(forfeit_overdue(now=NOW, by=STAFF)) == []
    forfeit(raffle.uuid, ticket_number=first, reason="Under age", now=NOW, by=STAFF)
    assert len(list(forfeit_overdue(now=NOW + timedelta(days=2), by="cron"))) == 1

    result, state = text_of(visitor().get(f"{path}result/")), text_of(visitor().get(path))

    assert (
        f"Rank 1 Phone {first} Forfeited Nobody holds this prize now. "
        f"Rank 2 Book {second} Not claimed in time Nobody holds this prize now." in result
    )
    assert "Phone Forfeited Book Not claimed in time See and check" in state
    paper = text_of(visitor().get(f"{path}certificate/"))
    assert f"Phone Rank 1 Nobody {first} Forfeited Book Rank 2 Nobody {second} Not claimed" in paper
    assert visitor().get(f"{path}forfeited/").json() == {
        str(first): "Forfeited",
        str(second): "Not claimed in time",
    }

    replace_winner(raffle.uuid, ticket_number=first, reason="Under age", now=NOW, by=STAFF)

    result = text_of(visitor().get(f"{path}result/"))
    assert f"Rank 1 Phone {first} passed on: Under age Ticket {alternate} Rank 2" in result
    assert visitor().get(f"{path}forfeited/").json() == {str(second): "Not claimed in time"}


def test_prize_in_its_winners_hands_says_so() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    winner = Winner.objects.get(rank=1)
    number = winner.ticket_number()
    hand_over(raffle.uuid, ticket_number=number, code=code_of(winner), now=NOW, by=STAFF)

    text = text_of(visitor().get(f"/r/{raffle.uuid}/result/"))

    assert f"Rank 1 Phone Ticket {number} Handed over" in text


@pytest.mark.parametrize("count", [1, 3])
def test_forfeited_prizes_cost_the_same_for_one_and_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    raffle = RaffleFactory.create(total_tickets=6, prizes=(("Book", count),), state=State.DRAWN)
    for winner in Winner.objects.of_prizes():
        number = winner.ticket_number()
        forfeit(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)

    with django_assert_num_queries(10):
        visitor().get(f"/r/{raffle.uuid}/result/")
    with django_assert_num_queries(2):
        assert len(visitor().get(f"/r/{raffle.uuid}/forfeited/").json()) == count


def test_certificate_is_cut_behind_a_thousand_winners() -> None:
    raffle = RaffleFactory.create(
        total_tickets=1001, prizes=(("Book", 1001),), alternates=0, state=State.DRAWN
    )

    paper = visitor().get(f"/r/{raffle.uuid}/certificate/")

    assert "These are the first 1,000 winners." in text_of(paper)
    assert ranks(text_of(paper)) == list(range(1, 1001))


def ranks(text: str) -> list[int]:
    """Return the ranks on a certificate, in its order."""
    return [int(rank.replace(",", "")) for rank in re.findall(r"Rank ([\d,]+) Ticket", text)]


def test_certificate_has_an_annex_for_more_than_twenty_winners() -> None:
    twenty, more = (
        RaffleFactory.create(
            total_tickets=count, prizes=(("Phone", 1), ("Book", count - 1)), state=State.DRAWN
        )
        for count in (20, 22)
    )

    full = text_of(visitor().get(f"/r/{twenty.uuid}/certificate/"))
    front, annex = text_of(visitor().get(f"/r/{more.uuid}/certificate/")).split("Annex:")

    assert (ranks(full), "annex" in full) == (list(range(1, 21)), False)
    assert (ranks(front), ranks(annex)) == (list(range(1, 21)), [21, 22])
    assert "The winners from rank 21 on are in the annex." in front


@pytest.mark.parametrize("rank", ["x", "-1", "1234567", "²"])
def test_result_behind_no_rank_is_404(rank: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    assert visitor().get(f"/r/{raffle.uuid}/result/", {"after": rank}).status_code == 404


def test_certificate_comes_with_the_draw() -> None:
    before = RaffleFactory.create(state=State.SEALED)
    after = RaffleFactory.create(state=State.DRAWN)

    assert visitor().get(f"/r/{before.uuid}/certificate/").status_code == 404
    text = text_of(visitor().get(f"/r/{after.uuid}/certificate/"))
    assert bytes(after.draw.signature).hex() in text
    verifier = visitor().get("/verify.py")
    assert f"SHA-256 {hashlib.sha256(verifier.content).hexdigest()}" in text
    assert f"http://testserver/r/{after.uuid}/result/" in text


def test_certificate_of_a_raffle_that_was_called_off_has_its_signed_end() -> None:
    raffle = RaffleFactory.create(state=State.SEALED)
    void_raffle(raffle.uuid, reason="The hall burned down", now=NOW, by=STAFF)
    draw = raffle.draw

    with CaptureQueriesContext(connection) as queries:
        response = visitor().get(f"/r/{raffle.uuid}/certificate/")

    text = text_of(response)
    assert (response.status_code, len(queries)) == (200, 3)
    assert "This raffle was called off. Nobody has won. Reason The hall burned down" in text
    assert "Called off Tuesday, Feb. 10, 2026, 12:00 UTC Reason The hall" in text
    for signed in (draw.commitment_hash, draw.signature, draw.void_signature):
        assert bytes(signed or b"").hex() in text
    page = visitor().get(f"/r/{raffle.uuid}/").content.decode()
    assert f'href="/r/{raffle.uuid}/certificate/"' in page


def test_certificate_of_a_raffle_that_was_never_sealed_says_so() -> None:
    raffle = RaffleFactory.create(state=State.VOID)

    text = text_of(visitor().get(f"/r/{raffle.uuid}/certificate/"))

    assert "It was called off before its tickets were sealed" in text
    assert "Signature" not in text


class TestMyTicket:
    """Number and code say whether the ticket was in and whether it won."""

    raffle: Raffle
    number: int
    code: str

    @pytest.fixture(autouse=True)
    def drawn(self, db: None) -> None:
        """Draw a raffle with a ticket for everybody: one wins, one is an alternate."""
        claim = {"claim_days": 14, "claim_place": "Town hall, room 3"}
        self.raffle = RaffleFactory.create(total_tickets=2, claim=claim)
        entry = enter_nth(self.raffle, 0)
        self.number, self.code = entry.ticket_number, entry.verification_code
        self.other = enter_nth(self.raffle, 1)

    def look_up(self, number: object, code: str, moment: datetime = NOW) -> tuple[int, str, str]:
        """Return status, notice and text of the answer at a moment."""
        path = f"/r/{self.raffle.uuid}/ticket/"
        with time_machine.travel(moment, tick=False):
            response = press(path, ticket_number=number, verification_code=code)
        assert response["Cache-Control"] == "no-store"
        return response.status_code, notice(response), text_of(response)

    def test_winner_is_told_until_when_and_where_to_claim(self) -> None:
        winner, _ = self.draw()

        in_time = self.seen_at(NOW + timedelta(days=14, seconds=-1), winner)
        late = self.seen_at(NOW + timedelta(days=14), winner)

        assert "Claim it until Tuesday, Feb. 24, 2026, 12:00 UTC" in in_time
        assert "Where Town hall, room 3 Show number and code to claim it." in in_time
        assert "won, and nobody claimed its prize in time. It was kept until: Tuesday" in late
        assert "You have won!" not in late

    def test_winner_who_came_is_told_so(self) -> None:
        (number, code), _ = self.draw()
        uuid = self.raffle.uuid

        claim_prize(uuid, ticket_number=number, code=code, now=NOW, by=STAFF)
        claimed = self.seen_at(NOW + timedelta(days=15), (number, code))
        hand_over(uuid, ticket_number=number, code=code, now=NOW, by=STAFF)
        handed_over = self.seen_at(NOW + timedelta(days=15), (number, code))

        assert "You have won! Phone You claimed it in time. Where Town hall, room 3" in claimed
        assert "You have won! Phone The prize was handed over to you." in handed_over
        assert "Claim it until" not in claimed + handed_over

    def seen_at(self, moment: datetime, ticket: tuple[int, str]) -> str:
        """Return what the page says to the ticket's holder at a moment."""
        status, _, text = self.look_up(*ticket, moment)
        assert status == 200
        return text

    def draw(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """Draw; return number and code of the winner and of the alternate."""
        entries = {
            self.number: (self.number, self.code),
            self.other.ticket_number: (self.other.ticket_number, self.other.verification_code),
        }
        take_to(State.DRAWN, self.raffle)
        winner, alternate = (w.ticket_number() for w in Winner.objects.order_by("rank"))
        return entries[winner], entries[alternate]

    def test_winner_is_told_the_prize(self) -> None:
        winner, _ = self.draw()

        status, _, text = self.look_up(*winner)

        assert status == 200
        assert "You have won! Phone" in text
        assert "Town hall, room 3" in text
        assert inclusion(self.raffle.uuid, winner[0])["leaf_hash"] in text

    def test_loser_is_told_kindly(self) -> None:
        _, loser = self.draw()

        status, _, text = self.look_up(*loser)

        assert status == 200
        assert "This ticket has not won." in text
        assert "won!" not in text

    def test_replaced_winner_is_told_why(self) -> None:
        winner, _ = self.draw()
        reason = "Did not come"
        replace_winner(self.raffle.uuid, ticket_number=winner[0], reason=reason, now=NOW, by=STAFF)

        status, _, text = self.look_up(*winner)

        assert status == 200
        assert "This ticket was drawn, and its prize was passed on." in text
        assert "The reason given: Did not come" in text

    def test_before_the_draw_number_and_code_are_compared(self) -> None:
        status, said, text = self.look_up(self.number, self.code.lower())
        refused = self.look_up(self.number, "0000-0000-0000-0000-0000")

        assert (status, said) == (200, "")
        assert f"Ticket {self.number} Code {self.code[:4]}" in text
        assert "Number and code belong together. Tickets are gone. The draw comes next." in text
        assert refused[:2] == (400, WRONG)

    def test_open_page_learns_what_anybody_may_know_of_its_number(self) -> None:
        before = self.state_of(self.number)
        winner, other = self.draw()

        assert before == (200, "Tickets are gone. The draw comes next.")
        assert self.state_of(winner[0])[1].startswith("You have won! Phone Where Town hall")
        assert self.state_of(other[0])[1].startswith("This ticket has not won.")
        assert [self.state_of(number)[0] for number in (0, 3, 10**30)] == [404, 404, 404]

    def test_open_page_with_the_code_is_told_what_is_its_holders_alone(self) -> None:
        (number, code), _ = self.draw()
        winner = Winner.objects.get(rank=1)
        strangers = self.state_of(number)
        assert "until" not in strangers[1]

        assert self.state_of(number, code=code)[1].startswith("You have won! Phone Claim it until")
        assert self.state_of(number, code="0000-0000-0000-0000-0000") == strangers
        assert self.state_of(number, code="what is no code") == strangers
        extend_deadline(winner, NOW + timedelta(days=40), now=NOW, by=STAFF)
        assert self.state_of(number) == strangers
        claim_prize(self.raffle.uuid, ticket_number=number, code=code, now=NOW, by=STAFF)
        assert self.state_of(number) == strangers
        assert "You claimed it in time." in self.state_of(number, code=code)[1]

    def test_number_that_nobody_holds_has_no_outcome(self) -> None:
        raffle = RaffleFactory.create(closes_at=NOW + timedelta(hours=1), tickets=1)
        take_to(State.DRAWN, raffle)
        held = raffle.winners.get().ticket_number()

        answers = {number: self.state_of(number, raffle)[0] for number in (1, 2, 3)}

        assert answers == {1: 404, 2: 404, 3: 404} | {held: 200}

    def state_of(
        self, number: int, raffle: Raffle | None = None, code: str = ""
    ) -> tuple[int, str]:
        """Return status and text of what an open page of a ticket asks for."""
        uuid = (raffle or self.raffle).uuid
        more = {"Ticket-Code": code} if code else {}
        with time_machine.travel(NOW, tick=False):
            response = visitor(**more).get(f"/r/{uuid}/ticket/{number}/state/")
        if response.status_code == 200:
            assert "Ticket-Code" in response["Vary"]
        return response.status_code, text_of(response)

    @pytest.mark.parametrize("number", [0, 99])
    def test_wrong_code_or_number_is_refused(self, number: int) -> None:
        (right, _), _ = self.draw()

        status, said, text = self.look_up(number or right, "0000-0000-0000-0000-0000")

        assert (status, said) == (400, WRONG)
        assert "won" not in text.replace("win?", "")

    def test_what_is_no_number_is_said_at_the_field(self) -> None:
        status, said, text = self.look_up("many", self.code)

        assert (status, said) == (400, "")
        assert "Write the number that is on the ticket, such as 1234." in text

    def test_code_comes_in_no_address(self) -> None:
        winner, _ = self.draw()
        query: dict[str, str | int] = {"ticket_number": winner[0], "verification_code": winner[1]}

        text = text_of(visitor().get(f"/r/{self.raffle.uuid}/ticket/", query))

        assert "won!" not in text


@pytest.mark.parametrize("count", [1, 3])
def test_result_costs_the_same_for_one_and_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    raffle = RaffleFactory.create(
        total_tickets=6, prizes=(("Book", count),), alternates=3, state=State.DRAWN
    )
    for winner in Winner.objects.of_prizes():
        number = winner.ticket_number()
        replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)

    with django_assert_num_queries(10):
        visitor().get(f"/r/{raffle.uuid}/result/")


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("path", "queries"), [("", 2), ("state/", 2), ("ticket/", 2)])
def test_open_raffle_costs_the_same_for_one_and_for_three(
    path: str, queries: int, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    prizes = [(f"Prize {number}", 1) for number in range(count)]
    raffle = RaffleFactory.create(total_tickets=9, prizes=prizes, tickets=count)

    with django_assert_num_queries(queries):
        visitor().get(f"/r/{raffle.uuid}/{path}")


@pytest.mark.parametrize("count", [1, 3])
def test_drawn_raffle_costs_the_same_for_one_and_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    raffle = RaffleFactory.create(total_tickets=6, prizes=(("Book", count),), alternates=3)
    entries = [enter_nth(raffle, n) for n in range(6)]
    entry = entries[0]
    take_to(State.DRAWN, raffle)

    with django_assert_num_queries(8):
        visitor().get(f"/r/{raffle.uuid}/")
    with django_assert_num_queries(10):
        press(
            f"/r/{raffle.uuid}/ticket/",
            ticket_number=entry.ticket_number,
            verification_code=entry.verification_code,
        )


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_kept_by_nobody_else_and_speak_the_visitors_language(path: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    english = visitor().get(f"/r/{raffle.uuid}/{path}")
    french = visitor(**{"Accept-Language": "fr"}).get(f"/r/{raffle.uuid}/{path}")
    german = visitor(**{"Accept-Language": "fr, de-CH;q=0.8"}).get(f"/r/{raffle.uuid}/{path}")

    languages = [page["Content-Language"] for page in (english, french, german)]
    assert languages == ["en", "en", "de"]
    assert '<html lang="de">' in german.content.decode()
    assert german["Cache-Control"] == "no-cache"
    assert "Accept-Language" in german["Vary"]


def test_names_are_text_and_never_markup() -> None:
    name = "<script>alert(1)</script>"
    raffle = RaffleFactory.create(name=name, prizes=((name, 1),), state=State.DRAWN)

    for path in ("", *(f"r/{raffle.uuid}/{page}" for page in PAGES)):
        assert "<script>alert" not in visitor().get(f"/{path}").content.decode()


@pytest.mark.parametrize("path", ["", *PAGES])
def test_pages_load_nothing_from_elsewhere_and_nothing_inline(path: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    body = visitor().get(f"/r/{raffle.uuid}/{path}").content.decode()

    assert " style=" not in body
    assert "<style" not in body
    assert body.count("<script") == body.count('<script type="module" src="/static/raffles/')
    assert 'src="http' not in body


@pytest.mark.parametrize("path", ["", *PAGES])
def test_only_the_ticket_page_may_ask_for_the_camera(path: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    allowed = visitor().get(f"/r/{raffle.uuid}/{path}")["Permissions-Policy"].split(", ")

    camera = "camera=(self)" if path == "ticket/" else "camera=()"
    assert allowed == [camera, "geolocation=()", "microphone=()"]


@pytest.mark.parametrize(
    ("wish", "language", "words"),
    [
        ("fr", "en", "There is nothing at this address."),
        ("de-CH, en;q=0.5", "de", "Unter dieser Adresse gibt es nichts."),
    ],
)
@pytest.mark.parametrize("path", ["/nothing/", "/e/nothing/"])
def test_unknown_address_is_a_page_in_the_browsers_language(
    path: str, wish: str, language: str, words: str
) -> None:
    response = visitor(**{"Accept": "text/html", "Accept-Language": wish}).get(path)

    assert (response.status_code, response["Content-Language"]) == (404, language)
    assert "Accept-Language" in response["Vary"]
    assert f'<html lang="{language}">' in response.content.decode()
    assert words in text_of(response)
    assert head_of(response)["robots"] == "noindex"


@pytest.mark.parametrize(
    ("handler", "status", "words"),
    [
        (lambda request: handler400(request, BadRequest()), 400, "nicht verstanden"),
        (lambda request: handler403(request, PermissionDenied()), 403, "Das dürfen Sie nicht."),
        (handler500, 500, "Hier ist etwas schiefgegangen."),
        (
            lambda request: ProblemMiddleware(handler500).process_exception(
                request, OperationalError()
            ),
            503,
            "Unsere Bücher",
        ),
        (csrf_failure, 403, "nicht verstanden"),
    ],
)
def test_other_faults_are_pages_too(
    handler: Callable[[HttpRequest], HttpResponse], status: int, words: str
) -> None:
    wish = {"Accept": "text/html", "Accept-Language": "de"}
    asked = RequestFactory().get("/e/spring/?day=1", headers=wish)

    response = handler(asked)

    assert (response.status_code, response["Content-Language"]) == (status, "de")
    assert words in text_of(response)
    assert head_of(response)["robots"] == "noindex"
    # A way on, and a frame whose links lead somewhere.
    body = response.content.decode()
    ways = set(re.findall(r'<a [^>]*href="([^"]*)"', body.partition("<h1>")[2]))
    assert "/" in ways
    assert ("/e/spring/?day=1" in ways) == (status >= 500 or handler is csrf_failure)
    assert "" not in ways


def test_robots_may_read_pages_and_not_the_machinery() -> None:
    lines = visitor().get("/robots.txt").content.decode().splitlines()

    assert lines == [
        "User-agent: *",
        "Disallow: /admin/",
        "Disallow: /api/",
        "Disallow: /events/",
        "Disallow: /raffles/",
        "Disallow: /*/state/",
    ]


# Not disallowed in robots.txt: who may not read a page does not see that it must not be listed.
@pytest.mark.parametrize("path", PAGES)
def test_robots_list_raffles_and_results_alone(path: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    said = head_of(visitor().get(f"/r/{raffle.uuid}/{path}"))["robots"]

    assert said == ("index, follow" if path in ("", "result/") else "noindex")


@pytest.mark.parametrize(("language", "locale"), [("en", "en_GB"), ("de-AT", "de_DE")])
def test_page_tells_whoever_shares_it_what_it_is(
    language: str, locale: str, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://draws.example.org"
    raffle = RaffleFactory.create(name='"Fish" & Chips')
    address = f"https://draws.example.org/r/{raffle.uuid}/"

    head = head_of(visitor(**{"Accept-Language": language}).get(f"/r/{raffle.uuid}/?from=mail"))

    assert head["canonical"] == head["og:url"] == address
    assert head["og:title"] == '"Fish" & Chips'
    assert head["og:description"].startswith("Phone. ")
    assert head["og:locale"] == locale
    assert head["og:type"] == "website"
    assert head["alternate application/atom+xml"] == "/winners.atom"
    assert head["alternate text/calendar"] == "/events.ics"


class TestOperatedStage:
    """Only who is logged in and may, gives a prize to an alternate from the stage."""

    def path(self, raffle: Raffle) -> str:
        return f"/admin/raffles/raffle/{raffle.uuid}/stage/"

    def staff(self, *, may: bool = True) -> Client:
        """Return a logged-in member of the staff."""
        user = get_user_model().objects.create_user("sam", is_staff=True)
        if may:
            user.user_permissions.add(Permission.objects.get(codename="add_replacement"))
        client = Client()
        client.force_login(user)
        return client

    def test_replaces_an_absent_winner(self) -> None:
        raffle = RaffleFactory.create(state=State.DRAWN)
        winner, alternate = (w.ticket_number() for w in Winner.objects.order_by("rank")[:2])

        asked = {"ticket_number": winner, "reason": "Not in the hall"}
        response = self.staff().post(self.path(raffle), asked)

        line = Replacement.objects.get()
        assert (response.status_code, response.json()) == (201, line.public())
        assert line.alternate.ticket_number() == alternate
        assert line.actor.startswith("staff sam from ")

    def test_refusals_are_said(self) -> None:
        raffle = RaffleFactory.create(state=State.DRAWN)
        client = self.staff()

        unknown = client.post(self.path(raffle), {"ticket_number": 99, "reason": "Ill"})
        silent = client.post(self.path(raffle), {"ticket_number": 1, "reason": "\u200b"})

        assert (unknown.status_code, unknown.json()) == (
            400,
            {"detail": "This ticket holds no prize"},
        )
        assert silent.status_code == 400
        assert list(silent.json()["errors"]) == ["reason"]
        assert not Replacement.objects.exists()

    def test_strangers_and_the_unpermitted_may_not(self) -> None:
        raffle = RaffleFactory.create(state=State.DRAWN)
        winner = Winner.objects.order_by("rank")[0].ticket_number()
        asked = {"ticket_number": winner, "reason": "Mine now"}

        stranger = Client().post(self.path(raffle), asked)
        unpermitted = self.staff(may=False).post(self.path(raffle), asked)

        assert (stranger.status_code, unpermitted.status_code) == (302, 403)
        assert not Replacement.objects.exists()

    def test_needs_its_own_form(self) -> None:
        raffle = RaffleFactory.create(state=State.DRAWN)
        client = self.staff()
        client.handler.enforce_csrf_checks = True

        response = client.post(self.path(raffle), {"ticket_number": 1, "reason": "Ill"})

        assert response.status_code == 403

    def test_public_stage_has_no_form(self) -> None:
        raffle = RaffleFactory.create(state=State.DRAWN)

        body = visitor().get(f"/r/{raffle.uuid}/stage/").content.decode()

        assert "<form" not in body
        assert "<form" in self.staff().get(self.path(raffle)).content.decode()
