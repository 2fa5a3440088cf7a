"""Events' refusals in the visitor's words, together with those of raffles."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from events.domain import refusals
from raffles.pages import notices

WORDS: notices.Words = {
    **notices.WORDS,
    refusals.DrawFull: (
        _("Tickets for this draw are gone."),
        _("The next date opens when this one has been drawn."),
    ),
    refusals.NoDraw: (
        _("No draw is planned."),
        _("The event is over or takes a break. Its past draws stay here."),
    ),
    refusals.AlreadyInDraw: (
        _("This name has its ticket."),
        _(
            "A name counts once in a draw. If it is not you, add what tells you apart, such as the "
            "first letter of your surname."
        ),
    ),
    refusals.AlreadyInOrResting: (
        _("You already hold a ticket, or rest."),
        _("A name counts once in a draw, and winners of this event rest for some days."),
    ),
    refusals.WonRecently: (
        _("You have won recently."),
        _("Winners of this event rest for some days, so that others win too."),
    ),
    refusals.PartnersOnly: (
        _("Tickets come from our partners."),
        _("Ask where you shop or order: they hand the tickets out."),
    ),
}

# Where an address counts once as well, nobody is told which of the two it was.
WORDS_BY_ADDRESS: notices.Words = {
    **WORDS,
    refusals.AlreadyInDraw: (
        _("You already hold a ticket."),
        _("This name, or your internet address, is in the next draw. It counts once."),
    ),
}
