"""Tables as people have them: what a spreadsheet saves as CSV, whatever its language."""

from __future__ import annotations

import csv
import re
from codecs import iterdecode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from io import BytesIO
from itertools import chain
from types import MappingProxyType
from typing import BinaryIO, Literal, NamedTuple

from django.utils.translation import gettext as _

from raffles.web.formats import grouped

Order = Literal["", "day", "month"]  # what stands first where a date is written with slashes

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: 00:00(?::00)?)?", re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: 0?0:00(?::00)?)?", re.ASCII)
# How an export keeps a spreadsheet from computing a text (raffles.domain.exports), to be undone.
_KEPT = re.compile(r"(?:^|(?<=;))'(?=\s*[=+\-@＝＋－＠])")
_SERIAL = re.compile(r"[1-9]\d{4}(?:[.,]\d+)?", re.ASCII)  # days since 1900, unformatted
_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_WHOLE = re.compile(r"(\d{1,18})(?:[.,]0+)?", re.ASCII)


Encoding = Literal["UTF-8", "UTF-16", "Windows-1252"]


class UnreadableTable(ValueError):
    """Why a file is not text that could hold a table."""


class Text(NamedTuple):
    """A file's text, and the encoding that it was read in."""

    text: str
    encoding: Encoding = "UTF-8"


class Row(NamedTuple):
    """A row that is not empty: its line in the file, its place in the spreadsheet, its values."""

    line: int  # in the file, from 1; values with line breaks take several
    row: int  # in the spreadsheet, from 1
    cells: Sequence[str]
    columns: Sequence[str] = ()
    values: Mapping[str, str] = MappingProxyType({})  # by column, stripped
    fault: str = ""

    @property
    def places(self) -> dict[str, str]:
        """Return places such as "B7", by column."""
        return {column: f"{_letters(at)}{self.row}" for at, column in enumerate(self.columns)}


def read_text(content: bytes, *, most: int) -> Text:
    """Return a file's text. Raises UnreadableTable with a sentence for whoever chose the file.

    UTF-16 is known by its mark or its zeros; what is not UTF-8 is taken for Windows-1252.
    """
    if len(content) > most:
        raise UnreadableTable(_("The file has more than %(most)s bytes.") % {"most": grouped(most)})
    codec, encoding = find_codec(BytesIO(content))
    return Text(content.decode(codec), encoding)


def find_codec(file: BinaryIO) -> tuple[str, Encoding]:
    """Return the codec that reads all of a file, and its name; in constant memory.

    Raises UnreadableTable.
    """
    head = file.read(_HEAD)
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableTable(
            _("This is a spreadsheet or an archive. Save it as CSV (UTF-8) first.")
        )
    wide = _utf_16(head)
    codecs: Sequence[tuple[str, Encoding]] = ((wide, "UTF-16"),) if wide else _NARROW
    for codec, encoding in codecs:
        file.seek(0)
        try:
            if not any(
                "\0" in text for text in iterdecode(iter(partial(file.read, _PIECE), b""), codec)
            ):
                return codec, encoding
        except UnicodeDecodeError:
            pass
    raise UnreadableTable(_("This is not text. Save the table as CSV (UTF-8)."))


_HEAD, _PIECE = 200, 1 << 16  # bytes
_NARROW: Sequence[tuple[str, Encoding]] = (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252"))


def _utf_16(head: bytes) -> str:
    """Return the codec of UTF-16 that the first bytes speak for, or nothing."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for codec, halves in ("utf-16-le", head[1::2]), ("utf-16-be", head[::2]):
        if halves.count(0) * 2 > len(halves):
            return codec
    return ""


def read_table(
    lines: Iterable[str],
    *,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    called: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """Yield the rows below the names of the columns, in constant memory; skip empty ones.

    The separator is what a line `sep=;` says, else the first of comma, semicolon and tab that the
    names have. Empty columns at the end do not count. A row that does not fit has a `fault`; if
    the names are wrong the one row is theirs, and after a quotation mark left open comes nothing.

    `called` has the columns that the table calls something else (`{"holder": "E-mail"}`); its
    other columns are then passed over. Otherwise an unknown one is a fault: it may be misspelt.
    """
    head, rows = _opened(lines)
    columns, fault = _columns(head, needed, optional, called or {})
    if fault:
        yield Row(head.line, 1, head.cells, fault=fault)
        return
    for row in rows:
        cells = _without_end(row.cells, least=len(columns))
        if row.fault or not any(map(str.strip, cells)):
            if row.fault:
                yield row
        elif len(cells) != len(columns):
            said = _("%(count)s values are needed")
            yield Row(row.line, row.row, cells, fault=said % {"count": len(columns)})
        else:
            values = dict(zip(columns, map(_text, cells), strict=True))
            yield Row(row.line, row.row, cells, columns, values)


def _columns(
    head: Row, needed: Sequence[str], optional: Sequence[str], called: Mapping[str, str]
) -> tuple[list[str], str]:
    """Return the columns of a table by our names, "" for one passed over; and what is wrong."""
    known = {*needed, *optional}
    columns = [cell.strip().casefold() for cell in _without_end(head.cells)]
    if called:
        meant = {heading.strip().casefold(): column for column, heading in called.items()}
        if not head.fault and (missing := ", ".join(sorted(meant.keys() - set(columns)))):
            return [], _("there is no column %(missing)s") % {"missing": missing}
        # A column that is called something else is not the one which happens to have its name.
        ours = known - called.keys()
        columns = [meant.get(cell, cell if cell in ours else "") for cell in columns]
        known.add("")
    named = [column for column in columns if column]
    is_known = known >= set(columns) and len(set(named)) == len(named)
    if not head.fault and is_known and set(columns) >= set(needed):
        return columns, ""
    said = _("the columns must be %(needed)s, and may be %(optional)s")
    if not optional:
        said = _("the columns must be %(needed)s")
    return [], said % {"needed": ",".join(needed), "optional": ",".join(optional)}


def _text(cell: str) -> str:
    """Return a cell's text: one line is all that a name or a description may have."""
    text = cell.strip()
    if "\n" in text or "\r" in text:
        text = _BREAKS.sub(" ", text)
    return _KEPT.sub("", text) if "'" in text else text


def read_heading(lines: Iterable[str]) -> list[str]:
    """Return the names of a table's columns as they are written; empty if they cannot be read."""
    return [cell.strip() for cell in _without_end(_opened(lines)[0].cells)]


def _opened(lines: Iterable[str]) -> tuple[Row, Iterator[Row]]:
    """Return the row of the columns' names, and the rows below."""
    lines = iter(lines)
    first, skipped = next(lines, ""), 0
    if said := re.fullmatch(r'"?sep=(.)"?[;,\t]*\s*', first, re.IGNORECASE):
        separator, first, skipped = said[1], next(lines, ""), 1
    else:
        separator = next((sign for sign in ",;\t" if sign in first), ",")
    rows = _rows(chain([first], lines), separator, skipped)
    return next(rows, Row(1 + skipped, 1, ())), rows


def _rows(lines: Iterable[str], separator: str, skipped: int) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    for number in range(1, 1 << 62):
        line = reader.line_num + 1 + skipped
        try:
            yield Row(line, number, next(reader))
        except StopIteration:
            return
        except csv.Error as fault:
            why = _("this is not CSV (%(fault)s); is a quotation mark left open?")
            yield Row(line, number, (), fault=why % {"fault": fault})


def _without_end(cells: Sequence[str], least: int = 0) -> Sequence[str]:
    """Return the cells without empty ones at the end, but not fewer than `least`."""
    end = len(cells)
    while end > least and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _letters(at: int) -> str:
    """Return a column's name in a spreadsheet: A for 0, AA for 26."""
    before, last = divmod(at, 26)
    return (_letters(before - 1) if before else "") + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[last]


def order_of(texts: Iterable[str]) -> Order | None:
    """Return what stands first in all these dates; None without slashes, "" if it may be either."""
    first, second, any_slashed = 0, 0, False
    for text in texts:
        if found := _SLASHED.fullmatch(text):
            any_slashed = True
            first, second = max(first, int(found[1])), max(second, int(found[2]))
    if not any_slashed:
        return None
    return "day" if first > 12 else "month" if second > 12 else ""


def read_date(text: str, order: Order = "") -> date:
    """Return the date of 2027-02-10, 10.02.2027, or, with an `order`, 02/10/2027.

    A time of midnight beside it does not count. Raises ValueError with a sentence.
    """
    try:
        if found := _ISO.fullmatch(text):
            year, month, day = map(int, found.groups())
            return date(year, month, day)
        if found := _DOTTED.fullmatch(text):
            day, month, year = map(int, found.groups())
            return date(year, month, day)
        if found := _SLASHED.fullmatch(text):
            if not order:
                raise _Unclear(_("is the day or the month first? Choose it, or write 2030-01-31"))
            day, month, year = map(int, found.groups())
            return date(year, month, day) if order == "day" else date(year, day, month)
    except _Unclear:
        raise
    except ValueError:
        sentence = _("there is no such day; write a date such as 2030-01-31")
        raise ValueError(sentence) from None
    if _SERIAL.fullmatch(text):
        raise ValueError(
            _("this is a number; show it as a date, or write a date such as 2030-01-31")
        )
    raise ValueError(_("write a date such as 2030-01-31"))


class _Unclear(ValueError):
    pass


def read_whole(text: str, least: int, most: int) -> int:
    """Return a whole number, also of 1.0 or 1,0. Raises ValueError with a sentence."""
    found = _WHOLE.fullmatch(text)
    if found and least <= int(found[1]) <= most:
        return int(found[1])
    raise ValueError(
        _("write a number from %(least)s to %(most)s") % {"least": least, "most": most}
    )
