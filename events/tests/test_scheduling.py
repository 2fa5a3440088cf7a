"""Scheduling over the API: what may be set, and what a date keeps once it has a ticket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from events.models import Event, Occurrence, Reward
from events.tests.acting import (
    DAY,
    DRAW,
    ENTERED,
    MANAGER,
    NO_DRAW,
    NOW,
    at,
    caller,
    manage,
    participate,
    read,
    refused,
    run,
    scheduled,
    taken,
    terms,
)
from raffles.models import LogEntry, Raffle
from raffles.tests.api.acting import MANAGERS_ONLY, NOT_FOUND, faults
from raffles.web.callers import address_tag

pytestmark = pytest.mark.django_db
FROZEN = (
    409,
    "reward_frozen",
    "The date has tickets or is over, so its reward can't be changed",
)
NO_DATE = (404, "no_such_date", "The event has no coming draw on this date")


def coming(days: int = 7, now: Any = NOW) -> list[tuple[str, str]]:
    """Return the coming draws as (local time, reward)."""
    return [
        (draw["draw_at"], draw["reward"]["name"])
        for draw in read(f"/events/upcoming/?days={days}", now)
    ]


def edited(now: Any = NOW, **changes: Any) -> list[str]:
    """Change the event and return the dates that are kept."""
    answer = manage("patch", "/events/breakfast/", changes, now)
    assert answer.status_code == 200, answer.json()
    kept: list[str] = answer.json()["kept"]
    return kept


def test_an_event_is_answered_with_its_next_draw() -> None:
    event = scheduled()

    assert event == terms() | {
        "id": event["id"],
        "until": None,
        "default_reward": {"name": "Coffee", "amount": 1, "description": "", "picture": ""},
        "entry": "open",
        "one_per_address": False,
        "privacy": "full",
        "rest_days": 0,
        "claim_days": None,
        "claim_place": None,
        "promotes_alternates": False,
        "tickets_per_holder": 1,
        "max_wins_per_holder": 0,
        "paused": False,
        "rules_hash": "",
        "next_draw": {
            "date": "2026-02-10",
            "draw_at": "2026-02-10T08:00:00+01:00",
            "time_zone": "Europe/Paris",
            "reward": {"name": "Coffee", "amount": 1, "description": "", "picture": ""},
            "participants": 0,
            "max_participants": 3,
            "rules_hash": "",
        },
    }
    assert read("/events/breakfast/") == event
    assert read("/events/") == [event]


def test_a_slug_follows_from_the_name() -> None:
    body = terms(name="Café du Matin")
    del body["slug"]
    assert manage("post", "/events/", body).json()["slug"] == "cafe-du-matin"
    answer = manage("post", "/events/", body)
    assert refused(answer) == (409, "slug_taken", "Another event has this slug")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 181}, "name"),
        ({"slug": "a b"}, "slug"),
        ({"slug": "upcoming"}, "slug"),
        ({"start_date": "2026-2-1"}, "start_date"),
        ({"start_date": "2026-02-30"}, "start_date"),
        ({"start_date": "9999-12-31"}, "start_date"),
        ({"start_date": 5}, "start_date"),
        ({"draw_time": "8:00"}, "draw_time"),
        ({"draw_time": "25:00"}, "draw_time"),
        ({"draw_time": "08:00:00.5"}, "draw_time"),
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"frequency": "hourly"}, "frequency"),
        ({"frequency": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "frequency"),
        ({"until": "2026-02-09"}, "until"),
        ({"max_participants": 0}, "max_participants"),
        ({"max_participants": 10_000_001}, "max_participants"),
        ({"max_participants": "3"}, "max_participants"),
        ({"default_reward": None}, "default_reward"),
        ({"default_reward": {"name": "Coffee", "amount": 4}}, "default_reward.amount"),
        ({"default_reward": {"name": "Coffee", "amount": 0}}, "default_reward.amount"),
        ({"default_reward": {"name": "x", "picture": "javascript:x"}}, "default_reward.picture"),
        ({"entry": "closed"}, "entry"),
        ({"privacy": "none"}, "privacy"),
        ({"rest_days": 367}, "rest_days"),
        ({"tickets_per_holder": 0}, "tickets_per_holder"),
        ({"max_wins_per_holder": -1}, "max_wins_per_holder"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_event_is_400_by_field(changes: dict[str, Any], field: str) -> None:
    answer = manage("post", "/events/", terms(**changes))
    assert (answer.status_code, list(faults(answer))) == (400, [field])
    assert not Event.objects.exists()


def test_a_day_that_there_is_not_is_told_from_what_is_no_date() -> None:
    answer = manage("post", "/events/", terms(start_date="2026-02-30", draw_time="24:01"))
    said = {"start_date": ["There is no such day."], "draw_time": ["There is no such time of day."]}
    assert faults(answer) == said


def test_dates_begin_after_the_event_was_made() -> None:
    scheduled(start_date="2026-02-01", now=DRAW)

    assert coming(2, DRAW) == [
        ("2026-02-11T08:00:00+01:00", "Coffee"),
        ("2026-02-12T08:00:00+01:00", "Coffee"),
    ]
    assert run(DRAW + timedelta(minutes=1)) == []


def test_dates_have_rewards_of_their_own() -> None:
    scheduled()
    path = "/events/breakfast/rewards/2026-02-11/"
    phone = {"name": "Phone", "amount": 2, "description": "New", "picture": "https://x.org/p.png"}

    answer = manage("put", path, phone)
    assert (answer.status_code, answer.json()) == (201, {"date": "2026-02-11"} | phone)
    answer = manage("put", path, phone | {"amount": 3})
    assert (answer.status_code, answer.json()["amount"]) == (200, 3)
    assert coming(2) == [
        ("2026-02-10T08:00:00+01:00", "Coffee"),
        ("2026-02-11T08:00:00+01:00", "Phone"),
    ]
    assert manage("delete", path).status_code == 204
    assert refused(manage("delete", path)) == NOT_FOUND
    assert coming(2)[1] == ("2026-02-11T08:00:00+01:00", "Coffee")


def test_a_reward_is_frozen_by_the_first_ticket() -> None:
    scheduled()
    path = "/events/breakfast/rewards/2026-02-10/"
    assert manage("put", path, {"name": "Phone"}).status_code == 201
    taken("alice")

    assert refused(manage("put", path, {"name": "Tea"})) == FROZEN
    assert refused(manage("delete", path)) == FROZEN
    edited(default_reward={"name": "Tea"})
    assert coming(2) == [
        ("2026-02-10T08:00:00+01:00", "Phone"),
        ("2026-02-11T08:00:00+01:00", "Tea"),
    ]
    run(DRAW)
    (winner,) = read("/events/winners/", DRAW)
    assert winner["reward"] == "Phone"


def test_only_coming_dates_have_rewards() -> None:
    scheduled(frequency="weekly")
    assert refused(manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "x"})) == NO_DATE
    assert refused(manage("put", "/events/breakfast/rewards/2026-02-03/", {"name": "x"})) == NO_DATE
    assert manage("put", "/events/breakfast/rewards/2026-02-30/", {"name": "x"}).status_code == 404
    answer = manage("put", "/events/breakfast/rewards/2026-02-10/", {"name": "x", "amount": 4})
    assert refused(answer) == (
        400,
        "reward_too_large",
        "A reward's amount can't be larger than max_participants",
    )


def test_an_edit_leaves_a_date_with_tickets_as_it_stood() -> None:
    scheduled()
    ticket = taken("alice")

    assert edited(draw_time="20:30", max_participants=1) == ["2026-02-10"]
    assert coming(2) == [
        ("2026-02-10T08:00:00+01:00", "Coffee"),
        ("2026-02-11T20:30:00+01:00", "Coffee"),
    ]
    assert taken("bob")["raffle_id"] == ticket["raffle_id"]  # three fit, as promised
    assert run(DRAW) == ["drawn    Breakfast, 2026-02-10"]
    # The date is over: it does not come again in the evening.
    assert taken("bob", now=DRAW)["draw_at"] == "2026-02-11T20:30:00+01:00"


def test_a_date_that_an_edit_brings_forward_comes_first() -> None:
    scheduled(start_date="2026-02-11")
    kept = taken("alice")

    assert edited(start_date="2026-02-10") == ["2026-02-11"]
    assert taken("alice")["draw_at"] == "2026-02-10T08:00:00+01:00"
    assert refused(participate("alice", now=DRAW)) == ENTERED  # in the kept one
    assert kept["draw_at"] == "2026-02-11T08:00:00+01:00"


def test_an_edit_makes_no_date_of_the_past() -> None:
    scheduled(draw_time="20:00")

    edited(DRAW + DAY, draw_time="07:00")
    # The evening of the 10th was empty, the morning of the 11th had never been announced.
    assert [(row.date.isoformat(), row.raffle) for row in Occurrence.objects.all()] == [
        ("2026-02-10", None)
    ]
    assert run(DRAW + DAY) == []
    assert coming(1, DRAW + DAY) == [("2026-02-12T07:00:00+01:00", "Coffee")]


def test_a_pause_has_no_dates_and_keeps_those_with_tickets() -> None:
    scheduled()
    ticket = taken("alice")

    assert edited(paused=True) == ["2026-02-10"]
    assert coming() == [("2026-02-10T08:00:00+01:00", "Coffee")]
    assert taken("bob")["raffle_id"] == ticket["raffle_id"]
    assert run(DRAW) == ["drawn    Breakfast, 2026-02-10"]
    assert refused(participate("carol", now=DRAW)) == NO_DRAW
    assert run(DRAW + 3 * DAY) == []
    assert edited(DRAW + 3 * DAY, paused=False) == []
    assert run(DRAW + 3 * DAY) == []
    assert coming(1, DRAW + 3 * DAY) == [("2026-02-14T08:00:00+01:00", "Coffee")]


def test_what_was_missed_before_a_pause_is_settled_by_it() -> None:
    scheduled()
    edited(DRAW + DAY, paused=True)

    assert [row.date.isoformat() for row in Occurrence.objects.order_by("date")] == [
        "2026-02-10",
        "2026-02-11",
    ]


def test_an_event_ends_and_keeps_its_dates_with_tickets() -> None:
    scheduled()
    taken("alice", now=NOW)
    taken("alice", now=DRAW)

    assert edited(DRAW, until="2026-02-10") == ["2026-02-11"]
    assert read("/events/breakfast/", DRAW)["next_draw"]["date"] == "2026-02-11"
    assert run(DRAW + DAY) == ["drawn    Breakfast, 2026-02-10", "drawn    Breakfast, 2026-02-11"]
    assert read("/events/breakfast/", DRAW + DAY)["next_draw"] is None


def test_max_participants_can_not_go_below_a_reward() -> None:
    scheduled()
    manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "Phone", "amount": 3})

    answer = manage("patch", "/events/breakfast/", {"max_participants": 2})
    assert refused(answer)[:2] == (400, "reward_too_large")
    assert Event.objects.get().max_participants == 3


def test_a_slug_stays() -> None:
    scheduled()
    answer = manage("patch", "/events/breakfast/", {"slug": "lunch"})
    assert faults(answer) == {"slug": ["Unknown field."]}


def test_scheduling_is_for_managers() -> None:
    scheduled()
    for method, path in (
        ("post", "/events/"),
        ("patch", "/events/breakfast/"),
        ("put", "/events/breakfast/rewards/2026-02-10/"),
        ("delete", "/events/breakfast/rewards/2026-02-10/"),
    ):
        assert refused(getattr(caller(), method)(path)) == MANAGERS_ONLY
    assert not Reward.objects.exists()


def test_a_date_keeps_the_claim_terms_it_was_opened_with() -> None:
    claim: dict[str, Any] = {
        "claim_days": 7,
        "claim_place": "Front desk",
        "promotes_alternates": True,
    }
    scheduled(**claim)
    taken("alice")
    manage("patch", "/events/breakfast/", {"claim_days": 3})
    raffle = Raffle.objects.get()
    assert raffle.claim_terms() == claim


def test_the_record_says_who_scheduled_what() -> None:
    scheduled()
    manage("patch", "/events/breakfast/", {"max_participants": 5, "name": "Breakfast"})
    manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "Phone", "amount": 2})
    manage("delete", "/events/breakfast/rewards/2026-02-11/")
    acts = LogEntry.objects.filter(subject="event breakfast").order_by("pk")
    assert [act.action for act in acts] == [
        "event.scheduled",
        "event.changed",
        "reward.set",
        "reward.removed",
    ]
    assert acts[1].details == {"max_participants": 5}
    assert {act.by for act in acts} == {f"manager {address_tag(MANAGER)}"}


# --- Two managers at one event: `If-Match`

STALE = (412, "changed_meanwhile", "Somebody has changed this since you read it")
REWARD = "/events/breakfast/rewards/{}/"


def tag_of(path: str, now: Any = NOW) -> str:
    """Return the ETag that anybody reads at an address."""
    with at(now):
        return str(caller().get(path)["ETag"])


def written(method: str, path: str, body: Any, tag: str) -> Any:
    with at(NOW):
        return getattr(caller(MANAGER), method)(path, body, HTTP_IF_MATCH=tag)


def test_second_manager_who_read_before_the_first_wrote_changes_nothing() -> None:
    scheduled()
    path = "/events/breakfast/"
    tag = tag_of(path)

    first = written("patch", path, {"max_participants": 50}, tag)
    second = written("patch", path, {"max_participants": 60, "paused": True}, tag)

    assert (first.status_code, refused(second)) == (200, STALE)
    event = Event.objects.get()
    assert (event.max_participants, event.paused) == (50, False)
    assert written("patch", path, {"paused": True}, first["ETag"]).status_code == 200
    assert refused(written("patch", path, {"max_participants": 60}, first["ETag"])) == STALE
    assert edited(max_participants=60) == []


def test_participant_spoils_no_change_of_a_manager() -> None:
    scheduled()
    path = "/events/breakfast/"
    tag = tag_of(path)
    taken("Ann")

    assert tag_of(path) != tag
    assert written("patch", path, {"rest_days": 3}, tag).status_code == 200


@pytest.mark.parametrize("shape", ["{}", "W/{}", '"other", {}', "*"])
def test_tag_fits_as_proxies_and_clients_write_it(shape: str) -> None:
    scheduled()
    tag = shape.format(tag_of("/events/breakfast/"))
    assert written("patch", "/events/breakfast/", {"rest_days": 3}, tag).status_code == 200


@pytest.mark.parametrize("odd", ["", "x", '"', "W/", "\xff"])
def test_odd_tag_is_refused(odd: str) -> None:
    scheduled()
    answer = written("patch", "/events/breakfast/", {"rest_days": 3}, odd)
    assert faults(answer) == {"If-Match": ["Write the ETag as you got it, in its quotes."]}
    assert Event.objects.get().rest_days == 0


def test_reward_of_a_date_has_a_tag_of_its_own() -> None:
    scheduled()
    path = REWARD.format(DRAW.date() + DAY)
    assert refused(written("put", path, {"name": "Phone"}, "*")) == STALE
    made = manage("put", path, {"name": "Phone"})
    tag = tag_of(path)
    assert (made.status_code, made["ETag"]) == (201, tag)
    assert caller().get(path).json()["name"] == "Phone"

    assert written("put", path, {"name": "Kettle"}, tag).status_code == 200
    assert refused(written("put", path, {"name": "Bicycle"}, tag)) == STALE
    assert refused(written("delete", path, None, tag)) == STALE
    assert Reward.objects.get().reward_name == "Kettle"
    assert written("delete", path, None, tag_of(path)).status_code == 204
    assert refused(written("put", path, {"name": "Bicycle"}, tag)) == STALE
