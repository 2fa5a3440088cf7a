"""Rewards of many dates: from a table, or from a week to those after it. Both are shown first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from events.domain.refusals import PlanChanged
from events.domain.rewards import (
    MAX_WEEKS,
    WEEK,
    Change,
    copy_week,
    fingerprint,
    foresee_copy,
    weeks_with_rewards,
)
from events.domain.rewards_import import MAX_BYTES, Unreadable, import_rewards, read_text
from events.models import Event
from raffles.web.callers import staff

_METHODS = require_http_methods(["GET", "HEAD", "POST"])


class TableForm(forms.Form):
    """A table as a file or as text; ``text`` is what was read of either."""

    file = forms.FileField(
        required=False,
        label="A CSV file",
        widget=forms.ClearableFileInput({"accept": ".csv,text/csv,text/plain"}),
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label="Or its lines",
        max_length=MAX_BYTES,
        widget=forms.Textarea({"rows": 12, "class": "table-text", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (file := cleaned.get("file")) is not None:
            try:
                cleaned["text"] = read_text(file.read(MAX_BYTES + 1))
            except Unreadable as fault:
                self.add_error("file", str(fault))
        elif not self.errors and not cleaned.get("text", "").strip():
            raise ValidationError("Choose a file, or write the lines of the table.")
        return cleaned


class CopyForm(forms.Form):
    """Which week, and how far."""

    week = forms.TypedChoiceField(coerce=date.fromisoformat, label="The week from")
    weeks = forms.IntegerField(
        min_value=1, max_value=MAX_WEEKS, initial=1, label="To how many weeks after it"
    )

    def __init__(self, *args: Any, mondays: Sequence[date], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["week"].choices = [  # type: ignore[attr-defined]
            (f"{day}", f"{day:%a %Y-%m-%d} to {day + WEEK * 6 / 7:%a %Y-%m-%d}") for day in mondays
        ]


class ManyRewards:
    """For the ModelAdmin of events: a page for the table, and one for copying a week."""

    def get_urls(self) -> list[URLPattern]:
        """Both addresses, before those of the admin."""
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        own = [
            path("<int:pk>/import/", wrap(_METHODS(self.import_)), name="events_event_import"),
            path("<int:pk>/copy-week/", wrap(_METHODS(self.copy)), name="events_event_copy_week"),
        ]
        inherited: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return own + inherited

    def may_set_rewards(self, request: HttpRequest, event: Event) -> bool:
        """Whether the rewards of its dates are theirs to set."""
        may_change: bool = self.has_change_permission(request, event)  # type: ignore[attr-defined]
        return may_change and request.user.has_perms(("events.add_reward", "events.change_reward"))

    def import_(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shows every line of a table and what it would change; confirmed, sets all of them."""
        event = self._of_rewards(request, pk)
        form = TableForm(request.POST or None, request.FILES or None)
        context: dict[str, Any] = {"form": form}
        if request.method == "POST" and form.is_valid():
            text, now, by = form.cleaned_data["text"], timezone.now(), staff(request)
            if agreed_to := request.POST.get("agreed_to"):
                try:
                    done = import_rewards(event.pk, text, now=now, by=by, agreed_to=agreed_to)
                    if not done.bad():
                        return self._done(request, event, done.changes())
                except PlanChanged as refusal:
                    messages.error(request, str(refusal))
            table = import_rewards(event.pk, text, now=now, by=by, is_dry=True)
            # What was in a file is shown as text, to be mended there.
            mended = TableForm({"text": text})
            context |= {
                "form": mended,
                "table": table,
                "agreed_to": fingerprint(table.changes()),
                "text": text,
            }
            context |= _counted(table.changes())
        return self._page(request, event, "import_rewards", "Rewards from a table", context)

    def copy(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shows what a week's rewards would change in those after it; confirmed, copies them."""
        event = self._of_rewards(request, pk)
        mondays, now = weeks_with_rewards(event), timezone.now()
        data = request.POST or request.GET or {"week": mondays[0] if mondays else "", "weeks": 1}
        form = CopyForm(data, mondays=mondays)
        context: dict[str, Any] = {"form": form, "has_weeks": bool(mondays)}
        if mondays and form.is_valid():
            week, weeks = form.cleaned_data["week"], form.cleaned_data["weeks"]
            if request.method == "POST":
                try:
                    changes = copy_week(
                        event.pk,
                        week,
                        weeks=weeks,
                        now=now,
                        by=staff(request),
                        agreed_to=request.POST.get("agreed_to", ""),
                    )
                    return self._done(request, event, changes)
                except PlanChanged as refusal:
                    messages.error(request, str(refusal))
            changes = foresee_copy(event, week, weeks=weeks, now=now)
            context |= {"changes": changes, "agreed_to": fingerprint(changes)} | _counted(changes)
        return self._page(request, event, "copy_week", "Copy a week forward", context)

    def _of_rewards(self, request: HttpRequest, pk: int) -> Event:
        event: Event | None = self.get_object(request, str(pk))  # type: ignore[attr-defined]
        if event is None:
            raise Http404
        if not self.may_set_rewards(request, event):
            raise PermissionDenied
        return event

    def _page(
        self, request: HttpRequest, event: Event, name: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        context |= {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "opts": self.opts,  # type: ignore[attr-defined]
            "event": event,
            "page": reverse("admin:events_event_change", args=[event.pk]),
            "title": f"{title}: {event}",
            "subject": title,
            "media": self.media,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, f"admin/events/event/{name}.html", context)

    def _done(self, request: HttpRequest, event: Event, changes: list[Change]) -> HttpResponse:
        counted = _counted(changes)
        messages.success(request, f"{counted['settable']} rewards set.")
        if counted["same"]:
            messages.info(request, f"{counted['same']} dates had theirs already.")
        if left := [f"{change.day} ({change.fault})" for change in changes if change.fault]:
            messages.warning(request, f"Left as they are: {'; '.join(left)}.")
        return HttpResponseRedirect(reverse("admin:events_event_change", args=[event.pk]))


def _counted(changes: Sequence[Change]) -> dict[str, int]:
    fit = [change for change in changes if not change.fault]
    same = sum(change.is_none() for change in fit)
    return {"settable": len(fit) - same, "same": same, "left": len(changes) - len(fit)}
