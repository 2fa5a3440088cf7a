"""How instants are written for people: one formatter and its styles."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from typing import Final

from django.utils import dateformat
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop

MINUTE: Final = "Y-m-d H:i T"  # 2026-02-10 08:00 UTC
SECOND: Final = "Y-m-d H:i:s T"  # 2026-02-10 08:00:00 UTC
WEEKDAY: Final = "D Y-m-d H:i T"  # Tue 2026-02-10 08:00 CET
_LONGEST: Final = 100  # characters of a quotation
SHORT: Final = gettext_noop("D j M, H:i T")  # Tue 10 Feb, 08:00 UTC


def shown(
    moment: datetime | None, style: str = MINUTE, *, zone: tzinfo = UTC, missing: str = "—"
) -> str:
    """Return an instant as text in `zone`, which it names; `missing` for None.

    `style` is one of Django's formats of dates, whose words are translated.
    """
    return dateformat.format(moment.astimezone(zone), gettext(style)) if moment else missing


def weekday(day: date) -> str:
    """Return a day with its weekday: Tue 2026-02-10."""
    return dateformat.format(day, "D Y-m-d")


def grouped(count: int) -> str:
    """Return a number of things with its thousands apart."""
    return number_format(count, force_grouping=True)


def quotable(text: str) -> str:
    """Return what somebody wrote, to stand within a sentence of ours: short, and on its own side.

    What shows nothing or turns the sentence around is shown as a replacement character.
    """
    short = text.strip() if len(text) <= _LONGEST else f"{text.strip()[:_LONGEST]}…"
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in short)


def as_sentence(fault: str) -> str:
    """Return a fault that follows the number of its line elsewhere as a sentence of its own."""
    said = capfirst(fault)
    return said if said.endswith(".") else f"{said}."


def clock(moment: datetime | None, zone: tzinfo, style: str = MINUTE) -> SafeString | str:
    """Return an instant as HTML on the clocks of `zone`, which it names; UTC is in its tooltip."""
    if moment is None:
        return shown(None)
    html = '<time datetime="{}" title="{}">{}</time>'
    return format_html(
        html, moment.isoformat(), shown(moment, SECOND), shown(moment, style, zone=zone)
    )
