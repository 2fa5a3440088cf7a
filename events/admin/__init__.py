"""The back office of events: scheduling them and their rewards, and keys for partners."""

from . import partners, records, rewards, scheduling

__all__ = ["partners", "records", "rewards", "scheduling"]  # found by the admin through this module
