"""A new draw from a list: the table is checked line by line, and drawn once that is confirmed.

What the table says is kept nowhere, so each step sends it again; the raffle is the same however
often it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from io import StringIO
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ViewPage
from raffles.admin.exports import EXPORT, download
from raffles.admin.raffle_actions import Stopped, perform_draw
from raffles.admin.rules_field import RulesField
from raffles.admin.table_form import TableForm
from raffles.domain.clock import acting_time
from raffles.domain.entering_lists import check_list, create_from_list, request_for
from raffles.domain.exports import (
    export_links_of_list,
    export_winners_of_list,
    winners_of_list,
)
from raffles.domain.reading_lists import Line, read_list, read_prizes
from raffles.domain.refusals import AlreadyDrawn, BadLines, Refusal, TooManyPrizes
from raffles.models import Entropy, Privacy, Raffle, State
from raffles.models.raffle import HOLDER_TERMS, MAX_A_HOLDER, MAX_ALTERNATES
from raffles.pages.reasons import shown_reason
from raffles.web.callers import staff
from raffles.web.fields import ReadableField
from raffles.web.tables import read_heading

_SHOWN = 10  # entrants of a preview
_STEPS = frozenset({"enter", "draw", "links", "winners"})
_MOST = 500_000  # tickets that are entered while somebody waits for the page
# Columns by the field that chooses them.
_CHOSEN = {
    "holder": "holder",
    "name_column": "name",
    "tickets_column": "tickets",
    "channel_column": "channel",
}


class ListForm(TableForm):
    """A table, what its columns mean, and the terms of its draw."""

    most = 2_000_000

    holder = forms.CharField(
        required=False,
        label=_("What tells entrants apart"),
        help_text=_(
            "A customer's number, an e-mail address: no two lines have the same. "
            "The column holder, or the one that you choose once the table is read."
        ),
    )
    name_column = forms.CharField(required=False, label=_("Their name"))
    tickets_column = forms.CharField(
        required=False,
        label=_("How many tickets they have"),
        help_text=_("Each is a chance of its own. Without a column, one each."),
    )
    channel_column = forms.CharField(
        required=False,
        label=_("By which way they came"),
        help_text=_(
            "Counted in public. The column says online, paid, free, postal, paper, partner or list."
        ),
    )
    name = ReadableField(
        max_length=200,
        label=_("Name of the draw"),
        help_text=_("In public. The same table under another name is another draw."),
    )
    prizes = forms.CharField(
        label=_("Prizes"),
        max_length=10_000,
        help_text=_("In order of rank: 1 Phone, 3 Mug"),
    )
    alternates = forms.IntegerField(
        min_value=0, max_value=MAX_ALTERNATES, initial=10, label=_("Alternates")
    )
    tickets_per_holder = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_A_HOLDER,
        label=_("At most, tickets for one of them"),
        help_text=_("Empty: as many as the one who has most of them."),
    )
    max_wins_per_holder = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_A_HOLDER,
        label=_("At most, wins of one of them"),
        help_text=_("As an alternate too. Empty: no limit beyond one prize a ticket."),
    )
    entropy = forms.ChoiceField(
        choices=Entropy.choices, initial=lambda: settings.DRAW_ENTROPY, label=_("Randomness")
    )
    privacy = forms.ChoiceField(
        choices=Privacy.choices,
        initial=Privacy.NUMBER,
        label=_("In public"),
        help_text=_("Names are kept where they are shown, and nowhere else."),
    )

    rules = RulesField(
        _(
            "Under which they came to stand on the list. Plain text, in public; its fingerprint is "
            "in the signed terms. Empty: no rules."
        )
    )

    field_order = ("file", "text")

    def clean_prizes(self) -> list[list[Any]]:
        try:
            return [list(prize) for prize in read_prizes(self.cleaned_data["prizes"])]
        except ValueError as fault:
            raise ValidationError(str(fault)) from fault

    def offer(self, headings: list[str]) -> None:
        """Let the columns be chosen among those of the table."""
        for name, column in _CHOSEN.items():
            usual = (
                gettext("the column %(name)s") % {"name": column}
                if column in map(str.casefold, headings)
                else "—"
            )
            choices = [("", usual), *((heading, heading) for heading in headings)]
            self.fields[name].widget = forms.Select(choices=choices)

    def called(self) -> dict[str, str]:
        """Return the columns that the table calls something else."""
        chosen = {column: self.cleaned_data[name] for name, column in _CHOSEN.items()}
        return {column: heading for column, heading in chosen.items() if heading}


def draw_own_list(request: HttpRequest, admin: AdminPages) -> HttpResponseBase:
    """Check the table and show what would be drawn; once confirmed, enter it and draw it.

    The `step` is what was confirmed: to `enter` only, to `draw` what may be entered already, or to
    save the personal `links` or the `winners`.
    """
    if request.POST.get("step") == "links" and not request.user.has_perms(EXPORT.permissions):
        raise PermissionDenied
    form = ListForm(request.POST or None, request.FILES or None)
    form.offer([])  # until there is a table
    context: dict[str, Any] = {}
    if form.is_bound:
        form.is_valid()
        text, encoding = map(form.cleaned_data.get, ("text", "encoding"))
        if request.FILES and text:
            # From now on the contents of the file are text, to be corrected there.
            form = ListForm(request.POST.dict() | {"text": text})
        context = {"encoding": encoding, "chosen": bool(text)}
        form.offer(read_heading(StringIO(text or "", newline="")))
        if form.is_valid():
            context |= (
                _drawn(request, form) if request.POST.get("step") in _STEPS else _checked(form)
            )
        for field, fault in context.get("faults", {}).items():
            form.add_error(field, fault)
    if (raffle := context.get("raffle")) and (file := _saved(request, form, raffle)):
        return file
    status = 400 if form.errors or context.get("bad") else 200
    template, label = "admin/raffles/own_list.html", OWN_LIST.label
    return admin.render(request, template, label, None, {"form": form, **context}, status)


def _saved(request: HttpRequest, form: ListForm, raffle: Raffle) -> HttpResponseBase | None:
    """Return the table that was asked for; None for a page."""
    by: dict[str, Any] = {"now": timezone.now(), "by": staff(request)}
    step = request.POST["step"]
    if step == "winners" and raffle.is_drawn:
        pieces = export_winners_of_list(raffle.uuid, _lines(form), **by)
        return download(pieces, f"winners-{raffle.uuid}", "csv")
    if step == "links" and raffle.state != State.VOID:
        pieces = export_links_of_list(raffle.uuid, _lines(form), **by)
        return download(pieces, f"entries-{raffle.uuid}", "csv")
    return None


def _lines(form: ListForm) -> Iterator[Line]:
    text = form.cleaned_data["text"]
    return read_list(StringIO(text, newline=""), form.called())


def _checked(form: ListForm) -> dict[str, Any]:
    """Return what would be drawn, or what is wrong with it."""
    prizes = sum(amount for _, amount in form.cleaned_data["prizes"])
    try:
        most = form.cleaned_data["tickets_per_holder"]
        summary = check_list(_lines(form), tickets_per_holder=most, most=_MOST, now=acting_time())
    except BadLines as bad:
        return _bad(form, bad)
    if prizes > summary.tickets:
        return {"faults": {"prizes": TooManyPrizes.sentence}}
    first = [line for line, _ in zip(_lines(form), range(_SHOWN), strict=False)]
    more = summary.entrants - len(first)
    return {"summary": summary, "first": first, "more": more, "prizes": prizes}


def _bad(form: ListForm, bad: BadLines) -> dict[str, Any]:
    lines = list(StringIO(form.cleaned_data["text"], newline=""))
    headings = set(map(str.casefold, read_heading(lines)))
    is_table = not lines[0].lstrip().startswith("{")
    if is_table and form.called().get("holder", "holder").casefold() not in headings:
        return {"faults": {"holder": gettext("Choose the column that tells entrants apart.")}}
    told = [(number, lines[number - 1].strip(), fault) for number, fault in bad.faults]
    return {"bad": told, "bad_count": bad.count}


def _drawn(request: HttpRequest, form: ListForm) -> dict[str, Any]:
    """Make the raffle, or find it, and take it as far as is possible now."""
    names = ("name", "prizes", "alternates", "entropy", "privacy")
    terms = {name: form.cleaned_data[name] for name in names}
    terms |= {name: said for name in (*HOLDER_TERMS, "rules") if (said := form.cleaned_data[name])}
    # A browser may send other line breaks than the file had.
    text = "\n".join(form.cleaned_data["text"].splitlines())
    asked = request_for(sha256(text.encode()).hexdigest(), columns=form.called(), terms=terms)
    by: dict[str, Any] = {"now": acting_time(), "by": staff(request)}
    try:
        raffle = create_from_list(_lines(form), request=asked, terms=terms, most=_MOST, **by)
        if raffle.is_finished:
            said = shown_reason(raffle.void_reason)
        elif request.POST["step"] in ("enter", "links"):
            said = gettext("All of them are entered, and nothing is drawn yet.")
        else:
            said = perform_draw(raffle, **by).message
    except BadLines as bad:
        return _bad(form, bad)
    except Stopped as stopped:
        said = str(stopped)
    except AlreadyDrawn:
        said = ""  # by a second click
    except Refusal as refusal:
        return {"faults": {None: str(refusal)}}
    raffle = Raffle.objects.get(pk=raffle.pk)
    winners = list(winners_of_list(raffle, _lines(form))) if raffle.is_drawn else []
    return {"raffle": raffle, "said": said, "winners": winners}


OWN_LIST = ViewPage(
    name="own_list",
    label=_("New draw from a list"),
    permissions=("raffles.add_raffle", "raffles.run_raffle"),
    is_of_object=False,
    view=draw_own_list,
)
