"""Creating a raffle."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import time_machine
from pytest_django import Settings

from raffles.models import Prize, Raffle
from raffles.tests.api.acting import MANAGERS_ONLY, caller, created, faults, manager, refused, terms

pytestmark = pytest.mark.django_db

NOW = "2030-01-31T08:00:00+00:00"


@time_machine.travel(datetime.fromisoformat(NOW), tick=False)
def test_create_answers_the_whole_raffle() -> None:
    response = manager().post("/raffles/", terms())
    body = response.json()
    assert response.status_code == 201
    assert response["Content-Type"] == "application/json"
    assert body == {
        "id": str(UUID(body["id"])),
        "name": "Spring fair",
        "total_tickets": 3,
        "available_tickets": 3,
        "winners_drawn": False,
        "prizes": [{"name": "Bicycle", "amount": 1}],
        "alternates": 10,
        "entropy": "system",
        "entry": "address",
        "opens_at": None,
        "closes_at": None,
        "planned_round": None,
        "claim_days": None,
        "claim_place": None,
        "promotes_alternates": False,
        "tickets_per_holder": 1,
        "max_wins_per_holder": 0,
        "rules_hash": "",
        "state": "open",
        "void_reason": "",
        "voided_at": None,
        "created_at": "2030-01-31T08:00:00Z",
    }
    assert caller().get(f"/raffles/{body['id']}/").json() == body


@time_machine.travel(datetime.fromisoformat(NOW), tick=False)
def test_create_with_every_option() -> None:
    prizes = [{"name": "Car", "amount": 1}, {"name": "Bicycle", "amount": 2}]
    asked = terms(
        prizes=prizes,
        alternates=0,
        entropy="drand",
        entry="email",
        opens_at="2030-01-31T10:00:00+01:00",
        closes_at="2030-02-01T09:00:00+01:00",
        claim_days=14,
        claim_place="Town hall, counter 3",
        promotes_alternates=True,
        tickets_per_holder=3,
        max_wins_per_holder=1,
    )
    body = created(**asked)
    assert body == asked | {
        "id": body["id"],
        "available_tickets": 3,
        "winners_drawn": False,
        "rules_hash": "",
        "opens_at": "2030-01-31T09:00:00Z",
        "closes_at": "2030-02-01T08:00:00Z",
        # The first round 60 s after it: (1896163260 - 1692803367) / 3, up, plus 1.
        "planned_round": 67_786_632,
        "state": "open",
        "void_reason": "",
        "voided_at": None,
        "created_at": "2030-01-31T08:00:00Z",
    }


def test_create_takes_entropy_from_the_settings(settings: Settings) -> None:
    settings.DRAW_ENTROPY = "drand"
    assert created()["entropy"] == "drand"
    assert created(entropy="system")["entropy"] == "system"


def test_create_keeps_prizes_in_their_order() -> None:
    prizes = [{"name": name, "amount": 1} for name in ("c", "a", "b")]
    assert created(prizes=prizes)["prizes"] == prizes


def test_create_keeps_the_picture_of_a_prize_out_of_its_terms() -> None:
    bare, pictured = {"name": "Car", "amount": 1}, {"name": "Cup", "amount": 2}
    pictured |= {"picture": "https://draws.example.org/cup.jpg"}
    body = created(prizes=[{**bare, "picture": ""}, pictured])
    assert body["prizes"] == [bare, pictured]
    assert caller().get(f"/raffles/{body['id']}/").json() == body
    signed = Raffle.objects.get(uuid=body["id"]).terms()["prizes"]
    assert signed == [bare, {"name": "Cup", "amount": 2}]


@pytest.mark.parametrize(
    ("picture", "fault"),
    [
        ("javascript:alert(1)", "Enter a valid URL."),
        ("ftp://draws.example.org/cup.jpg", "Enter a valid URL."),
        ("/cup.jpg", "Enter a valid URL."),
        ("https://draws.example.org/\ncup.jpg", "Enter a valid URL."),
        (
            f"https://draws.example.org/{'x' * 475}",
            "Ensure this field has no more than 500 characters.",
        ),
        (5, "Enter a valid URL."),
        ([], "Not a valid string."),
        (None, "This field may not be null."),
    ],
)
def test_create_refuses_what_is_no_picture(picture: Any, fault: str) -> None:
    prizes = [{"name": "Bicycle", "amount": 1, "picture": picture}]
    assert faults(manager().post("/raffles/", terms(prizes=prizes))) == {
        "prizes.0.picture": [fault]
    }
    assert not Raffle.objects.exists()


def test_create_needs_prizes() -> None:
    without = {key: value for key, value in terms().items() if key != "prizes"}
    assert faults(manager().post("/raffles/", without)) == {"prizes": ["This field is required."]}
    assert faults(manager().post("/raffles/", terms(prizes=[]))) == {
        "prizes": ["Ensure this field has at least 1 elements."]
    }
    assert Raffle.objects.count() == 0


@pytest.mark.parametrize(
    ("tickets", "amounts"),
    [(3, [4]), (3, [1, 3]), (1, [1, 1]), (10_000_000, [100_000, 1]), (1, [100_000] * 1_000)],
)
def test_create_refuses_more_prizes_than_tickets(tickets: int, amounts: list[int]) -> None:
    prizes = [{"name": "Bicycle", "amount": amount} for amount in amounts]
    response = manager().post("/raffles/", terms(total_tickets=tickets, prizes=prizes))
    assert refused(response) == (400, "too_many_prizes", "Too many prizes")
    assert Raffle.objects.count() == 0


@pytest.mark.parametrize(
    "most",
    [
        terms(name="x" * 200),
        terms(name="🎲" * 200),
        terms(total_tickets=1),
        terms(total_tickets=10_000_000, prizes=[{"name": "Bicycle", "amount": 100_000}]),
        terms(total_tickets=1_000, prizes=[{"name": "x" * 200, "amount": 1}] * 1_000),
        terms(prizes=[{"name": "Bicycle", "amount": 3}]),
        terms(alternates=0),
        terms(alternates=1_000),
    ],
    ids=["name", "wide", "one", "tickets", "kinds", "all-win", "no-alternates", "alternates"],
)
def test_create_up_to_each_limit(most: dict[str, Any]) -> None:
    body = created(**most)
    assert {key: body[key] for key in most} == most
    assert Prize.objects.count() == len(most["prizes"])


def test_create_refuses_everybody_but_managers() -> None:
    assert refused(caller().post("/raffles/", terms())) == MANAGERS_ONLY
    # Nobody learns from the answer whether the body would have been right.
    assert refused(caller().post("/raffles/", {"name": ""})) == MANAGERS_ONLY
    assert Raffle.objects.count() == 0


@time_machine.travel(datetime.fromisoformat(NOW), tick=False)
def test_create_refuses_a_closing_time_that_has_come() -> None:
    past = (400, "closes_in_the_past", {"closes_at": ["closes_at must be in the future"]})
    # Whole seconds count, so a fraction after now is now.
    for moment in (NOW, "2030-01-31T08:00:00.9Z"):
        response = manager().post("/raffles/", terms(closes_at=moment))
        problem = response.json()
        assert (response.status_code, problem["code"], problem["errors"]) == past
    assert created(closes_at="2030-01-31T08:00:01Z")["closes_at"] == "2030-01-31T08:00:01Z"
    assert Raffle.objects.count() == 1


@pytest.mark.parametrize(
    "time",
    [
        "2030-01-31T08:00:00",
        "2030-01-31",
        "31.1.2030 08:00Z",
        "２０３０-01-31T08:00Z",
        1_896_076_800,
        True,
        {},
    ],
)
def test_create_needs_a_closing_time_with_its_offset(time: object) -> None:
    sentence = "Write the time with its offset, such as 2030-01-31T08:00Z."
    assert faults(manager().post("/raffles/", terms(closes_at=time))) == {"closes_at": [sentence]}
    assert Raffle.objects.count() == 0


@pytest.mark.parametrize(
    "time",
    [
        "2030-02-30T08:00Z",
        "2030-13-01T08:00+01:00",
        "2030-01-31T25:00:00.5Z",
        "2030-01-31T08:00+24:00",
        "0001-01-01T00:00+14:00",
        "1969-12-31T23:59:59Z",
        "9001-01-01T00:00:00Z",
        "9000-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "12030-01-31T08:00Z",
    ],
)
def test_create_says_that_there_is_no_such_time(time: str) -> None:
    sentence = "There is no such time, in UTC, in the years 1970 to 9000."
    assert faults(manager().post("/raffles/", terms(closes_at=time))) == {"closes_at": [sentence]}


def test_create_that_closes_at_the_last_of_all_times() -> None:
    last = "9000-12-31T23:59:59Z"
    assert created(closes_at=last, entropy="drand")["closes_at"] == last


def test_create_names_every_fault_by_field() -> None:
    wrong = {
        "name": "\u200b",
        "total_tickets": "3",
        "prizes": [{"name": "Bicycle", "amount": 1}, {"name": "", "amount": 0, "worth": 5}],
        "alternates": 1_001,
        "entropy": "dice",
        "tickets_per_holder": 0,
        "max_wins_per_holder": 1_000_001,
        "colour": "red",
    }
    assert faults(manager().post("/raffles/", wrong)) == {"colour": ["Unknown field."]}
    del wrong["colour"]
    assert faults(manager().post("/raffles/", wrong)) == {
        "name": ["Control, bidirectional and zero-width characters are not allowed."],
        "total_tickets": ["A valid integer is required."],
        "prizes.1.worth": ["Unknown field."],
        "alternates": ["Ensure this value is less than or equal to 1000."],
        "entropy": ['"dice" is not a valid choice.'],
        "tickets_per_holder": ["Ensure this value is greater than or equal to 1."],
        "max_wins_per_holder": ["Ensure this value is less than or equal to 1000000."],
    }
