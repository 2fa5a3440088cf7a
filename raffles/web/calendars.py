"""Draws as iCalendar (RFC 5545), so that every reader shows each at its instant.

A zone is told by its clock changes around the dates, each as a part of its own: readers disagree on
long lists of RDATE, and on zones that they have to know by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from icalendar import (
    Calendar,
    Event,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
)

CONTENT_TYPE: Final = "text/calendar; charset=utf-8"
_LASTS = timedelta(minutes=15)
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local, as onsets are


@dataclass(frozen=True, slots=True)
class Entry:
    """A draw; `starts_at` is on the clocks that it is shown on.

    `uid` is the same for ever and nobody else's. `revision` and `revised_at` rise with each change.
    """

    uid: str
    starts_at: datetime
    summary: str
    url: str
    revision: int
    revised_at: datetime
    description: str = ""


def calendar(entries: Sequence[Entry], *, name: str = "") -> bytes:
    """Return the calendar file of the entries."""
    feed = Calendar()
    feed.add("prodid", "-//raffles//draws//EN")
    feed.add("version", "2.0")
    if name:
        feed.add("x-wr-calname", name)
    for zone in _zones(entries):
        feed.add_component(zone)
    for entry in entries:
        feed.add_component(_event(entry))
    body: bytes = feed.to_ical()
    return body


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.revision)
    event.add("dtstamp", entry.revised_at)
    event.add("last-modified", entry.revised_at)
    event.add("dtstart", _told(entry.starts_at))
    event.add("duration", _LASTS)
    event.add("summary", entry.summary)
    if entry.description:
        event.add("description", entry.description)
    event.add("url", entry.url)
    event.add("transp", "TRANSPARENT")  # whoever waits for a draw is not busy
    return event


def _told(at: datetime) -> datetime:
    """Return a moment as every reader reads it: in UTC where the clocks show its time twice.

    By RFC 5545 that time is the first of the two; ical.js takes the second.
    """
    is_twice = at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()
    return at.astimezone(UTC) if is_twice else at


def _zones(entries: Iterable[Entry]) -> Iterator[Timezone]:
    years: dict[str, list[int]] = {}
    for entry in entries:
        if isinstance(zone := entry.starts_at.tzinfo, ZoneInfo) and zone.key != "UTC":
            years.setdefault(zone.key, []).append(entry.starts_at.year)
    for key in sorted(years):
        zone_part = Timezone()
        zone_part.add("tzid", key)
        # Whole years before and after, so that both halves of the year are told.
        for observance in _observances(key, min(years[key]) - 1, max(years[key]) + 1):
            zone_part.add_component(observance)
        yield zone_part


@lru_cache(maxsize=512)
def _observances(
    key: str, first: int, last: int
) -> tuple[TimezoneStandard | TimezoneDaylight, ...]:
    """Return the offset at the beginning of a year, and each change until the end of another."""
    zone = ZoneInfo(key)
    at, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    now = _clocks(at, zone)
    found = [_observance(_EPOCH, now[0], now)]
    while at < end:
        if (then := _clocks(at + _DAY, zone)) != now:
            change = _first(at, at + _DAY, then, zone)
            # An onset is told on the clocks that are still in use (RFC 5545, 3.6.5).
            onset = (change + now[0]).replace(tzinfo=None)
            found.append(_observance(onset, now[0], then))
            now = then
        at += _DAY
    return tuple(found)


def _clocks(at: datetime, zone: ZoneInfo) -> tuple[timedelta, str, bool]:
    """Return a zone's offset and name at an instant, and whether it is daylight saving time."""
    local = at.astimezone(zone)
    return local.utcoffset() or timedelta(), local.tzname() or "", bool(local.dst())


def _first(
    before: datetime, after: datetime, clocks: tuple[timedelta, str, bool], zone: ZoneInfo
) -> datetime:
    """Return the first instant, in whole seconds, at which a zone's clocks are those after it."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _clocks(middle, zone) == clocks:
            after = middle
        else:
            before = middle
    return after


def _observance(
    onset: datetime, offset_from: timedelta, clocks: tuple[timedelta, str, bool]
) -> TimezoneStandard | TimezoneDaylight:
    offset, name, is_daylight = clocks
    part = TimezoneDaylight() if is_daylight else TimezoneStandard()
    part.add("dtstart", onset)
    part.add("tzoffsetfrom", offset_from)
    part.add("tzoffsetto", offset)
    part.add("tzname", name)
    return part
