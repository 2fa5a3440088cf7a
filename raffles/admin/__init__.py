"""The back office of raffles: everything is visible, terms can be set, results only added to."""

from __future__ import annotations

from . import api_keys, base, notifications, raffles, records, staff, winners

# Imported for the admin, which finds them in this module.
__all__ = ["api_keys", "base", "notifications", "raffles", "records", "staff", "winners"]
