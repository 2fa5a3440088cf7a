"""Has this ticket won?"""

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from raffles.tests.api.acting import (
    NOT_FOUND,
    NOWHERE,
    caller,
    created,
    draw,
    drawn,
    entered,
    faults,
    manager,
    refused,
    sold_out,
    verify,
)

pytestmark = pytest.mark.django_db

NOT_DRAWN = (400, "not_drawn", "Winners for the raffle have not been drawn yet")
INVALID_CODE = (400, "invalid_code", "Invalid verification code")


def test_verify_ticket_tells_winners_from_the_rest() -> None:
    prizes = [{"name": "Car", "amount": 1}, {"name": "Bicycle", "amount": 2}]
    raffle_id, codes, winners = drawn(total_tickets=6, prizes=prizes)
    won = {winner["ticket_number"]: winner["prize"] for winner in winners}
    for number, code in codes.items():
        response = verify(raffle_id, number, code)
        prize = won.get(number)
        assert (response.status_code, response.json()) == (
            200,
            {"has_won": prize is not None, "prize": prize},
        )
        assert response["Cache-Control"] == "no-store"


def test_verify_ticket_reads_codes_as_people_write_them() -> None:
    raffle_id, codes, _ = drawn()
    number, code = codes.popitem()
    for written in (
        *(code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code} "),
        *(code.replace("-", dash) for dash in "\u2010\u2011\u2013\u2014\u2212\u00ad\u00a0\u3000－"),
        *(f"\u200e{code}\u200f", f"\ufeff{code}\r\n", f"\t{code}"),
        "".join(chr(ord(sign) + 0xFEE0) for sign in code),
    ):
        assert verify(raffle_id, number, written).status_code == 200, ascii(written)


def test_verify_ticket_takes_the_ticket_as_it_was_given() -> None:
    raffle_id = created(total_tickets=1, prizes=[{"name": "Car", "amount": 1}])["id"]
    path = f"/raffles/{raffle_id}"
    ticket = caller("198.51.100.9").post(f"{path}/participate/").json()
    assert draw(raffle_id).status_code == 201

    response = caller().post(f"{path}/verify-ticket/", ticket)
    assert (response.status_code, response.json()) == (200, {"has_won": True, "prize": "Car"})
    of_an_event = {"event": "breakfast", "username": "ada", "draw_at": "2030-01-31T08:00:00+01:00"}
    assert caller().post(f"{path}/verify-ticket/", ticket | of_an_event).status_code == 200
    assert faults(caller().post(f"{path}/verify-ticket/", ticket | {"colour": "red"})) == {
        "colour": ["Unknown field."]
    }


def test_ids_in_capitals_are_read() -> None:
    raffle_id, codes, _ = drawn()
    number, code = codes.popitem()
    assert verify(raffle_id.upper(), number, code).status_code == 200
    for path in ("/raffles/{}/", "/raffles/{}/proof/", "/r/{}/", "/r/{}/result/"):
        assert caller().get(path.format(raffle_id.upper())).status_code == 200


@pytest.mark.parametrize("is_sold_out", [False, True])
def test_verify_ticket_before_the_draw(is_sold_out: bool) -> None:
    raffle_id = created()["id"]
    codes = entered(raffle_id, 3 if is_sold_out else 1)
    number, code = codes.popitem()
    assert refused(verify(raffle_id, number, code)) == NOT_DRAWN
    # Before the code is looked at, so nobody learns which codes are right.
    assert refused(verify(raffle_id, number, "0000-0000-0000-0000-0000")) == NOT_DRAWN
    assert refused(verify(raffle_id, 99, "no code")) == NOT_DRAWN


def test_verify_ticket_of_a_sealed_or_void_raffle() -> None:
    with time_machine.travel("2023-08-23T15:58:24Z", tick=False):
        raffle_id, codes = sold_out(entropy="drand")
        assert draw(raffle_id).status_code == 202
        number, code = codes.popitem()
        assert refused(verify(raffle_id, number, code)) == NOT_DRAWN
        manager().post(f"/raffles/{raffle_id}/void/", {"reason": "Rain"})
        assert refused(verify(raffle_id, number, code)) == NOT_DRAWN


def test_verify_ticket_refuses_a_wrong_code() -> None:
    raffle_id, codes, _ = drawn()
    (first, code), (second, other), _ = codes.items()
    flipped = ("1" if code[0] == "0" else "0") + code[1:]
    for number, wrong in (
        (first, other),
        (second, code),
        (first, flipped),
        (first, code[:-1]),
        (first, f"{code}0"),
        (first, "U" * 20),
        (first, "x"),
        (first, "٣" * 20),
    ):
        assert refused(verify(raffle_id, number, wrong)) == INVALID_CODE


@pytest.mark.parametrize("number", [0, -1, 4, 10_000_000, 2**31, 2**63 - 1, -(2**63)])
def test_verify_ticket_refuses_a_number_out_of_range(number: int) -> None:
    raffle_id, codes, _ = drawn()
    assert refused(verify(raffle_id, number, codes[1])) == INVALID_CODE


def test_verify_ticket_refuses_a_number_nobody_holds() -> None:
    with time_machine.travel("2030-01-31T08:00:00Z", tick=False) as clock:
        raffle_id = created(total_tickets=50, closes_at="2030-01-31T09:00:00Z")["id"]
        codes = entered(raffle_id, 2)
        clock.shift(3_600)
        assert draw(raffle_id).status_code == 201
    (free, *_) = set(range(1, 51)) - set(codes)
    assert refused(verify(raffle_id, free, next(iter(codes.values())))) == INVALID_CODE


def test_verify_ticket_of_another_raffle() -> None:
    _, codes, _ = drawn()
    other, _, _ = drawn()
    for number, code in codes.items():
        assert refused(verify(other, number, code)) == INVALID_CODE


def test_verify_ticket_of_an_unknown_raffle() -> None:
    assert refused(verify(NOWHERE, 1, "x")) == NOT_FOUND
    assert refused(caller().post(f"/raffles/{NOWHERE}/verify-ticket/", {})) == NOT_FOUND


def test_verify_ticket_needs_number_and_code() -> None:
    path = f"/raffles/{created()['id']}/verify-ticket/"
    required = ["This field is required."]
    assert faults(caller().post(path, {})) == {
        "ticket_number": required,
        "verification_code": required,
    }
    assert faults(caller().post(path, {"ticket_number": "1", "verification_code": 5})) == {
        "ticket_number": ["A valid integer is required."],
        "verification_code": ["Not a valid string."],
    }


@pytest.mark.parametrize("tickets", [1, 3, 30])
def test_verify_ticket_queries(tickets: int) -> None:
    raffle_id, codes, _ = drawn(total_tickets=tickets)
    number, code = codes.popitem()
    with CaptureQueriesContext(connection) as queries:
        verify(raffle_id, number, code)
    assert len(queries) == 3
