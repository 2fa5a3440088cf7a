"""The calendar, its partners, and what its runs remember."""

from .event import Event, Occurrence, Reward, Rewarding
from .partner import ApiKey
from .running import Heartbeat, Setback

__all__ = [
    "ApiKey",
    "Event",
    "Heartbeat",
    "Occurrence",
    "Reward",
    "Rewarding",
    "Setback",
]
