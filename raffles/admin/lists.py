"""Lists of the back office: each value with its column's name, for a row that is a card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

register = template.Library()


@register.filter
def labelled(
    cells: Iterable[SafeString], headers: Iterable[Mapping[str, Any]]
) -> Iterator[SafeString]:
    """Yield the cells of a row, each with its column's name in `data-label`."""
    for cell, header in zip(cells, chain(headers, repeat({})), strict=False):
        # The column of boxes to tick has a box for its name.
        name = "" if "action-checkbox" in cell[:40] else capfirst(str(header.get("text", "")))
        start, end, rest = cell.partition(">")
        label = format_html(' data-label="{}"', name) if name else ""
        yield SafeString(f"{start}{label}{end}{rest}")
