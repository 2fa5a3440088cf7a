"""Taking part in an event: which draw it is for, who may, and who gets the ticket again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from events.models import Occurrence
from events.tests.acting import (
    DAY,
    DRAW,
    ENTERED,
    FULL,
    MANAGER,
    NO_DRAW,
    NOW,
    at,
    caller,
    manage,
    participate,
    read,
    refused,
    run,
    scheduled,
    taken,
)
from raffles.domain import lineage
from raffles.models import Contact, Raffle, Ticket, Winner
from raffles.tests.api.acting import NOWHERE, faults

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def test_the_first_ticket_makes_the_raffle_of_its_date() -> None:
    event = scheduled()
    ticket = taken("alice")

    raffle = Raffle.objects.get()
    assert ticket == {
        "event": "breakfast",
        "draw_at": "2026-02-10T08:00:00+01:00",
        "raffle_id": str(raffle.uuid),
        "username": "alice",
        "ticket_number": ticket["ticket_number"],
        "verification_code": ticket["verification_code"],
        "receipt": ticket["receipt"],
    }
    assert ticket["ticket_number"] in (1, 2, 3)
    assert set(ticket["receipt"]) == {"leaf", "terms_hash", "issued_at", "public_key", "signature"}
    assert raffle.terms() == {
        "raffle_id": raffle.uuid.hex,
        "operator": "testserver/log",
        "name": "Breakfast, 2026-02-10",
        "capacity": 3,
        "opens_at": 0,
        "closes_at": int(DRAW.timestamp()),
        "entry": "username",
        "tickets_per_holder": 1,
        "prizes": [{"name": "Coffee", "amount": 1}],
        "alternates": 10,
        "max_wins_per_holder": 0,
        "claim": {"days": 0, "promotes_alternates": 0},
        "rules_hash": "",
        "entropy": {"source": "system"},
        "cosigners": [],
        "authorities": [],
    }
    occurrence = Occurrence.objects.get()
    assert (occurrence.event_id, occurrence.raffle) == (event["id"], raffle)
    taken("bob")
    assert Raffle.objects.count() == 1


def test_a_raffle_of_an_event_is_read_like_any_other_and_entered_through_the_event() -> None:
    scheduled()
    ticket = taken("alice")
    path = f"/raffles/{ticket['raffle_id']}/"

    assert read("/raffles/") == []
    assert read(path)["available_tickets"] == 2
    answer = caller().post(f"{path}participate/")
    assert refused(answer) == (403, "through_event", "Take part through the event")


def test_a_user_enters_a_draw_once_however_the_name_is_written() -> None:
    scheduled()
    taken("Ｓtraße")

    for name in ("Ｓtraße", "straße", "STRASSE", "Strasse"):
        assert refused(participate(name)) == ENTERED
    assert taken("stras se")["username"] == "stras se"


def test_the_same_user_enters_the_next_draw() -> None:
    scheduled()
    first = taken("alice", now=DRAW - SECOND)
    second = taken("alice", now=DRAW)

    assert first["draw_at"] == "2026-02-10T08:00:00+01:00"
    assert second["draw_at"] == "2026-02-11T08:00:00+01:00"
    assert first["raffle_id"] != second["raffle_id"]


def test_a_full_draw_is_410() -> None:
    scheduled(max_participants=1)
    taken("alice")

    assert refused(participate("bob")) == FULL
    assert refused(participate("alice")) == FULL
    assert taken("bob", now=DRAW)["draw_at"] == "2026-02-11T08:00:00+01:00"


def test_the_same_order_gets_the_same_ticket_for_ever() -> None:
    scheduled(max_participants=1)
    ticket = taken("alice", "A-1")

    for now in (NOW, DRAW, NOW + 400 * DAY):
        answer = participate("alice", "A-1", now=now)
        assert (answer.status_code, answer.json()) == (200, ticket)
    assert Ticket.objects.count() == 1
    assert Raffle.objects.count() == 1  # no raffle without a ticket


def test_an_order_is_for_one_user_and_one_caller() -> None:
    scheduled()
    taken("alice", "A-1")

    assert refused(participate("bob", "A-1")) == ENTERED
    assert refused(participate("bob", "A-1", now=DRAW)) == ENTERED
    assert refused(participate("alice", "A-2")) == ENTERED
    assert refused(participate("alice", "A-1", address="198.51.100.2")) == ENTERED
    assert Raffle.objects.count() == 1


def test_nobody_uses_up_the_order_of_another_caller() -> None:
    scheduled()
    taken("mallory", "A-1", address="198.51.100.66")

    ticket = taken("alice", "A-1")
    answer = participate("alice", "A-1", now=DRAW)
    assert (answer.status_code, answer.json()) == (200, ticket)
    assert refused(participate("mallory", "A-1")) == ENTERED


@pytest.mark.parametrize("word", ["key\u00a0A-1", "A-1", "ip:198.51.100.1"])
def test_an_order_is_no_idempotency_key(word: str) -> None:
    scheduled()
    taken("alice", word)
    taken("bob", HTTP_IDEMPOTENCY_KEY="A-1")


def test_orders_of_other_events_are_others() -> None:
    scheduled()
    scheduled(slug="lunch", name="Lunch")

    taken("alice", "A-1")
    taken("alice", "A-1", slug="lunch")


def test_an_order_is_found_when_the_event_is_over() -> None:
    scheduled(until="2026-02-10")
    ticket = taken("alice", "A-1")

    answer = participate("alice", "A-1", now=DRAW)
    assert (answer.status_code, answer.json()) == (200, ticket)
    assert refused(participate("alice", "A-2", now=DRAW)) == NO_DRAW
    assert refused(participate("bob", "A-1", now=DRAW)) == NO_DRAW


def test_an_idempotency_key_gives_a_lost_answer_again() -> None:
    scheduled()
    key: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "k1"}
    ticket = taken("alice", **key)

    assert taken("alice", **key) == ticket
    assert taken("alice", now=DRAW, **key) == ticket
    mismatch = (422, "idempotency_mismatch", "This Idempotency-Key was used for another request")
    assert refused(participate("bob", **key)) == mismatch
    assert taken("bob", address="198.51.100.2", **key)["username"] == "bob"


def test_one_ticket_for_each_address_where_the_event_says_so() -> None:
    scheduled(one_per_address=True)
    taken("alice")

    assert refused(participate("bob")) == ENTERED
    taken("bob", address="198.51.100.2")
    taken("bob", now=DRAW)


@pytest.mark.parametrize(
    "username",
    ["", " alice", "alice ", "a\u200bb", "a\u202eb", "a\nb", "\u3164", "a" * 151, "UpComing",
     "winners", "update_events", 5, None, True, ["alice"]],
)  # fmt: skip
def test_what_is_no_username_is_400(username: object) -> None:
    scheduled()
    answer = caller().post("/events/breakfast/participate/", {"username": username})

    assert answer.status_code == 400
    assert list(faults(answer)) == ["username"]


def test_an_unknown_event_is_404_before_the_body_is_looked_at() -> None:
    answer = Client().post(f"/events/{NOWHERE}/participate/", {}, "application/json")
    assert answer.status_code == 404


def test_a_raffle_that_was_voided_early_sends_to_the_next_date() -> None:
    scheduled()
    ticket = taken("alice")
    manage("post", f"/raffles/{ticket['raffle_id']}/void/", {"reason": "Out of coffee"})

    assert taken("alice")["draw_at"] == "2026-02-11T08:00:00+01:00"


def test_a_claim_that_finds_two_gates_shut_is_410() -> None:
    scheduled()
    for username in ("alice", "bob"):
        ticket = taken(username)
        manage("post", f"/raffles/{ticket['raffle_id']}/void/", {"reason": "Out of coffee"})

    # The third date is free: dates that are known to be void are not tried.
    assert taken("carol")["draw_at"] == "2026-02-12T08:00:00+01:00"


def test_a_winner_rests_where_the_event_says_so() -> None:
    scheduled(rest_days=3)
    ticket = taken("alice", "A-1")
    run(DRAW)

    for days in (0, 1, 2):
        assert refused(participate("Alice", now=DRAW + days * DAY)) == (
            403,
            "won_recently",
            "You have won recently and can take part again from 2026-02-13",
        )
    answer = participate("alice", "A-1", now=DRAW)
    assert (answer.status_code, answer.json()) == (200, ticket)
    taken("bob", now=DRAW)
    assert taken("alice", now=DRAW + 3 * DAY)["draw_at"] == "2026-02-14T08:00:00+01:00"


def test_a_key_that_is_lost_keeps_nobody_out_of_the_next_date(settings: Settings) -> None:
    scheduled(rest_days=3)
    taken("alice")
    run(DRAW)
    settings.TICKET_KEYS = [b"another" * 5]
    assert taken("alice", now=DRAW)["draw_at"] == "2026-02-11T08:00:00+01:00"


RESTING = (403, "already_entered", "You have already participated in this draw, or won recently")


@pytest.mark.parametrize("privacy", ["number", "initials"])
def test_nobody_learns_who_rests_where_names_are_hidden(privacy: str) -> None:
    scheduled(rest_days=3, privacy=privacy, until="2026-02-12", max_participants=2)
    ticket = taken("alice", "A-1")
    run(DRAW)

    # A winner, and somebody with a ticket, ask in vain: for each moment the same answer.
    assert refused(participate("alice", now=DRAW)) == RESTING
    taken("bob", now=DRAW)
    for name in ("alice", "bob"):
        assert refused(participate(name, now=DRAW)) == RESTING
    taken("carol", now=DRAW)
    for name in ("alice", "bob", "dora"):
        assert refused(participate(name, now=DRAW)) == FULL
        assert refused(participate(name, now=DRAW + 2 * DAY)) == NO_DRAW
    answer = participate("alice", "A-1", now=DRAW)
    assert (answer.status_code, answer.json()) == (200, ticket)


def test_who_did_not_win_does_not_rest() -> None:
    scheduled(rest_days=3)
    names = ["alice", "bob"]
    numbers = {taken(name)["ticket_number"]: name for name in names}
    run(DRAW)
    (won,) = read("/events/winners/", DRAW)
    (lost,) = [name for number, name in numbers.items() if number != won["ticket_number"]]

    taken(lost, now=DRAW)
    assert participate(won["username"], now=DRAW).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_ticket_of_an_open_date_costs_one_read_a_second_and_the_claim(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "PAUSE", 60.0)  # the real second, in which it is looked at
    lineage.begin()  # as the first ticket of all has
    scheduled(max_participants=6400)  # so that no stripe is full
    taken("alice")
    # BEGIN, whether it is the same file, stripe, who is excluded, ticket, COMMIT
    claim = 1 if connection.vendor == "postgresql" else 6

    for username, seconds, queries in (("bob", 0, 1), ("carol", 0.9, 0), ("dora", 1, 1)):
        with django_assert_num_queries(queries + claim):
            taken(username, now=NOW + timedelta(seconds=seconds))


@pytest.mark.django_db(transaction=True)
def test_a_change_is_seen_at_once_where_it_was_made() -> None:
    scheduled(max_participants=9)
    taken("alice")
    taken("bob")
    with at(NOW):
        caller(MANAGER).patch("/events/breakfast/", {"one_per_address": True})
    taken("carol")
    assert refused(participate("dora")) == ENTERED
    with at(NOW):
        caller(MANAGER).patch("/events/breakfast/", {"one_per_address": False})
    taken("dora")


def test_an_address_for_mail_is_kept_apart_and_the_first_one_stays() -> None:
    scheduled()
    ticket = taken("alice", "A-1", email="alice@example.org")
    again = participate("alice", "A-1", email="eve@example.org")

    assert again.status_code == 200
    assert again.json() == ticket
    assert "example.org" not in json.dumps(ticket)
    assert [contact.email for contact in Contact.objects.all()] == ["alice@example.org"]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "alice",
        "alice@",
        "a b@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "a" * 250 + "@example.org",
    ],
)
def test_what_is_no_address_for_mail_is_refused_before_there_is_a_ticket(email: str) -> None:
    scheduled()

    answer = participate("alice", email=email)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["email"])
    assert not Ticket.objects.exists()


def test_addresses_for_mail_go_with_the_draw_for_all_who_did_not_win(mailoutbox: list[Any]) -> None:
    scheduled()
    tickets = {taken(name, email=f"{name}@example.org")["ticket_number"]: name for name in "abc"}
    run(DRAW)

    winner, *alternates = Winner.objects.order_by("rank")
    name = tickets[winner.ticket_number()]
    assert [mail.to for mail in mailoutbox] == [[f"{name}@example.org"]]
    kept = {contact.slot for contact in Contact.objects.all()}
    assert kept == {alternate.slot for alternate in alternates}


def test_address_of_a_ticket_that_was_drawn_already_is_not_kept() -> None:
    scheduled()
    taken("alice", "A-1")
    run(DRAW)

    assert participate("alice", "A-1", now=DRAW, email="alice@example.org").status_code == 200
    assert not Contact.objects.exists()
