"""Refusals in the visitor's words: what happened, then what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from raffles.domain import refusals
from raffles.domain.refusals import Refusal
from raffles.web.problems import STATUS


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
    refusals.GateShut: (
        _("Entries are closed."),
        _("No more tickets are given out. You can still watch the draw here."),
    ),
    refusals.AlreadyEntered: (
        _("This address has its ticket."),
        _("Somebody at your internet address has taken part, and each address gets one ticket."),
    ),
    refusals.ThroughEvent: (
        _("Tickets come with the event."),
        _("This draw belongs to an event. Take part there."),
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


def notice_of(error: Refusal | TooManyTries | PermissionDenied, words: Words = WORDS) -> Notice:
    """Return the notice for an exception; `words` maps refusals to the visitor's words."""
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
    status = STATUS[error.kind]
    said = words.get(type(error), (error.sentence, ""))
    return Notice(*said, status, code=error.code)
