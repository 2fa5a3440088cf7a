"""The next dates of an event as a calendar: weeks of days, with notes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils import dateformat
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.domain.calendar import ComingDraw, planned_draws
from events.domain.rewards import WEEK, monday_of
from events.models import Event
from raffles.web.formats import shown, weekday

SHOWN = 30  # dates
_NAMED = 8


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar, with its draw if it has one."""

    date: date
    draw: ComingDraw | None
    notes: Sequence[str]

    def clock(self) -> str:
        """Return its draw time in its time zone; a template would convert it to the current one."""
        return f"{self.draw.local():%H:%M %Z}" if self.draw else ""

    def typed(self) -> str:
        """Return the date as the form's fields write it."""
        return self.date.isoformat()

    def utc(self) -> str:
        """Return the same in UTC, for its tooltip."""
        return shown(self.draw.draw_at) if self.draw else ""


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday on, and the number of weeks before it without a draw (`gap`)."""

    days: Sequence[Day]
    gap: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The next dates; `notes` are about all of them."""

    event: Event
    count: int
    weeks: Sequence[Week]
    notes: Sequence[str]

    def is_sparse(self) -> bool:
        """Return whether a list would show it better, since its weeks are nearly empty."""
        return self.count < 2 * len(self.weeks)


def calendar_of(event: Event, rewards: Mapping[date, Any], *, now: datetime) -> Calendar:
    """Return the next dates of an event, saved or not, with these rewards; one query."""
    draws = planned_draws(event, rewards, now=now, each=SHOWN)
    return Calendar(
        event, len(draws), list(_weeks(draws)), list(_notes(event, draws, rewards, now))
    )


def _weeks(draws: Sequence[ComingDraw]) -> Iterator[Week]:
    notes = _clock_notes(draws)
    by_day = {draw.date: draw for draw in draws}
    mondays = sorted({monday_of(day) for day in by_day})
    gaps = [0, *((after - before) // WEEK - 1 for before, after in pairwise(mondays))]
    for monday, gap in zip(mondays, gaps, strict=False):
        days = [monday + timedelta(days=n) for n in range(7)]
        yield Week([Day(day, by_day.get(day), notes.get(day, ())) for day in days], gap)


def _clock_notes(draws: Sequence[ComingDraw]) -> dict[date, list[str]]:
    """Return notes by date on changes of the clocks in the event's time zone."""
    notes: dict[date, list[str]] = {}
    for before, draw in pairwise(draws):
        was, is_ = before.local(), draw.local()
        if was.tzname() != is_.tzname() and before.time_zone == draw.time_zone:
            sentence = _("Clocks change: %(now)s from here on, %(before)s before.") % {
                "now": f"{is_:UTC%z}",
                "before": f"{was:UTC%z}",
            }
            notes[draw.date] = [sentence]
    for draw in draws:
        wall, asked = draw.local(), draw.event.draw_time
        is_planned = draw.occurrence is None
        if is_planned and wall.time() != asked:
            sentence = _("There is no %(asked)s on this date; it is drawn at %(at)s.") % {
                "asked": f"{asked:%H:%M}",
                "at": f"{wall:%H:%M}",
            }
            notes.setdefault(draw.date, []).append(sentence)
        if is_planned and wall.utcoffset() != wall.replace(fold=1).utcoffset():
            sentence = _("%(asked)s comes twice on this date; the first counts.") % {
                "asked": f"{asked:%H:%M}"
            }
            notes.setdefault(draw.date, []).append(sentence)
    return notes


def _notes(
    event: Event, draws: Sequence[ComingDraw], rewards: Collection[date], now: datetime
) -> Iterator[str]:
    kept = [draw for draw in draws if draw.occurrence is not None]
    if event.paused_at is not None:
        yield gettext("The event is paused: no other date comes until it is resumed.")
    elif not draws:
        yield gettext("No date comes any more.")
    elif len(draws) < SHOWN:
        yield gettext("No date comes after these.")
    if kept:
        said = _("Fixed by their tickets, whatever is changed: %(dates)s.")
        yield said % {"dates": _dates(d.date for d in kept)}
    if missing := list(_missing(event, draws, now)):
        more = ", …" if len(missing) > _NAMED else ""
        said = _("No such day, so no draw: %(days)s.")
        yield said % {"days": f"{', '.join(missing[:_NAMED])}{more}"}
    if event.paused_at is None and (lost := _off_schedule(draws, rewards)):
        yield _("Rewards on dates that do not come: %(dates)s.") % {"dates": _dates(lost)}


def _missing(event: Event, draws: Sequence[ComingDraw], now: datetime) -> Iterator[str]:
    """Yield the days of the rule that a month does not have."""
    if not draws:
        return
    month, last = max(now.date(), event.start_date).replace(day=1), draws[-1].date
    while month <= last:
        for day in event.schedule().missing(month.year, month.month):
            yield _("%(day)s %(month)s") % {"day": day, "month": dateformat.format(month, "F Y")}
        month = (month + timedelta(days=31)).replace(day=1)


def _off_schedule(draws: Sequence[ComingDraw], rewards: Collection[date]) -> list[date]:
    """Return dates with a reward of their own but no draw, within the dates shown."""
    drawn = {draw.date for draw in draws}
    first, last = min(drawn, default=date.min), max(drawn, default=date.max)
    end = last if len(draws) == SHOWN else date.max
    return sorted(day for day in rewards if day not in drawn and first <= day <= end)


def _dates(days: Any) -> str:
    return ", ".join(weekday(day) for day in days)
