"""What the database remembers: inputs of a draw, its output, and nothing computed twice."""

from .act import Act
from .announcement import Announcement, StreamCounter
from .delivery import Attempt, Contact, Delivery, Endpoint, Outbox
from .draw import Draw, Pool
from .raffle import ENTERABLE, FINISHED, Entropy, Prize, Raffle, State, Stripe
from .ticket import Ticket
from .winner import Handover, Replacement, Standing, Winner

__all__ = [
    "ENTERABLE",
    "FINISHED",
    "Act",
    "Announcement",
    "Attempt",
    "Contact",
    "Delivery",
    "Draw",
    "Endpoint",
    "Entropy",
    "Handover",
    "Outbox",
    "Pool",
    "Prize",
    "Raffle",
    "Replacement",
    "Standing",
    "State",
    "StreamCounter",
    "Stripe",
    "Ticket",
    "Winner",
]
