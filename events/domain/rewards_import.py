"""Rewards from a table: it sets all of them, or none and reports every bad line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from io import StringIO
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction

from events.domain.calendar import locked_event
from events.domain.rewards import Change, preview_rewards, set_rewards
from raffles.models.raffle import MAX_PRIZES
from raffles.web.fields import text_fault

COLUMNS = ("date", "name", "amount")
OPTIONAL = {"description": 1000, "picture": 500}  # the most characters
MAX_BYTES = 1_000_000
MAX_LINES = 5_000
_LONGEST_NAME = 200
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_is_url = URLValidator(["https", "http"])


class UnreadableTable(ValueError):
    """Why a file is not text that could hold a table."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table (the first is 1): its cells, and its change or its fault."""

    number: int
    cells: Sequence[str]
    fault: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An import, or a dry run of one."""

    lines: list[Line]

    def bad(self) -> list[Line]:
        """Return the lines that prevent the import."""
        return [line for line in self.lines if line.fault]

    def changes(self) -> list[Change]:
        """Return what is to be set, in order of date."""
        found = [line.change for line in self.lines if line.change is not None]
        return sorted(found, key=lambda change: change.day)


def read_text(content: bytes) -> str:
    """Return a file's text. Raises UnreadableTable with a sentence for whoever chose the file."""
    if len(content) > MAX_BYTES:
        raise UnreadableTable(f"The file has more than {MAX_BYTES:,} bytes.")
    if content.startswith(b"PK\x03\x04"):
        raise UnreadableTable("This is a spreadsheet or an archive. Save it as CSV (UTF-8) first.")
    if b"\0" in content:
        raise UnreadableTable("This is not text in UTF-8. Save the table as CSV (UTF-8).")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise UnreadableTable(
            f"Line {line} is not in UTF-8. Save the table as CSV (UTF-8)."
        ) from None


def import_rewards(
    event_pk: int,
    text: str,
    *,
    now: datetime,
    by: str,
    is_dry: bool = False,
    agreed_to: str | None = None,
) -> Table:
    """Set rewards by date from CSV with the columns date, name and amount.

    Description and picture are optional. The separator is the first of comma, semicolon and tab
    that the first line has. With a bad line, or in a dry run, nothing is set. `agreed_to` as in
    `set_rewards`.
    """
    with transaction.atomic():
        event = locked_event(event_pk)
        rows = list(_rows(text))
        wanted = {row.day: row.reward for row in rows if row.day and row.reward}
        previewed = {change.day: change for change in preview_rewards(event, wanted, now=now)}
        table = Table([_line(row, previewed) for row in rows])
        if not is_dry and not table.bad():
            set_rewards(event, table.changes(), now=now, by=by, agreed_to=agreed_to)
    return table


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Sequence[str]
    fault: str = ""
    day: date | None = None  # of a row without a fault
    reward: dict[str, Any] | None = None


def _line(row: _Row, previewed: dict[date, Change]) -> Line:
    change = previewed[row.day] if row.day else None
    fault = change.fault if change else row.fault
    return Line(row.number, row.cells, fault, change)


def _rows(text: str) -> Iterator[_Row]:
    """Yield the non-empty rows after the heading, or one fault if its columns are wrong."""
    first = text[: text.find("\n")] if "\n" in text else text
    separator = next((sign for sign in ",;\t" if sign in first), ",")
    cells = _cells(text, separator)
    head = next(cells, _Row(1, ()))
    columns = tuple(cell.strip().casefold() for cell in head.cells)
    known = set(columns) <= {*COLUMNS, *OPTIONAL} and len(set(columns)) == len(columns)
    if head.fault or not known or not set(columns) >= set(COLUMNS):
        fault = f"the columns must be {','.join(COLUMNS)}, and may be {','.join(OPTIONAL)}"
        yield replace(head, fault=fault)
        return
    days: set[date] = set()
    for count, row in enumerate(cells, 1):
        if count > MAX_LINES:
            yield replace(row, fault=f"at most {MAX_LINES:,} lines at once; this and all below")
            return
        yield _read(row, columns, days)


def _cells(text: str, separator: str) -> Iterator[_Row]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield _Row(number, (), f"this is not CSV ({fault}); is a quotation mark left open?")
        else:
            if any(cell.strip() for cell in cells):
                yield _Row(number, cells)


def _read(row: _Row, columns: tuple[str, ...], days: set[date]) -> _Row:
    """Return the row with its date and reward, or with its fault."""
    if row.fault:
        return row
    if len(row.cells) != len(columns):
        return replace(row, fault=f"{len(columns)} values are needed")
    cells = dict(zip(columns, (cell.strip() for cell in row.cells), strict=True))
    try:
        day, reward = _day(cells["date"]), _reward(cells)
        if day in days:
            raise ValueError("this date is in the table already")
    except ValueError as fault:
        return replace(row, fault=str(fault))
    days.add(day)
    return replace(row, day=day, reward=reward)


def _day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("date: write a date such as 2030-01-31")


def _reward(cells: dict[str, str]) -> dict[str, Any]:
    name, amount = cells["name"], cells["amount"]
    if fault := text_fault(name):
        raise ValueError(f"name: {fault}")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"name: at most {_LONGEST_NAME} characters")
    if not (amount.isascii() and amount.isdecimal() and 1 <= int(amount[:9]) <= MAX_PRIZES):
        raise ValueError(f"amount: write a number from 1 to {MAX_PRIZES}")
    reward: dict[str, Any] = {"reward_name": name, "reward_amount": int(amount)}
    for column, longest in OPTIONAL.items():
        reward[f"reward_{column}"] = _optional(column, cells.get(column, ""), longest)
    return reward


def _optional(column: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"{column}: at most {longest} characters")
    if text and (fault := text_fault(text)):
        raise ValueError(f"{column}: {fault}")
    if text and column == "picture":
        try:
            _is_url(text)
        except ValidationError:
            raise ValueError("picture: write an address such as https://…") from None
    return text
