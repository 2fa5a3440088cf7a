"""Running raffles in the admin: what is previewed is what happens, once, and refusals say why."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from raffles.admin import raffle_actions as pages
from raffles.domain import due
from raffles.domain.drawing import advance
from raffles.models import Announcement, LogEntry, Raffle, Replacement, State
from raffles.tests.factories import NOW, RaffleFactory, clock
from raffles.web.callers import address_tag

SAM = f"staff sam from {address_tag('127.0.0.1')}"
ENDS = ("ends", "ended")
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    user = User.objects.create_user("sam", is_staff=True)
    user.groups.set([Group.objects.get(name="Manager")])
    client.force_login(user)
    return client


def address(raffle: Raffle, act: str) -> str:
    return reverse(f"admin:raffles_raffle_{act}", args=[raffle.pk])


def confirmed(page: Any) -> list[str]:
    """Return the actions that the raffle's page offers."""
    running = {action.name for action in pages.RUNNING}
    return [found.name for found in page.context["pages"] if found.name in running]


def previewed(staff: Client, raffle: Raffle, act: str) -> list[str]:
    with time_machine.travel(NOW, tick=False):
        return list(staff.get(address(raffle, act)).context["preview"])


def perform(staff: Client, raffle: Raffle, act: str, **typed: Any) -> list[str]:
    """Confirm an act and return what the next page says of it."""
    with time_machine.travel(NOW + timedelta(seconds=1), tick=False):
        answer = staff.post(address(raffle, act), typed, follow=True)
    raffle.refresh_from_db()
    return [unescape(str(message)) for message in answer.context["messages"]]


def offered(staff: Client, raffle: Raffle) -> list[str]:
    page = reverse("admin:raffles_raffle_change", args=[raffle.pk])
    with time_machine.travel(NOW, tick=False):
        return confirmed(staff.get(page))


def test_draw_happens_once_however_often_it_is_confirmed(staff: Client) -> None:
    raffle = RaffleFactory.create(tickets=3)
    said = [perform(staff, raffle, "draw") for _ in range(2)]
    assert said == [
        ["Drawn. The winners are public."],
        ["Winners for the raffle have already been drawn"],
    ]
    assert raffle.state == State.DRAWN
    assert Announcement.objects.filter(kind=Announcement.Kind.DRAWN).count() == 1
    acts = LogEntry.objects.about(raffle).filter(by=SAM)
    assert [act.action for act in acts] == [
        "raffle.sold_out",
        "raffle.closed",
        "draw.sealed",
        "draw.drawn",
    ]


def test_draw_says_what_will_happen(staff: Client) -> None:
    raffle = RaffleFactory.create(tickets=3, prizes=(("Phone", 1), ("Cake", 1)))
    assert previewed(staff, raffle, "draw") == [
        "3 tickets of 3 are in the draw; no more are handed out from now on.",
        "Prizes: 2 (1 × Phone, 1 × Cake), and 1 alternate.",
        "The pool is sealed and the winners are drawn at once, by the server's own randomness.",
        "It is public at once and can't be undone.",
    ]


def test_draw_by_beacon_names_the_round_and_then_waits_for_it(staff: Client) -> None:
    raffle = RaffleFactory.create(tickets=3, entropy="drand")
    about = "about beacon round 25,973,832, at 2026-02-10 12:01:00 UTC, decides."
    assert previewed(staff, raffle, "draw")[2:4] == [
        f"The pool is sealed and its fingerprint published; {about}",
        "A raffle is sealed once: nothing can be drawn again.",
    ]
    exactly = "beacon round 25,973,833, at 2026-02-10 12:01:03 UTC, decides."
    assert perform(staff, raffle, "draw") == [
        f"The pool is sealed and its fingerprint is public; {exactly}"
    ]
    assert raffle.state == State.SEALED
    assert offered(staff, raffle) == ["draw", "void"]


def test_prizes_beyond_the_tickets_are_foreseen(staff: Client) -> None:
    raffle = RaffleFactory.create(
        tickets=1, prizes=(("Phone", 3),), closes_at=NOW + timedelta(seconds=1)
    )
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        page = staff.get(address(raffle, "draw"))
    assert page.context["preview"][1] == (
        "Prizes: 3 (3 × Phone), and 1 alternate. 2 of them without a winner."
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"tickets": 2}, "Winners can't be drawn when tickets are still available"),
        (
            {"tickets": 3, "closes_at": NOW + timedelta(hours=1)},
            "Winners can't be drawn before the draw time",
        ),
        ({"state": State.VOID}, "The raffle has been voided"),
    ],
)
def test_draw_is_refused_in_the_words_of_the_domain(
    staff: Client, made: dict[str, Any], said: str
) -> None:
    raffle = RaffleFactory.create(**made)
    before = raffle.state
    assert "draw" not in offered(staff, raffle)
    assert perform(staff, raffle, "draw") == [said]
    assert raffle.state == before


def test_nobody_came_ends_without_winners(staff: Client) -> None:
    raffle = RaffleFactory.create(now=NOW - timedelta(days=1), closes_at=NOW)
    assert (
        previewed(staff, raffle, "draw")[0] == "Nobody took part: the raffle ends without winners."
    )
    assert perform(staff, raffle, "draw") == ["Nobody took part: the raffle ended without winners."]
    assert raffle.state == State.VOID


def test_large_pool_is_closed_and_left_to_the_next_run(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (due, pages):
        monkeypatch.setattr(module, "AT_ONCE", 2)
    raffle = RaffleFactory.create(tickets=3)
    assert previewed(staff, raffle, "draw")[2:4] == [
        "A pool of this size takes longer to seal than a page may wait.",
        "This closes entries; the next run of draw_winners goes on from there.",
    ]
    left = ["Entries are closed. The next run of draw_winners seals the pool and draws."]
    assert [perform(staff, raffle, "draw") for _ in range(2)] == [left, left]
    assert raffle.state == State.CLOSED
    assert list(Raffle.objects.due(NOW)) == [raffle]
    advance(raffle.pk, now=NOW, clock=clock, by="draw_winners")
    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN


def test_void_needs_a_reason_and_publishes_it(staff: Client) -> None:
    raffle = RaffleFactory.create(tickets=2)
    assert previewed(staff, raffle, "void") == [
        "The raffle ends without winners: 2 tickets handed out for nothing.",
        "It is public at once and can't be undone.",
    ]
    for reason in ("", "  ", "\u202eevil", "x" * 201):
        assert staff.post(address(raffle, "void"), {"reason": reason}).status_code == 200
    raffle.refresh_from_db()
    assert raffle.state == State.OPEN
    said = [perform(staff, raffle, "void", reason="The sponsor withdrew") for _ in range(2)]
    assert said == [["Called off. The reason is public."], ["The raffle has been voided"]]
    assert raffle.void_reason == "The sponsor withdrew"


def test_sealed_raffle_can_be_called_off_even_after_its_round(staff: Client) -> None:
    raffle = RaffleFactory.create(state=State.SEALED, entropy="drand")
    assert previewed(staff, raffle, "void") == [
        "The raffle ends without winners: 3 tickets handed out for nothing.",
        "The commitment stays public, with your reason under it.",
        "Its tickets stay public: anyone can compute who would have won.",
        "It is public at once and can't be undone.",
    ]
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        page = staff.get(reverse("admin:raffles_raffle_change", args=[raffle.pk]))
        assert confirmed(page) == ["draw", "void"]
        answer = staff.post(address(raffle, "void"), {"reason": "Drand is dead"}, follow=True)
    said = [unescape(str(message)) for message in answer.context["messages"]]
    assert said == ["Called off. The reason is public."]
    raffle.refresh_from_db()
    assert (raffle.state, raffle.void_reason) == (State.VOID, "Drand is dead")


def test_replacing_begins_with_whose_prize_it_is_and_goes_on_at_the_winners_page(
    staff: Client,
) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    lost, won = raffle.winners.order_by("rank")
    number = lost.ticket_number()
    heir = f"The next alternate gets it: ticket {won.ticket_number()}, rank 2."
    assert previewed(staff, raffle, "replace")[0] == heir
    asked = staff.post(address(raffle, "replace"), {"ticket_number": number}, follow=True)
    assert asked.redirect_chain == [(reverse("admin:raffles_winner_replace", args=[lost.pk]), 302)]
    assert asked.context["preview"][:4] == [
        f"Ticket {number}, rank 1, holds Phone.",
        "Nobody has noted that they were notified.",
        "Not claimed.",
        heir,
    ]
    assert asked.context["form"]["ticket_number"].value() is None
    assert not Replacement.objects.exists()


@pytest.mark.parametrize("typed", ["", "x", "0", "-1", "99", "1" * 40])
def test_ticket_without_a_prize_is_answered_beside_its_field(staff: Client, typed: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    answer = staff.post(address(raffle, "replace"), {"ticket_number": typed})
    form = answer.context["form"]
    assert (answer.status_code, form["ticket_number"].value()) == (400, typed)
    assert form.errors.keys() == {"ticket_number"}


def test_alternate_has_no_prize_to_lose(staff: Client) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    number = raffle.winners.get(rank=2).ticket_number()
    answer = staff.post(address(raffle, "replace"), {"ticket_number": number})
    assert answer.context["form"].errors == {"ticket_number": ["This ticket holds no prize"]}


def test_finished_raffle_offers_nothing_to_change(staff: Client) -> None:
    for state in (State.DRAWN, State.VOID):
        raffle = RaffleFactory.create(state=state)
        page = staff.get(reverse("admin:raffles_raffle_change", args=[raffle.pk]))
        assert b'name="_save"' not in page.content
        assert offered(staff, raffle) == (["replace"] if state == State.DRAWN else [])
    drawn = Raffle.objects.get(state=State.DRAWN)
    page = staff.get(reverse("admin:raffles_raffle_change", args=[drawn.pk]))
    for name in ("pages:result", "pages:certificate", "pages:stage", "pages:operated_stage"):
        assert reverse(name, args=[drawn.uuid]) in page.content.decode()
    for name in ("raffle-commitment", "raffle-proof"):
        assert reverse(name, args=[drawn.uuid]) in page.content.decode()
    assert reverse("verifier") in page.content.decode()


def test_raffle_with_tickets_says_that_its_terms_are_frozen(staff: Client) -> None:
    raffle = RaffleFactory.create(tickets=1)
    page = reverse("admin:raffles_raffle_change", args=[raffle.pk])
    answer = staff.post(page, {"name": "Another"}, follow=True)
    assert [unescape(str(said)) for said in answer.context["messages"]] == [
        "The raffle has tickets, so its terms can't be changed"
    ]
    assert b'name="_save"' not in answer.content


MISSING = "A key is missing here. Try again once whoever runs this has put it back."


@pytest.mark.parametrize("entry", ["address", "invitation"])
def test_a_raffle_whose_key_is_lost_is_no_fault_of_any_page(
    staff: Client, settings: LazySettings, entry: str
) -> None:
    raffle = RaffleFactory.create(tickets=0 if entry == "invitation" else 2, entry=entry)
    settings.TICKET_KEYS = [b"another" * 5]
    page = staff.get(reverse("admin:raffles_raffle_change", args=[raffle.pk]))
    about = [found for found in page.context["pages"] if found.name != "own_list"]
    assert len(about) > 3
    for name in (found.name for found in about):
        shown = staff.get(address(raffle, name))
        assert shown.status_code in (200, 302, 503), name
        pressed = staff.post(address(raffle, name), {"reason": "Rain", "confirmed": "on"})
        assert pressed.status_code in (200, 302, 400, 405, 503), name


def test_paper_tickets_of_a_raffle_whose_key_is_lost_say_so(
    staff: Client, settings: LazySettings
) -> None:
    raffle = RaffleFactory.create()
    settings.TICKET_KEYS = [b"another" * 5]
    answer = staff.post(address(raffle, "tickets"), {"amount": 3, "batch": "a" * 32})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert MISSING in unescape(answer.content.decode())
