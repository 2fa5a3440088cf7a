"""Rewards of many dates, from a table or copied from one week to the next; previewed first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.domain.refusals import PlanChanged
from events.domain.rewards import (
    MAX_WEEKS,
    WEEK,
    Change,
    copy_week,
    fingerprint,
    preview_copy,
    weeks_with_rewards,
)
from events.domain.rewards_import import MAX_BYTES, import_rewards, rewards_table
from events.models import Event
from raffles.admin.actions import AdminPages, ViewPage
from raffles.admin.exports import download
from raffles.admin.table_form import TableForm
from raffles.domain.clock import acting_time
from raffles.web.callers import staff
from raffles.web.formats import weekday


class RewardsForm(TableForm):
    """A table of rewards, and how its dates are meant."""

    most = MAX_BYTES
    order = forms.ChoiceField(
        required=False,
        label=_("A date such as 02/10/2027 is"),
        choices=[("", _("not in the table")), ("day", _("2 October")), ("month", _("10 February"))],
    )


class CopyForm(forms.Form):
    """Which week to copy, and to how many weeks."""

    weeks = forms.IntegerField(
        min_value=1, max_value=MAX_WEEKS, initial=1, label=_("To how many weeks after it")
    )

    def __init__(self, *args: Any, mondays: Sequence[date], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        between = gettext("%(first)s to %(last)s")
        choices = [
            (f"{day}", between % {"first": weekday(day), "last": weekday(day + WEEK * 6 / 7)})
            for day in mondays
        ]
        self.fields["week"] = forms.TypedChoiceField(
            coerce=date.fromisoformat, choices=choices, label=_("The week from")
        )
        self.order_fields(["week", "weeks"])


def import_table(request: HttpRequest, admin: AdminPages, event: Event) -> HttpResponseBase:
    """Preview each line of a table; once confirmed, set all of them.

    `?file=rewards` downloads the coming rewards as a table: without any, it is the template.
    """
    if request.GET.get("file") == "rewards":
        return download(rewards_table(event, timezone.now()), f"rewards-{event.slug}", "csv")
    form = RewardsForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        text, order = form.cleaned_data["text"], form.cleaned_data["order"]
        now, by = acting_time(), staff(request)
        if agreed_to := request.POST.get("agreed_to"):
            try:
                done = import_rewards(
                    event.pk, text, now=now, by=by, order=order, agreed_to=agreed_to
                )
                if not done.bad():
                    return _done(request, admin, event, done.changes())
            except PlanChanged as refusal:
                messages.error(request, str(refusal))
        table = import_rewards(event.pk, text, now=now, by=by, order=order, is_dry=True)
        # The contents of a file are shown as text, to be corrected there.
        order = table.order or ""
        context = {"form": RewardsForm({"text": text, "order": order}), "table": table}
        context |= {"text": text, "order": order, "encoding": form.cleaned_data.get("encoding")}
        context |= _counted(table.changes())
    template = "admin/events/event/import_rewards.html"
    return admin.render(request, template, gettext("Rewards from a table"), event, context)


def copy_forward(request: HttpRequest, admin: AdminPages, event: Event) -> HttpResponse:
    """Preview the copies of a week's rewards; once confirmed, set them."""
    mondays, now = weeks_with_rewards(event), timezone.now()
    data = request.POST or request.GET or {"week": mondays[0] if mondays else "", "weeks": 1}
    form = CopyForm(data, mondays=mondays)
    context: dict[str, Any] = {"form": form, "has_weeks": bool(mondays)}
    if mondays and form.is_valid():
        week, weeks = form.cleaned_data["week"], form.cleaned_data["weeks"]
        if request.method == "POST":
            agreed_to, by = request.POST.get("agreed_to", ""), staff(request)
            try:
                changes = copy_week(
                    event.pk, week, weeks=weeks, now=now, by=by, agreed_to=agreed_to
                )
                return _done(request, admin, event, changes)
            except PlanChanged as refusal:
                messages.error(request, str(refusal))
        context |= _counted(preview_copy(event, week, weeks=weeks, now=now))
    template = "admin/events/event/copy_week.html"
    return admin.render(request, template, gettext("Copy a week forward"), event, context)


def _done(
    request: HttpRequest, admin: AdminPages, event: Event, changes: list[Change]
) -> HttpResponse:
    counted = _counted(changes)
    messages.success(request, _("%(count)s rewards set.") % {"count": counted["settable"]})
    if counted["same"]:
        said = _("%(count)s dates had theirs already.")
        messages.info(request, said % {"count": counted["same"]})
    if left := [f"{change.day} ({change.fault})" for change in changes if change.fault]:
        messages.warning(request, _("Left as they are: %(dates)s.") % {"dates": "; ".join(left)})
    return admin.to_object(event)


def _counted(changes: Sequence[Change]) -> dict[str, Any]:
    """Return the changes, their fingerprint, and their number by outcome."""
    fit = [change for change in changes if not change.fault]
    same = sum(change.is_none() for change in fit)
    return {
        "changes": changes,
        "agreed_to": fingerprint(changes),
        "settable": len(fit) - same,
        "same": same,
        "left": len(changes) - len(fit),
    }


_MAY_SET = ("events.change_event", "events.add_reward", "events.change_reward")
IMPORT = ViewPage(name="import", label=_("Import rewards"), permissions=_MAY_SET, view=import_table)
COPY_WEEK = ViewPage(
    name="copy_week", label=_("Copy a week"), permissions=_MAY_SET, view=copy_forward
)
