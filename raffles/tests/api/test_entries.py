"""Entering a list through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from raffles.domain.api_keys import make_key
from raffles.models import ApiKey, LogEntry, Ticket
from raffles.tests.api.acting import (
    ENTERED,
    NOWHERE,
    SOLD_OUT,
    Answer,
    caller,
    created,
    draw,
    faults,
    holder,
    manager,
    participate,
    refused,
    verify,
)

pytestmark = pytest.mark.django_db

KEY = "5f2b9c1e-8a41-4f5c-9a5e-3f0f3f6f0a11"
LIST = [{"holder": "A-17"}, {"holder": "b@example.org", "name": "Bea", "tickets": 1}]


def enter(raffle_id: str, body: Any, client: Any = None, **headers: Any) -> Answer:
    return (client or manager()).post(f"/raffles/{raffle_id}/entries/", body, **headers)


def list_raffle(**changes: Any) -> str:
    return str(created(entry="list", **changes)["id"])


def test_each_entrant_gets_a_ticket_that_counts() -> None:
    raffle_id = list_raffle()
    answer = enter(raffle_id, LIST)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    entries = answer.json()["entries"]
    assert [each["holder"] for each in entries] == ["A-17", "b@example.org"]
    enter(raffle_id, [{"holder": "c"}])
    assert draw(raffle_id).status_code == 201
    for each in entries:
        (ticket,) = each["tickets"]
        assert ticket["receipt"]["leaf"]
        checked = verify(raffle_id, ticket["ticket_number"], ticket["verification_code"])
        assert checked.status_code == 200
    assert Ticket.objects.filter(username__isnull=False).count() == 0  # it shows no names


def test_nobody_takes_part_in_a_raffle_of_a_list_by_themselves() -> None:
    answer = participate(list_raffle(), holder(1))
    assert refused(answer) == (403, "by_organiser", "Entries are made by the organiser")


def test_entries_stand_beside_those_of_addresses() -> None:
    raffle_id = created()["id"]
    participate(raffle_id, holder(1))
    assert enter(raffle_id, LIST).status_code == 201
    assert refused(participate(raffle_id, holder(1))) == SOLD_OUT
    assert refused(enter(raffle_id, [{"holder": "c"}])) == SOLD_OUT
    assert ENTERED[0] == 403


def test_a_holder_may_have_several_tickets() -> None:
    raffle_id = list_raffle(total_tickets=9, tickets_per_holder=3)
    first = enter(raffle_id, [{"holder": "a", "tickets": 2}, {"holder": "b"}])
    assert [len(each["tickets"]) for each in first.json()["entries"]] == [2, 1]
    (again,) = enter(raffle_id, [{"holder": "A"}]).json()["entries"]
    numbers = {ticket["ticket_number"] for ticket in again["tickets"]}
    assert len(numbers) == 1
    known = {ticket["ticket_number"] for ticket in first.json()["entries"][0]["tickets"]}
    assert not numbers & known
    more = enter(raffle_id, [{"holder": "c", "tickets": 4}, {"holder": "a"}, {"holder": "d"}])
    assert (more.status_code, faults(more)) == (
        400,
        {
            "0.tickets": ["at most 3 for a holder"],
            "1.tickets": ["this holder has 3 of at most 3 already"],
        },
    )
    many = enter(raffle_id, [{"holder": "c", "tickets": 3}, {"holder": "d", "tickets": 3}])
    assert refused(many) == (410, "too_few_left", "Fewer tickets are left than are asked for")
    assert Ticket.objects.count() == 4


def test_entries_tell_their_channel() -> None:
    raffle_id = created(total_tickets=9)["id"]
    body = [{"holder": "a"}, {"holder": "b", "channel": "postal"}]
    assert enter(raffle_id, body).status_code == 201
    key = make_key(ApiKey(name="shop"), now=timezone.now(), by="staff")
    body = [{"holder": "c"}, {"holder": "d", "channel": "paid"}]
    partner = enter(raffle_id, body, caller(), HTTP_AUTHORIZATION=f"Bearer {key}")
    assert partner.status_code == 201
    channels = Ticket.objects.values_list("channel", flat=True)
    assert {*channels} == {"list", "paid", "partner", "postal"}
    unknown = enter(raffle_id, [{"holder": "e", "channel": "luck"}])
    assert (unknown.status_code, list(faults(unknown))) == (400, ["0.channel"])


def test_tickets_of_one_request_are_bounded() -> None:
    raffle_id = list_raffle(total_tickets=9_000, tickets_per_holder=600)
    answer = enter(raffle_id, [{"holder": "a", "tickets": 600}, {"holder": "b", "tickets": 401}])
    assert answer.status_code == 400
    assert enter(raffle_id, [{"holder": "a", "tickets": 1_001}]).status_code == 400
    for tickets in 0, -1, "1", 1.0, True, None:
        assert enter(raffle_id, [{"holder": "a", "tickets": tickets}]).status_code == 400
    assert Ticket.objects.count() == 0


def test_the_same_key_gets_the_same_answer() -> None:
    raffle_id = list_raffle()
    first = enter(raffle_id, LIST, HTTP_IDEMPOTENCY_KEY=KEY)
    enter(raffle_id, [{"holder": "c"}])
    draw(raffle_id)
    again = enter(raffle_id, LIST, HTTP_IDEMPOTENCY_KEY=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    other = enter(raffle_id, [{"holder": "d"}], HTTP_IDEMPOTENCY_KEY=KEY)
    assert refused(other)[:2] == (422, "idempotency_mismatch")
    assert Ticket.objects.count() == 3


def test_a_partner_enters_with_a_key_and_is_recorded() -> None:
    raffle_id = list_raffle()
    answer = enter(raffle_id, LIST, caller())
    assert refused(answer) == (401, "no_key", "An API key is needed, or the address of a manager.")
    assert answer["WWW-Authenticate"] == "Bearer"
    key = ApiKey(name="Shop")
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {make_key(key, now=timezone.now(), by='staff')}"}
    assert enter(raffle_id, LIST, caller(**bearer)).status_code == 201
    assert LogEntry.objects.get(action="entries.added").by == "partner Shop"


def test_bad_entries_are_told_by_their_place_and_none_is_entered() -> None:
    raffle_id = list_raffle()
    body: list[Any] = [{"holder": "a"}, {"name": "x"}, {"holder": 3}, {"holder": "b", "tickets": 0}]
    assert faults(enter(raffle_id, [*body, {"holder": "c", "email": "c@example.org"}])) == {
        "1.holder": ["This field is required."],
        "2.holder": ["Not a valid string."],
        "3.tickets": ["Ensure this value is greater than or equal to 1."],
        "4.email": ["Unknown field."],
    }
    assert faults(enter(raffle_id, [{"holder": "a"}, {"holder": "b"}, {"holder": "A"}])) == {
        "2.holder": ["the same holder as line 0"]
    }
    enter(raffle_id, [{"holder": "a"}])
    assert faults(enter(raffle_id, [{"holder": "b"}, {"holder": "a"}])) == {
        "1.holder": ["this holder has a ticket already"]
    }
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"holder": "a"}, "The body must be a JSON array."),
        (
            [{"holder": str(n)} for n in range(1_001)],
            "Ensure this field has no more than 1000 elements.",
        ),
        (["a"], None),
    ],
)
def test_what_is_no_list_of_entrants(body: Any, sentence: str | None) -> None:
    answer = enter(list_raffle(), body)
    assert answer.status_code == 400
    if sentence:
        assert answer.json()["detail"] == sentence


def test_entries_in_no_raffle() -> None:
    assert enter(NOWHERE, LIST).status_code == 404
    assert enter(NOWHERE, []).status_code == 404


def test_a_list_of_nobody_enters_nobody() -> None:
    answer = enter(list_raffle(), [])
    assert (answer.status_code, answer.json()) == (201, {"entries": []})
    assert LogEntry.objects.filter(action="entries.added").count() == 0
