"""The one family of refusals: a word for programs and a sentence for people, no HTTP."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """Why an action is refused, for whoever has to answer in terms of a protocol."""

    GONE = "gone"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    MISSING = "missing"
    INVALID = "invalid"
    MISMATCHED = "mismatched"


class Refusal(Exception):
    """An action that may not be done now; nothing was changed."""

    kind: ClassVar[Kind]
    code: ClassVar[str]
    sentence: ClassVar[str]

    def __str__(self) -> str:
        return self.sentence


class SoldOut(Refusal):
    """Every ticket has been handed out."""

    kind = Kind.GONE
    code = "sold_out"
    sentence = "Tickets to this raffle are no longer available"


class GateShut(SoldOut):
    """The raffle takes no more entries, though not every ticket was handed out."""

    code = "closed"


class AlreadyEntered(Refusal):
    """The holder has a ticket."""

    kind = Kind.FORBIDDEN
    code = "already_entered"
    sentence = "Your ip address has already participated in this raffle"


class OrderUsed(AlreadyEntered):
    """The order has its ticket, and this is somebody else or somebody else's request."""

    code = "order_used"


class ThroughEvent(Refusal):
    """The raffle is a date of an event, which hands out its tickets."""

    kind = Kind.FORBIDDEN
    code = "through_event"
    sentence = "Take part through the event"


class RequestMismatch(Refusal):
    """The same idempotency key came with another request."""

    kind = Kind.MISMATCHED
    code = "idempotency_mismatch"
    sentence = "This Idempotency-Key was used for another request"


class TooManyPrizes(Refusal):
    """The amounts of the prizes sum to more than there may be."""

    kind = Kind.INVALID
    code = "too_many_prizes"
    sentence = "Too many prizes"


class ClosesInThePast(Refusal):
    """The closing time has passed already."""

    kind = Kind.INVALID
    code = "closes_in_the_past"
    sentence = "closes_at must be in the future"


class TermsFrozen(Refusal):
    """Somebody holds a ticket under these terms."""

    kind = Kind.CONFLICT
    code = "terms_frozen"
    sentence = "The raffle has tickets, so its terms can't be changed"


class TicketsAvailable(Refusal):
    """The raffle draws when sold out, and is not."""

    kind = Kind.FORBIDDEN
    code = "tickets_available"
    sentence = "Winners can't be drawn when tickets are still available"


class AlreadyDrawn(Refusal):
    """The winners stand."""

    kind = Kind.FORBIDDEN
    code = "already_drawn"
    sentence = "Winners for the raffle have already been drawn"


class BeforeDrawTime(Refusal):
    """The raffle has a closing time, and it has not come."""

    kind = Kind.FORBIDDEN
    code = "before_draw_time"
    sentence = "Winners can't be drawn before the draw time"


class Voided(Refusal):
    """The raffle was called off."""

    kind = Kind.FORBIDDEN
    code = "voided"
    sentence = "The raffle has been voided"


class NotDrawn(Refusal):
    """There are no winners yet."""

    kind = Kind.INVALID
    code = "not_drawn"
    sentence = "Winners for the raffle have not been drawn yet"


class NotSealed(Refusal):
    """There is no commitment yet."""

    kind = Kind.MISSING
    code = "not_sealed"
    sentence = "The raffle has not been sealed yet"


class InvalidCode(Refusal):
    """No such ticket with such a code."""

    kind = Kind.INVALID
    code = "invalid_code"
    sentence = "Invalid verification code"


class NoAlternateLeft(Refusal):
    """Every alternate has taken somebody's place."""

    kind = Kind.CONFLICT
    code = "no_alternate"
    sentence = "There is no alternate left"


class NotAWinner(Refusal):
    """The ticket holds no prize that could be taken from it."""

    kind = Kind.INVALID
    code = "not_a_winner"
    sentence = "This ticket holds no prize"


class HandedOver(Refusal):
    """The winner has the prize in hand."""

    kind = Kind.CONFLICT
    code = "handed_over"
    sentence = "The prize has been handed over"


class NotLater(Refusal):
    """A deadline is only ever extended."""

    kind = Kind.INVALID
    code = "not_later"
    sentence = "A deadline can only be moved to a later time"


class Claimed(Refusal):
    """The winner came for the prize: whoever takes it away has to say so."""

    kind = Kind.CONFLICT
    code = "claimed"
    sentence = "The prize has been claimed"


class TooLateToUndo(Refusal):
    """The prize was not handed over, or more than a minute ago."""

    kind = Kind.CONFLICT
    code = "too_late_to_undo"
    sentence = "Only a hand-over of the last minute can be undone"


class Forfeited(Refusal):
    """Nobody claimed the prize in time."""

    kind = Kind.CONFLICT
    code = "forfeited"
    sentence = "The prize was not claimed in time"


class NoSuchTicket(Refusal):
    """Nobody holds a ticket of that number."""

    kind = Kind.MISSING
    code = "no_such_ticket"
    sentence = "There is no ticket with this number"


class NotFinished(Refusal):
    """It is neither drawn nor void."""

    kind = Kind.CONFLICT
    code = "not_finished"
    sentence = "The raffle is not finished yet"


class NoProofYet(NotDrawn):
    """The proof comes with the winners."""

    kind = Kind.MISSING
    code = "no_proof_yet"
