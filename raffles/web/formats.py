"""How instants are written for people: one formatter and its styles."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

MINUTE: Final = "%Y-%m-%d %H:%M %Z"  # 2026-02-10 08:00 UTC
SECOND: Final = "%Y-%m-%d %H:%M:%S %Z"  # 2026-02-10 08:00:00 UTC
WEEKDAY: Final = "%a %Y-%m-%d %H:%M %Z"  # Tue 2026-02-10 08:00 CET
SHORT: Final = "%a %-d %b, %H:%M %Z"  # Tue 10 Feb, 08:00 UTC


def shown(
    moment: datetime | None, style: str = MINUTE, *, zone: tzinfo = UTC, missing: str = "—"
) -> str:
    """Return an instant as text in `zone`, which it names; `missing` for None."""
    return moment.astimezone(zone).strftime(style) if moment else missing


def clock(moment: datetime | None, zone: tzinfo, style: str = MINUTE) -> SafeString | str:
    """Return an instant as HTML on the clocks of `zone`, which it names; UTC is in its tooltip."""
    if moment is None:
        return shown(None)
    html = '<time datetime="{}" title="{}">{}</time>'
    return format_html(
        html, moment.isoformat(), shown(moment, SECOND), shown(moment, style, zone=zone)
    )
