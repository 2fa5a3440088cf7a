"""Reading the calendar: the coming draws of events, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import islice, takewhile
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from events.models import Event, Occurrence, Reward, Rewarding
from events.schedule import EARLIEST, LATEST, is_zone, local, shown_zone
from raffles.models import EntryMode, Raffle, State
from raffles.web.formats import shown

Row = TypeVar("Row", Occurrence, Reward)


@dataclass(frozen=True, slots=True)
class ComingDraw:
    """A date that is enterable or will be; it has an `occurrence` once it has a ticket."""

    event: Event
    date: date
    draw_at: datetime
    time_zone: str
    reward: Rewarding
    max_participants: int
    occurrence: Occurrence | None

    @classmethod
    def kept(cls, event: Event, occurrence: Occurrence) -> ComingDraw:
        """Return a date that has tickets, with what it was opened with."""
        return cls(
            *(event, occurrence.date, occurrence.draw_at, occurrence.time_zone),
            *(occurrence, occurrence.max_participants, occurrence),
        )

    def local(self) -> datetime:
        """Return its draw time in its time zone."""
        return local(self.draw_at, self.time_zone)

    def clock(self) -> str:
        """Return the name of the time zone in which it is shown."""
        return shown_zone(self.time_zone)

    def shown(self, style: str) -> str:
        """Return its draw time as text, in its time zone."""
        return shown(self.draw_at, style, zone=ZoneInfo(shown_zone(self.time_zone)))

    def is_default(self) -> bool:
        """Return whether the date has no reward of its own."""
        return self.reward is self.event

    def terms(self) -> Raffle | Event:
        """Return what says who enters it, how often, and by which rules.

        Its first ticket has signed its raffle's; the event's are those of dates without one.
        """
        return (self.occurrence and self.occurrence.raffle) or self.event

    def is_for_partners(self) -> bool:
        """Return whether its tickets come from partners alone."""
        return self.terms().entry == EntryMode.PARTNER

    def rules_hash(self) -> str:
        """Return the hash of the rules that its participants accept, "" without any."""
        return self.terms().rules_hash or ""

    def participants(self) -> int:
        """Return the number of tickets handed out."""
        return getattr(self.occurrence, "participants", 0)

    def state(self) -> str:
        """Return the state of its occurrence, "coming" before it has a ticket."""
        return self.occurrence.state() if self.occurrence else "coming"


def locked_event(event_pk: int) -> Event:
    """Lock and return the event: changes to its calendar are serialised."""
    return Event.objects.select_for_update(no_key=True).get(pk=event_pk)


# A read that is a second old is good enough to find the raffle: a date with tickets keeps its time,
# its raffle decides who gets in, and a change of the event's rules shows within a second.
_SEEN_WITHIN = timedelta(seconds=1)
_REMEMBERED = 4096  # events
_seen: dict[tuple[str, Any], tuple[datetime, Event, ComingDraw]] = {}


def find_event(now: datetime, **which: Any) -> tuple[Event, ComingDraw | None]:
    """Return the event (by `slug` or `pk`), and its next draw if that has tickets already.

    Nearly every entry begins here: both take one query, or none within a second of the last.
    Raises Event.DoesNotExist.
    """
    ((name, value),) = which.items()
    if known := _seen.get((name, value)):
        seen_at, event, draw = known
        if timedelta(0) <= now - seen_at < _SEEN_WITHIN and now < draw.draw_at:
            return event, draw
    found, next_draw = _read_event(now, name, value)
    if next_draw is not None:
        if len(_seen) >= _REMEMBERED:
            _seen.clear()
        _seen[name, value] = now, found, next_draw
    return found, next_draw


def forget_events() -> None:
    """Drop the cached events, so that this process sees a change at once."""
    _seen.clear()


def _read_event(now: datetime, name: str, value: Any) -> tuple[Event, ComingDraw | None]:
    opened = Occurrence.objects.filter(draw_at__gt=now, raffle__state=State.OPEN)
    opened = opened.filter(**{f"event__{name}": value}).select_related("event", "raffle")
    first = opened.order_by("draw_at").first()
    if first is None:
        return Event.objects.get(**{name: value}), None
    event = first.event
    planned = event.schedule().next_after(max(now, event.settled_until))
    if event.paused_at is None and planned and planned[1] < first.draw_at:
        return event, None
    return event, ComingDraw.kept(event, first)


def coming_draws(
    events: Sequence[Event],
    *,
    now: datetime,
    until: datetime | None = None,
    each: int | None = None,
) -> list[ComingDraw]:
    """Return the draws after `now` in order of time: up to `until`, at most `each` per event.

    Two queries, for any number of events. At least one of the limits is needed.
    """
    return list(draws_in_order(events, now=now, until=until, each=each))


def draws_in_order(
    events: Sequence[Event],
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    each: int | None = None,
) -> Iterator[ComingDraw]:
    """Yield the same, from `since` on, for whoever wants the first of them.

    A draw is made when it is asked for: a thousand daily events have as many a day.
    """
    opened = _opened(events, now)
    first = (now - timedelta(days=2)).date()
    rewards = _by_event(Reward.objects.filter(event__in=events, date__gte=first))
    of_events = (
        _coming(event, opened.get(event.pk, {}), rewards.get(event.pk, {}), now, since)
        for event in events
    )
    draws = merge(*(islice(draws, each) for draws in of_events), key=_place)
    return takewhile(lambda draw: until is None or draw.draw_at <= until, draws)


def _place(draw: ComingDraw) -> tuple[datetime, int]:
    return draw.draw_at, draw.event.pk


def planned_draws(
    event: Event, rewards: Mapping[date, Rewarding], *, now: datetime, each: int
) -> list[ComingDraw]:
    """Return at most `each` next draws of an event, which may be unsaved, with `rewards` by date.

    Coming dates that were called off are among them, and count for none. One query, and none for a
    new event.
    """
    opened = _opened([event], now).get(event.pk, {}) if event.pk else {}
    draws = list(islice(_coming(event, opened, rewards, now), each))
    called_off = [
        ComingDraw.kept(event, row)
        for row in opened.values()
        if row.draw_at > now and row.state() == State.VOID
        if len(draws) < each or row.draw_at < draws[-1].draw_at
    ]
    return sorted([*draws, *called_off], key=lambda draw: draw.draw_at)


def draws_between(
    event: Event, rewards: Mapping[date, Rewarding], *, first: date, last: date, now: datetime
) -> list[ComingDraw]:
    """Return all dates of an event, past, called off or coming, otherwise as `planned_draws`."""
    opened = {}
    if event.pk:
        rows = event.occurrences.filter(date__range=(first, last)).with_participants()
        opened = {row.date: row for row in rows.select_related("raffle")}
    draws = [ComingDraw.kept(event, row) for row in opened.values()]
    if event.paused_at is None and is_zone(event.time_zone):
        schedule, after = event.schedule(), max(now, event.settled_until)
        for day in takewhile(lambda day: day <= last, schedule.dates(first)):
            draw_at = schedule.draw_at(day)
            if day not in opened and draw_at > after:
                draws.append(_planned(event, day, draw_at, rewards))
    return sorted(draws, key=lambda draw: draw.draw_at)


def coming_on(event: Event, day: date, *, now: datetime) -> ComingDraw | None:
    """Return the coming draw on a date, None without one."""
    if not EARLIEST <= day <= LATEST or not is_zone(event.time_zone):
        return None  # some of these dates have no instant
    draws = coming_draws([event], now=now, until=event.schedule().draw_at(day))
    return next((draw for draw in draws if draw.date == day), None)


def _opened(events: Sequence[Event], now: datetime) -> dict[int, dict[date, Occurrence]]:
    rows = Occurrence.objects.recent(now).filter(event__in=events)
    return _by_event(rows.with_participants().select_related("raffle"))


def _by_event(rows: Iterable[Row]) -> dict[int, dict[date, Row]]:
    found: dict[int, dict[date, Row]] = {}
    for row in rows:
        found.setdefault(row.event_id, {})[row.date] = row
    return found


def _coming(
    event: Event,
    opened: dict[date, Occurrence],
    rewards: Mapping[date, Rewarding],
    now: datetime,
    since: datetime | None = None,
) -> Iterator[ComingDraw]:
    """Yield the dates already opened and those of the rule that are not, in order of time."""
    kept = [
        ComingDraw.kept(event, occurrence)
        for occurrence in opened.values()
        if is_enterable(occurrence, now) and (since is None or occurrence.draw_at >= since)
    ]
    planned = (
        _planned(event, day, draw_at, rewards)
        for day, draw_at in _scheduled(event, now, since)
        if day not in opened
    )
    return merge(sorted(kept, key=_place), planned, key=_place)


def _planned(
    event: Event, day: date, draw_at: datetime, rewards: Mapping[date, Rewarding]
) -> ComingDraw:
    reward = rewards.get(day, event)
    return ComingDraw(event, day, draw_at, event.time_zone, reward, event.max_participants, None)


def _scheduled(
    event: Event, now: datetime, since: datetime | None
) -> Iterator[tuple[date, datetime]]:
    if event.paused_at is not None:
        return iter(())
    behind = max(now, event.settled_until)
    if since is not None:
        behind = max(behind, since - timedelta.resolution)
    return event.schedule().after(behind)


def is_enterable(occurrence: Occurrence, now: datetime) -> bool:
    """Return whether the date takes entries at `now`, according to its raffle's row."""
    raffle = occurrence.raffle
    return raffle is not None and raffle.state == State.OPEN and now < occurrence.draw_at
