"""The back office of events: scheduling them and their rewards."""

from . import events, records, rewards

__all__ = ["events", "records", "rewards"]  # found by the admin through this module
