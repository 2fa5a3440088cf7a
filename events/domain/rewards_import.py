"""Rewards from a table: it sets all of them, or none and reports every bad line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from io import StringIO
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils.translation import gettext as _

from events.domain.calendar import locked_event
from events.domain.rewards import Change, coming_rewards, preview_rewards, set_rewards
from events.models import Event
from raffles.domain.exports import table as write_table
from raffles.models.raffle import MAX_PRIZES
from raffles.web.fields import text_fault
from raffles.web.formats import grouped
from raffles.web.tables import Order, Row, order_of, read_date, read_table, read_whole

COLUMNS = ("date", "name", "amount")
OPTIONAL = {"description": 1000, "picture": 500}  # the most characters
MAX_BYTES = 1_000_000
MAX_LINES = 5_000
_LONGEST_NAME = 200
_is_url = URLValidator(["https", "http"])
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file (the first is 1): its cells, and its change or its fault."""

    number: int
    cells: Sequence[str]
    fault: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An import, or a dry run of one."""

    lines: list[Line]
    order: Order | None = None  # of dates with slashes; "" if nobody said which it is

    def bad(self) -> list[Line]:
        """Return the lines that prevent the import."""
        return [line for line in self.lines if line.fault]

    def changes(self) -> list[Change]:
        """Return what is to be set, in order of date."""
        found = [line.change for line in self.lines if line.change is not None]
        return sorted(found, key=lambda change: change.day)

    def prizes(self) -> int:
        """Return how many prizes the table gives away, over all its dates."""
        return sum(change.reward["reward_amount"] for change in self.changes())


def rewards_table(event: Event, now: datetime) -> Iterator[str]:
    """Yield an event's coming rewards as a table that can be imported again, unchanged."""
    rows = (
        (day, own.reward_name, own.reward_amount, own.reward_description, own.reward_picture)
        for day, own in sorted(coming_rewards(event, now).items())
    )
    return write_table((*COLUMNS, *OPTIONAL), rows)


def import_rewards(
    event_pk: int,
    text: str,
    *,
    now: datetime,
    by: str,
    order: Order = "",
    is_dry: bool = False,
    agreed_to: str | None = None,
) -> Table:
    """Set rewards by date from CSV with the columns date, name and amount.

    Description and picture are optional. `order` says what stands first in dates with slashes,
    where the table itself does not. With a bad line, or in a dry run, nothing is set. `agreed_to`
    as in `set_rewards`.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        rows = list(read_table(StringIO(text, newline=""), needed=COLUMNS, optional=[*OPTIONAL]))
        found = order_of(row.values.get("date", "") for row in rows)
        read = list(_read_all(rows, found or order))
        wanted = {day: reward for _, _, day, reward in read if day and reward}
        previewed = {change.day: change for change in preview_rewards(event, wanted, now=now)}
        lines = [_line(row, fault, previewed[day] if day else None) for row, fault, day, _ in read]
        table = Table(lines, None if found is None else found or order)
        if not is_dry and not table.bad():
            set_rewards(event, table.changes(), now=now, by=by, agreed_to=agreed_to)
    return table


_Read = tuple[Row, str, date | None, Mapping[str, Any] | None]


def _line(row: Row, fault: str, change: Change | None) -> Line:
    return Line(row.line, row.cells, change.fault if change else fault, change)


def _read_all(rows: Iterable[Row], order: Order) -> Iterator[_Read]:
    """Yield each row with its fault, or with its date and reward."""
    days: set[date] = set()
    for count, row in enumerate(rows, 1):
        if count > MAX_LINES:
            said = _("at most %(most)s lines at once; this and all below")
            yield row, said % {"most": grouped(MAX_LINES)}, None, None
            return
        if row.fault:
            yield row, row.fault, None, None
            continue
        try:
            day = _at(row, "date", lambda text: read_date(text, order))
            reward = _reward(row)
            if day in days:
                raise ValueError(_("this date is in the table already"))
        except ValueError as fault:
            yield row, str(fault), None, None
        else:
            days.add(day)
            yield row, "", day, reward


def _at(row: Row, column: str, read: Callable[[str], Value]) -> Value:
    """Return what a cell says. Raises ValueError with the cell's name and place."""
    try:
        return read(row.values.get(column, ""))
    except ValueError as fault:
        raise ValueError(f"{column} ({row.places[column]}): {fault}") from None


def _reward(row: Row) -> dict[str, Any]:
    reward: dict[str, Any] = {
        "reward_name": _at(row, "name", lambda text: _fit(text, _LONGEST_NAME)),
        "reward_amount": _at(row, "amount", lambda text: read_whole(text, 1, MAX_PRIZES)),
    }
    for column, longest in OPTIONAL.items():
        fit = partial(_fit, longest=longest)
        reward[f"reward_{column}"] = _at(row, column, fit) if row.values.get(column) else ""
    _at(row, "picture", _check_address)
    return reward


def _fit(text: str, longest: int) -> str:
    if fault := text_fault(text):
        raise ValueError(fault)
    if len(text) > longest:
        raise ValueError(_("at most %(most)s characters") % {"most": longest})
    return text


def _check_address(text: str) -> None:
    try:
        if text:
            _is_url(text)
    except ValidationError:
        raise ValueError(_("write an address such as https://…")) from None
