"""Sending the same request again to get a lost answer again."""

from datetime import datetime

import pytest
import time_machine
from pytest_django import Settings

from raffles.models import Raffle, Ticket
from raffles.tests.api.acting import (
    CLOSED,
    ENTERED,
    MANAGER,
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
    sold_out,
    terms,
)

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2030-01-31T08:00:00+00:00")
KEY = "5f2b9c1e-8a41-4f5c-9a5e-3f0f3f6f0a11"
MISMATCH = (422, "idempotency_mismatch", "This Idempotency-Key was used for another request")


def create(body: dict[str, object], address: str = MANAGER, key: str = KEY) -> Answer:
    """Create a raffle under a key."""
    return caller(address, HTTP_IDEMPOTENCY_KEY=key).post("/raffles/", body)


def test_create_again_answers_the_same_raffle() -> None:
    first, second = create(terms()), create(terms())
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    # The order of keys is not another request.
    assert create(dict(reversed(terms().items()))).content == first.content
    assert Raffle.objects.count() == 1


def test_create_with_another_key_or_none_is_another_raffle() -> None:
    first = create(terms())
    assert create(terms(), key="another").content != first.content
    assert manager().post("/raffles/", terms()).content != first.content
    assert Raffle.objects.count() == 3


@pytest.mark.parametrize(
    "changes",
    [{"name": "Autumn"}, {"total_tickets": 4}, {"alternates": 10}, {"entropy": "system"}],
)
def test_create_another_body_under_the_same_key(changes: dict[str, object]) -> None:
    create(terms())
    assert refused(create(terms(**changes))) == MISMATCH
    assert Raffle.objects.count() == 1


def test_create_keys_belong_to_their_caller(settings: Settings) -> None:
    settings.MANAGER_IPS = [MANAGER, "192.0.2.2"]
    first, second = create(terms()), create(terms(), "192.0.2.2")
    assert first.content != second.content
    assert create(terms(), f"::ffff:{MANAGER}").content == first.content
    assert Raffle.objects.count() == 2


def test_create_again_after_its_closing_time() -> None:
    body = terms(closes_at="2030-01-31T09:00:00Z")
    with time_machine.travel(NOW, tick=False) as clock:
        first = create(body)
        clock.shift(7_200)
        assert create(body).content == first.content
        assert refused(create(body | {"name": "Autumn"})) == MISMATCH


def test_create_that_was_refused_leaves_its_key_free() -> None:
    assert create(terms(prizes=[])).status_code == 400
    assert create(terms(prizes=[{"name": "Bicycle", "amount": 4}])).status_code == 400
    assert create(terms()).status_code == 201


def test_participate_again_answers_the_same_ticket() -> None:
    raffle_id = created()["id"]
    with time_machine.travel(NOW, tick=False) as clock:
        first = participate(raffle_id, holder(1), HTTP_IDEMPOTENCY_KEY=KEY)
        clock.shift(3_600)
        second = participate(raffle_id, holder(1), HTTP_IDEMPOTENCY_KEY=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second["Cache-Control"] == "no-store"
    assert Ticket.objects.count() == 1


def test_participate_again_when_sold_out_closed_and_drawn() -> None:
    raffle_id = created()["id"]
    first = participate(raffle_id, holder(0), HTTP_IDEMPOTENCY_KEY=KEY)
    participate(raffle_id, holder(1))
    participate(raffle_id, holder(2))

    def again() -> bytes:
        return bytes(participate(raffle_id, holder(0), HTTP_IDEMPOTENCY_KEY=KEY).content)

    assert refused(participate(raffle_id, holder(0))) == SOLD_OUT
    assert again() == first.content
    assert draw(raffle_id).status_code == 201
    assert again() == first.content


def test_participate_again_after_the_closing_time() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        raffle_id = created(closes_at="2030-01-31T09:00:00Z")["id"]
        first = participate(raffle_id, holder(0), HTTP_IDEMPOTENCY_KEY=KEY)
        clock.shift(7_200)
        second = participate(raffle_id, holder(0), HTTP_IDEMPOTENCY_KEY=KEY)
        assert second.content == first.content
        late = participate(raffle_id, holder(1), HTTP_IDEMPOTENCY_KEY=KEY)
        assert refused(late) == CLOSED


def test_participate_with_another_key_is_a_second_ticket() -> None:
    raffle_id = created()["id"]
    participate(raffle_id, holder(1), HTTP_IDEMPOTENCY_KEY=KEY)
    assert refused(participate(raffle_id, holder(1))) == ENTERED
    assert refused(participate(raffle_id, holder(1), HTTP_IDEMPOTENCY_KEY="another")) == ENTERED
    participate(raffle_id, holder(2))
    assert refused(participate(raffle_id, holder(2), HTTP_IDEMPOTENCY_KEY=KEY)) == ENTERED


def test_participate_keys_belong_to_caller_and_raffle() -> None:
    one, other = created()["id"], created()["id"]
    bodies = [
        participate(raffle_id, address, HTTP_IDEMPOTENCY_KEY=KEY).json()
        for raffle_id in (one, other)
        for address in (holder(1), holder(2))
    ]
    assert len({body["verification_code"] for body in bodies}) == 4
    sold, _ = sold_out()
    assert refused(participate(sold, holder(9), HTTP_IDEMPOTENCY_KEY=KEY)) == SOLD_OUT


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "clé", "a\x7f"])
def test_a_key_that_is_none(key: str) -> None:
    sentence = {"Idempotency-Key": ["Write 1 to 255 visible ASCII characters."]}
    raffle_id = created()["id"]
    assert faults(create(terms(), key=key)) == sentence
    assert faults(participate(raffle_id, holder(1), HTTP_IDEMPOTENCY_KEY=key)) == sentence
    assert (Raffle.objects.count(), Ticket.objects.count()) == (1, 0)


def test_a_key_of_every_visible_sign() -> None:
    key = "".join(map(chr, range(0x21, 0x7F))) + "x" * 161
    assert create(terms(), key=key).content == create(terms(), key=key).content
