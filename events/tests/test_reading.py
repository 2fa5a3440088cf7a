"""What anybody reads of events: coming draws, winners, draws; in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from events.schedule import Schedule
from events.tests.acting import DAY, DRAW, NOW, at, caller, manage, read, run, scheduled, taken
from raffles.tests.api.acting import faults

pytestmark = pytest.mark.django_db
COFFEE = {"name": "Coffee", "amount": 1, "description": "", "picture": ""}


def test_upcoming_is_soonest_first_over_all_events() -> None:
    scheduled()
    scheduled(slug="tea", name="Tea", draw_time="07:30", frequency="weekly", time_zone="UTC")
    taken("alice")

    assert read("/events/upcoming/?days=1") == [
        {
            "event": "breakfast",
            "name": "Breakfast",
            "date": "2026-02-10",
            "draw_at": "2026-02-10T08:00:00+01:00",
            "time_zone": "Europe/Paris",
            "reward": COFFEE,
            "participants": 1,
            "max_participants": 3,
            "rules_hash": "",
        },
        {
            "event": "tea",
            "name": "Tea",
            "date": "2026-02-10",
            "draw_at": "2026-02-10T07:30:00Z",
            "time_zone": "UTC",
            "reward": COFFEE,
            "participants": 0,
            "max_participants": 3,
            "rules_hash": "",
        },
    ]
    assert [draw["event"] for draw in read("/events/upcoming/")] == ["breakfast", "tea"] + [
        "breakfast"
    ] * 6


def test_answers_keep_the_order_of_their_keys() -> None:
    event = scheduled()
    upcoming, *_ = read("/events/upcoming/")
    draw, *_ = read("/events/breakfast/draws/")
    reward = manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "Cake"}).json()

    of_draw = "date draw_at time_zone reward participants max_participants rules_hash"
    assert list(event["next_draw"]) == of_draw.split()
    assert list(upcoming) == f"event name {of_draw}".split()
    assert list(draw) == f"{of_draw} state raffle_id late commitment proof".split()
    assert list(reward) == ["date", *COFFEE]
    of_event = (
        "id name slug start_date draw_time time_zone frequency until max_participants "
        "default_reward entry one_per_address privacy rest_days claim_days claim_place "
        "promotes_alternates tickets_per_holder max_wins_per_holder paused rules_hash next_draw"
    )
    assert list(event) == of_event.split()
    changed = manage("patch", "/events/breakfast/", {}).json()
    assert list(changed) == [*event, "kept"]


def test_upcoming_has_pages() -> None:
    for number in range(3):
        scheduled(slug=f"e{number}", name=f"Event {number}")
    with at(NOW):
        first = caller().get("/events/upcoming/?days=2&limit=4")
        link = first["Link"].partition(">")[0].lstrip("<")
        second = caller().get(link)

    assert [draw["event"] for draw in first.json()] == ["e0", "e1", "e2", "e0"]
    assert [draw["event"] for draw in second.json()] == ["e1", "e2"]
    assert "Link" not in second


def test_page_of_upcoming_makes_no_draw_but_its_own() -> None:
    for number in range(3):
        scheduled(slug=f"e{number}", name=f"Event {number}")
    with at(NOW):
        path = "/events/upcoming/?days=366&limit=6"
        for _ in range(2):  # the second page begins where the first ends, not today
            with mock.patch.object(
                Schedule, "draw_at", autospec=True, side_effect=Schedule.draw_at
            ) as made:
                page = caller().get(path)
            assert [draw["event"] for draw in page.json()] == ["e0", "e1", "e2"] * 2
            assert made.call_count <= 3 * 5  # of each event two, one more, and those just before
            path = page["Link"].partition(">")[0].lstrip("<")


def test_winners_are_those_of_the_last_days_latest_first() -> None:
    scheduled(default_reward={"name": "Coffee", "amount": 2})
    first = {taken(name)["ticket_number"]: name for name in ("alice", "bob")}
    run(DRAW)
    late = taken("carol", now=DRAW)
    run(DRAW + DAY + timedelta(minutes=4))

    newest, *others = read("/events/winners/", DRAW + 2 * DAY)
    assert newest == {
        "event": "breakfast",
        "draw_at": "2026-02-11T08:00:00+01:00",
        "ticket_number": late["ticket_number"],
        "username": "carol",
        "reward": "Coffee",
        "late": True,
    }
    assert {winner["ticket_number"]: winner["username"] for winner in others} == first
    assert [winner["late"] for winner in others] == [False, False]
    assert len(read("/events/winners/?days=1", DRAW + 2 * DAY)) == 1
    assert read("/events/winners/", DRAW + 9 * DAY) == []
    assert read("/events/winners/?event=tea", DRAW + 2 * DAY) == []
    assert len(read("/events/winners/?event=breakfast", DRAW + 2 * DAY)) == 3


@pytest.mark.parametrize(
    ("privacy", "shown"), [("full", "Alice von Berg"), ("initials", "A. V. B."), ("number", None)]
)
def test_winners_are_named_as_the_event_says(privacy: str, shown: str | None) -> None:
    scheduled(privacy=privacy)
    taken("Alice von Berg")
    run(DRAW)

    assert [winner["username"] for winner in read("/events/winners/", DRAW)] == [shown]


def test_draws_are_those_that_come_and_those_that_were() -> None:
    scheduled()
    ticket = taken("alice")
    run(DRAW)
    run(DRAW + DAY)
    kept = taken("bob", now=DRAW + DAY)["raffle_id"]

    draws = read("/events/breakfast/draws/?days=2", DRAW + DAY)
    assert [
        (d["date"], d["state"], d["raffle_id"], d["participants"], d["late"]) for d in draws
    ] == [
        ("2026-02-13", "coming", None, 0, None),
        ("2026-02-12", "open", kept, 1, None),
        ("2026-02-11", "void", None, 0, None),
        ("2026-02-10", "drawn", ticket["raffle_id"], 1, False),
    ]
    past = draws[-1]
    assert past["commitment"] == f"/raffles/{ticket['raffle_id']}/commitment/"
    assert past["proof"] == f"/raffles/{ticket['raffle_id']}/proof/"
    assert read("/events/breakfast/draws/2026-02-10/", DRAW + DAY) == past
    assert read("/events/breakfast/draws/2026-02-13/", DRAW + DAY) == draws[0]
    assert read(past["proof"])["commitment"]["tickets"] == 1
    with at(DRAW + DAY):
        for day in ("2026-02-09", "0001-01-01", "9999-12-31", "2026-02-30", "x"):
            assert caller().get(f"/events/breakfast/draws/{day}/").status_code == 404


@pytest.mark.parametrize("days", ["0", "367", "-1", "x", "", "7.0"])
def test_days_are_a_number(days: str) -> None:
    for path in ("upcoming", "winners"):
        answer = caller().get(f"/events/{path}/?days={days}")
        assert faults(answer) == {"days": ["Write a number from 1 to 366."]}


def test_events_are_filtered() -> None:
    scheduled()
    scheduled(slug="tea", name="Tea time", time_zone="UTC", entry="partner")
    manage("patch", "/events/tea/", {"paused": True})

    def slugs(query: str) -> list[str]:
        return [event["slug"] for event in read(f"/events/?{query}")]

    assert slugs("") == ["tea", "breakfast"]
    assert slugs("name=TEA") == slugs("entry=partner") == slugs("paused=true") == ["tea"]
    assert slugs("paused=false") == slugs("time_zone=Europe/Paris") == ["breakfast"]
    assert caller().get("/events/?colour=red").status_code == 400


@pytest.mark.parametrize("count", [1, 3])
def test_reads_cost_the_same_however_much_there_is(
    count: int, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        slug = f"e{number}"
        scheduled(slug=slug, name=slug)
        manage("put", f"/events/{slug}/rewards/2026-02-12/", {"name": "Phone"})
        for user in range(count):
            taken(f"user {user}", slug=slug)
        taken("alice", slug=slug, now=DRAW)
    run(DRAW)

    for path, queries in (
        ("/events/", 3),
        ("/events/upcoming/", 3),
        ("/events/winners/", 1),
        ("/events/e0/", 3),
        ("/events/e0/draws/", 4),
        ("/events/e0/draws/2026-02-10/", 2),
        ("/events/e0/draws/2026-02-13/", 4),
    ):
        with django_assert_num_queries(queries, info=path):
            read(path, DRAW)
