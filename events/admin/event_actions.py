"""Pausing, resuming and duplicating an event, each with a confirmation page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.utils.translation import gettext_lazy as _

from events.domain.calendar import ComingDraw, coming_draws
from events.domain.refusals import SlugTaken
from events.domain.rewards import coming_rewards, duplicate_event, name_of_copy, slug_of_copy
from events.domain.scheduling import Unfit, edit_event, end_event, first_free
from events.models import Event
from events.models.event import RESERVED, SLUG_IS_RESERVED
from raffles.admin.actions import ConfirmedAction, Performed
from raffles.admin.widgets import DayInput
from raffles.web.fields import ReadableField
from raffles.web.formats import WEEKDAY, grouped


class DuplicateForm(forms.Form):
    """What distinguishes the copy from the event."""

    name = ReadableField(label=_("Name"), max_length=180)
    slug = forms.SlugField(
        label=_("Slug"), max_length=50, help_text=_("Part of its address; it can't be changed.")
    )
    has_rewards = forms.BooleanField(
        required=False, label=_("With the rewards of the coming dates"), initial=True
    )
    is_paused = forms.BooleanField(
        required=False,
        label=_("Paused at first"),
        initial=True,
        help_text=_("Nobody takes part until you have looked it over and resume it."),
    )

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug in RESERVED:
            raise ValidationError(gettext(SLUG_IS_RESERVED))
        if Event.objects.filter(slug=slug).exists():
            raise ValidationError(str(SlugTaken()))
        return slug


def _preview_pause(event: Event) -> Iterator[str]:
    yield gettext(
        "No new date comes until you resume it, and those in between are not made up for."
    )
    event.paused_at = timezone.now()
    kept = False
    for draw in _next(event, 30):
        kept = True
        left = draw.max_participants - draw.participants()
        when = draw.shown(WEEKDAY)
        said = _("It has tickets, so it goes on: %(when)s. %(left)s tickets are left until then.")
        yield said % {"when": when, "left": grouped(left)}
    if kept:
        yield gettext("Who asks for a ticket after that is told that there is none to be had.")
    else:
        yield gettext("Who asks for a ticket is told that there is none to be had.")


def _pause(event: Event, *, now: datetime, by: str) -> Performed:
    kept = edit_event(event.pk, {"paused": True}, now=now, by=by)[1]
    dates = ", ".join(str(row.date) for row in kept)
    said = _("%(event)s is paused.") % {"event": event}
    if kept:
        still = _("Dates with tickets are drawn as they stood: %(dates)s.") % {"dates": dates}
        said = f"{said} {still}"
    return Performed(said)


def _preview_resume(event: Event) -> Iterator[str]:
    event.paused_at = None
    event.settled_until = timezone.now()
    for draw in _next(event, 1):
        coming = {"when": draw.shown(WEEKDAY), "reward": draw.reward.reward_name}
        yield _("The next draw: %(when)s, %(reward)s.") % coming
        break
    else:
        yield gettext("No date comes any more: change the schedule afterwards.")
    yield gettext("The dates of the pause do not come back.")


def _resume(event: Event, *, now: datetime, by: str) -> Performed:
    edit_event(event.pk, {"paused": False}, now=now, by=by)
    return Performed(_("%(event)s is resumed.") % {"event": event})


class EndForm(forms.Form):
    """After which date no other comes."""

    last = forms.DateField(
        required=False,
        widget=DayInput,
        label=gettext_lazy("The last date"),
        help_text=gettext_lazy("Empty: no further date comes from now on."),
    )


def _preview_end(event: Event) -> Iterator[str]:
    yield gettext(
        "No date comes after the last one: nobody gets a ticket for it, and nothing is drawn."
    )
    with_tickets = [draw for draw in _next(event, 30) if draw.occurrence]
    for draw in with_tickets:
        issued = draw.participants()
        yield ngettext(
            "%(when)s is drawn all the same, whatever you choose: it has %(issued)s ticket, and "
            "%(left)s are left until then.",
            "%(when)s is drawn all the same, whatever you choose: it has %(issued)s tickets, and "
            "%(left)s are left until then.",
            issued,
        ) % {
            "when": draw.shown(WEEKDAY),
            "issued": f"{issued:,}",
            "left": f"{draw.max_participants - issued:,}",
        }
    if with_tickets:
        yield gettext("To call such a date off, void its raffle, with a public reason.")
    else:
        yield gettext("No date that is still to come has tickets.")
    yield gettext(
        "Past draws, winners and the page of the event stay. Rewards of later dates are kept, "
        "should you choose a later last date in the form."
    )


def _end(event: Event, *, now: datetime, by: str, last: date | None) -> Performed:
    try:
        ended, kept = end_event(event.pk, last, now=now, by=by)
    except Unfit as unfit:
        raise ValidationError({"last": unfit.errors["until"]}) from unfit
    sentence = _("%(event)s ends: %(day)s is its last day.") % {"event": ended, "day": ended.until}
    if dates := ", ".join(str(row.date) for row in kept):
        sentence += " " + _("Dates with tickets are drawn as they stood: %s.") % dates
    return Performed(sentence)


def _preview_duplicate(event: Event) -> Iterator[str]:
    count = len(coming_rewards(event, timezone.now()))
    said = _("A new event on the terms of %(event)s: schedule, default reward, rules and claiming.")
    yield said % {"event": event}
    said = _("%(count)s coming dates have a reward of their own, which may come with it.")
    yield said % {"count": count}
    yield gettext("Tickets, draws and winners stay where they are.")


def _duplicate(event: Event, *, now: datetime, by: str, **wanted: Any) -> Performed:
    made = duplicate_event(event.pk, now=now, by=by, **wanted)
    set_ = sum(not change.fault for change in made.rewards)
    left = ", ".join(f"{change.day}" for change in made.rewards if change.fault)
    said = [_("%(event)s is made.") % {"event": made.event}]
    if wanted["has_rewards"]:
        said.append(_("%(count)s rewards came with it.") % {"count": set_})
    if left:
        said.append(_("Left out, because it has no such date: %(dates)s.") % {"dates": left})
    if wanted["is_paused"]:
        said.append(gettext("It is paused."))
    page = reverse("admin:events_event_change", args=[made.event.pk])
    return Performed(" ".join(said), page)


def _next(event: Event, each: int) -> list[ComingDraw]:
    return coming_draws([event], now=timezone.now(), each=each)


PAUSE = ConfirmedAction(
    name="pause",
    label=_("Pause"),
    permissions=("events.change_event",),
    preview=lambda event: list(_preview_pause(event)),
    perform=_pause,
    is_offered=lambda event: event.paused_at is None,
)
RESUME = ConfirmedAction(
    name="resume",
    label=_("Resume"),
    permissions=("events.change_event",),
    preview=lambda event: list(_preview_resume(event)),
    perform=_resume,
    is_offered=lambda event: event.paused_at is not None,
)
END = ConfirmedAction(
    name="end",
    label=gettext_lazy("End"),
    permissions=("events.change_event",),
    preview=lambda event: list(_preview_end(event)),
    perform=_end,
    form=EndForm,
    is_offered=lambda event: first_free(event, timezone.now()) is not None,
)
DUPLICATE = ConfirmedAction(
    name="duplicate",
    label=_("Duplicate"),
    permissions=("events.add_event",),
    preview=lambda event: list(_preview_duplicate(event)),
    perform=_duplicate,
    form=DuplicateForm,
    initial=lambda event: {"name": name_of_copy(event), "slug": slug_of_copy(event)},
)
