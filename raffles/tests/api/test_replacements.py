"""Giving a winner's prize to the next alternate."""

from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from raffles.models import Replacement
from raffles.tests.api.acting import (
    MANAGERS_ONLY,
    NOT_FOUND,
    NOWHERE,
    Answer,
    caller,
    drawn,
    faults,
    manager,
    refused,
    sold_out,
    verify,
)

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2030-01-31T08:00:00+00:00")
PRIZES = [{"name": "Car", "amount": 1}, {"name": "Bicycle", "amount": 1}]


def replace(raffle_id: str, number: int, reason: str = "Did not come") -> Answer:
    """Replace the holder of a ticket, as the manager."""
    body = {"ticket_number": number, "reason": reason}
    return manager().post(f"/raffles/{raffle_id}/replacements/", body)


def drawn_with_alternates(alternates: int) -> tuple[str, dict[int, str], list[int]]:
    """Draw two prizes; returns the raffle, the codes by number, and the numbers by rank."""
    raffle_id, codes, _ = drawn(total_tickets=8, prizes=PRIZES, alternates=alternates)
    rows = caller().get(f"/raffles/{raffle_id}/winners/?alternates=true").json()
    return raffle_id, codes, [row["ticket_number"] for row in rows]


@time_machine.travel(NOW, tick=False)
def test_replacement_is_a_public_line() -> None:
    raffle_id, _, ranked = drawn_with_alternates(2)
    before = caller().get(f"/raffles/{raffle_id}/winners/").json()
    response = replace(raffle_id, ranked[1])
    line = {
        "prize": "Bicycle",
        "rank": 2,
        "ticket_number": ranked[1],
        "replaced_by": ranked[2],
        "reason": "Did not come",
        "replaced_at": "2030-01-31T08:00:00+00:00",
    }
    assert (response.status_code, response.json()) == (201, line)
    public = caller().get(f"/raffles/{raffle_id}/replacements/")
    assert (public.status_code, public.json()) == (200, [line])
    # The result itself stays as it was drawn.
    assert caller().get(f"/raffles/{raffle_id}/winners/").json() == before


def test_replacement_moves_the_prize() -> None:
    raffle_id, codes, (first, second, third, fourth) = drawn_with_alternates(2)

    def held() -> list[Any]:
        numbers = (first, second, third, fourth)
        return [verify(raffle_id, number, codes[number]).json()["prize"] for number in numbers]

    assert held() == ["Car", "Bicycle", None, None]
    replace(raffle_id, first)
    assert held() == [None, "Bicycle", "Car", None]
    replace(raffle_id, third)
    assert held() == [None, "Bicycle", None, "Car"]
    reasons = caller().get(f"/raffles/{raffle_id}/replacements/").json()
    assert [(line["rank"], line["replaced_by"]) for line in reasons] == [(1, third), (3, fourth)]


def test_replacement_ends_with_the_alternates() -> None:
    raffle_id, _, (first, second, _) = drawn_with_alternates(1)
    assert replace(raffle_id, first).status_code == 201
    none_left = (409, "no_alternate", "There is no alternate left")
    assert refused(replace(raffle_id, second)) == none_left
    assert Replacement.objects.count() == 1


def test_replacement_of_somebody_without_a_prize() -> None:
    raffle_id, codes, ranked = drawn_with_alternates(2)
    replace(raffle_id, ranked[0])
    not_drawn = next(number for number in codes if number not in ranked)
    no_prize = (400, "not_a_winner", "This ticket holds no prize")
    for number in (ranked[0], ranked[3], not_drawn, 0, 9, -1, 2**63 - 1):
        assert refused(replace(raffle_id, number)) == no_prize
    assert Replacement.objects.count() == 1


def test_replacement_before_the_draw() -> None:
    raffle_id, _ = sold_out()
    not_drawn = (400, "not_drawn", "Winners for the raffle have not been drawn yet")
    assert refused(replace(raffle_id, 1)) == not_drawn
    assert caller().get(f"/raffles/{raffle_id}/replacements/").json() == []


def test_replacement_refuses_everybody_but_managers() -> None:
    raffle_id, _, ranked = drawn_with_alternates(1)
    body = {"ticket_number": ranked[0], "reason": "Mine now"}
    assert refused(caller().post(f"/raffles/{raffle_id}/replacements/", body)) == MANAGERS_ONLY
    assert Replacement.objects.count() == 0


def test_replacement_of_an_unknown_raffle() -> None:
    assert refused(replace(NOWHERE, 1)) == NOT_FOUND
    assert refused(replace(NOWHERE, 1, reason="")) == NOT_FOUND
    assert refused(caller().get(f"/raffles/{NOWHERE}/replacements/")) == NOT_FOUND


def test_replacement_needs_a_reason() -> None:
    raffle_id, _, ranked = drawn_with_alternates(1)
    assert faults(replace(raffle_id, ranked[0], "")) == {"reason": ["This field may not be blank."]}
    path = f"/raffles/{raffle_id}/replacements/"
    assert faults(manager().post(path, {"ticket_number": ranked[0]})) == {
        "reason": ["This field is required."]
    }
    assert faults(replace(raffle_id, ranked[0], "x" * 201)) == {
        "reason": ["Ensure this field has no more than 200 characters."]
    }
    assert Replacement.objects.count() == 0
    assert replace(raffle_id, ranked[0], "🎲" * 200).status_code == 201


def test_replacements_come_in_pages_oldest_first() -> None:
    raffle_id, _, ranked = drawn_with_alternates(3)
    for number in ranked[:3]:
        replace(raffle_id, number)
    path = f"/raffles/{raffle_id}/replacements/"
    first = caller().get(f"{path}?limit=2")
    assert [line["ticket_number"] for line in first.json()] == ranked[:2]
    (url,) = [link.split(">")[0][1:] for link in first["Link"].split(", ")]
    assert [line["ticket_number"] for line in caller().get(url).json()] == ranked[2:3]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_replacements_queries(count: int) -> None:
    raffle_id, _, ranked = drawn_with_alternates(3)
    for number in ranked[:count]:
        replace(raffle_id, number)
    with CaptureQueriesContext(connection) as queries:
        response = caller().get(f"/raffles/{raffle_id}/replacements/")
    assert (len(response.json()), len(queries)) == (count, 2)
