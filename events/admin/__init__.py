"""The back office of events: scheduling them and their rewards, and keys for partners."""

from . import partners, records, scheduling

__all__ = ["partners", "records", "scheduling"]  # found by the admin through this module
