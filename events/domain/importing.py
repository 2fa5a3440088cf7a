"""Rewards from a table: all of them, or none and every line that is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction

from raffles.domain.refusals import Refusal
from raffles.models.raffle import MAX_PRIZES
from rafflesite.fields import text_fault

from .scheduling import set_reward

COLUMNS = ("date", "name", "amount")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file (the first is 1) and what is wrong with it."""

    line: int
    fault: str


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    day: date
    reward: dict[str, Any]


def import_rewards(
    event_pk: int, lines: Iterable[str], *, now: datetime, by: str, is_dry: bool = False
) -> tuple[int, list[BadLine]]:
    """Sets the rewards of the dates in CSV with the columns date, name and amount.

    Returns how many were set, or would be in a dry run, and every bad line; with one bad line
    nothing is set.
    """
    bad: list[BadLine] = []
    count = 0
    days: set[date] = set()
    with transaction.atomic():
        for row in _rows(lines, bad):
            try:
                if row.day in days:
                    raise ValueError("this date is in the file already")
                days.add(row.day)
                set_reward(event_pk, row.day, row.reward, now=now, by=by)
                count += 1
            except (Refusal, ValueError) as fault:
                bad.append(BadLine(row.line, str(fault)))
        if bad or is_dry:
            transaction.set_rollback(True)
    return (0 if bad else count), sorted(bad, key=lambda line: line.line)


def _rows(lines: Iterable[str], bad: list[BadLine]) -> Iterator[_Row]:
    reader = csv.DictReader(lines, strict=True)
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            bad.append(BadLine(1, f"the columns must be {','.join(COLUMNS)}"))
            return
        for fields in reader:
            try:
                yield _Row(reader.line_num, *_read(fields))
            except ValueError as fault:
                bad.append(BadLine(reader.line_num, str(fault)))
    except csv.Error as fault:
        bad.append(BadLine(reader.reader.line_num, str(fault)))


def _read(fields: dict[str | Any, str | Any]) -> tuple[date, dict[str, Any]]:
    """The date and the reward of a line; ValueError with a sentence."""
    if None in fields or None in fields.values():
        raise ValueError(f"{len(COLUMNS)} values are needed")
    day, name, amount = (fields[column].strip() for column in COLUMNS)
    if fault := text_fault(name):
        raise ValueError(f"name: {fault}")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"name: at most {_LONGEST_NAME} characters")
    if not (amount.isascii() and amount.isdecimal() and 1 <= int(amount[:9]) <= MAX_PRIZES):
        raise ValueError(f"amount: write a number from 1 to {MAX_PRIZES}")
    try:
        return date.fromisoformat(day), {"reward_name": name, "reward_amount": int(amount)}
    except ValueError:
        raise ValueError("date: write a date such as 2030-01-31") from None
