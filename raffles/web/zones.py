"""The zones on whose clocks times are shown and typed."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

# In the lists of machines, and no place's time: this machine's own, and what says "not set".
_NO_ZONES = {"localtime", "posixrules", "Factory", "leapseconds"}


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Return the zones of the IANA database that this machine knows."""
    return frozenset(available_timezones() - _NO_ZONES)


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of that name; UTC where this machine does not know it."""
    return ZoneInfo(name if name in zones() else "UTC")
