"""The dates of an event as a calendar: weeks of days, the next ones or those of a month."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils import dateformat
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from events.domain.calendar import ComingDraw, draws_between, planned_draws
from events.domain.rewards import WEEK, monday_of
from events.models import Event
from events.schedule import HORIZON, local
from raffles.models import State
from raffles.web.formats import shown, weekday

SHOWN = 30  # dates
_NAMED = 8
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")


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

    def is_called_off(self) -> bool:
        """Return whether it had tickets, which were handed out for nothing."""
        occurrence = self.draw and self.draw.occurrence
        return bool(occurrence and occurrence.raffle and occurrence.state() == State.VOID)

    def is_over(self) -> bool:
        """Return whether it takes no tickets any more, whatever became of it."""
        return self.draw is not None and self.draw.state() not in ("coming", State.OPEN)

    def outcome(self) -> str:
        """Return what became of it, in a word or two; empty while it is to come."""
        if self.draw is None or not self.is_over():
            return ""
        if self.is_called_off():
            return gettext("called off")
        if self.draw.state() == State.VOID:
            return gettext("nobody came")
        if self.draw.state() != State.DRAWN:
            return gettext("being drawn")
        tickets = self.draw.participants()
        drawn = ngettext("drawn, %(count)s ticket", "drawn, %(count)s tickets", tickets)
        return drawn % {"count": f"{tickets:,}"}

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
    """The next dates, or those of a `month`; `notes` are about all of them.

    Months are their first days; `earlier` and `later` are those that can be turned to.
    """

    event: Event
    count: int
    weeks: Sequence[Week]
    notes: Sequence[str]
    month: date | None
    earlier: date | None
    later: date | None

    def is_sparse(self) -> bool:
        """Return whether a list would show it better, since its weeks are nearly empty."""
        return self.month is None and self.count < 2 * len(self.weeks)


def calendar_of(
    event: Event, rewards: Mapping[date, Any], *, now: datetime, month: str = ""
) -> Calendar:
    """Return the dates of an event, saved or not, with these rewards; one query.

    They are those of a month such as 2026-02, moved into what can be turned to, else the next.
    """
    first, last = _bounds(event, now)
    asked = _month(month)
    if asked is None:
        draws = planned_draws(event, rewards, now=now, each=SHOWN)
        here, weeks = max(first, now.date().replace(day=1)), list(_weeks(draws))
        notes = list(_notes(event, draws, rewards, now))
        coming = [draw for draw in draws if draw.state() != State.VOID]
        later = _next_month(here) if here < last else None
        return Calendar(event, len(coming), weeks, notes, None, here, later)
    asked = min(max(asked, first), last)
    end = asked.replace(day=monthrange(asked.year, asked.month)[1])
    draws = draws_between(event, rewards, first=asked, last=end, now=now)
    days = [asked + timedelta(days=n) for n in range(end.day)]
    earlier = (asked - timedelta(days=1)).replace(day=1) if asked > first else None
    later = _next_month(asked) if asked < last else None
    weeks, notes = list(_weeks(draws, days)), list(_notes_of_month(event, draws, asked))
    return Calendar(event, len(draws), weeks, notes, asked, earlier, later)


def _bounds(event: Event, now: datetime) -> tuple[date, date]:
    """Return the first and the last month that may have a date: none is before the event's."""
    first = local(event.created_at if event.pk else now, event.time_zone).date()
    last = max(min(event.until or date.max, (now + HORIZON).date()), first, now.date())
    return first.replace(day=1), last.replace(day=1)


def _month(text: str) -> date | None:
    """Return the first day of a month such as 2026-02, None for anything else."""
    if found := _MONTH.fullmatch(text):
        year, month = map(int, found.groups())
        return date(year, month, 1) if year and 1 <= month <= 12 else None
    return None


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _weeks(draws: Sequence[ComingDraw], also: Collection[date] = ()) -> Iterator[Week]:
    notes = _clock_notes(draws)
    by_day = {draw.date: draw for draw in draws}
    mondays = sorted({monday_of(day) for day in (*by_day, *also)})
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
    kept = [draw for draw in draws if draw.state() == State.OPEN]
    coming = [draw for draw in draws if draw.state() != State.VOID]
    if event.paused_at is not None:
        yield gettext("The event is paused: no other date comes until it is resumed.")
    elif not coming:
        yield gettext("No date comes any more.")
    elif len(coming) < SHOWN:
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


def _notes_of_month(event: Event, draws: Sequence[ComingDraw], month: date) -> Iterator[str]:
    if event.paused_at is not None:
        yield gettext("The event is paused: no other date comes until it is resumed.")
    elif not draws:
        yield gettext("No date of this month.")
    if missing := event.schedule().missing(month.year, month.month):
        days = ", ".join(f"{day}" for day in missing)
        yield _("The month has no such day, so no draw: %(days)s.") % {"days": days}


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
    end = last if len(draws) >= SHOWN else date.max
    return sorted(day for day in rewards if day not in drawn and first <= day <= end)


def _dates(days: Any) -> str:
    return ", ".join(weekday(day) for day in days)
