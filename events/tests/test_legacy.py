"""The older service's addresses answer as its clients expect."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from django.conf import settings

from events.tests.acting import (
    DRAW,
    ENTERED,
    FULL,
    MANAGER,
    NOW,
    at,
    caller,
    read,
    refused,
    scheduled,
    taken,
)
from raffles.models import Raffle, State
from raffles.tests.api.acting import MANAGERS_ONLY, faults
from raffles.web.logs import JSONFormatter

if TYPE_CHECKING:  # a name of the stubs alone
    from rest_framework.response import _MonkeyPatchedResponse as Answer

pytestmark = pytest.mark.django_db


def ask(path: str, method: str = "get", address: str = "198.51.100.1") -> Answer:
    with at(NOW):
        answer: Answer = getattr(caller(address), method)(path)
    return answer


def test_a_ticket_comes_with_the_record_of_its_event() -> None:
    event = scheduled()
    other = taken("bob")["ticket_number"]

    answer = ask(f"/ticket/alice?eventID={event['id']}")
    body = answer.json()
    mine = int(body["ticket_no"])
    (free,) = {1, 2, 3} - {mine, other}
    raffle = Raffle.objects.get()

    assert answer["Cache-Control"] == "no-store"
    assert answer.status_code == 200
    assert body == {
        "name": "Breakfast",
        "event_id": event["id"],
        "time": "080000",
        "start_date": "2026-02-10",
        "frequency": "D",
        "ticket_list": [str(free)],
        "max_participants": 3,
        "participants": sorted(
            [{"name": "bob", "ticket_no": str(other)}, {"name": "alice", "ticket_no": str(mine)}],
            key=lambda row: [p["ticket_no"] for p in body["participants"]].index(row["ticket_no"]),
        ),
        "ticket_no": str(mine),
        "verification_code": body["verification_code"],
        "receipt": body["receipt"],
    }
    with at(NOW):
        checked = caller().post(
            f"/raffles/{raffle.uuid}/verify-ticket/",
            {"ticket_number": mine, "verification_code": body["verification_code"]},
        )
    assert refused(checked)[1] == "not_drawn"


def test_what_it_refuses() -> None:
    event = scheduled(max_participants=1)
    partners = scheduled(slug="shop", name="Shop", entry="partner")
    path = f"/ticket/alice?eventID={event['id']}"

    for query in ("", "?eventID=", "?eventID=x", "?eventID=-1", "?eventID=１"):
        assert faults(ask(f"/ticket/alice{query}")) == {"eventID": ["Write the id of an event."]}
    assert ask("/ticket/alice?eventID=999999").status_code == 404
    assert refused(ask(f"/ticket/alice?eventID={partners['id']}")) == (
        403,
        "partners_only",
        "An API key is needed to take part in this draw",
    )
    assert list(faults(ask(f"/ticket/a%E2%80%8Bb?eventID={event['id']}"))) == ["username"]
    assert ask(path, "head").status_code == 405
    assert ask(path, "post").status_code == 405
    assert not Raffle.objects.exists()
    assert ask(path).status_code == 200
    assert refused(ask(path)) == FULL


def test_a_second_ticket_of_a_user_is_403() -> None:
    path = f"/ticket/alice?eventID={scheduled()['id']}"
    assert ask(path).status_code == 200
    assert refused(ask(path)) == ENTERED


def test_upcoming_and_winners_are_those_of_the_events() -> None:
    scheduled()
    taken("alice")

    assert read("/ticket/upcoming") == read("/events/upcoming/")
    assert read("/ticket/winners", DRAW) == read("/events/winners/", DRAW) == []


def test_managers_run_what_is_due() -> None:
    scheduled()
    taken("alice")
    assert refused(ask("/ticket/update_events")) == MANAGERS_ONLY

    with at(DRAW):
        answer = caller(MANAGER).get("/ticket/update_events")
        again = caller(MANAGER).get("/ticket/update_events")

    assert answer.json() == [{"name": "Breakfast, 2026-02-10", "outcome": "drawn"}]
    assert again.json() == []
    assert Raffle.objects.get().state == State.DRAWN


@pytest.mark.parametrize(
    ("frequency", "letter"),
    [("weekly", "W"), ("monthly", "M"), ("yearly", "Y"), ("FREQ=MONTHLY;BYDAY=2TU", "M")],
)
def test_frequencies_are_letters(frequency: str, letter: str) -> None:
    event = scheduled(frequency=frequency)
    assert ask(f"/ticket/alice?eventID={event['id']}").json()["frequency"] == letter


def test_a_thousand_numbers_are_shown_at_the_most() -> None:
    event = scheduled(max_participants=5000)
    body = ask(f"/ticket/alice?eventID={event['id']}").json()
    assert len(body["ticket_list"]) == 1000
    assert body["ticket_no"] not in body["ticket_list"]


def as_set() -> JSONFormatter:
    logs: Any = settings.LOGGING
    return JSONFormatter(hides=logs["formatters"]["json"]["hides"])


@pytest.mark.parametrize("name", ["alice", 'Alice%20"B"%0aSmith', "winners-bob", "ünal%3F"])
@pytest.mark.parametrize("end", ["", "/", "?eventID=x"])
@pytest.mark.parametrize("start", ["/ticket/", "/Ticket/", "/ticket//"])
def test_no_line_of_the_log_holds_a_name(
    start: str, name: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(as_set())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    ask(f"{start}{name}{end}")
    logging.getLogger("elsewhere").warning("Internal Server Error: %s%s", start, unquote(name))
    access, error = map(json.loads, stream.getvalue().splitlines())
    assert access["path"].endswith("/…")
    assert error["message"].endswith("/…")
    assert [part for part in ("lice", "Smith", "bob", "fcnal") if part in stream.getvalue()] == []


@pytest.mark.parametrize(
    "path",
    ["/ticket/winners", "/ticket/upcoming", "/ticket/update_events", "/r/5/ticket/7/state/"],
)
def test_other_paths_are_logged_as_they_are(path: str) -> None:
    line = as_set().format(logging.LogRecord("access", logging.INFO, "", 1, path, None, None))
    assert json.loads(line)["message"] == path
