"""What a receiver of webhooks gets, and what it can do to us."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from raffles.models import Attempt, Delivery, Endpoint
from raffles.notifications.webhooks import LARGEST_ANSWER, TOTAL, make_secret, rotate_secret
from raffles.tests.factories import NOW
from raffles.tests.notifications.acting import after, announced, delivered_at, endpoint, states
from raffles.tests.notifications.conftest import PATIENCE
from raffles.tests.notifications.receiver import Exchange, Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def secret(of: Endpoint) -> str:
    return make_secret(of.key_id, of, of.secret_version)


def test_message_is_signed_and_is_what_the_stream_says(receiver: Receiver) -> None:
    told = endpoint(receiver.url("ok"))
    (announcement,) = announced()

    delivered_at()

    (received,) = receiver.ledger
    with time_machine.travel(NOW, tick=False):
        body = Webhook(secret(told)).verify(received.body, received.headers)
    assert body == announcement.public()
    assert received.headers["content-type"] == "application/json"
    assert received.message_id == f"msg_{Delivery.objects.get().message_id.hex}"


def test_another_body_or_secret_does_not_verify(receiver: Receiver) -> None:
    told = endpoint(receiver.url("ok"))
    announced()
    delivered_at()
    (received,) = receiver.ledger

    with time_machine.travel(NOW, tick=False):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret(told)).verify(received.body + b" ", received.headers)
        other = endpoint(receiver.url("empty"))
        with pytest.raises(WebhookVerificationError):
            Webhook(secret(other)).verify(received.body, received.headers)


@pytest.mark.parametrize(("later", "is_valid"), [(0, True), (86_399, True), (86_400, False)])
def test_secret_before_a_rotation_is_good_for_a_day(
    later: int, is_valid: bool, receiver: Receiver
) -> None:
    told = endpoint(receiver.url("ok"))
    before = secret(told)
    new = rotate_secret(told, now=NOW)
    announced()

    delivered_at(after(seconds=later))

    (received,) = receiver.ledger
    with time_machine.travel(after(seconds=later), tick=False):
        assert Webhook(new).verify(received.body, received.headers)
        if is_valid:
            assert Webhook(before).verify(received.body, received.headers)
        else:
            with pytest.raises(WebhookVerificationError):
                Webhook(before).verify(received.body, received.headers)


def test_message_says_no_secret_of_tickets(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced()
    delivered_at()

    body = json.loads(receiver.ledger[0].body)
    assert body.keys() == {"type", "timestamp", "sequence", "data"}
    assert body["data"].keys() == {"raffle", "name", "number"}


@pytest.mark.parametrize("behaviour", ["ok", "empty", "chunked"])
def test_messages_arrive_in_order_over_one_connection(behaviour: str, receiver: Receiver) -> None:
    endpoint(receiver.url(behaviour))
    announced(5)

    delivered_at()

    assert [json.loads(one.body)["data"]["number"] for one in receiver.ledger] == [0, 1, 2, 3, 4]
    assert states() == ["delivered"] * 5
    assert receiver.connections == 1


def test_connection_that_was_closed_meanwhile_is_made_anew(receiver: Receiver) -> None:
    endpoint(receiver.url("closing"))
    announced(3)

    assert delivered_at().delivered == 3
    assert receiver.connections == 3
    assert len({one.message_id for one in receiver.ledger}) == len(receiver.ledger) == 3


def attempt(behaviour: str, receiver: Receiver) -> tuple[Delivery, float]:
    """Return the delivery after one attempt at such a receiver, and the seconds it took."""
    endpoint(receiver.url(behaviour))
    announced()
    started = time.monotonic()
    delivered_at()
    return Delivery.objects.get(), time.monotonic() - started


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
@pytest.mark.usefixtures("impatient")
def test_receiver_that_never_comes_to_an_end_is_left_at_the_deadline(
    behaviour: str, receiver: Receiver
) -> None:
    tried, seconds = attempt(behaviour, receiver)

    assert (tried.last_status, states()) == (None, ["pending"])
    assert PATIENCE <= seconds < PATIENCE + 5  # of the 15 that it would be


@pytest.mark.parametrize(
    ("behaviour", "status", "state"),
    [
        ("empty", 204, "delivered"),
        ("broken", 500, "pending"),
        ("redirect", 307, "pending"),
        ("flood", 200, "delivered"),
        ("flood-headers", None, "pending"),
        ("go-on", None, "pending"),
        ("reset", None, "pending"),
    ],
)
def test_answer_decides(behaviour: str, status: int | None, state: str, receiver: Receiver) -> None:
    tried, seconds = attempt(behaviour, receiver)

    assert (tried.last_status, states()) == (status, [state])
    assert seconds < TOTAL - 5
    assert {one.path for one in receiver.ledger} == {f"/{behaviour}"}


def test_answer_is_read_up_to_its_limit(receiver: Receiver) -> None:
    sent = 0

    def flood(exchange: Exchange) -> None:
        nonlocal sent
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            sent += exchange.connection.send(bytes(10_000))

    receiver.behaviours["flood"] = flood
    attempt("flood", receiver)

    assert LARGEST_ANSWER <= sent < 16_000_000  # and what the buffers of both sides hold


def test_result_of_the_last_attempt_stands_on_the_delivery(receiver: Receiver) -> None:
    statuses = iter([500, 502, 204])
    receiver.behaviours["ok"] = lambda exchange: exchange.answer(next(statuses))
    endpoint(receiver.url("ok"))
    announced()

    for seconds in (0, 5, 305):
        delivered_at(after(seconds=seconds))

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 3, 204)
    assert delivery.last_attempt_at == delivery.finished_at == after(seconds=305)
    assert 0 <= (delivery.last_milliseconds or 0) < 10_000
    failed = Attempt.objects.values_list("number", "status", "at")
    assert list(failed) == [(1, 500, NOW), (2, 502, after(seconds=5))]


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        ("3600", HOUR),
        ("Tue, 10 Feb 2026 13:00:00 GMT", HOUR),
        ("61", timedelta(seconds=61)),
        ("864000", timedelta(days=1)),
        ("9" * 4_000, timedelta(days=1)),
        ("9" * 5_000, None),
        ("0", None),
        ("-5", None),
        ("Tue, 10 Feb 2026 11:59:59 GMT", None),
        ("Tue, 10 Feb 2026 13:00:00", None),
        ("soon", None),
        ("\u0663", None),
        ("", None),
    ],
)
def test_receiver_that_asks_for_a_pause_gets_it(
    status: int, asked: str, pause: timedelta | None, receiver: Receiver
) -> None:
    receiver.behaviours["busy"] = lambda exchange: exchange.answer(
        status, b"", **{"Retry-After": asked.encode().decode("latin-1")}
    )
    told = endpoint(receiver.url("busy"))
    announced(30)

    delivered_at()

    told.refresh_from_db()
    rests = told.rests_until and (told.rests_until - NOW).total_seconds()
    assert rests == (pause and pytest.approx(pause.total_seconds(), abs=30))  # dates: from now on
    assert told.rests_because == (f"answered {status} with Retry-After" if pause else "")
    assert len(receiver.ledger) == (1 if pause else 30)


def test_pause_ends_when_it_was_asked_to(receiver: Receiver) -> None:
    receiver.behaviours["busy"] = lambda exchange: exchange.answer(
        429, b"", **{"Retry-After": "600"}
    )
    told = endpoint(receiver.url("busy"))
    announced(30)
    delivered_at()
    receiver.behaviours["busy"] = receiver.behaviours["ok"]

    assert delivered_at(after(seconds=599)).delivered == 0
    assert delivered_at(after(seconds=600)).delivered == 30
    assert len(receiver.ledger) == 31
    told.refresh_from_db()
    assert (told.rests_until, told.rests_because) == (None, "")


def test_other_answers_ask_for_no_pause(receiver: Receiver) -> None:
    receiver.behaviours["busy"] = lambda exchange: exchange.answer(
        500, b"", **{"Retry-After": "600"}
    )
    endpoint(receiver.url("busy"))
    announced(3)

    delivered_at()

    assert len(receiver.ledger) == 3


def test_receiver_that_is_gone_is_disabled_and_the_rest_is_kept(receiver: Receiver) -> None:
    told = endpoint(receiver.url("gone"))
    announced(3)

    delivered_at()

    told.refresh_from_db()
    assert (told.is_enabled, told.disabled_because) == (False, "answered 410 Gone")
    assert len(receiver.ledger) == 1
    assert states() == ["dead"] * 3


def test_private_network_is_never_reached(receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = []
    tried, _ = attempt("ok", receiver)

    assert tried.last_status is None
    assert tried.last_detail.startswith("Forbidden: ")
    assert receiver.ledger == []


def test_silent_receivers_do_not_make_others_wait(receiver: Receiver) -> None:
    for _ in range(20):
        endpoint(receiver.url("hang"))
    endpoint(receiver.url("ok"))
    announced(3)
    started = time.monotonic()
    arrivals: list[float] = []

    def note(exchange: Exchange) -> None:
        arrivals.append(time.monotonic() - started)
        exchange.answer(200)
        if len(arrivals) == 3:
            receiver.over.set()  # and the silent ones hang up

    receiver.behaviours["ok"] = note

    delivered_at()

    assert len(arrivals) == 3
    assert max(arrivals) < TOTAL - 2  # none of the silent ones had been given up
    assert len(receiver.received("hang")) == 20  # each rests after its first


def test_rotation_shows_another_secret_each_time() -> None:
    told = endpoint()
    shown = [secret(told), *(rotate_secret(told, now=NOW + timedelta(days=n)) for n in range(3))]

    assert len(set(shown)) == 4
    assert all(one.startswith("whsec_") for one in shown)
