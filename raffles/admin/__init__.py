"""The back office of raffles: everything to be seen, terms to be set, nothing to be undone."""

from __future__ import annotations

from . import api_keys, base, notifications, raffles, records, staff, winners

# Found by the admin through these.
__all__ = ["api_keys", "base", "notifications", "raffles", "records", "staff", "winners"]
