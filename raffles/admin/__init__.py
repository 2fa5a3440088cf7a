"""The back office of raffles: everything to be seen, terms to be set, nothing to be undone."""

from __future__ import annotations

from raffles import admin_delivery, admin_record

from . import people, raffles, records, winners

# Found by the admin through these.
__all__ = ["admin_delivery", "admin_record", "people", "raffles", "records", "winners"]
