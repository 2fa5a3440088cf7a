"""What the database remembers: inputs of a draw, its output, and nothing computed twice."""

from .announcement import Announcement, StreamCounter
from .delivery import Attempt, Contact, Delivery, Endpoint, Outbox
from .draw import Draw, Pool, Replacement, Winner
from .raffle import ENTERABLE, FINISHED, Entropy, Prize, Raffle, State, Stripe
from .ticket import Ticket

__all__ = [
    "ENTERABLE",
    "FINISHED",
    "Announcement",
    "Attempt",
    "Contact",
    "Delivery",
    "Draw",
    "Endpoint",
    "Entropy",
    "Outbox",
    "Pool",
    "Prize",
    "Raffle",
    "Replacement",
    "State",
    "StreamCounter",
    "Stripe",
    "Ticket",
    "Winner",
]
