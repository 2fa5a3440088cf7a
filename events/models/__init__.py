"""The calendar, and what its runs remember."""

from events.models.event import Event, Occurrence, Reward, Rewarding
from events.models.runs import Heartbeat, Setback

__all__ = [
    "Event",
    "Heartbeat",
    "Occurrence",
    "Reward",
    "Rewarding",
    "Setback",
]
