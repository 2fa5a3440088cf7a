"""Draws of events by `draw_winners`: missed dates, order, failures, and clocks that step back."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from events.domain.due import warnings
from events.models import Event, Occurrence, Setback
from events.tests.acting import DAY, DRAW, NOW, at, manage, read, refused, run, scheduled, taken
from raffles.migrations._guards import Guard
from raffles.models import Announcement, Raffle, State, Ticket

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def dates() -> list[tuple[str, str]]:
    """Return every date that was opened or settled, with its state."""
    return [
        (row.date.isoformat(), row.raffle.state if row.raffle else "nobody")
        for row in Occurrence.objects.select_related("raffle").order_by("date")
    ]


_REFUSE = Guard("no_day_of_rest", "events_occurrence", "INSERT", when="NEW.raffle_id IS NULL")


def announced() -> list[tuple[str, str | None]]:
    """Return what was announced, in order, with the draw's date."""
    return [
        (row.kind, row.payload.get("draw_at", row.payload["name"][-10:])[:10])
        for row in Announcement.objects.streamed()
    ]


def test_a_date_is_drawn_once_and_an_empty_one_is_void() -> None:
    scheduled()
    taken("alice")

    assert run(DRAW - timedelta(seconds=1)) == []
    assert run(DRAW) == ["drawn    Breakfast, 2026-02-10"]
    assert run(DRAW) == []
    assert run(DRAW + DAY) == ["void     Breakfast, 2026-02-11 Nobody took part"]
    assert run(DRAW + DAY) == []
    assert dates() == [("2026-02-10", "drawn"), ("2026-02-11", "nobody")]
    assert announced() == [
        ("draw.sealed", "2026-02-10"),
        ("draw.drawn", "2026-02-10"),
        ("draw.voided", "2026-02-11"),
    ]
    assert Announcement.objects.get(kind="draw.voided").payload == {
        "event": "breakfast",
        "name": "Breakfast",
        "draw_at": "2026-02-11T08:00:00+01:00",
        "reward": "Coffee",
        "reason": "Nobody took part",
        "late": False,
    }


@pytest.mark.parametrize("days", [3, 30])
def test_missed_dates_are_drawn_oldest_first_with_their_own_entries(days: int) -> None:
    """Cron is off; people take part on all dates but every third."""
    scheduled()
    entries = {}
    for number in range(days):
        day = f"{NOW + number * DAY:%Y-%m-%d}"
        manage("put", f"/events/breakfast/rewards/{day}/", {"name": day}, NOW + number * DAY)
        if number % 3 != 1:
            entries[day] = [taken(f"{name} {number}", now=NOW + number * DAY) for name in "ab"]

    lines = run(DRAW + (days - 1) * DAY + 10 * MINUTE, "--catch-up")

    order = [line.split(", ")[1][:10] for line in lines]
    assert order == sorted(order)
    assert len(order) == days
    for day, tickets in entries.items():
        raffle = Raffle.objects.get(name=f"Breakfast, {day}")
        assert {str(raffle.uuid)} == {ticket["raffle_id"] for ticket in tickets}
        assert raffle.pool.tickets == 2
        assert [prize.name for prize in raffle.prizes.all()] == [day]
        assert raffle.draw.is_late()
    assert {state for _, state in dates()} == {"drawn", "nobody"}
    assert [day for kind, day in announced() if kind != "draw.sealed"] == order
    assert run(DRAW + (days - 1) * DAY + 11 * MINUTE) == []


def ahead(*arguments: str) -> list[str]:
    """Run the command on a clock that is 30 days ahead; it must fail."""
    written = StringIO()
    with at(DRAW + 30 * DAY), pytest.raises(SystemExit) as stop:
        call_command("draw_winners", *arguments, stdout=written)
    assert stop.value.code == 1
    return written.getvalue().splitlines()


def test_more_empty_dates_than_come_in_a_week_are_left_until_somebody_looks() -> None:
    scheduled()
    taken("alice")
    left = "left     Breakfast, 2026-02-11 30 dates without tickets, see --catch-up"

    assert ahead("--dry-run") == [
        "due      Breakfast, 2026-02-10",
        "left     Breakfast, 2026-02-11 30 dates",
    ]
    assert ahead() == ["drawn    Breakfast, 2026-02-10", left]
    assert [ahead(), ahead("--limit=1")] == [[left], [left]]
    assert dates() == [("2026-02-10", "drawn")]
    with at(DRAW + 30 * DAY):
        (said,) = [each for each in warnings() if "breakfast" in each]
    assert said.startswith("30 dates of breakfast came without tickets, the first 2026-02-11: ")
    with at(DRAW + DAY - MINUTE):  # the clock is right again
        assert [each for each in warnings() if "breakfast" in each] == []
    assert run(DRAW + DAY) == ["void     Breakfast, 2026-02-11 Nobody took part"]

    assert len(run(DRAW + 30 * DAY, "--catch-up")) == 29
    assert run(DRAW + 30 * DAY) == []


def test_no_change_of_an_event_calls_off_more_dates_than_a_run_does() -> None:
    scheduled()
    late = DRAW + 8 * DAY

    for changes in ({"name": "Lunch"}, {"draw_time": "20:00"}, {"until": "2026-03-01"}):
        code, said = refused(manage("patch", "/events/breakfast/", changes, late))[1:]
        assert code == "dates_left"
        assert said.startswith("9 dates of breakfast came without tickets, the first 2026-02-10: ")
    assert dates() == []

    assert len(run(late, "--catch-up")) == 9
    assert manage("patch", "/events/breakfast/", {"name": "Lunch"}, late).status_code == 200


@pytest.mark.parametrize(("days", "voided"), [(7, 7), (8, 0)])
def test_a_week_of_empty_dates_is_called_off_by_itself(days: int, voided: int) -> None:
    scheduled()
    with suppress(SystemExit):
        run(DRAW + (days - 1) * DAY)
    assert len(dates()) == voided


def test_what_failed_at_a_time_to_come_does_not_rest_until_then() -> None:
    scheduled()
    taken("alice")
    later = DRAW + 30 * DAY
    Setback.objects.create(
        raffle=Raffle.objects.get(), error="none", failed_at=later, next_try_at=later + MINUTE
    )
    assert run(DRAW) == ["drawn    Breakfast, 2026-02-10"]


def test_entries_do_not_wait_for_a_draw_that_is_late() -> None:
    scheduled()
    first = taken("alice")
    second = taken("alice", now=DRAW)

    assert second["raffle_id"] != first["raffle_id"]
    run(DRAW + MINUTE)
    assert Raffle.objects.get(uuid=first["raffle_id"]).pool.tickets == 1


def test_one_events_failure_stops_no_other() -> None:
    scheduled()
    scheduled(slug="tea", name="Tea")
    spoiled = taken("alice")["raffle_id"]
    taken("alice", slug="tea")
    raffle = Raffle.objects.get(uuid=spoiled)
    tags = {"holder_tag": bytes(16), "code_tag": bytes(16)}
    (taken_slot,) = raffle.tickets.values_list("slot", flat=True)
    # A ticket that nobody was handed: the raffle can't be sealed.
    Ticket.objects.create(raffle=raffle, slot=(taken_slot + 1) % 3, issued_at=NOW, **tags)

    written = StringIO()
    with at(DRAW), pytest.raises(SystemExit) as stop:
        call_command("draw_winners", "--json", stdout=written)

    assert stop.value.code == 1
    runs = json.loads(written.getvalue())["runs"]
    assert {line["event"]: line["outcome"] for line in runs} == {
        "breakfast": "failed",
        "tea": "drawn",
    }
    assert Setback.objects.get().raffle == raffle
    # The next date of the failed event is not held up.
    assert taken("bob", now=DRAW)["draw_at"] == "2026-02-11T08:00:00+01:00"


def test_an_empty_date_that_fails_waits_and_its_event_stays_in_order() -> None:
    scheduled()
    make, drop = getattr(_REFUSE, connection.vendor)()
    written = StringIO()
    with connection.cursor() as cursor:
        cursor.execute(make)  # the database refuses empty dates
    with at(DRAW + DAY), pytest.raises(SystemExit) as stop:
        call_command("draw_winners", stdout=written)
    assert stop.value.code == 1
    assert written.getvalue().startswith("failed   Breakfast, 2026-02-10 ")
    assert len(written.getvalue().splitlines()) == 1  # the 11th waits behind the 10th
    assert Setback.objects.get().event == Event.objects.get()
    assert run(DRAW + DAY + timedelta(seconds=30)) == []
    with connection.cursor() as cursor:
        cursor.execute(drop)
    assert run(DRAW + DAY + MINUTE) == [
        "void     Breakfast, 2026-02-10 Nobody took part",
        "void     Breakfast, 2026-02-11 Nobody took part",
    ]
    assert not Setback.objects.exists()


def test_one_event_can_be_named() -> None:
    scheduled()
    scheduled(slug="tea", name="Tea")
    for slug in ("breakfast", "tea"):
        taken("alice", slug=slug)

    assert run(DRAW + DAY, "--event=tea") == [
        "drawn    Tea, 2026-02-10",
        "void     Tea, 2026-02-11 Nobody took part",
    ]
    assert run(DRAW + DAY, "--event=breakfast", "--dry-run") == [
        "due      Breakfast, 2026-02-10",
        "due      Breakfast, 2026-02-11",
    ]
    assert dates()[0] == ("2026-02-10", "open")


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(minutes=10), 2 * DAY])
def test_a_clock_that_steps_back_draws_nothing_twice(back: timedelta) -> None:
    scheduled(now=NOW - 3 * DAY)
    taken("alice", now=NOW)
    run(DRAW)
    run(DRAW + DAY)
    before = (dates(), announced())

    earlier = DRAW + DAY - back
    assert run(earlier) == []
    ticket = taken("bob", now=earlier)
    assert ticket["draw_at"] == "2026-02-12T08:00:00+01:00"  # never a date that is over
    assert run(DRAW + DAY) == []
    assert (dates()[:-1], announced()) == before


def test_a_change_of_the_zones_rules_keeps_what_was_promised() -> None:
    """Ticket holders keep their instant; later dates follow the new rules of the zone."""
    scheduled()
    taken("alice")
    Event.objects.update(time_zone="Africa/Lagos")  # as if Paris gave up summer time
    summer = datetime.fromisoformat("2026-07-01T06:00:00+00:00")

    assert run(DRAW) == ["drawn    Breakfast, 2026-02-10"]
    manage("patch", "/events/breakfast/", {"paused": True}, DRAW)
    manage("patch", "/events/breakfast/", {"paused": False}, summer)
    assert read("/events/breakfast/", summer)["next_draw"]["draw_at"] == "2026-07-01T08:00:00+01:00"
    assert Raffle.objects.get().state == State.DRAWN


def test_across_the_clocks_change_it_stays_eight() -> None:
    start = datetime.fromisoformat("2026-03-27T12:00:00+00:00")
    scheduled(start_date="2026-03-28", now=start)

    shown = [draw["draw_at"] for draw in read("/events/upcoming/?days=3", start)]
    assert shown == [
        "2026-03-28T08:00:00+01:00",
        "2026-03-29T08:00:00+02:00",
        "2026-03-30T08:00:00+02:00",
    ]
    for draw_at in shown:
        now = datetime.fromisoformat(draw_at)
        taken("alice", now=now - MINUTE)
        assert run(now - timedelta(seconds=1)) == []
        assert len(run(now)) == 1


def test_events_with_tickets_on_every_date_are_not_looked_at_again() -> None:
    scheduled()
    taken("alice")
    run(DRAW)

    assert Event.objects.get().settled_until == DRAW
