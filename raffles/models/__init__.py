"""The tables: a draw's inputs and its outcome; what can be computed again is not stored."""

from raffles.models.announcement import Announcement, LogNode, StreamCounter
from raffles.models.api_key import ApiKey
from raffles.models.confirmation import SentMail
from raffles.models.delivery import Attempt, Contact, Delivery, Endpoint, Outbox
from raffles.models.draw import Draw, Pool
from raffles.models.exclusion import Exclusion
from raffles.models.invitation import Invitation
from raffles.models.lineage import Lineage
from raffles.models.names import translate_names
from raffles.models.raffle import (
    ENTERABLE,
    FINISHED,
    Channel,
    Entropy,
    EntryMode,
    Privacy,
    Prize,
    Raffle,
    RunLease,
    State,
    Stripe,
)
from raffles.models.record import LogEntry
from raffles.models.rules import Rules
from raffles.models.ticket import Ticket
from raffles.models.winner import Handover, Replacement, SkippedEntry, Winner, WinnerState
from raffles.models.witness import AuthorityKey, Witness, WitnessAnswer
from raffles.models.witnessed import WitnessedLog, WitnessedSeal

__all__ = [
    "ENTERABLE",
    "FINISHED",
    "Announcement",
    "ApiKey",
    "Attempt",
    "AuthorityKey",
    "Channel",
    "Contact",
    "Delivery",
    "Draw",
    "Endpoint",
    "Entropy",
    "EntryMode",
    "Exclusion",
    "Handover",
    "Invitation",
    "Lineage",
    "LogEntry",
    "LogNode",
    "Outbox",
    "Pool",
    "Privacy",
    "Prize",
    "Raffle",
    "Replacement",
    "Rules",
    "RunLease",
    "SentMail",
    "SkippedEntry",
    "State",
    "StreamCounter",
    "Stripe",
    "Ticket",
    "Winner",
    "WinnerState",
    "Witness",
    "WitnessAnswer",
    "WitnessedLog",
    "WitnessedSeal",
]

translate_names("raffles")
