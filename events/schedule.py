"""On which dates an event draws, and at which instants: a rule, a time of day and a time zone.

Pure: no model and no clock. Dates are local dates of the time zone; only `Schedule.draw_at` turns
them into instants. A date has one draw, whatever its clocks do.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import dropwhile, islice, takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from raffles.web.formats import quotable
from raffles.web.zones import zones

EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)  # of start dates
HORIZON = timedelta(days=5 * 366)  # a schedule needs a date within this time
WORDS = {"daily": "DAILY", "weekly": "WEEKLY", "monthly": "MONTHLY", "yearly": "YEARLY"}
MAX_RULE = 200  # characters

# The Gregorian calendar repeats every 400 years, weekdays included. Rules are evaluated 19 such
# cycles later, near the year 9999 where dateutil stops: a rule without any date (30 February,
# daily) would otherwise be searched through eight thousand years.
_SHIFT = 19 * 146_097  # days

_NUMBERS = "{0}(,{0})*"
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = f"({'|'.join(_DAYS)})"
_PARTS = {
    "FREQ": re.compile("|".join(WORDS.values())),
    "INTERVAL": re.compile("[1-9][0-9]{0,2}"),
    "BYMONTH": re.compile(_NUMBERS.format("(0?[1-9]|1[0-2])")),
    "BYMONTHDAY": re.compile(_NUMBERS.format("[+-]?(0?[1-9]|[12][0-9]|3[01])")),
    "BYDAY": re.compile(_NUMBERS.format(f"([+-]?[1-9][0-9]?)?{_WEEKDAY}")),
    "BYYEARDAY": re.compile(_NUMBERS.format("[+-]?([1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6])")),
    "BYWEEKNO": re.compile(_NUMBERS.format("[+-]?(0?[1-9]|[1-4][0-9]|5[0-3])")),
    "BYSETPOS": re.compile(_NUMBERS.format("[+-]?([1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6])")),
    "WKST": re.compile(_WEEKDAY),
    "COUNT": re.compile("[1-9][0-9]{0,2}"),
    "UNTIL": re.compile("[0-9]{8}"),
}
_ENDS = {"COUNT", "UNTIL"}
_SELECTED = {"BYMONTH", "BYMONTHDAY", "BYDAY", "BYYEARDAY"}
# What a part may be, for whoever wrote another value.
_MEANT = {
    "FREQ": gettext_noop("DAILY, WEEKLY, MONTHLY or YEARLY"),
    "INTERVAL": gettext_noop("a number from 1 to 999"),
    "BYMONTH": gettext_noop("months from 1 to 12, with commas between"),
    "BYMONTHDAY": gettext_noop("days from 1 to 31, or -1 to -31 from the end, with commas between"),
    "BYDAY": gettext_noop("weekdays such as MO,FR, or numbered ones such as -1FR"),
    "BYYEARDAY": gettext_noop(
        "days of the year from 1 to 366, or from the end, with commas between"
    ),
    "BYWEEKNO": gettext_noop("weeks from 1 to 53, or from the end, with commas between"),
    "BYSETPOS": gettext_noop("places from 1 to 366, or from the end, with commas between"),
    "WKST": gettext_noop("one weekday such as MO"),
    "COUNT": gettext_noop("a number from 1 to 999"),
    "UNTIL": gettext_noop("the last day as eight digits, such as 20301231"),
}
# Combinations to which RFC 5545 gives no meaning, but dateutil does.
_ONLY_WITH = {
    "BYMONTHDAY": {"DAILY", "MONTHLY", "YEARLY"},
    "BYYEARDAY": {"YEARLY"},
    "BYWEEKNO": {"YEARLY"},
    # A rule is evaluated from the middle of its weeks, where a place would be counted anew.
    "BYSETPOS": {"MONTHLY", "YEARLY"},
}


class BadSchedule(ValueError):
    """Why `field` can't be part of a schedule, in a sentence for whoever wrote it."""

    def __init__(self, sentence: str, field: str = "frequency") -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Schedule:
    """The dates of a rule from `start` to `until` (both inclusive), drawn at `time`."""

    frequency: str
    start: date
    until: date | None
    time: time
    zone: str

    def dates(self, first: date) -> Iterator[date]:
        """Return the dates from `first` on, ascending, for up to five years."""
        ends = _last_of(self.frequency, self.start)
        last = min(min(first, LATEST) + HORIZON, self.until or date.max, ends)
        return takewhile(lambda day: day <= last, _dates(self.frequency, self.start, first))

    def draw_at(self, day: date) -> datetime:
        """Return the instant of a date's draw, in UTC.

        Of a time that occurs twice it is the first; a time that the clocks skip is read with the
        offset before the change (`fold=0`).
        """
        wall = datetime.combine(day, self.time.replace(fold=0), ZoneInfo(self.zone))
        return wall.astimezone(UTC)

    def after(self, moment: datetime) -> Iterator[tuple[date, datetime]]:
        """Return the dates drawn after `moment`, ascending, each with its instant.

        There are none where this machine does not know the time zone: it cannot tell the instants.
        """
        if not is_zone(self.zone):
            return iter(())
        today = moment.astimezone(ZoneInfo(self.zone)).date()
        # From the day before: a time that the clocks skip can fall on the next local date.
        coming = ((day, self.draw_at(day)) for day in self.dates(today - timedelta(days=1)))
        return dropwhile(lambda draw: draw[1] <= moment, coming)

    def next_after(self, moment: datetime) -> tuple[date, datetime] | None:
        """Return the first of `after`, None without one; cached, since every entry needs it."""
        today = local(moment, self.zone).date()
        coming = _next_draws(self, today - timedelta(days=1))
        return next((draw for draw in coming if draw[1] > moment), None)

    def missing(self, year: int, month: int) -> list[int]:
        """Return the rule's days that this month does not have; RFC 5545 skips them."""
        parts = _explicit(self.frequency, self.start)
        if "BYSETPOS" in parts:  # which days it asks for differs by month
            return []
        months = [int(number) for number in parts.get("BYMONTH", "").split(",") if number]
        is_asked_for = not months or month in months
        if parts["FREQ"] == "MONTHLY":
            apart = (year - self.start.year) * 12 + month - self.start.month
            is_asked_for &= apart % int(parts["INTERVAL"]) == 0
        days = [abs(int(day)) for day in parts.get("BYMONTHDAY", "").split(",") if day]
        return [day for day in days if is_asked_for and day > monthrange(year, month)[1]]


@lru_cache(maxsize=4096)
def _next_draws(schedule: Schedule, first: date) -> tuple[tuple[date, datetime], ...]:
    """Return four draws from a date on: one of them is later than any moment of the next day."""
    if not is_zone(schedule.zone):
        return ()
    return tuple((day, schedule.draw_at(day)) for day in islice(schedule.dates(first), 4))


def check(schedule: Schedule, today: date) -> None:
    """Raise BadSchedule for an invalid zone or rule, or one without a date within five years.

    `until`, UNTIL and COUNT may have passed: a schedule may be over.
    """
    if not is_zone(schedule.zone):
        raise BadSchedule(
            _("Write a time zone of the IANA database, such as Europe/Paris."), "time_zone"
        )
    if not EARLIEST <= schedule.start <= LATEST:
        span = {"first": EARLIEST, "last": LATEST}
        raise BadSchedule(_("Write a date from %(first)s to %(last)s.") % span, "start_date")
    first = max(schedule.start, min(today, LATEST))
    day = next(_dates(schedule.frequency, schedule.start, first), None)
    if day is None or day > first + HORIZON:
        raise BadSchedule(_("This rule has no date within five years."))
    if _last_of(schedule.frequency, schedule.start) < schedule.start:
        raise BadSchedule(_("UNTIL is before the start date."))


def local(moment: datetime, zone: str) -> datetime:
    """Return a moment in the time zone shown for `zone`."""
    return moment.astimezone(ZoneInfo(shown_zone(zone)))


def shown_zone(zone: str) -> str:
    """Return the zone in which times are shown: UTC where this machine does not know `zone`."""
    return zone if is_zone(zone) else "UTC"


def is_zone(name: str) -> bool:
    """Return whether this machine knows an IANA time zone of exactly that name."""
    return name in zones()


@lru_cache(maxsize=1024)
def parse(frequency: str) -> dict[str, str]:
    """Return the parts of a rule, one of WORDS or RFC 5545 text. Raises BadSchedule."""
    if frequency in WORDS:
        return {"FREQ": WORDS[frequency]}
    if len(frequency) > MAX_RULE:
        raise BadSchedule(_("Write a rule of at most %(most)s characters.") % {"most": MAX_RULE})
    parts: dict[str, str] = {}
    for part in frequency.split(";"):
        name, _equals, value = part.partition("=")
        if name not in _PARTS:
            raise BadSchedule(
                _(
                    "“%(part)s” is no part of a rule. Write daily, weekly, monthly, yearly, or an "
                    "RFC 5545 rule such as FREQ=MONTHLY;BYDAY=-1FR, made of %(parts)s."
                )
                % {"part": quotable(part), "parts": ", ".join(_PARTS)}
            )
        if name in parts:
            raise BadSchedule(_("%(name)s comes twice.") % {"name": name})
        if not _PARTS[name].fullmatch(value) or (name == "UNTIL" and _day(value) is None):
            said = _("%(name)s can't be “%(value)s”: write %(meant)s.")
            meant = _(_MEANT[name])
            raise BadSchedule(said % {"name": name, "value": quotable(value), "meant": meant})
        parts[name] = value
    _check_together(parts)
    return parts


def _check_together(parts: dict[str, str]) -> None:
    frequency = parts.get("FREQ")
    if frequency is None:
        raise BadSchedule(_("The rule needs a FREQ."))
    for name, frequencies in _ONLY_WITH.items():
        if name in parts and frequency not in frequencies:
            said = _("%(name)s has no meaning with %(other)s.")
            raise BadSchedule(said % {"name": name, "other": f"FREQ={frequency}"})
    has_ordinal = any(sign.isdigit() for sign in parts.get("BYDAY", ""))
    if has_ordinal and (frequency in ("DAILY", "WEEKLY") or "BYWEEKNO" in parts):
        said = _("A numbered BYDAY has no meaning with %(other)s.")
        raise BadSchedule(said % {"other": _why(parts)})
    if "BYSETPOS" in parts and ("BYWEEKNO" in parts or not parts.keys() & _SELECTED):
        raise BadSchedule(
            _("BYSETPOS needs days to choose from, such as BYDAY=MO, and no BYWEEKNO.")
        )
    if "COUNT" in parts and "UNTIL" in parts:
        raise BadSchedule(_("COUNT and UNTIL both end the rule: keep one."))


def _why(parts: dict[str, str]) -> str:
    return "BYWEEKNO" if "BYWEEKNO" in parts else f"FREQ={parts['FREQ']}"


def _day(digits: str) -> date | None:
    """Return the day of eight digits, None where the calendar has no such day."""
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _last_of(frequency: str, start: date) -> date:
    """Return the last day that UNTIL or COUNT leaves, `date.max` without either.

    A COUNT is counted once a rule: it takes as long as the search for a rule without any date.
    """
    parts = parse(frequency)
    if "UNTIL" in parts:
        return _day(parts["UNTIL"]) or date.max
    if "COUNT" in parts:
        counted = islice(_dates(frequency, start, start), int(parts["COUNT"]) - 1, None)
        return next(counted, date.max)
    return date.max


@lru_cache(maxsize=1024)
def _explicit(frequency: str, start: date) -> dict[str, str]:
    """Return the parts of a rule, including those implied by its start."""
    parts = {"WKST": "MO", "INTERVAL": "1"} | parse(frequency)
    if not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}:
        if parts["FREQ"] == "WEEKLY" or "BYWEEKNO" in parts:
            parts["BYDAY"] = _DAYS[start.weekday()]
        elif parts["FREQ"] != "DAILY":
            parts["BYMONTHDAY"] = str(start.day)
            if parts["FREQ"] == "YEARLY":
                parts.setdefault("BYMONTH", str(start.month))
    return parts


def _dates(frequency: str, start: date, first: date) -> Iterator[date]:
    """Return the rule's dates from `first` on, none before `start`, as if it never ended."""
    first = max(first, start)
    if first > LATEST:
        return iter(())
    parts = _explicit(frequency, start)
    anchor = _anchor(parts["FREQ"], int(parts["INTERVAL"]), start, first)
    rule = _rule(
        ";".join(f"{name}={value}" for name, value in parts.items() if name not in _ENDS), anchor
    )
    days = (date.fromordinal(moment.toordinal() - _SHIFT) for moment in rule)
    return dropwhile(lambda day: day < first, days)


def _anchor(frequency: str, interval: int, start: date, first: date) -> date:
    """Return a date in the last period of the rule that begins by `first`.

    From there the rule yields the same dates as from `start`, without the years between.
    """
    if frequency in ("DAILY", "WEEKLY"):
        step = interval * (7 if frequency == "WEEKLY" else 1)
        return start + timedelta(days=(first - start).days // step * step)
    if frequency == "MONTHLY":
        months = (first.year - start.year) * 12 + first.month - start.month
        year, month = divmod(start.year * 12 + start.month - 1 + months // interval * interval, 12)
        return date(year, month + 1, 1)
    return date(start.year + (first.year - start.year) // interval * interval, 1, 1)


@lru_cache(maxsize=4096)
def _rule(text: str, anchor: date) -> rrule:
    """Return the rule in the shifted calendar."""
    shifted = datetime.fromordinal(anchor.toordinal() + _SHIFT)
    found = rrulestr(text, dtstart=shifted)
    assert isinstance(found, rrule)  # noqa: S101 - a single rule is never a set
    return found
