"""Winners in the admin: how they stand, found by what is on a ticket, forfeited and passed on."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.tests.acting import run, scheduled, taken
from raffles.domain import search
from raffles.domain.entering import Entry
from raffles.domain.prizes import claim_prize, forfeit, hand_over
from raffles.models import LogEntry, Raffle, State, Winner, WinnerState
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to

pytestmark = pytest.mark.django_db

LIST = reverse("admin:raffles_winner_changelist")
FIND = reverse("admin:raffles_winner_find")
COUNTER = reverse("admin:raffles_winner_counter")


@pytest.fixture
def staff(client: Client) -> Client:
    user = User.objects.create_user("sam", is_staff=True)
    user.groups.set([Group.objects.get(name="Operator")])
    client.force_login(user)
    return client


def drawn(**terms: Any) -> tuple[Raffle, dict[int, Entry]]:
    """Return a drawn raffle of three tickets, a prize and an alternate, and its tickets by rank."""
    raffle: Raffle = RaffleFactory.create(**terms)
    tickets = [enter_nth(raffle, n) for n in range(3)]
    take_to(State.DRAWN, raffle)
    numbers = {winner.ticket_number(): winner.rank for winner in raffle.winners.all()}
    return raffle, {numbers.get(ticket.ticket_number, 3): ticket for ticket in tickets}


def act_on(staff: Client, winner: Winner, act: str, **typed: Any) -> list[str]:
    address = reverse(f"admin:raffles_winner_{act}", args=[winner.pk])
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        answer = staff.post(address, typed, follow=True)
    return [unescape(str(said)) for said in answer.context["messages"]]


def shown(staff: Client, **filters: Any) -> list[tuple[int, str]]:
    """Return rank and state of the rows of the list."""
    rows = staff.get(LIST, filters).context["cl"].result_list
    return [(winner.rank, str(winner.state())) for winner in rows]


def test_list_is_filtered_by_raffle_and_state(staff: Client) -> None:
    raffle, tickets = drawn()
    other, _ = drawn(name="Other")
    forfeit(raffle.uuid, ticket_number=tickets[1].ticket_number, reason="Away", now=NOW, by=STAFF)
    assert shown(staff, raffle=raffle.pk) == [(1, "forfeited"), (2, "alternate")]
    assert shown(staff, raffle=other.pk) == [(1, "drawn"), (2, "alternate")]
    assert shown(staff) == [(1, "drawn"), (2, "alternate"), (1, "forfeited"), (2, "alternate")]
    assert shown(staff, state="forfeited") == [(1, "forfeited")]
    assert shown(staff, state="drawn", raffle=raffle.pk) == []


def test_those_who_were_reached_are_noted_together_and_once(staff: Client) -> None:
    raffle, tickets = drawn(claim={"claim_days": 7})
    other, _ = drawn(name="Other")
    page = reverse("admin:raffles_raffle_told", args=[raffle.pk])
    sheet = reverse("admin:raffles_raffle_call_sheet", args=[raffle.pk])
    first = raffle.winners.get(rank=1)
    terms = reverse("admin:raffles_raffle_change", args=[raffle.pk])
    for days, said in ((6, "1 prize to hand over, first deadline "), (8, "1 past the deadline.")):
        with time_machine.travel(NOW + timedelta(days=days), tick=False):
            assert said in staff.get(terms).context["to_hand_over"]
    assert f"{tickets[1].ticket_number:,}" in staff.get(sheet).content.decode()

    def noted() -> int:
        return LogEntry.objects.about(raffle).filter(action="prize.notified").count()

    for typed in ({}, {"winners": ["x"]}, {"winners": [other.winners.get(rank=1).pk]}):
        answer = staff.post(page, typed)
        assert answer.context["form"].errors.keys() == {"winners"}
    assert noted() == 0
    answer = staff.post(page, {"winners": [first.pk]}, follow=True)
    assert [str(said) for said in answer.context["messages"]] == ["Noted: 1 winner notified."]
    again = staff.post(page, {"winners": [first.pk]})  # from another window
    assert "meanwhile" in str(again.context["form"].errors)
    assert (noted(), shown(staff, raffle=raffle.pk)[0]) == (1, (1, "notified"))


@pytest.mark.parametrize("odd", ["x", "-1", "1" * 30, "٣"])
def test_list_with_an_odd_raffle_shows_all(staff: Client, odd: str) -> None:
    drawn()
    assert len(shown(staff, raffle=odd)) == 2


def test_lists_count_their_queries(staff: Client) -> None:
    counts = []
    for raffles in (1, 2):
        for _ in range(raffles):
            raffle, tickets = drawn(claim={"claim_days": 7, "promotes_alternates": True})
            number = tickets[1].ticket_number
            forfeit(raffle.uuid, ticket_number=number, reason="Away", now=NOW, by=STAFF)
        found = []
        for address in (LIST, f"{LIST}?state=replaced", COUNTER):
            with CaptureQueriesContext(connection) as queries:
                assert staff.get(address).status_code == 200
            found.append(len(queries))
        with CaptureQueriesContext(connection) as queries:
            staff.post(FIND, {"text": tickets[1].ticket_number})
        counts.append([*found, len(queries)])
    assert counts[0] == counts[1]


def find(staff: Client, text: Any, **where: Any) -> list[int]:
    """Return the ranks that a search leads to."""
    answer = staff.post(FIND, {"text": text} | where, follow=True)
    if answer.redirect_chain:
        return [answer.context["original"].rank]
    return [winner.rank for winner in answer.context["found"]]


def test_winner_is_found_by_number_and_by_code_as_people_write_it(staff: Client) -> None:
    raffle, tickets = drawn()
    for rank in (1, 2):
        code = tickets[rank].verification_code
        for text in (tickets[rank].ticket_number, code, code.lower().replace("-", " ")):
            assert find(staff, text) == [rank]
            assert find(staff, text, raffle=raffle.pk) == [rank]
    assert find(staff, tickets[3].ticket_number) == []
    assert find(staff, tickets[3].verification_code) == []
    assert find(staff, "0" * 20) == []


@pytest.mark.postgres
def test_search_reads_no_winner_but_those_it_finds(staff: Client) -> None:
    _, tickets = drawn()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # a few rows are read faster
        for text, index in (
            (tickets[1].ticket_number, "winner_by_number"),
            (tickets[1].verification_code, "winner_by_code"),
        ):
            with CaptureQueriesContext(connection) as queries:
                assert find(staff, text) == [1]
            (search_,) = (each["sql"] for each in queries if "SUBSTR(" in each["sql"])
            cursor.execute(f"EXPLAIN {search_}")
            assert index in str(cursor.fetchall())


def test_winner_is_found_by_username(staff: Client) -> None:
    scheduled()
    for name in ("Alice", "Bob", "Zoe"):  # SQLite knows the other case of ASCII alone
        taken(name)
    run(NOW)
    winner = Winner.objects.select_related("ticket").of_prizes().get()
    name = winner.ticket.username or ""
    assert (find(staff, name), find(staff, name.upper())) == ([1], [1])
    assert name in staff.get(LIST).content.decode()


def test_no_ticket_is_read_for_a_name_where_none_is_kept(staff: Client) -> None:
    raffle, _ = drawn()
    with CaptureQueriesContext(connection) as queries:
        assert find(staff, "Alice", raffle=raffle.pk) == []
    assert [each["sql"] for each in queries if "raffles_ticket" in each["sql"]] == []


def test_same_number_of_two_raffles_shows_both(staff: Client) -> None:
    raffle, _ = drawn(alternates=2)
    drawn(alternates=2)
    assert len(find(staff, 1)) == 2
    assert len(find(staff, 1, raffle=raffle.pk)) == 1
    assert find(staff, 4) == []


def test_search_without_a_raffle_is_bounded_by_the_winners(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, _ = drawn(alternates=2)
    latest, _ = drawn(alternates=2)
    monkeypatch.setattr(search, "_LOOKED_AT", 5)
    assert search.searched_without_choice() == [latest]
    assert len(find(staff, 1)) == 1
    assert len(find(staff, 1, raffle=older.pk)) == 1


@pytest.mark.parametrize("text", ["", " ", "x" * 151, "a\0b"])
def test_odd_search_is_refused(staff: Client, text: str) -> None:
    answer = staff.post(FIND, {"text": text, "raffle": "x"}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert said == ["Type a ticket's number or code, or a username."]


def test_searched_code_is_in_no_address_page_or_log(
    staff: Client, caplog: pytest.LogCaptureFixture
) -> None:
    _, tickets = drawn()
    code = tickets[1].verification_code
    with caplog.at_level(logging.DEBUG):
        answer = staff.post(FIND, {"text": code}, follow=True)
    assert staff.get(FIND, {"text": code}).status_code == 405
    assert code not in str(answer.redirect_chain) + answer.content.decode()
    own = [record for record in caplog.records if not record.name.startswith("django.db")]
    assert code not in "".join(str(record.__dict__) for record in own)


def test_winner_is_notified_by_phone_once(staff: Client) -> None:
    raffle, _ = drawn()
    winner = raffle.winners.get(rank=1)
    for _ in range(2):
        assert act_on(staff, winner, "told") == ["Noted that the winner was notified."]
    assert shown(staff, raffle=raffle.pk)[0] == (1, "notified")
    assert LogEntry.objects.about(raffle).filter(action="prize.notified").count() == 1


def test_prize_forfeited_by_hand_goes_to_nobody_unless_so_set(staff: Client) -> None:
    raffle, _ = drawn()
    winner = raffle.winners.get(rank=1)
    page = staff.get(reverse("admin:raffles_winner_forfeit", args=[winner.pk]))
    assert "It goes to nobody; you may pass it on afterwards." in page.context["preview"]
    typed = {"reason": "Never came", "ticket_number": winner.ticket_number()}
    assert act_on(staff, winner, "forfeit", **typed) == ["The prize is forfeited."]
    assert act_on(staff, winner, "forfeit", **typed) == ["The prize was not claimed in time"]
    assert shown(staff, raffle=raffle.pk) == [(1, "forfeited"), (2, "alternate")]


def test_prize_forfeited_by_hand_is_promoted_where_so_set(staff: Client) -> None:
    raffle, tickets = drawn(claim={"promotes_alternates": True})
    winner = raffle.winners.get(rank=1)
    lost, won = tickets[1].ticket_number, tickets[2].ticket_number
    page = staff.get(reverse("admin:raffles_winner_forfeit", args=[winner.pk]))
    heir = f"The next alternate gets it: ticket {won}, rank 2."
    assert heir in page.context["preview"]
    said = act_on(staff, winner, "forfeit", reason="Never came", ticket_number=lost)
    assert said == [f"Phone went from ticket {lost} to ticket {won}."]


def test_winner_is_replaced_from_the_winners_page_with_a_reason(staff: Client) -> None:
    raffle, tickets = drawn()
    winner = raffle.winners.get(rank=1)
    lost, won = tickets[1].ticket_number, tickets[2].ticket_number
    assert act_on(staff, winner, "replace", reason="", ticket_number=lost) == []
    assert act_on(staff, winner, "replace", reason="Ill", ticket_number=won) == []
    typed = {"reason": "Ill", "ticket_number": lost}
    said = [act_on(staff, winner, "replace", **typed) for _ in range(2)]
    assert said == [
        [f"Phone went from ticket {lost} to ticket {won}."],
        ["This ticket holds no prize"],
    ]
    page = staff.get(reverse("admin:raffles_winner_change", args=[winner.pk]))
    read = re.sub("<[^>]*>", "", page.content.decode())
    assert f"to ticket {won}, 2026-02-10 13:00 UTC: Ill" in read
    assert page.context["pages"] == []


def test_prize_in_the_winners_hands_stays_there(staff: Client) -> None:
    raffle, tickets = drawn()
    winner = raffle.winners.get(rank=1)
    number, code = tickets[1].ticket_number, tickets[1].verification_code
    hand_over(raffle.uuid, ticket_number=number, code=code, now=NOW, by=STAFF)
    typed = {"reason": "Too late", "ticket_number": number}
    for act in ("forfeit", "replace"):
        assert act_on(staff, winner, act, **typed) == ["The prize has been handed over"]
    assert shown(staff, raffle=raffle.pk)[0] == (1, str(WinnerState.HANDED_OVER))


def page_of(staff: Client, winner: Winner, act: str) -> Any:
    return staff.get(reverse(f"admin:raffles_winner_{act}", args=[winner.pk])).context


def test_winner_without_a_code_is_noted_by_a_manager(staff: Client) -> None:
    raffle, _ = drawn(claim={"claim_days": 14})
    winner = raffle.winners.get(rank=1)
    number = winner.ticket_number()
    typed = {"reason": "Lost the ticket", "checked": "The buyer, by passport"}
    address = reverse("admin:raffles_winner_without_code", args=[winner.pk])
    assert staff.post(address, typed).status_code == 403
    User.objects.get(username="sam").groups.set([Group.objects.get(name="Manager")])
    assert page_of(staff, winner, "without_code")["preview"][:3] == [
        f"Ticket {number}, rank 1, holds Phone.",
        "Nobody has noted that they were notified.",
        "Not claimed; kept until 2026-02-24 12:00 UTC.",
    ]
    assert act_on(staff, winner, "without_code", reason="Lost the ticket") == []
    assert act_on(staff, winner, "without_code", **typed) == [
        f"Noted: claimed without the code, ticket {number}."
    ]
    assert shown(staff, raffle=raffle.pk)[0] == (1, "claimed")
    act_on(staff, winner, "without_code", **typed, is_handed_over="on")
    assert shown(staff, raffle=raffle.pk)[0] == (1, "handed over")
    assert act_on(staff, winner, "without_code", **typed) == ["The prize has been handed over"]
    entry = LogEntry.objects.about(raffle).filter(action="prize.claimed_without_code").first()
    assert entry is not None
    assert (entry.why, entry.details["checked"]) == ("Lost the ticket", "The buyer, by passport")
    assert entry.by.startswith("staff sam")


@pytest.mark.parametrize("act", ["forfeit", "replace"])
def test_claimed_prize_is_taken_by_nobody_who_does_not_say_so(staff: Client, act: str) -> None:
    raffle, tickets = drawn()
    winner = raffle.winners.get(rank=1)
    typed = {"reason": "Did not answer", "ticket_number": winner.ticket_number()}
    page = page_of(staff, winner, act)  # and meanwhile, at the counter:
    code = tickets[1].verification_code
    claim_prize(raffle.uuid, ticket_number=winner.ticket_number(), code=code, now=NOW, by=STAFF)
    assert "Not claimed." in page["preview"]
    assert act_on(staff, winner, act, **typed) == []
    assert shown(staff, raffle=raffle.pk)[0] == (1, "claimed")
    assert "Claimed on 2026-02-10 12:00 UTC." in page_of(staff, winner, act)["preview"]
    act_on(staff, winner, act, **typed, despite_claim="on")
    assert shown(staff, raffle=raffle.pk)[0][1] in ("forfeited", "replaced")


def test_deadline_is_extended_on_the_clocks_of_the_raffle(staff: Client) -> None:
    raffle, _ = drawn(claim={"claim_days": 14}, time_zone="Europe/Paris")
    winner = raffle.winners.get(rank=1)
    longer = {"claim_until_0": "2026-03-01", "claim_until_1": "08:00"}
    assert act_on(staff, winner, "told", claim_until_0="2026-02-20", claim_until_1="08:00") == [
        "A deadline can only be moved to a later time"
    ]
    assert act_on(staff, winner, "told", **longer) == [
        "Noted that the winner was notified. The prize is kept until 2026-03-01 08:00 CET."
    ]
    winner = Winner.objects.select_related("handover").get(pk=winner.pk)
    assert winner.handover.claim_until == datetime(2026, 3, 1, 7, tzinfo=UTC)
    actions = LogEntry.objects.about(raffle).values_list("action", flat=True)
    assert {"prize.extended", "prize.notified"} <= set(actions)
    assert "Keep it until" in page_of(staff, winner, "told")["form"].as_p()
