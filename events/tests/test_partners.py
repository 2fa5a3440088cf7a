"""Partners: events that only a key opens, and what is known of a key."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from events.domain.entering import Participant, take_part
from events.domain.refusals import PartnersOnly
from events.models import Event
from events.tests.acting import (
    DAY,
    DRAW,
    ENTERED,
    NOW,
    manage,
    participate,
    refused,
    run,
    scheduled,
    taken,
)
from raffles.domain.api_keys import make_key
from raffles.models import ApiKey, Raffle, Ticket

pytestmark = pytest.mark.django_db
BAD_KEY = (401, "bad_key", "This API key is unknown or has expired.")


def bearer(text: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {text}"}


def new_key(**values: Any) -> tuple[ApiKey, dict[str, Any]]:
    key = ApiKey(name="Shop", **values)
    return key, bearer(make_key(key, now=NOW, by="staff"))


def status(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["detail"]


def test_a_partner_event_needs_a_key() -> None:
    scheduled(entry="partner")
    _, authorization = new_key()

    answer = participate("alice")
    assert status(answer) == (
        401,
        "partners_only",
        "An API key is needed to take part in this draw",
    )
    assert answer["WWW-Authenticate"] == "Bearer"
    assert taken("alice", **authorization)["username"] == "alice"


def test_a_date_of_partners_stays_theirs() -> None:
    scheduled(entry="partner", max_participants=9)
    _, authorization = new_key()
    ticket = taken("alice", **authorization)
    assert manage("patch", "/events/breakfast/", {"entry": "open"}).json()["kept"] == ["2026-02-10"]

    assert status(participate("bob"))[:2] == (401, "partners_only")
    assert taken("bob", **authorization)["raffle_id"] == ticket["raffle_id"]
    taken("carol", now=DRAW)  # in the next one, which signs that anybody may
    stored = Ticket.objects.order_by("username").values_list("raffle__entry", "channel")
    assert [*stored] == [("partner", None), ("partner", None), ("username", None)]


def test_a_date_of_everybody_s_stays_theirs() -> None:
    scheduled(max_participants=9)
    first = participate("alice", "A-1")
    manage("patch", "/events/breakfast/", {"entry": "partner"})

    assert taken("bob")["raffle_id"] == first.json()["raffle_id"]
    assert status(participate("carol", now=DRAW))[:2] == (401, "partners_only")
    again = participate("alice", "A-1", now=DRAW)
    assert (again.status_code, again.json()) == (200, first.json())


def test_an_event_that_went_to_partners_meanwhile_opens_no_date_for_a_stranger() -> None:
    scheduled()
    seen_before = Event.objects.get()
    manage("patch", "/events/breakfast/", {"entry": "partner"})

    address = "ip:198.51.100.1"
    with pytest.raises(PartnersOnly):
        take_part(seen_before, Participant("alice", address, address), now=NOW)
    assert not Raffle.objects.exists()


def test_strangers_to_partners_learn_nothing_about_names() -> None:
    scheduled(entry="partner", rest_days=3)
    _, authorization = new_key()
    taken("alice", **authorization)
    run(DRAW)

    assert [status(participate(name, now=DRAW))[1] for name in ("alice", "bob")] == [
        "partners_only",
        "partners_only",
    ]
    assert status(participate("alice", now=DRAW, **authorization))[1] == "won_recently"


@pytest.mark.parametrize("text", ["key_x", "", "a b", "key_\N{SNOWMAN}"])
def test_an_unknown_key_is_401_for_any_event(text: str) -> None:
    scheduled()
    answer = participate("alice", HTTP_AUTHORIZATION=f"Bearer {text}".encode().decode("latin-1"))
    assert status(answer) == BAD_KEY
    assert status(participate("alice", HTTP_AUTHORIZATION="Basic YTpi")) == BAD_KEY


def test_a_key_expires() -> None:
    scheduled(entry="partner")
    _, authorization = new_key(expires_at=NOW + DAY)

    taken("alice", now=NOW + DAY - timedelta(seconds=1), **authorization)
    assert status(participate("bob", now=NOW + DAY, **authorization)) == BAD_KEY


def test_a_key_is_stored_as_its_hash() -> None:
    key, authorization = new_key()
    text = authorization["HTTP_AUTHORIZATION"].removeprefix("Bearer ")

    assert key.key_hash == hashlib.sha256(text.encode()).digest()
    assert (len(text), key.hint, text.startswith(key.hint)) == (47, text[:8], True)


def test_an_order_belongs_to_the_key_from_whatever_address() -> None:
    scheduled(entry="partner")
    (_, shop), (_, other) = new_key(), new_key()
    ticket = taken("alice", "A-1", **shop)

    answer = participate("alice", "A-1", address="198.51.100.7", **shop)
    assert (answer.status_code, answer.json()) == (200, ticket)
    assert refused(participate("alice", "A-1", **other)) == ENTERED  # alice has a ticket
    assert taken("bob", "A-1", **other)["ticket_number"] != ticket["ticket_number"]


def test_the_last_use_is_noted_once_a_minute() -> None:
    scheduled(max_participants=9)
    key, authorization = new_key()
    noted = []
    for number, seconds in enumerate((0, 30, 61)):
        taken(f"user {number}", now=NOW + timedelta(seconds=seconds), **authorization)
        key.refresh_from_db()
        noted.append(key.last_used_at)

    assert noted == [NOW, NOW, NOW + timedelta(seconds=61)]


def test_a_key_has_its_own_rate(settings: Settings) -> None:
    settings.THROTTLE_ENTRY, settings.THROTTLE_API_KEY = "1/h", "3/h"
    # Keys of other tests have the same numbers, and Redis remembers them.
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": uuid4().hex}}
    scheduled(max_participants=99)
    _, usual = new_key()
    _, slow = new_key(rate="2/h")

    def statuses(**authorization: Any) -> list[int]:
        return [participate(f"user {n}", **authorization).status_code for n in range(4)]

    assert statuses(**usual) == [201, 201, 201, 429]
    assert statuses(**slow) == [403, 403, 429, 429]
    assert statuses() == [403, 429, 429, 429]
