"""The operator's log for people: every statement in its order, with names beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from raffles.domain.log import origin, size
from raffles.domain.witnesses.ours.named import disagreeing
from raffles.domain.witnesses.ours.summary import Summary, seen
from raffles.fairness.verify import read_statement
from raffles.models import Announcement, Draw, Pool, Privacy, Raffle
from raffles.models.announcement import AnnouncementQuerySet
from raffles.pages.page import page
from raffles.pages.reasons import shown_reason
from raffles.web.fields import text_fault

SHOWN: Final = 50  # statements a page
_FEW = 1_000  # raffles of one name
_NAMED = 3  # winners of a draw
_PROBES = 128  # statements that are looked at together for a date: three times for a million
_LARGEST = 2**53 - 1
_UNREADABLE = _("We cannot read that date. Choose a day from 1970 to 9998.")
_DAYS = (
    MinValueValidator(date(1970, 1, 1), _UNREADABLE),
    MaxValueValidator(date(9998, 12, 30), _UNREADABLE),
)


class SearchForm(forms.Form):
    """What is looked for in the log, or its draws, and the place: below or above a number."""

    name = forms.CharField(label=_("Name of a raffle or event"), max_length=200, required=False)
    until = forms.DateField(
        label=_("On that day or before"),
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": _UNREADABLE},
        validators=_DAYS,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    before = forms.IntegerField(min_value=0, max_value=_LARGEST, required=False)
    after = forms.IntegerField(min_value=0, max_value=_LARGEST, required=False)

    def clean_name(self) -> str:
        return visible(self.cleaned_data["name"])


def visible(text: str) -> str:
    """Return a text that may be looked for. Raises ValidationError."""
    if text and text_fault(text):
        raise forms.ValidationError(_("Write it with visible characters alone."))
    return text


@dataclass(frozen=True, slots=True)
class Line:
    """A statement and what stands beside it; ``name`` is empty where none is kept.

    ``hash`` is what it binds: a key, the commitment's hash, the randomness, the reason's.
    """

    said: dict[str, Any]
    at: datetime
    beside: dict[str, Any]
    raffle: Raffle | None
    seen: Summary | None

    @property
    def name(self) -> str:
        return self.raffle.name if self.raffle else self.beside.get("name", "")

    @property
    def reason(self) -> str:
        return shown_reason(self.beside.get("reason", ""))

    @property
    def hash(self) -> str:
        members = ("public_key", "randomness", "reason_hash", "commitment_hash", "raffle_id")
        return next(str(self.said[member]) for member in members if member in self.said)

    @property
    def winners(self) -> list[tuple[int, str | None]]:
        """The first numbers drawn with whom they were of; None is a name that was forgotten."""
        if self.said["kind"] != "drawn" or self.raffle is None or not self.raffle.event_slug:
            return []
        shows_names = self.raffle.privacy != Privacy.NUMBER
        return [
            (winner["ticket_number"], winner.get("username") if shows_names else "")
            for winner in self.beside.get("winners", ())[:_NAMED]
        ]


@require_safe
@page
def log(request: HttpRequest) -> HttpResponse:
    """A page of statements, the latest first; 400 with a sentence for what cannot be looked for."""
    form = SearchForm(request.GET)
    context: dict[str, Any] = {"form": form, "origin": origin(), "size": size()}
    context["disagreeing"] = disagreeing()
    if not form.is_valid():
        return render(request, "raffles/log.html", context, status=400)
    asked = form.cleaned_data
    rows, has_newer, has_older = page_of(Announcement.objects.all(), asked)
    context |= {
        "lines": _lines(rows),
        "is_search": bool(asked["name"]),
        "asked": {name: value for name, value in asked.items() if value not in (None, "")},
        "newer": rows[0].sequence - 1 if has_newer else None,
        "older": rows[-1].sequence - 1 if has_older else None,
    }
    return render(request, "raffles/log.html", context)


def page_of(
    statements: AnnouncementQuerySet, asked: dict[str, Any], shown: int = SHOWN
) -> tuple[list[Announcement], bool, bool]:
    """Return those looked for, latest first, and whether there are newer and older ones."""
    found = _found(statements, asked)
    before, after = asked["before"], asked["after"]
    if before is None and after is not None:
        rows = list(found.filter(sequence__gt=after + 1).order_by("sequence")[: shown + 1])
        has_newer = len(rows) > shown
        return rows[:shown][::-1], has_newer, bool(rows)
    if before is not None:
        found = found.filter(sequence__lte=before)
    rows = list(found.order_by("-sequence")[: shown + 1])
    return rows[:shown], before is not None and bool(rows), len(rows) > shown


def _found(statements: AnnouncementQuerySet, asked: dict[str, Any]) -> AnnouncementQuerySet:
    found = statements.select_related("raffle")
    if asked["name"]:
        raffles = Raffle.objects.filter(name__icontains=asked["name"]).order_by()
        few = list(raffles.values_list("pk", flat=True)[: _FEW + 1])
        # Of a date that nobody came to there is no raffle, only what stands beside.
        unopened = Q(raffle=None, payload__name__icontains=asked["name"])
        # A few are looked up one by one; of many, some are found soon from the end of the list.
        named = Q(raffle__name__icontains=asked["name"])
        found = found.filter((Q(raffle__in=few) if len(few) <= _FEW else named) | unopened)
    if asked["until"]:
        end = datetime.combine(asked["until"] + timedelta(days=1), time.min)
        first = _first_from(int(timezone.make_aware(end).timestamp()))
        found = found.filter(sequence__lte=first)
    return found


def _first_from(moment: int) -> int:
    """Return the number of the first statement at that UNIX second or later.

    Times never fall from one statement to the next, so that a few looks at many places find it.
    """
    low, high = 0, size()
    while low < high:
        step = -(-(high - low) // _PROBES)
        probes = [min(low + step * i, high) for i in range(1, _PROBES + 1)]
        rows = Announcement.objects.filter(sequence__in=probes)
        times = {
            row.sequence: read_statement(bytes(row.statement))["at"]
            for row in rows.only("sequence", "statement")
        }
        earlier = [sequence for sequence in times if times[sequence] < moment]
        later = [sequence for sequence in times if times[sequence] >= moment]
        low, high = max(earlier, default=low), min(later, default=high + 1) - 1
    return low


def _lines(rows: Sequence[Announcement]) -> list[Line]:
    """Put beside each statement what is known of it, in two queries for all."""
    seals = [row.raffle for row in rows if row.kind == Announcement.Kind.SEALED]
    draws = Draw.objects.filter(raffle__in=seals, drawn_at__isnull=False)
    drawn = draws.prefetch_related(
        Prefetch("raffle", Raffle.objects.prefetch_related("prizes")),
        Prefetch("raffle__pool", Pool.objects.defer("levels")),
    )
    witnessed = {draw.statement: seen(draw) for draw in drawn}
    return [
        Line(
            said := read_statement(bytes(row.statement)),
            datetime.fromtimestamp(said["at"], timezone.get_current_timezone()),
            row.payload,
            row.raffle,
            witnessed.get(said["n"]),
        )
        for row in rows
    ]
