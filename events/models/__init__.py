"""The tables of the calendar, and of its runs."""

from events.models.event import Event, Occurrence, Reward, Rewarding
from events.models.runs import Heartbeat, Setback
from raffles.models.names import translate_names

__all__ = [
    "Event",
    "Heartbeat",
    "Occurrence",
    "Reward",
    "Rewarding",
    "Setback",
]

translate_names("events")
