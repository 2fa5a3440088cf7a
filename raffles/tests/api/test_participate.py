"""Taking part: one ticket for each address, and the order of refusals."""

import random
import re
from datetime import datetime
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from raffles.api.serializers import EntryAnswer
from raffles.domain.keys import signer
from raffles.fairness.verify import be64, hash_terms, receipt_message, signature_is_good
from raffles.models import Raffle, Ticket
from raffles.tests.api.acting import (
    CLOSED,
    ENTERED,
    NOT_FOUND,
    NOWHERE,
    PROXY,
    SOLD_OUT,
    caller,
    created,
    draw,
    entered,
    faults,
    holder,
    manager,
    participate,
    refused,
    sold_out,
)

pytestmark = pytest.mark.django_db

CODE_GROUP = "[0-9A-HJKMNP-TV-Z]{4}"


@time_machine.travel(datetime.fromisoformat("2030-01-31T08:00:00+00:00"), tick=False)
def test_participate_answers_a_ticket() -> None:
    raffle = created()
    response = participate(raffle["id"], holder(1))
    body = response.json()
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    assert body == {
        "raffle_id": raffle["id"],
        "ticket_number": body["ticket_number"],
        "verification_code": body["verification_code"],
        "receipt": {
            "leaf": body["receipt"]["leaf"],
            "terms_hash": body["receipt"]["terms_hash"],
            "issued_at": 1_896_076_800,
            "public_key": signer().public_key,
            "signature": body["receipt"]["signature"],
        },
    }
    assert body["ticket_number"] in {1, 2, 3}
    assert re.fullmatch(
        "[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){4}", body["verification_code"]
    )


def test_participate_answers_what_its_serializer_describes() -> None:
    body = participate(created()["id"], holder(1)).json()
    described = EntryAnswer().data
    assert list(body) == list(described)
    assert list(body["receipt"]) == list(described["receipt"])


def test_participate_signs_what_it_promises() -> None:
    raffle = created()
    body = participate(raffle["id"], holder(1)).json()
    receipt = body["receipt"]
    leaf, terms_hash = bytes.fromhex(receipt["leaf"]), bytes.fromhex(receipt["terms_hash"])
    message = receipt_message(leaf, terms_hash, receipt["issued_at"])
    signature = bytes.fromhex(receipt["signature"])
    assert signature_is_good(bytes.fromhex(signer().public_key), message, signature)
    assert leaf[:24] == UUID(raffle["id"]).bytes + be64(body["ticket_number"])
    assert terms_hash == hash_terms(Raffle.objects.get(uuid=raffle["id"]).terms())


def test_participate_hands_out_each_number_once() -> None:
    raffle_id, codes = sold_out(total_tickets=40)
    assert sorted(codes) == list(range(1, 41))
    assert len(set(codes.values())) == 40
    # In no order: 40 numbers in a row by chance would be 1 in 40!.
    assert list(codes) != sorted(codes)
    assert caller().get(f"/raffles/{raffle_id}/").json()["available_tickets"] == 0


def test_participate_stores_neither_code_nor_address() -> None:
    raffle = created()
    code = participate(raffle["id"], "203.0.113.77").json()["verification_code"]
    row = Ticket.objects.values().get()
    stored = b"|".join(bytes(v) for v in row.values() if isinstance(v, bytes | memoryview))
    assert code.replace("-", "").encode() not in stored
    assert b"203.0.113.77" not in stored


def test_participate_counts_what_is_left() -> None:
    raffle = created()
    left = []
    for number in range(3):
        participate(raffle["id"], holder(number))
        left.append(caller().get(f"/raffles/{raffle['id']}/").json()["available_tickets"])
    assert left == [2, 1, 0]


def test_participate_refuses_a_second_ticket() -> None:
    raffle = created()
    participate(raffle["id"], holder(1))
    assert refused(participate(raffle["id"], holder(1))) == ENTERED
    assert refused(participate(raffle["id"], f"::ffff:{holder(1)}")) == ENTERED
    assert Ticket.objects.count() == 1
    assert participate(created()["id"], holder(1)).status_code == 201


def test_participate_sold_out_comes_before_a_second_ticket() -> None:
    raffle_id, _ = sold_out()
    assert refused(participate(raffle_id, holder(99))) == SOLD_OUT
    assert refused(participate(raffle_id, holder(0))) == SOLD_OUT
    assert Ticket.objects.count() == 3


def test_participate_closes_at_its_time() -> None:
    with time_machine.travel(0, tick=False) as clock:
        clock.move_to(datetime.fromisoformat("2030-01-31T08:00:00+00:00"))
        raffle_id = created(closes_at="2030-01-31T09:00:00Z")["id"]
        participate(raffle_id, holder(0))
        clock.move_to(datetime.fromisoformat("2030-01-31T08:59:59.999999+00:00"))
        assert participate(raffle_id, holder(1)).status_code == 201
        clock.move_to(datetime.fromisoformat("2030-01-31T09:00:00+00:00"))
        assert refused(participate(raffle_id, holder(2))) == CLOSED
        assert refused(participate(raffle_id, holder(0))) == CLOSED
    assert Ticket.objects.count() == 2


def test_participate_is_over_after_draw_and_void() -> None:
    raffle_id, _ = sold_out()
    draw(raffle_id)
    assert refused(participate(raffle_id, holder(9))) == SOLD_OUT
    raffle_id = created()["id"]
    entered(raffle_id, 1)
    manager().post(f"/raffles/{raffle_id}/void/", {"reason": "Rain"})
    assert refused(participate(raffle_id, holder(9))) == CLOSED


def test_participate_unknown_raffle_comes_first() -> None:
    path = f"/raffles/{NOWHERE}/participate/"
    assert refused(caller().post(path)) == NOT_FOUND
    assert refused(caller().post(path, {"name": "x"})) == NOT_FOUND
    assert refused(caller().post(f"{path}?a=b")) == NOT_FOUND
    assert refused(caller(HTTP_IDEMPOTENCY_KEY="a b").post(path)) == NOT_FOUND


def test_participate_bad_request_comes_before_sold_out() -> None:
    raffle_id, _ = sold_out()
    path = f"/raffles/{raffle_id}/participate/"
    assert faults(caller(holder(0)).post(path, {"name": "x"})) == {"name": ["Unknown field."]}
    assert faults(caller(holder(0)).post(f"{path}?a=b")) == {"a": ["Unknown parameter."]}
    assert faults(participate(raffle_id, holder(0), HTTP_IDEMPOTENCY_KEY="a b")) == {
        "Idempotency-Key": ["Write 1 to 255 visible ASCII characters."]
    }


@pytest.mark.parametrize("body", ["", "{}", " {} "])
def test_participate_needs_no_body(body: str) -> None:
    path = f"/raffles/{created()['id']}/participate/"
    kind = "application/json" if body else ""
    assert caller().generic("POST", path, body, content_type=kind).status_code == 201


def test_participate_refuses_a_proxy() -> None:
    raffle_id = created()["id"]
    sentence = "Taking part is not possible from the address of a proxy."
    assert refused(participate(raffle_id, PROXY)) == (403, "permission_denied", sentence)
    assert participate(raffle_id, PROXY, HTTP_X_FORWARDED_FOR=holder(1)).status_code == 201
    assert refused(participate(raffle_id, holder(1))) == ENTERED
    assert Ticket.objects.count() == 1


def test_participate_counts_a_network_as_one() -> None:
    raffle_id = created()["id"]
    assert participate(raffle_id, "2001:db8:1:1::1").status_code == 201
    assert refused(participate(raffle_id, "2001:db8:1:1:9:9:9:9")) == ENTERED
    assert participate(raffle_id, "2001:db8:1:2::1").status_code == 201


def test_participate_may_take_every_address_for_itself(settings: Settings) -> None:
    settings.IPV6_PREFIX = 128
    raffle_id = created()["id"]
    assert participate(raffle_id, "2001:db8:1:1::1").status_code == 201
    assert refused(participate(raffle_id, "2001:0db8:0001:1:0::1")) == ENTERED
    assert participate(raffle_id, "2001:db8:1:1::2").status_code == 201


def test_lost_ticket_key_is_the_operators_to_mend(settings: Settings) -> None:
    raffle_id = created(total_tickets=3)["id"]
    settings.TICKET_KEYS = [bytes(32)]
    response = participate(raffle_id, holder(1))
    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_participate_is_one_statement_once_the_raffle_is_known() -> None:
    raffle_id = created(total_tickets=1_000)["id"]
    entered(raffle_id, 1)
    # SQLite has no function that both moves a stripe and lands a ticket.
    statements = {"postgresql": ["SELECT"], "sqlite": ["PRAGMA", "UPDATE", "SELECT", "INSERT"]}[
        connection.vendor
    ]
    for number in (1, 2, 3):
        with CaptureQueriesContext(connection) as queries:
            participate(raffle_id, holder(number))
        words = [query["sql"].split()[0] for query in queries.captured_queries]
        # Savepoints are the test's: outside of its transaction the statement commits alone.
        assert [word for word in words if word not in ("SAVEPOINT", "RELEASE")] == statements


@pytest.mark.postgres
@pytest.mark.parametrize(("chance", "slot"), [(0.0, 0), (0.3, 1), (0.5, 2), (0.999, 3)])
def test_participate_in_a_small_raffle_begins_at_any_of_its_stripes(
    chance: float, slot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raffle_id = created(total_tickets=4)["id"]
    monkeypatch.setattr(random, "random", lambda: chance)
    entered(raffle_id, 1)
    assert Ticket.objects.get().slot == slot
