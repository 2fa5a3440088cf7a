"""The counter: a ticket is shown, its prize handed over once; the code goes no further."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from raffles.domain.entering import Entry
from raffles.domain.prizes import forfeit, replace_winner
from raffles.models import Handover, LogEntry, Raffle, State, Winner, WinnerState
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to
from raffles.web.callers import address_tag

pytestmark = pytest.mark.django_db

COUNTER = reverse("admin:raffles_winner_counter")
SAM = f"staff sam from {address_tag('127.0.0.1')}"
SOON = NOW + timedelta(days=1)
WEEK = timedelta(days=7)


@pytest.fixture
def staff(client: Client) -> Client:
    user = User.objects.create_user("sam", is_staff=True)
    user.groups.set([Group.objects.get(name="Operator")])
    client.force_login(user)
    return client


class Shown:
    """A drawn raffle of three tickets with a winner, an alternate and a loser, ranks 1 to 3."""

    def __init__(self, **terms: Any) -> None:
        self.raffle: Raffle = RaffleFactory.create(**terms)
        tickets = [enter_nth(self.raffle, n) for n in range(3)]
        take_to(State.DRAWN, self.raffle)
        ranks = {winner.ticket_number(): winner.rank for winner in self.raffle.winners.all()}
        self.tickets: dict[int, Entry] = {
            ranks.get(ticket.ticket_number, 3): ticket for ticket in tickets
        }

    def typed(self, rank: int = 1, **changes: Any) -> dict[str, Any]:
        """Return what is typed from a ticket."""
        ticket = self.tickets[rank]
        return {
            "raffle": str(self.raffle.uuid),
            "number": str(ticket.ticket_number),
            "code": ticket.verification_code,
        } | changes


def post(staff: Client, typed: dict[str, Any], now: datetime = SOON) -> Any:
    with time_machine.travel(now, tick=False):
        return staff.post(COUNTER, typed)


def said(answer: Any) -> tuple[str, ...]:
    """Return the headline, the prize and the lines, without those that are empty."""
    found = answer.context["verdict"]
    return tuple(filter(None, (found.headline, found.prize, *found.lines)))


def test_ticket_is_checked_handed_over_and_the_next_one_comes(staff: Client) -> None:
    shown = Shown(claim={"claim_days": 7})
    answer = post(staff, shown.typed())
    assert said(answer) == ("Won", "Phone", "Rank 1.", "Kept until 2026-02-17 12:00 UTC.")
    assert answer.context["verdict"].actions == ("hand-over", "claim")
    assert not Handover.objects.exclude(claimed_at=None).exists()
    answer = post(staff, shown.typed(act="hand-over"))
    winner = shown.raffle.winners.get(rank=1)
    back = f"{COUNTER}?raffle={shown.raffle.uuid}&done={done(winner)}"
    assert (answer.status_code, answer.url) == (302, back)
    page = staff.get(answer.url)
    number = shown.tickets[1].ticket_number
    assert [str(message) for message in page.context["messages"]] == [
        f"Handed over: Phone, ticket {number}."
    ]
    assert Winner.objects.with_state().get(rank=1).state() == WinnerState.HANDED_OVER


def done(winner: Winner, at: datetime = SOON) -> str:
    """Return how the page after a hand-over names it."""
    return f"{winner.pk}-{round(at.timestamp() * 1_000_000)}"


def test_hand_over_is_undone_within_a_minute(staff: Client) -> None:
    shown = Shown(claim={"claim_days": 7})
    winner = shown.raffle.winners.get(rank=1)
    post(staff, shown.typed(act="hand-over"))
    handed_over = done(winner)
    undo = {"undo": handed_over}
    with time_machine.travel(SOON + timedelta(seconds=30), tick=False):
        page = staff.get(f"{COUNTER}?raffle={shown.raffle.uuid}&done={handed_over}")
        assert page.context["undo"] == winner
        said_then = staff.post(COUNTER, undo, follow=True).context["messages"]
    number = winner.ticket_number()
    assert [str(message) for message in said_then] == [
        f"Undone: ticket {number} has claimed, and waits for its prize."
    ]
    assert Winner.objects.with_state().get(rank=1).state() == WinnerState.CLAIMED
    actions = LogEntry.objects.about(shown.raffle).values_list("action", flat=True)
    assert list(actions)[-2:] == ["prize.handed_over", "prize.hand_over_undone"]

    post(staff, shown.typed(act="hand-over"))
    with time_machine.travel(SOON + timedelta(seconds=61), tick=False):
        late = staff.post(COUNTER, undo, follow=True)
        page = staff.get(f"{COUNTER}?raffle={shown.raffle.uuid}&done={handed_over}")
    assert [str(message) for message in late.context["messages"]] == [
        f"Handed over: Phone, ticket {number}.",
        "Only a hand-over of the last minute can be undone",
    ]
    assert page.context["undo"] is None
    assert Winner.objects.with_state().get(rank=1).state() == WinnerState.HANDED_OVER


def test_undo_of_one_counter_leaves_what_another_has_handed_over_since(staff: Client) -> None:
    shown = Shown()
    winner = shown.raffle.winners.get(rank=1)
    undo = {"undo": done(winner)}
    post(staff, shown.typed(act="hand-over"))
    with time_machine.travel(SOON + timedelta(seconds=10), tick=False):
        staff.post(COUNTER, undo)
    post(staff, shown.typed(act="hand-over"), now=SOON + timedelta(seconds=20))
    with time_machine.travel(SOON + timedelta(seconds=30), tick=False):
        late = staff.post(COUNTER, undo, follow=True)
    assert [str(message) for message in late.context["messages"]][-1:] == [
        "Only a hand-over of the last minute can be undone"
    ]
    assert Winner.objects.with_state().get(rank=1).state() == WinnerState.HANDED_OVER


@pytest.mark.parametrize("odd", ["", "x", "1", "1-", "-1", "1-1", f"{'9' * 30}-1", "١-١"])
def test_odd_undo_is_refused(staff: Client, odd: str) -> None:
    assert staff.get(f"{COUNTER}?done={odd}").context["undo"] is None
    assert staff.post(COUNTER, {"undo": odd}).status_code in (302, 400)


def test_second_click_says_when_and_by_whom_it_was_handed_over(staff: Client) -> None:
    shown = Shown()
    post(staff, shown.typed(act="hand-over"))
    for typed in (shown.typed(act="hand-over"), shown.typed()):
        answer = post(staff, typed, now=SOON + WEEK)
        assert said(answer) == (
            "Handed over already",
            "Phone",
            f"On 2026-02-11 12:00 UTC, by {SAM}.",
        )
        assert answer.context["verdict"].actions == ()


def test_prize_that_is_sent_is_claimed_now_and_handed_over_later(staff: Client) -> None:
    shown = Shown(claim={"claim_days": 7})
    assert post(staff, shown.typed(act="claim")).status_code == 302
    answer = post(staff, shown.typed(), now=NOW + 2 * WEEK)
    assert said(answer) == ("Won", "Phone", "Rank 1.", "Claimed on 2026-02-11 12:00 UTC.")
    assert answer.context["verdict"].actions == ("hand-over",)
    assert post(staff, shown.typed(act="hand-over"), now=NOW + 2 * WEEK).status_code == 302


def test_who_has_nothing_to_claim_is_told_why(staff: Client) -> None:
    shown = Shown(claim={"claim_days": 7})
    assert said(post(staff, shown.typed(2))) == ("No prize so far", "An alternate, rank 2.")
    assert said(post(staff, shown.typed(3)))[0] == "Not a winner"
    late = post(staff, shown.typed(act="hand-over"), now=NOW + WEEK)
    assert said(late) == ("Too late", "Phone", "Kept until 2026-02-17 12:00 UTC.")
    assert (late.status_code, late.context["verdict"].actions) == (409, ())
    number = shown.tickets[1].ticket_number
    names: dict[str, Any] = {"ticket_number": number, "now": SOON, "by": STAFF}
    forfeit(shown.raffle.uuid, reason="Under age", **names)
    assert said(post(staff, shown.typed())) == (
        *("Forfeited", "Phone"),
        *("On 2026-02-11 12:00 UTC.", "The reason given: Under age"),
    )
    replace_winner(shown.raffle.uuid, reason="Under age", **names)
    assert said(post(staff, shown.typed())) == (
        *("Passed on", "Phone"),
        *("It went to an alternate on 2026-02-11 12:00 UTC.", "The reason given: Under age"),
    )
    assert said(post(staff, shown.typed(2)))[:2] == ("Won", "Phone")


@pytest.mark.parametrize("changes", [{"code": "0" * 20}, {"code": "x"}, {"number": "9999"}])
def test_wrong_number_or_code_says_so_and_hands_nothing_over(
    staff: Client, changes: dict[str, Any]
) -> None:
    shown = Shown()
    answer = post(staff, shown.typed(act="hand-over", **changes))
    assert (answer.status_code, said(answer)[0]) == (400, "Invalid verification code")
    assert not Handover.objects.exists()


def test_raffle_that_is_not_drawn_is_said(staff: Client) -> None:
    shown = Shown()
    waiting = RaffleFactory.create(state=State.SEALED)
    answer = post(staff, shown.typed(raffle=str(waiting.uuid)))
    assert said(answer)[0] == "Winners for the raffle have not been drawn yet"


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"raffle": ""}, "raffle", "Choose the raffle."),
        ({"raffle": "x"}, "raffle", "Enter a valid UUID."),
        ({"raffle": "0" * 32}, "raffle", "There is no such raffle."),
        ({"number": ""}, "number", "Type the number on the ticket."),
        ({"number": "٣"}, "number", "Type the number on the ticket."),
        ({"number": "1" * 99}, "number", "Type the number on the ticket."),
        ({"number": "-1"}, "number", "Type the number on the ticket."),
        ({"code": ""}, "code", "Type the code on the ticket."),
        ({"code": "\0"}, "code", "Null characters are not allowed."),
    ],
)
def test_what_is_missing_is_said_at_its_field(
    staff: Client, changes: dict[str, Any], field: str, sentence: str
) -> None:
    answer = post(staff, Shown().typed(**changes))
    assert (answer.status_code, answer.context["form"].errors[field]) == (400, [sentence])


@pytest.mark.parametrize("field", ["number", "code"])
def test_scanner_types_the_whole_card_into_either_field(staff: Client, field: str) -> None:
    shown, other = Shown(), Shown()
    ticket = shown.tickets[1]
    link = reverse("pages:ticket", args=[shown.raffle.uuid])
    card = f"https://example.org{link}#{ticket.ticket_number}.{ticket.verification_code}\n"
    typed = {"raffle": str(other.raffle.uuid), "number": "", "code": "", field: card}
    answer = post(staff, typed)
    assert said(answer)[:2] == ("Won", "Phone")
    assert answer.context["raffle"] == shown.raffle


def test_raffle_of_the_link_is_chosen_and_an_older_one_is_offered_too(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, latest = Shown(name="Older"), Shown(name="Latest")
    monkeypatch.setattr("raffles.admin.counter.recently_drawn", lambda: [latest.raffle])
    page = staff.get(COUNTER, {"raffle": str(older.raffle.uuid)}).content.decode()
    assert f'<option value="{older.raffle.uuid}" selected>Older</option>' in page
    assert f'<option value="{latest.raffle.uuid}">Latest</option>' in page
    assert staff.get(COUNTER, {"raffle": "x"}).status_code == 200


def test_code_is_in_no_address_title_or_log_and_nothing_is_kept(
    staff: Client, caplog: pytest.LogCaptureFixture
) -> None:
    shown = Shown()
    with caplog.at_level(logging.DEBUG):
        answer = post(staff, shown.typed())
        done = post(staff, shown.typed(act="hand-over"))
    code = shown.tickets[1].verification_code
    assert "no-store" in answer["Cache-Control"]
    assert answer.content.decode().count(code) == 1  # the hidden field of the buttons
    assert code not in done.url
    own = [record for record in caplog.records if not record.name.startswith("django.db")]
    assert code not in "".join(str(record.__dict__) for record in own)
    assert staff.put(COUNTER).status_code == 405


def test_counter_may_use_the_camera_and_the_list_may_not(staff: Client) -> None:
    assert "camera=(self)" in staff.get(COUNTER)["Permissions-Policy"]
    winners = staff.get(reverse("admin:raffles_winner_changelist"))
    assert "camera=()" in winners["Permissions-Policy"]


def test_too_many_tries_wait(staff: Client, settings: LazySettings) -> None:
    settings.THROTTLE_VERIFY = "1/min"
    cache.clear()
    shown = Shown()
    assert post(staff, shown.typed()).status_code == 200
    answer = post(staff, shown.typed())
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert said(answer)[0] == "That was too many tries."
    assert post(staff, shown.typed(act="hand-over")).status_code == 429
    assert not Handover.objects.exists()
