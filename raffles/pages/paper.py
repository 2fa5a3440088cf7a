"""What stands on the one page of a certificate, and what goes to its annex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from unicodedata import east_asian_width

from raffles.models import Prize
from raffles.pages.queries import Place

_FRONT = 20  # winners on the first page, at most
# Of Letter, which is the lower one, in its small type: the characters of a line, and the lines that
# head and foot leave to the winners where the title is short and there are few witnesses.
_LINE = 95
_LINES = 44
_WORDS = 25  # characters of rank and number, or of the words around a reason
_NOTE = 2  # lines that lead to the annex
_TITLE = 50  # characters of its line
_ROOMY = 28  # so many lines can be larger, with the space around a prize as a third of one


@dataclass(frozen=True, slots=True)
class Won:
    """A kind of prize with consecutive ranks that have won it."""

    prize: Prize
    places: list[Place]

    def lines(self) -> int:
        """Return how many lines it takes: prize and winner share one where both are short."""
        prize = _width(self.prize.name)
        rows = [row for place in self.places for row in _rows(place)]
        if prize + max(rows) <= _LINE:
            return len(rows)
        return ceil(prize / _LINE) + sum(ceil(row / _LINE) for row in rows)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The winners of the first page and those of the annex, by prize."""

    front: list[Won]
    annex: list[Won]
    is_roomy: bool  # the first page has room for larger type

    def first_in_annex(self) -> int:
        """Return the rank with which the annex begins."""
        return self.annex[0].places[0].rank


def sheet_of(places: Sequence[Place], *, title: str, witnesses: int) -> Sheet:
    """Return the sheet of these places, which are in the order of their ranks."""
    above = _width(title) // _TITLE + witnesses
    count = min(len(places), _FRONT)
    while count > 1 and _lines(_by_prize(places[:count])) > _room(places, count) - above:
        count -= 1
    front = _by_prize(places[:count])
    is_roomy = _lines(front) + len(front) / 3 <= _ROOMY - above
    return Sheet(front, _by_prize(places[count:]), is_roomy)


def _room(places: Sequence[Place], count: int) -> int:
    return _LINES if count == len(places) else _LINES - _NOTE


def _lines(wons: Iterable[Won]) -> int:
    return sum(won.lines() for won in wons)


def _by_prize(places: Iterable[Place]) -> list[Won]:
    return [Won(prize, list(rows)) for prize, rows in groupby(places, lambda place: place.prize)]


def _rows(place: Place) -> list[int]:
    """Return how wide the rows of a rank are: who has its prize, and who had it before."""
    holder = place.holder()
    said = [holder.name if holder else ""]
    said += [f"{before.name} {before.reason} {before.forfeited}" for before in place.former()]
    return [_width(text) + _WORDS for text in said]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
