"""Feeds of events: the calendar read back by a parser, winners named as far as privacy allows."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from events.domain.calendar import coming_draws
from events.models import Event
from events.tests.acting import DRAW, NOW, at, caller, manage, run, scheduled, taken
from raffles.domain.audit import audit
from raffles.domain.erasing import erase_holder
from raffles.models import Announcement, Raffle
from raffles.notifications.stream.reading import read_after

pytestmark = pytest.mark.django_db
PARIS = ZoneInfo("Europe/Paris")


def calendar(now: datetime = NOW) -> Calendar:
    with at(now):
        answer = caller().get("/events.ics")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    return Calendar.from_ical(answer.content)


def dates(now: datetime = NOW) -> list[dict[str, Any]]:
    return [
        {
            "uid": str(entry["uid"]),
            "start": entry.decoded("dtstart"),
            "summary": str(entry["summary"]),
        }
        for entry in calendar(now).walk("VEVENT")
    ]


def test_calendar_holds_each_coming_draw_with_its_reward() -> None:
    scheduled(until="2026-02-12")
    manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "Phone", "amount": 2})

    assert dates() == [
        {
            "uid": f"breakfast-202602{day}@testserver/log",
            "start": datetime(2026, 2, day, 8, tzinfo=PARIS),
            "summary": summary,
        }
        for day, summary in (
            (10, "Breakfast: Coffee"),
            (11, "Breakfast: 2 × Phone"),
            (12, "Breakfast: Coffee"),
        )
    ]


def test_calendar_keeps_the_local_time_over_a_change_of_clocks() -> None:
    scheduled()

    starts = {entry["start"].date(): entry["start"] for entry in dates()}

    before, after = starts[date(2026, 3, 28)], starts[date(2026, 3, 29)]
    assert (before.hour, after.hour) == (8, 8)
    assert (before.utcoffset(), after.utcoffset()) == (timedelta(hours=1), timedelta(hours=2))
    assert [str(zone["tzid"]) for zone in calendar().walk("VTIMEZONE")] == ["Europe/Paris"]


@pytest.mark.parametrize(
    "now", [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 15, tzinfo=UTC)]
)
@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_calendar_says_when_to_readers_who_know_only_its_own_zones(
    zone: str, now: datetime
) -> None:
    """At half past two, which the clocks skip in spring and show twice in autumn."""
    body = scheduled(now=now, time_zone=zone, draw_time="02:30", start_date=f"{now:%Y-%m-%d}")
    coming = coming_draws(list(Event.objects.all()), now=now, until=now + timedelta(days=92))

    read = calendar(now)

    clocks = next((own.to_tz(lookup_tzid=False) for own in read.timezones), UTC)
    starts = [entry.decoded("dtstart") for entry in read.walk("VEVENT")]
    assert body["time_zone"] == zone
    assert len(starts) > 90
    on_own = [
        start if start.tzname() == "UTC" else start.replace(tzinfo=clocks) for start in starts
    ]
    assert [start.astimezone(UTC) for start in on_own] == [draw.draw_at for draw in coming]


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe", "America/Sao_Paulo"])
def test_zones_of_the_calendar_change_on_the_clocks_still_in_use(zone: str) -> None:
    """As readers compute it that know only RFC 5545: the last onset before a date decides."""
    scheduled(time_zone=zone, draw_time="02:30")

    (told,) = calendar().walk("VTIMEZONE")
    parts = [part for part in told.subcomponents if part.name in ("STANDARD", "DAYLIGHT")]
    assert all("RDATE" not in part and "RRULE" not in part for part in parts)
    onsets = [
        (
            part.decoded("dtstart") - part.decoded("tzoffsetfrom"),  # in UTC
            part.decoded("tzoffsetto"),
        )
        for part in parts
    ]
    for entry in calendar().walk("VEVENT"):
        start = entry.decoded("dtstart")
        moment = start.astimezone(UTC).replace(tzinfo=None)
        assert max(onset for onset in onsets if onset[0] <= moment)[1] == start.utcoffset()


def test_changed_entries_rise_in_sequence_and_stamp() -> None:
    scheduled(until="2026-02-12")
    day = "/events/breakfast/rewards/2026-02-11/"
    seen = []
    changes: list[tuple[str, str, Any]] = [
        ("put", day, {"name": "Phone"}),
        ("put", day, {"name": "Phone", "amount": 2}),
        ("delete", day, None),
        ("patch", "/events/breakfast/", {"name": "Brunch"}),
    ]
    for minute, change in enumerate([None, *changes]):
        if change:
            manage(*change, now=NOW + timedelta(minutes=minute))
        entry = calendar(NOW + timedelta(minutes=minute)).walk("VEVENT")[1]
        seen.append((entry["sequence"], entry.decoded("dtstamp"), str(entry["summary"])))
        calendar(NOW + timedelta(minutes=minute))  # which changes nothing
    assert [summary for *_, summary in seen] == [
        "Breakfast: Coffee",
        "Breakfast: Phone",
        "Breakfast: 2 × Phone",
        "Breakfast: Coffee",
        "Brunch: Coffee",
    ]
    assert [stamp for _, stamp, _ in seen] == [NOW + timedelta(minutes=n) for n in range(5)]
    assert [sequence for sequence, *_ in seen] == [1, 2, 3, 4, 5]


def test_calendar_leads_to_the_page_of_the_event() -> None:
    scheduled()
    assert calendar().walk("VEVENT")[0]["url"] == "http://testserver/e/breakfast/"


def test_calendar_of_many_events_ends_with_the_thousandth_draw() -> None:
    for number in range(12):
        scheduled(slug=f"event-{number}")

    starts = [entry["start"] for entry in dates()]

    assert len(starts) == 1_000
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] == timedelta(days=83)


def test_calendar_is_not_sent_again_until_something_changes() -> None:
    scheduled()
    with at(NOW):
        etag = caller().get("/events.ics")["ETag"]
        unchanged = caller().get("/events.ics", headers={"if-none-match": etag})
    manage("patch", "/events/breakfast/", {"name": "Brunch"})
    with at(NOW):
        changed = caller().get("/events.ics", headers={"if-none-match": etag})

    assert (unchanged.status_code, changed.status_code) == (304, 200)


def test_date_keeps_its_uid_when_it_is_opened_and_changed() -> None:
    scheduled(until="2026-02-11")
    before = [entry["uid"] for entry in dates()]
    taken("alice")
    manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "Phone"})

    assert [entry["uid"] for entry in dates()] == before


def test_paused_and_past_dates_are_not_in_the_calendar() -> None:
    scheduled(until="2026-02-11")
    assert [entry["uid"] for entry in dates(DRAW)] == ["breakfast-20260211@testserver/log"]
    manage("patch", "/events/breakfast/", {"paused": True})
    assert dates() == []


def test_calendar_costs_the_same_for_one_and_for_three() -> None:
    counts = []
    for slug in ("one", "two", "three"):
        scheduled(slug=slug)
        with CaptureQueriesContext(connection) as queries:
            dates()
        counts.append(len(queries))

    assert counts == [5, 5, 5]


@pytest.mark.parametrize(
    ("privacy", "shown"), [("full", "Ada Lovelace"), ("initials", "A. L."), ("number", None)]
)
def test_winners_are_announced_as_far_as_privacy_shows_them(
    privacy: str, shown: str | None
) -> None:
    scheduled(privacy=privacy)
    number = taken("Ada Lovelace")["ticket_number"]
    run(DRAW)

    payload = Announcement.objects.get(kind="draw.drawn").payload
    feed = caller().get("/events/breakfast/winners.atom").content.decode()

    name = {"username": shown} if shown else {}
    assert payload["event"] == "breakfast"
    assert payload["winners"] == [{"rank": 1, "ticket_number": number, "prize": "Coffee"} | name]
    line = f"1. ticket {number}" + (f" ({shown})" if shown else "") + ": Coffee"
    assert re.findall("<summary[^>]*>(.*?)</summary>", feed) == [line]


def test_an_erased_winner_is_named_nowhere_any_more() -> None:
    scheduled(max_participants=3, default_reward={"name": "Coffee", "amount": 2})
    for name in ("Ada Lovelace", "Grace Hopper"):
        taken(name)
    run(DRAW)
    raffle = Raffle.objects.get()
    before = read_after(0)
    etag = caller().get("/events/breakfast/winners.atom")["ETag"]

    assert erase_holder("user:ada lovelace", now=DRAW, raffles=[raffle]) == 1

    feed = caller().get("/events/breakfast/winners.atom", headers={"if-none-match": etag})
    told = [read_after(0), feed.content]
    assert "Ada" in str(before)
    assert "Ada" not in str(told)
    assert "Grace Hopper" in str(told[0])
    assert "Grace Hopper" in str(told[1])
    assert [event.sequence for event in told[0]] == [event.sequence for event in before]
    assert [step.name for step in audit(raffle)][-1] == "replacements"


@pytest.mark.parametrize("privacy", ["initials", "number"])
def test_name_that_is_hidden_after_the_draw_is_gone_from_feed_and_stream(privacy: str) -> None:
    scheduled()
    taken("Ada Lovelace")
    run(DRAW)
    path = "/events/breakfast/winners.atom"
    etag = caller().get(path)["ETag"]

    def told() -> str:
        again = caller().get(path, headers={"if-none-match": etag})
        assert again.status_code == 200, "readers would keep the name"
        return str([read_after(0), again.content])

    manage("patch", "/events/breakfast/", {"privacy": privacy}, now=DRAW)
    assert "Lovelace" not in told()
    with at(DRAW):
        assert "Lovelace" not in caller().get("/events/winners/").content.decode()


def test_feed_leads_to_the_page_of_the_date() -> None:
    scheduled()
    taken("alice")
    run(DRAW)

    feed = caller().get("/winners.atom").content.decode()
    (entry,) = re.findall("<entry>(.*?)</entry>", feed)
    assert 'href="http://testserver/e/breakfast/2026-02-10/"' in entry
    own = caller().get("/events/breakfast/winners.atom").content.decode()
    assert "<title>Winners of Breakfast</title>" in own


def test_feed_of_one_event_leaves_out_the_others() -> None:
    for slug in ("one", "two"):
        scheduled(slug=slug)
    taken("alice", slug="one")
    run(DRAW)

    assert b"<entry>" in caller().get("/events/one/winners.atom").content
    assert b"<entry>" not in caller().get("/events/two/winners.atom").content
    assert caller().get("/events/three/winners.atom").status_code == 404


def test_events_have_streams_of_their_own() -> None:
    for slug in ("one", "two"):
        scheduled(slug=slug)
    taken("alice", slug="one")
    run(DRAW)

    def heard(slug: str) -> list[bytes]:
        stream = b"".join(caller().get(f"/events/{slug}/stream/?last_event_id=0"))
        return re.findall(rb"event: (.*)", stream)

    assert heard("one") == [b"draw.sealed", b"draw.drawn"]
    assert heard("two") == [b"draw.voided"]  # nobody came
    assert caller().get("/events/three/stream/").json()["code"] == "not_found"
