"""The list that somebody brings: a table as a spreadsheet saves it, or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from raffles.models import Channel
from raffles.models.raffle import MAX_A_HOLDER, MAX_PRIZE_KINDS, MAX_PRIZES
from raffles.web.fields import text_fault
from raffles.web.formats import grouped, quotable
from raffles.web.parsing import Malformed, read_object
from raffles.web.tables import read_table

NEEDED, OPTIONAL = ("holder",), ("name", "tickets", "channel")
LONGEST_HOLDER, LONGEST_NAME = 200, 150
CHANNELS = tuple(Channel.values)
_DIGITS = re.compile(r"[0-9]{1,7}")
_PRIZE = re.compile(r"\s*(\d{1,6})\s*[x×]?\s+(\S.*?)\s*")


def read_prizes(text: str) -> list[tuple[str, int]]:
    """Return the prizes, (name, amount), of "1 Phone, 3 Mug", in order of rank.

    Raises ValueError with a sentence.
    """
    prizes = []
    for part in filter(str.strip, re.split(r"[,;\n]", text)):
        found = _PRIZE.fullmatch(part)
        if not found or not 1 <= int(found[1]) <= MAX_PRIZES:
            said = _("Write a number and a name, such as 3 Mug, for “%(part)s”.")
            raise ValueError(said % {"part": quotable(part)})
        if fault := _fault("prize", found[2], LONGEST_HOLDER):
            raise ValueError(f"{quotable(part)}: {fault}")
        prizes.append((found[2], int(found[1])))
    if not 1 <= len(prizes) <= MAX_PRIZE_KINDS:
        said = _("Write 1 to %(most)s prizes, such as 1 Phone, 3 Mug.")
        raise ValueError(said % {"most": grouped(MAX_PRIZE_KINDS)})
    return prizes


class Line(NamedTuple):
    """A line of the list by its number in the file (the first is 1), or its fault.

    `holder` is what tells entrants apart, such as a customer's number; `channel` is empty for that
    of the list.
    """

    number: int
    holder: str = ""
    name: str = ""
    fault: str = ""
    tickets: int = 1
    channel: str = ""


def read_list(lines: Iterable[str], called: Mapping[str, str] | None = None) -> Iterator[Line]:
    """Yield the entrants of a table or, where the first line begins with a brace, of JSON lines.

    In constant memory; `called` as in `read_table`.
    """
    lines = iter(lines)
    first = next(lines, "")
    lines = chain([first], lines)
    if first.lstrip().startswith("{"):
        yield from _of_json(lines, called or {})
        return
    for row in read_table(lines, needed=NEEDED, optional=OPTIONAL, called=called):
        yield Line(row.line, fault=row.fault) if row.fault else _line(row.line, row.values)


def _of_json(lines: Iterable[str], called: Mapping[str, str]) -> Iterator[Line]:
    # A column that is called something else is not the one which happens to have its name.
    meant = dict.fromkeys(called) | {heading: column for column, heading in called.items()}
    keys = ", ".join(called.get(column, column) for column in (*NEEDED, *OPTIONAL))
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            told = read_object(text.encode())
        except Malformed as fault:
            said = _("this is not a line of JSON: %(fault)s")
            yield Line(number, fault=said % {"fault": fault.detail})
            continue
        values = {
            column: value.strip() if isinstance(value, str) else value
            for key, value in told.items()
            if (column := meant.get(key, key)) is not None
        }
        unknown = values.keys() - {*NEEDED, *OPTIONAL}
        if "holder" not in values or (unknown and not called):
            yield Line(number, fault=_("the keys must be %(keys)s") % {"keys": keys})
        else:
            yield _line(number, values)


def _line(number: int, values: Mapping[str, Any]) -> Line:
    told = {column: value for column, value in values.items() if value is not None}
    holder, name = values["holder"], told.get("name", "")
    for column, text, longest in ("holder", holder, LONGEST_HOLDER), ("name", name, LONGEST_NAME):
        if fault := _fault(column, text, longest):
            return Line(number, fault=f"{column}: {fault}")
    tickets, channel = told.get("tickets", ""), told.get("channel", "")
    if isinstance(channel, str):
        channel = channel.lower()
    many = 1 if tickets == "" else _amount(tickets)
    if many is None:
        said = _("tickets: write a number from 1 to %(most)s")
        return Line(number, fault=said % {"most": grouped(MAX_A_HOLDER)})
    if channel not in ("", *CHANNELS):
        said = _("channel: write one of %(channels)s")
        return Line(number, fault=said % {"channels": ", ".join(CHANNELS)})
    return Line(number, holder, name, tickets=many, channel=channel)


def _amount(value: Any) -> int | None:
    """Return how many tickets a value means; None if it means none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 1 <= value <= MAX_A_HOLDER else None


def _fault(column: str, text: Any, longest: int) -> str | None:
    if not isinstance(text, str):
        return _("write a text")
    if not text:
        return _("it is empty") if column in NEEDED else None
    if len(text) > longest:
        return _("at most %(most)s characters") % {"most": longest}
    return text_fault(text)
