"""Exclusions over the API: made, listed without saying who, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from events.tests import acting as events
from raffles.domain.excluding import EVERYWHERE
from raffles.models import Exclusion, LogEntry
from raffles.tests.api.acting import (
    MANAGER,
    MANAGERS_ONLY,
    NOT_FOUND,
    NOWHERE,
    STRANGER,
    Answer,
    caller,
    faults,
    links,
    manager,
    refused,
)
from raffles.tests.factories import NOW, RaffleFactory

pytestmark = pytest.mark.django_db
PATH = "/exclusions/"
MALLORY = {"kind": "address", "identity": STRANGER, "reason": "Cheated"}
EXCLUDED = (403, "excluded", "Taking part is not possible for you")


@pytest.fixture(autouse=True)
def _world(settings: Settings) -> Iterator[None]:
    settings.MANAGER_IPS = [MANAGER, events.MANAGER]
    with time_machine.travel(NOW, tick=False):
        yield


def exclude(**changes: Any) -> Answer:
    return manager().post(PATH, MALLORY | changes)


def test_who_is_excluded_gets_no_ticket_until_it_is_ended() -> None:
    raffle = RaffleFactory.create()
    made = exclude()
    row = {
        "id": Exclusion.objects.get().pk,
        "kind": "address",
        "raffle_id": None,
        "event": None,
        "reason": "Cheated",
        "ends_at": None,
        "created_at": "2026-02-10T12:00:00Z",
    }
    assert (made.status_code, made.json()) == (201, row)
    assert manager().get(PATH).json() == [row]
    path = f"/raffles/{raffle.uuid}/participate/"
    assert refused(caller().post(path)) == EXCLUDED
    ended = manager().post(f"{PATH}{row['id']}/end/")
    assert (ended.status_code, ended.json()) == (200, row | {"ends_at": "2026-02-10T12:00:00Z"})
    assert caller().post(path).status_code == 201
    assert manager().post(f"{PATH}{row['id']}/end/").json() == ended.json()
    told = LogEntry.objects.filter(subject=EVERYWHERE, by__startswith="manager ")
    assert [*told.order_by("pk").values_list("action", "details")] == [
        ("exclusions.made", {"people": {"new": 1}}),
        ("exclusion.ended", {"exclusion": row["id"]}),
    ]


def test_nothing_that_is_answered_or_kept_says_who() -> None:
    exclude(kind="user", identity="Mallory")
    answers = [exclude(kind="user", identity="Mallory"), manager().get(PATH)]
    assert all("allory" not in answer.content.decode() for answer in answers)
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}
    assert "allory" not in str([*LogEntry.objects.values(), *Exclusion.objects.values()])


def test_made_again_it_is_the_same_and_only_lasts_longer() -> None:
    soon, late = ((NOW + timedelta(days=days)).isoformat() for days in (1, 9))
    ids = {exclude(ends_at=until).json()["id"] for until in (soon, late, soon)}
    assert len(ids) == 1
    assert exclude(ends_at=soon).json()["ends_at"] == "2026-02-19T12:00:00Z"
    for_good = exclude(reason="For good").json()
    assert (for_good["reason"], for_good["ends_at"]) == ("For good", None)
    assert manager().get(PATH).json() == [for_good]


def test_scope_is_a_raffle_or_an_event() -> None:
    events.scheduled()
    here, there = RaffleFactory.create(), RaffleFactory.create()
    assert exclude(raffle_id=str(here.uuid)).json()["raffle_id"] == str(here.uuid)
    assert exclude(event="breakfast", kind="user", identity="eve").json()["event"] == "breakfast"
    statuses = [
        caller().post(f"/raffles/{raffle.uuid}/participate/").status_code
        for raffle in (here, there)
    ]
    assert statuses == [403, 201]
    assert events.refused(events.participate("Eve", now=NOW)) == EXCLUDED
    assert events.participate("bob", now=NOW).status_code == 201


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        (
            {"identity": "nowhere"},
            "identity",
            "Write an address such as 203.0.113.7 or 2001:db8::7.",
        ),
        ({"identity": "10.0.0.0/8"}, "identity", "Write each address by itself."),
        ({"identity": ""}, "identity", "This field may not be blank."),
        ({"identity": "a\u202eb"}, "identity", None),
        ({"identity": "a\0"}, "identity", None),
        ({"identity": 7}, "identity", None),
        ({"identity": "x" * 255}, "identity", None),
        ({"kind": "user", "identity": "x" * 151}, "identity", "At most 150 characters."),
        ({"kind": "mail", "identity": "x"}, "identity", "Enter a valid email address."),
        ({"kind": "postman"}, "kind", '"postman" is not a valid choice.'),
        ({"reason": " "}, "reason", "At least one visible character is needed."),
        ({"reason": "x" * 201}, "reason", None),
        ({"ends_at": "2026-02-10T12:00:00Z"}, "ends_at", "ends_at must be in the future"),
        ({"ends_at": "soon"}, "ends_at", None),
        (
            {"ends_at": "9999-12-31T23:59:59Z"},
            "ends_at",
            "There is no such time, in UTC, in the years 1970 to 9000.",
        ),
        ({"raffle_id": NOWHERE}, "raffle_id", "There is no such raffle."),
        ({"raffle_id": "x"}, "raffle_id", "Must be a valid UUID."),
        ({"event": "nowhere"}, "event", "There is no such event."),
        ({"tag": "00"}, "tag", "Unknown field."),
    ],
)
def test_wrong_input_is_refused_beside_its_field(
    changes: dict[str, Any], field: str, sentence: str | None
) -> None:
    said = faults(exclude(**changes))
    assert list(said) == [field]
    assert sentence is None or said[field] == [sentence]
    assert not Exclusion.objects.exists()


def test_raffle_and_event_at_once_are_refused() -> None:
    assert list(faults(exclude(raffle_id=NOWHERE, event="a"))) == ["raffle_id", "event"]


def test_strangers_and_pages_of_other_sites_see_and_change_nothing() -> None:
    key = exclude().json()["id"]
    for method, path in (("get", PATH), ("post", PATH), ("post", f"{PATH}{key}/end/")):
        assert refused(getattr(caller(), method)(path)) == MANAGERS_ONLY
        for header in ({"HTTP_SEC_FETCH_SITE": "cross-site"}, {"HTTP_ORIGIN": "https://a.example"}):
            foreign = getattr(caller(MANAGER, **header), method)(path)
            assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    assert Exclusion.objects.in_force(NOW).count() == 1


@pytest.mark.parametrize("key", ["7", "9" * 30])
def test_unknown_exclusion_is_404(key: str) -> None:
    assert refused(manager().post(f"{PATH}{key}/end/", {"why": 1})) == NOT_FOUND


def test_end_takes_an_empty_body_alone_and_the_list_knows_its_parameters() -> None:
    key = exclude().json()["id"]
    assert list(faults(manager().post(f"{PATH}{key}/end/", {"why": 1}))) == ["why"]
    assert list(faults(manager().get(f"{PATH}?who=me"))) == ["who"]
    other = exclude(identity="203.0.113.9").json()["id"]
    first = manager().get(f"{PATH}?limit=1")
    second = manager().get(links(first)["next"])
    assert [row["id"] for row in (*first.json(), *second.json())] == [other, key]
