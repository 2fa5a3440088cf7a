"""The calendar, and what its runs remember."""

from .running import Heartbeat, Setback

__all__ = ["Heartbeat", "Setback"]
