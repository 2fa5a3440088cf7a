"""Dates of rules and instants of dates, against the plain rule and over every zone."""

from __future__ import annotations

import re
import time as clock
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from events.schedule import BadSchedule, Schedule, check, parse


def schedule(
    frequency: str = "daily",
    start: date = date(2026, 2, 10),
    until: date | None = None,
    at: time = time(8),
    zone: str = "UTC",
) -> Schedule:
    return Schedule(frequency, start, until, at, zone)


def first_dates(count: int, planned: Schedule, first: date = date(2026, 1, 1)) -> list[str]:
    return [day.isoformat() for day in islice(planned.dates(first), count)]


def test_dates_daily() -> None:
    assert first_dates(3, schedule()) == ["2026-02-10", "2026-02-11", "2026-02-12"]


def test_dates_weekly() -> None:
    assert first_dates(3, schedule("weekly")) == ["2026-02-10", "2026-02-17", "2026-02-24"]


def test_dates_monthly_skip_months_without_the_day() -> None:
    planned = schedule("monthly", start=date(2026, 1, 31))
    assert first_dates(3, planned) == ["2026-01-31", "2026-03-31", "2026-05-31"]
    assert [planned.missing(2026, month) for month in range(1, 5)] == [[], [31], [], [31]]
    every_other = schedule("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=30,31", start=date(2026, 2, 1))
    assert [every_other.missing(2026, month) for month in (2, 4, 5, 9)] == [[30, 31], [31], [], []]


def test_dates_yearly_skip_years_without_29_february() -> None:
    planned = schedule("yearly", start=date(2024, 2, 29))
    assert first_dates(2, planned, date(2024, 1, 1)) == ["2024-02-29", "2028-02-29"]
    assert [planned.missing(year, 2) for year in (2027, 2028)] == [[29], []]
    assert planned.missing(2027, 4) == []


def test_dates_of_a_rule() -> None:
    last_friday = schedule("FREQ=MONTHLY;BYDAY=-1FR")
    assert first_dates(3, last_friday) == ["2026-02-27", "2026-03-27", "2026-04-24"]


def test_dates_of_a_week_number_are_on_the_weekday_of_the_start() -> None:
    assert first_dates(2, schedule("FREQ=YEARLY;BYWEEKNO=20")) == ["2026-05-12", "2027-05-18"]


def test_dates_until_is_inclusive() -> None:
    assert first_dates(9, schedule(until=date(2026, 2, 11))) == ["2026-02-10", "2026-02-11"]


def test_dates_end_with_the_calendar() -> None:
    assert first_dates(1, schedule(), date.max) == []
    assert first_dates(1, schedule("yearly", start=date(2199, 12, 31))) == []
    assert first_dates(1, schedule(), date(2199, 12, 31)) == ["2199-12-31"]


def test_after_is_strict() -> None:
    planned = schedule(zone="Europe/Paris")
    eight = datetime(2026, 2, 11, 7, tzinfo=UTC)
    assert next(planned.after(eight)) == (date(2026, 2, 12), eight + timedelta(days=1))
    assert next(planned.after(eight - timedelta(seconds=1))) == (date(2026, 2, 11), eight)


def test_draw_at_stays_on_the_wall_clock() -> None:
    planned = schedule(zone="America/New_York")
    assert planned.draw_at(date(2026, 3, 7)) == datetime(2026, 3, 7, 13, tzinfo=UTC)
    assert planned.draw_at(date(2026, 3, 8)) == datetime(2026, 3, 8, 12, tzinfo=UTC)


def test_draw_at_of_a_time_that_does_not_exist() -> None:
    planned = schedule(at=time(2, 30), zone="America/New_York")
    assert planned.draw_at(date(2026, 3, 8)) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_draw_at_of_a_time_that_exists_twice_is_the_first() -> None:
    planned = schedule(at=time(1, 30), zone="America/New_York")
    assert planned.draw_at(date(2026, 11, 1)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_after_a_draw_that_leapt_over_midnight() -> None:
    # Beirut goes from 00:00 to 01:00; a draw at 00:00 is at 01:00 of the same date.
    planned = schedule(at=time(0), zone="Asia/Beirut")
    leap = planned.draw_at(date(2026, 3, 29))
    assert leap.astimezone(ZoneInfo("Asia/Beirut")).hour == 1
    assert next(planned.after(leap))[0] == date(2026, 3, 30)
    assert next(planned.after(leap - timedelta(seconds=1)))[0] == date(2026, 3, 29)


# --- The shortcut to the period of a date gives what the whole rule gives

_numbers = st.integers(1, 6)
_rules = st.one_of(
    st.sampled_from(["daily", "weekly", "monthly", "yearly"]),
    st.builds("FREQ={};INTERVAL={}".format, st.sampled_from(
        ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]), _numbers),
    st.builds("FREQ=WEEKLY;INTERVAL={};BYDAY=MO,{};WKST={}".format, _numbers,
              st.sampled_from(["WE", "SA", "SU"]), st.sampled_from(["MO", "SU", "TH"])),
    st.builds("FREQ=MONTHLY;INTERVAL={};BYMONTHDAY={}".format, _numbers,
              st.sampled_from(["1", "31", "-1", "-31,15"])),
    st.builds("FREQ=MONTHLY;INTERVAL={};BYDAY={}".format, _numbers,
              st.sampled_from(["1MO", "-1FR", "5SU,2TU", "WE"])),
    st.builds("FREQ=YEARLY;INTERVAL={};BYMONTH={};BYDAY=-1SU".format, _numbers, _numbers),
    st.builds("FREQ=YEARLY;INTERVAL={};BYWEEKNO={};BYDAY=MO,SU".format, _numbers,
              st.sampled_from(["1", "53", "-1", "20,52"])),
    st.builds("FREQ=YEARLY;BYYEARDAY={}".format, st.sampled_from(["1", "366", "-1", "100,-100"])),
    st.builds("FREQ=DAILY;INTERVAL={};BYMONTH={};BYDAY=TU,SA".format, _numbers, _numbers),
    st.builds("FREQ={};INTERVAL={};BYDAY=MO,TU,WE,TH,FR;BYSETPOS={}".format, st.sampled_from(
        ["MONTHLY", "YEARLY"]), _numbers, st.sampled_from(["1", "-1", "2,-3", "22"])),
    st.builds("FREQ=MONTHLY;INTERVAL={};BYDAY=TU;COUNT={}".format, _numbers, _numbers),
    st.builds("FREQ=YEARLY;BYMONTH={};UNTIL=20{:02}0615".format, _numbers, st.integers(0, 60)),
)  # fmt: skip
_days = st.dates(date(1990, 1, 1), date(2060, 12, 31))


def plain_dates(frequency: str, start: date, first: date, last: date) -> list[date]:
    """Return the dates in question, by the rule from its start on."""
    text = ";".join(f"{name}={value}" for name, value in parse(frequency).items())
    rule = rrulestr(text, dtstart=datetime.combine(start, time()))
    days = takewhile(lambda day: day <= last, (moment.date() for moment in rule))
    return [day for day in days if day >= first]


@given(frequency=_rules, start=_days, first=_days)
@settings(deadline=None, max_examples=100)
def test_dates_are_those_of_the_plain_rule(frequency: str, start: date, first: date) -> None:
    planned = schedule(frequency, start)
    last = max(first, date(1970, 1, 1)) + timedelta(days=5 * 366)

    assert list(planned.dates(first)) == plain_dates(frequency, start, first, last)


# --- Every zone, every transition


def transitions(first: int, last: int) -> dict[tuple[datetime, timedelta, timedelta], str]:
    """Return the clock changes of all zones: instant, offset before and after, and a zone."""
    found = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        start, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (first, last + 1))
        before = offset(start, zone)
        while start < end:
            after = offset(start + STEP, zone)
            if after != before:
                found[change(start, zone), before, after] = name
            start, before = start + STEP, after
    return found


STEP = timedelta(days=3)


def offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def change(start: datetime, zone: ZoneInfo) -> datetime:
    """Return the second within STEP of `start` from which the clocks show another offset."""
    seconds = range(int(STEP.total_seconds()))
    before = offset(start, zone)
    after = bisect_left(
        seconds, True, key=lambda second: offset(start + timedelta(seconds=second), zone) != before
    )
    return start + timedelta(seconds=after)


def expected_draw(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local time; by the offset before if there is none."""
    wall = datetime.combine(day, at)
    around = [wall.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in (-48, 48)]
    instants = [(wall - offset(moment, zone)).replace(tzinfo=UTC) for moment in around]
    shown = [moment for moment in instants if moment.astimezone(zone).replace(tzinfo=None) == wall]
    return min(shown) if shown else instants[0]


def check_change(name: str, moment: datetime) -> None:
    """Check draws around a clock change, at times that it affects and at others."""
    zone = ZoneInfo(name)
    shown = [(moment + timedelta(minutes=minutes)).astimezone(zone) for minutes in (-30, -1, 0, 30)]
    leapt = (moment - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
    touched = [leapt + timedelta(minutes=31), *shown]
    for at in {time(0), time(8), time(23, 59), *(wall.time() for wall in touched)}:
        planned = schedule(start=shown[0].date() - timedelta(days=2), at=at, zone=name)
        days = list(islice(planned.dates(planned.start), 5))
        draws = [planned.draw_at(day) for day in days]
        assert draws == [expected_draw(day, at, zone) for day in days], (name, moment, at)
        # Each date once, in order, and each found again from the one before.
        pairs = list(zip(days, draws, strict=True))
        assert list(islice(planned.after(draws[0] - timedelta(1)), 5)) == pairs
        for earlier, later in pairwise(pairs):
            assert later[1] - earlier[1] > timedelta(hours=20), (name, moment, at)
            assert next(planned.after(earlier[1])) == later, (name, moment, at)
            assert planned.next_after(earlier[1]) == later, (name, moment, at)


@pytest.mark.slow
def test_each_date_is_drawn_once_whatever_the_clocks_do() -> None:
    found = transitions(2020, 2040)

    for (moment, _, _), name in found.items():
        check_change(name, moment)
    assert len(found) > 500


# --- Rules from strangers


@pytest.mark.parametrize(
    "frequency",
    [
        "",
        "hourly",
        "DAILY",
        "FREQ=HOURLY",
        "FREQ=SECONDLY",
        "INTERVAL=2",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=1000",
        "FREQ=DAILY;COUNT=3;UNTIL=20300101",
        "FREQ=DAILY;UNTIL=20300230",
        "FREQ=DAILY;UNTIL=20300101T000000Z",
        "FREQ=DAILY;BYHOUR=8",
        "FREQ=DAILY;BYMINUTE=8",
        "FREQ=DAILY;BYSECOND=8",
        "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;BYSETPOS=1",
        "FREQ=YEARLY;BYEASTER=0",
        "DTSTART:20260101\nRRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY",
        "FREQ=DAILY\nRDATE:20260101",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;INTERVAL=１",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTH=13",
        "FREQ=YEARLY;BYYEARDAY=367",
        "FREQ=YEARLY;BYWEEKNO=54",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYWEEKNO=1",
        "FREQ=MONTHLY;BYYEARDAY=1",
        "FREQ=DAILY;BYDAY=" + ",".join(["MO"] * 99),
    ],
)
def test_parse_refuses(frequency: str) -> None:
    with pytest.raises(BadSchedule):
        parse(frequency)


@pytest.mark.parametrize(
    "frequency",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;INTERVAL=10;BYMONTH=1;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=40",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=999",
    ],
)
def test_check_refuses_rules_without_a_date_within_five_years_at_once(frequency: str) -> None:
    started = clock.thread_time()
    with pytest.raises(BadSchedule, match="no date within five years"):
        check(schedule(frequency), date(2027, 1, 10))
    assert clock.thread_time() - started < 2


@pytest.mark.parametrize(
    ("frequency", "sentence"),
    [
        ("FREQ=DAILY;BYHOUR=8", "“BYHOUR=8” is no part of a rule"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL can't be “0”: write a number from 1 to 999"),
        ("FREQ=WEEKLY;BYDAY=MO,XX", "BYDAY can't be “MO,XX”"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ comes twice"),
        ("FREQ=WEEKLY;BYDAY=1MO", "A numbered BYDAY has no meaning with FREQ=WEEKLY"),
        ("FREQ=DAILY;UNTIL=20300230", "UNTIL can't be “20300230”"),
    ],
)
def test_parse_names_the_part_that_it_refuses(frequency: str, sentence: str) -> None:
    with pytest.raises(BadSchedule, match=re.escape(sentence)):
        parse(frequency)


def test_dates_of_a_rule_that_ends() -> None:
    assert first_dates(9, schedule("FREQ=DAILY;COUNT=2")) == ["2026-02-10", "2026-02-11"]
    assert first_dates(9, schedule("FREQ=DAILY;COUNT=2"), date(2026, 2, 12)) == []
    assert first_dates(9, schedule("FREQ=DAILY;UNTIL=20260211"))[-1] == "2026-02-11"
    last_workday = schedule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1")
    assert first_dates(2, last_workday) == ["2026-02-27", "2026-03-31"]
    check(schedule("FREQ=DAILY;COUNT=2"), date(2030, 1, 1))  # over, yet a schedule
    with pytest.raises(BadSchedule, match="before the start"):
        check(schedule("FREQ=DAILY;UNTIL=20260101"), date(2026, 1, 1))


def test_check_refuses_zones_and_starts() -> None:
    today = date(2026, 1, 1)
    for zone in ("Europe/Nowhere", "europe/paris", "../etc/passwd", "/etc/localtime", "", "CEST\0"):
        with pytest.raises(BadSchedule, match="time zone"):
            check(schedule(zone=zone), today)
    with pytest.raises(BadSchedule, match="from 1970"):
        check(schedule(start=date(9999, 1, 1)), today)
    check(schedule(until=date(2020, 1, 1)), today)  # over, yet a schedule
