"""Refusals in the visitor's words: what happened, then what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from raffles.domain import refusals
from raffles.domain.refusals import Kind, Refusal
from raffles.web.metrics import count_refusal
from raffles.web.problems import MAIL_AFTER, STATUS


class TooManyTries(Exception):
    """The visitor exceeded the rate limit; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Notice:
    """A refusal as a page shows it; `retry_after` is in seconds where waiting helps.

    `code` is the refusal's, for the page to tell them apart.
    """

    title: str | Promise
    text: str | Promise
    status: int
    retry_after: int | None = None
    code: str = ""


Words = Mapping[type[Refusal], tuple[str | Promise, str | Promise]]

WORDS: Words = {
    refusals.SoldOut: (
        _("Tickets are gone."),
        _("Every ticket has been given out. You can still watch the draw here."),
    ),
    refusals.TooFewLeft: (
        _("Fewer tickets are left than your invitation is for."),
        _("None was given out, and it stays unused. Ask whoever sent it to you."),
    ),
    refusals.GateShut: (
        _("Entries are closed."),
        _("No more tickets are given out. You can still watch the draw here."),
    ),
    refusals.AlreadyEntered: (
        _("This address has its ticket."),
        _("Somebody at your internet address has taken part, and each address gets one ticket."),
    ),
    refusals.MailEntered: (
        _("This e-mail address has its ticket."),
        _("It is in the browser that took it, under “My tickets”, or in the file that you saved."),
    ),
    refusals.ThroughEvent: (
        _("Tickets come with the event."),
        _("This draw belongs to an event. Take part there."),
    ),
    refusals.NotOpenYet: (
        _("Entries are not open yet."),
        _("Come back when they open: this page counts down to it."),
    ),
    refusals.LinkNotValid: (
        _("This link is no longer valid."),
        _("It holds for an hour. Ask for a new one."),
    ),
    refusals.MailAway: (
        _("We could not send the mail."),
        _("Our mail server does not answer. Try again in a minute; nothing is lost."),
    ),
    refusals.InvitationUsed: (
        _("This invitation has been used."),
        _("Each counts once. Its tickets are in the browser that used it, under “My tickets”."),
    ),
    refusals.InvalidInvitation: (
        _(
            "There is no such invitation. Compare the code: "
            "capital letters and hyphens do not matter."
        ),
        "",
    ),
    refusals.NotDrawn: (
        _("The draw has not taken place yet."),
        _("Come back after the draw and look again. Keep number and code until then."),
    ),
    refusals.InvalidCode: (
        _("Number and code do not belong together."),
        _("Compare both with your ticket. Capital letters and hyphens do not matter."),
    ),
}

# Where entrants come from a list.
LISTED: Words = {
    refusals.InvalidCode: (
        _("Number or identifier and code do not belong together."),
        _(
            "Compare both with the message from the organiser. "
            "Capital letters and hyphens do not matter."
        ),
    ),
}


# Where a holder may have several tickets.
SEVERAL: Words = {
    **WORDS,
    refusals.AlreadyEntered: (
        _("This address has all its tickets."),
        _("Your tickets are where you saved them. More are not given to one internet address."),
    ),
    refusals.MailEntered: (
        _("This e-mail address has all its tickets."),
        _(
            "They are in the browser that took them, under “My tickets”, or in the files that "
            "you saved."
        ),
    ),
}


# Of a raffle that is drawn or called off, which its page says below: there is no draw to watch.
FINISHED: Words = {
    refusals.SoldOut: (WORDS[refusals.SoldOut][0], ""),
    refusals.GateShut: (WORDS[refusals.GateShut][0], ""),
}


def notice_of(error: Refusal | TooManyTries | PermissionDenied, words: Words = WORDS) -> Notice:
    """Return the notice for an exception, and count it; `words` maps refusals to the visitor's."""
    if isinstance(error, TooManyTries):
        wait = max(1, math.ceil(error.wait))
        text = _("Wait %(seconds)d seconds, then try again.") % {"seconds": wait}
        return Notice(_("That was too many tries."), text, 429, wait)
    if isinstance(error, PermissionDenied):
        return Notice(
            _("We cannot tell who is calling."),
            _("A proxy between us hides your address. Tell whoever runs this site."),
            403,
        )
    count_refusal(error.code)
    status = STATUS[error.kind]
    said = words.get(type(error), (str(error), ""))
    later = MAIL_AFTER if error.kind == Kind.AWAY else None
    return Notice(*said, status, later, code=error.code)
