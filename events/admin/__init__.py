"""The back office of events: scheduling them and their rewards."""

from . import endpoints, events, exclusions, records, rewards

__all__ = [
    "endpoints",
    "events",
    "exclusions",
    "records",
    "rewards",
]  # found by the admin through this module
