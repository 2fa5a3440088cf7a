"""What the database remembers: inputs of a draw, its output, and nothing computed twice."""

from raffles.models.announcement import Announcement, LogNode, StreamCounter
from raffles.models.api_key import ApiKey
from raffles.models.delivery import Attempt, Contact, Delivery, Endpoint, Outbox
from raffles.models.draw import Draw, Pool
from raffles.models.raffle import (
    ENTERABLE,
    FINISHED,
    Entropy,
    EntryMode,
    Privacy,
    Prize,
    Raffle,
    State,
    Stripe,
)
from raffles.models.record import LogEntry
from raffles.models.ticket import Ticket
from raffles.models.winner import Handover, Replacement, Winner, WinnerState
from raffles.models.witnessed import WitnessedLog, WitnessedSeal

__all__ = [
    "ENTERABLE",
    "FINISHED",
    "Announcement",
    "ApiKey",
    "Attempt",
    "Contact",
    "Delivery",
    "Draw",
    "Endpoint",
    "Entropy",
    "EntryMode",
    "Handover",
    "LogEntry",
    "LogNode",
    "Outbox",
    "Pool",
    "Privacy",
    "Prize",
    "Raffle",
    "Replacement",
    "State",
    "StreamCounter",
    "Stripe",
    "Ticket",
    "Winner",
    "WinnerState",
    "WitnessedLog",
    "WitnessedSeal",
]
