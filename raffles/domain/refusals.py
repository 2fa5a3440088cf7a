"""The one family of refusals: a code for programs and a sentence for people, without HTTP."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _


class Kind(StrEnum):
    """Why an action is refused, for callers that have to answer in a protocol's terms."""

    GONE = "gone"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    MISSING = "missing"
    INVALID = "invalid"
    MISMATCHED = "mismatched"
    STALE = "stale"
    AWAY = "away"


class Refusal(Exception):
    """An action that is not allowed now; nothing was changed.

    Its text is in the language of whoever reads it; that of the API is always English. `field` is
    the one that it is about, where there is one.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    sentence: ClassVar[str]
    field: ClassVar[str] = ""

    def __str__(self) -> str:
        return gettext(self.sentence)


class SoldOut(Refusal):
    """Every ticket has been handed out."""

    kind = Kind.GONE
    code = "sold_out"
    sentence = _("Tickets to this raffle are no longer available")


class TooFewLeft(SoldOut):
    """Fewer tickets are left than are asked for together, and none was given."""

    code = "too_few_left"
    sentence = _("Fewer tickets are left than are asked for")


class GateShut(SoldOut):
    """The raffle takes no more entries, although not every ticket was handed out."""

    code = "closed"


class AlreadyEntered(Refusal):
    """The holder already has a ticket."""

    kind = Kind.FORBIDDEN
    code = "already_entered"
    sentence = _("Your ip address has already participated in this raffle")


class MailEntered(AlreadyEntered):
    """The address that was confirmed has as many tickets as a holder may have."""

    code = "email_entered"
    sentence = _("This e-mail address has already participated in this raffle")


class OrderUsed(AlreadyEntered):
    """The order already has its ticket, which another user or another request got."""

    code = "order_used"


class ThroughEvent(Refusal):
    """The raffle is a date of an event, which hands out its tickets."""

    kind = Kind.FORBIDDEN
    code = "through_event"
    sentence = _("Take part through the event")


class ByOrganiser(Refusal):
    """The raffle takes its entries from the organiser's list alone."""

    kind = Kind.FORBIDDEN
    code = "by_organiser"
    sentence = _("Entries are made by the organiser")


class NotOpenYet(Refusal):
    """The raffle takes entries from `opens_at` on."""

    kind = Kind.FORBIDDEN
    code = "not_open_yet"
    sentence = _("Entries are not open yet")

    def __init__(self, opens_at: datetime) -> None:
        super().__init__(opens_at)
        self.opens_at = opens_at


class MailNeeded(Refusal):
    """The raffle is entered by e-mail, and no address was given."""

    kind = Kind.INVALID
    code = "email_needed"
    sentence = _("Give your e-mail address to take part")
    field = "email"


class InvitationNeeded(Refusal):
    """The raffle is entered by invitation, and none was given."""

    kind = Kind.INVALID
    code = "invitation_needed"
    sentence = _("Give the code of your invitation to take part")
    field = "invitation"


class OtherWayIn(Refusal):
    """The raffle knows no such thing as was given to enter it."""

    kind = Kind.INVALID
    code = "other_way_in"
    sentence = _("This raffle is not entered that way")


class LinkNotValid(Refusal):
    """The confirmation is of another raffle, too old, or none."""

    kind = Kind.INVALID
    code = "link_not_valid"
    sentence = _("This link is no longer valid")
    field = "confirmation"


class MailAway(Refusal):
    """The mail server takes no mail now; asking again later may help."""

    kind = Kind.AWAY
    code = "mail_away"
    sentence = _("The mail cannot be sent at the moment. Try again in a minute.")


class InvalidInvitation(Refusal):
    """There is no such invitation, or it was withdrawn."""

    kind = Kind.INVALID
    code = "invalid_invitation"
    sentence = _("Invalid invitation")
    field = "invitation"


class TooManyForHolder(Refusal):
    """An invitation is for one holder, who may not have as many tickets as it is meant for."""

    kind = Kind.INVALID
    code = "too_many_for_holder"
    sentence = _("A holder may not have as many tickets in this raffle")
    field = "tickets"


class InvitationUsed(Refusal):
    """The invitation has brought its tickets."""

    kind = Kind.FORBIDDEN
    code = "invitation_used"
    sentence = _("This invitation has been used")


class AcceptRules(Refusal):
    """The participant has not accepted the rules, or accepted others than are in force."""

    kind = Kind.INVALID
    code = "accept_rules"
    sentence = _("Accept the rules to take part")


class Excluded(Refusal):
    """The identity may not enter; nobody is told why, or until when."""

    kind = Kind.FORBIDDEN
    code = "excluded"
    sentence = _("Taking part is not possible for you")


class BadLines(Refusal):
    """Lines of a list cannot be entered, so none was.

    `faults` has the first of them by number, `count` says how many there are.
    """

    kind = Kind.INVALID
    code = "bad_lines"
    sentence = "The list has bad lines, so nothing was entered"

    def __init__(self, faults: list[tuple[int, str]], count: int) -> None:
        super().__init__(faults, count)
        self.faults, self.count = faults, count


class RequestMismatch(Refusal):
    """The idempotency key was used with another request before."""

    kind = Kind.MISMATCHED
    code = "idempotency_mismatch"
    sentence = _("This Idempotency-Key was used for another request")


class ChangedMeanwhile(Refusal):
    """Somebody has changed what the caller means to change, since the caller read it."""

    kind = Kind.STALE
    code = "changed_meanwhile"
    sentence = _("Somebody has changed this since you read it")


class TooManyPrizes(Refusal):
    """The amounts of the prizes add up to more than is allowed."""

    kind = Kind.INVALID
    code = "too_many_prizes"
    sentence = _("Too many prizes")


class ClosesInThePast(Refusal):
    """The closing time has already passed."""

    kind = Kind.INVALID
    code = "closes_in_the_past"
    sentence = _("closes_at must be in the future")
    field = "closes_at"


class OpensInThePast(Refusal):
    """The opening time has already passed."""

    kind = Kind.INVALID
    code = "opens_in_the_past"
    sentence = _("opens_at must be in the future")
    field = "opens_at"


class OpensAfterClosing(Refusal):
    """The raffle would close before it opens."""

    kind = Kind.INVALID
    code = "opens_after_closing"
    sentence = _("opens_at must be before closes_at")
    field = "opens_at"


class TermsFrozen(Refusal):
    """Somebody holds a ticket under these terms."""

    kind = Kind.CONFLICT
    code = "terms_frozen"
    sentence = _("The raffle has tickets, so its terms can't be changed")


class TicketsAvailable(Refusal):
    """The raffle is drawn when it is sold out, and it is not sold out."""

    kind = Kind.FORBIDDEN
    code = "tickets_available"
    sentence = _("Winners can't be drawn when tickets are still available")


class AlreadyDrawn(Refusal):
    """The raffle's winners are final."""

    kind = Kind.FORBIDDEN
    code = "already_drawn"
    sentence = _("Winners for the raffle have already been drawn")


class BeforeDrawTime(Refusal):
    """The raffle's closing time has not come yet."""

    kind = Kind.FORBIDDEN
    code = "before_draw_time"
    sentence = _("Winners can't be drawn before the draw time")


class Voided(Refusal):
    """The raffle was called off."""

    kind = Kind.FORBIDDEN
    code = "voided"
    sentence = _("The raffle has been voided")


class NotDrawn(Refusal):
    """There are no winners yet."""

    kind = Kind.INVALID
    code = "not_drawn"
    sentence = _("Winners for the raffle have not been drawn yet")


class NotSealed(Refusal):
    """There is no commitment yet."""

    kind = Kind.MISSING
    code = "not_sealed"
    sentence = _("The raffle has not been sealed yet")


class InvalidCode(Refusal):
    """There is no such ticket with such a code."""

    kind = Kind.INVALID
    code = "invalid_code"
    sentence = _("Invalid verification code")


class NoAlternateLeft(Refusal):
    """Every alternate has replaced somebody."""

    kind = Kind.CONFLICT
    code = "no_alternate"
    sentence = _("There is no alternate left")


class NotAWinner(Refusal):
    """The ticket holds no prize that could be taken from it."""

    kind = Kind.INVALID
    code = "not_a_winner"
    sentence = _("This ticket holds no prize")


class HandedOver(Refusal):
    """The winner has received the prize."""

    kind = Kind.CONFLICT
    code = "handed_over"
    sentence = _("The prize has been handed over")


class NotLater(Refusal):
    """A deadline is only ever extended."""

    kind = Kind.INVALID
    code = "not_later"
    sentence = _("A deadline can only be moved to a later time")


class Claimed(Refusal):
    """The winner came for the prize: whoever takes it away has to say so."""

    kind = Kind.CONFLICT
    code = "claimed"
    sentence = _("The prize has been claimed")


class TooLateToUndo(Refusal):
    """The prize was not handed over, or more than a minute ago."""

    kind = Kind.CONFLICT
    code = "too_late_to_undo"
    sentence = _("Only a hand-over of the last minute can be undone")


class Forfeited(Refusal):
    """Nobody claimed the prize in time."""

    kind = Kind.CONFLICT
    code = "forfeited"
    sentence = _("The prize was not claimed in time")


class NoSuchTicket(Refusal):
    """Nobody holds a ticket with that number."""

    kind = Kind.MISSING
    code = "no_such_ticket"
    sentence = _("There is no ticket with this number")


class NotFinished(Refusal):
    """The raffle is neither drawn nor void."""

    kind = Kind.CONFLICT
    code = "not_finished"
    sentence = _("The raffle is not finished yet")


class NoProofYet(NotDrawn):
    """The raffle has no winners yet, and so no proof."""

    kind = Kind.MISSING
    code = "no_proof_yet"


# --- Being a witness


class NotAWitness(Refusal):
    """There is no key to be a witness with."""

    kind = Kind.MISSING
    code = "not_a_witness"
    sentence = _("This installation is not a witness")


class NotACheckpoint(Refusal):
    """The body is not an old size, a proof and a checkpoint."""

    kind = Kind.INVALID
    code = "not_a_checkpoint"
    sentence = _("The body is not an old size, a consistency proof and a checkpoint after it")


class UnknownLog(Refusal):
    """Nobody asked us to be a witness of this log."""

    kind = Kind.MISSING
    code = "unknown_log"
    sentence = _("This witness does not know the log of this checkpoint")


class UnknownLogKey(Refusal):
    """The checkpoint is not signed by the log as we know it."""

    kind = Kind.FORBIDDEN
    code = "unknown_key"
    sentence = _("The checkpoint is not signed by a key of its log that this witness knows")


class NotConsistent(Refusal):
    """What was signed before does not begin what is to be signed now."""

    kind = Kind.MISMATCHED
    code = "not_consistent"
    sentence = _("The proof does not lead from what this witness signed last to this checkpoint")


class SignedOtherSize(Refusal):
    """The proof has to begin at what we signed last, which is ``size``."""

    kind = Kind.CONFLICT
    code = "other_size"
    sentence = _("This witness has signed another size of this log")

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class LogRefused(Refusal):
    """The log broke a promise that no proof of consistency shows; for good."""

    kind = Kind.FORBIDDEN
    code = "log_refused"
    sentence = _("This witness signs nothing more of this log")

    def __init__(self, flaw: str) -> None:
        super().__init__(flaw)
        self.flaw = flaw

    def __str__(self) -> str:
        return f"{gettext(self.sentence)}: {self.flaw}"
