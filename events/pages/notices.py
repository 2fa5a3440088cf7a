"""Events' refusals in the visitor's words, together with those of raffles."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from events.domain import refusals
from events.domain.calendar import ComingDraw
from events.models import Event
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

# Where a name may have several tickets.
SEVERAL: notices.Words = {
    **WORDS,
    refusals.AlreadyInDraw: (
        _("This name has all its tickets."),
        _(
            "A name gets no more in a draw. If it is not you, add what tells you apart, such as "
            "the first letter of your surname."
        ),
    ),
    refusals.AlreadyInOrResting: (
        _("You already hold all your tickets, or rest."),
        _("A name gets no more in a draw, and winners of this event rest for some days."),
    ),
}

# Where an address counts once as well, nobody is told which of the two it was.
BY_ADDRESS: notices.Words = {
    **WORDS,
    refusals.AlreadyInDraw: (
        _("You already hold a ticket."),
        _("This name, or your internet address, is in the next draw. It counts once."),
    ),
}
SEVERAL_BY_ADDRESS: notices.Words = {
    **SEVERAL,
    refusals.AlreadyInDraw: (
        _("You already hold your tickets."),
        _(
            "This name has all its tickets of the next draw, or your internet address has brought "
            "another name into it."
        ),
    ),
}


def words_of(event: Event, draw: ComingDraw | None) -> notices.Words:
    """Return the words in which the page of an event refuses tickets to its next draw."""
    is_several = (draw.terms() if draw else event).tickets_per_holder > 1
    if event.one_per_address:
        return SEVERAL_BY_ADDRESS if is_several else BY_ADDRESS
    return SEVERAL if is_several else WORDS
