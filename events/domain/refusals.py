"""The calendar's refusals, worded for the draw rather than for its raffle."""

from __future__ import annotations

from datetime import date

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from events.models.event import TOO_MANY_REWARDS
from raffles.domain.refusals import AlreadyEntered, Kind, Refusal, SoldOut


class DrawFull(SoldOut):
    """Every ticket of the date has been handed out."""

    sentence = _("Tickets to this draw are no longer available")


class NoDraw(DrawFull):
    """The event is over or paused: it has no date to enter."""

    code = "no_draw"


class AlreadyInDraw(AlreadyEntered):
    """The user, the order, or where it counts the address, already has a ticket."""

    sentence = _("You have already participated in this draw")


class AlreadyInOrResting(AlreadyInDraw):
    """They have a ticket or won recently: where names are hidden, the answer is the same."""

    sentence = _("You have already participated in this draw, or won recently")


class WonRecently(Refusal):
    """The user won recently, and winners of this event rest for some days."""

    kind = Kind.FORBIDDEN
    code = "won_recently"
    sentence = _("You have won recently")

    def __init__(self, again_on: date) -> None:
        super().__init__(again_on)
        self.again_on = again_on

    def __str__(self) -> str:
        said = gettext("You have won recently and can take part again from %(day)s")
        return said % {"day": self.again_on}


class PartnersOnly(Refusal):
    """Tickets to this draw are handed out by partners."""

    kind = Kind.FORBIDDEN
    code = "partners_only"
    sentence = _("An API key is needed to take part in this draw")


class RewardFrozen(Refusal):
    """The date has tickets or is over, so its reward is fixed."""

    kind = Kind.CONFLICT
    code = "reward_frozen"
    sentence = _("The date has tickets or is over, so its reward can't be changed")


class NoSuchDate(Refusal):
    """The schedule has no such date in the future."""

    kind = Kind.MISSING
    code = "no_such_date"
    sentence = _("The event has no coming draw on this date")


class RewardTooLarge(Refusal):
    """There are fewer tickets than rewards."""

    kind = Kind.INVALID
    code = "reward_too_large"
    sentence = TOO_MANY_REWARDS


class SlugTaken(Refusal):
    """Another event has this slug."""

    kind = Kind.CONFLICT
    code = "slug_taken"
    sentence = _("Another event has this slug")


class DatesLeft(Refusal):
    """More dates came without tickets than are called off without being asked."""

    kind = Kind.CONFLICT
    code = "dates_left"
    sentence = _(
        "%(count)s dates of %(event)s came without tickets, the first %(day)s: see that the clock"
        " is right, then run draw_winners --catch-up, which calls them off."
    )

    def __init__(self, event: str, count: int, day: date) -> None:
        super().__init__(event, count, day)
        self.facts = {"event": event, "count": count, "day": day}

    def __str__(self) -> str:
        return gettext(self.sentence) % self.facts


class PlanChanged(Refusal):
    """The result would differ from what was previewed and agreed to."""

    code = "plan_changed"
    sentence = _("Something has changed since you looked; look again and confirm")
