"""Downloads from the back office: tables and evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ViewPage, posted_again
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import (
    export_entries,
    export_record,
    export_winners,
    export_winners_of_event,
)
from raffles.domain.refusals import Refusal
from raffles.models import FINISHED, Raffle, State
from raffles.web.callers import staff

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

FULL_NAMES = "raffles.view_ticket"

_LAST_DAY = date.max - timedelta(days=1)
_MOST = 40  # characters of a raffle's name in a file name


class Export(NamedTuple):
    """A file about a raffle; `write(uuid, now=, by=)` returns its pieces or raises a Refusal."""

    name: str
    label: StrOrPromise
    about: StrOrPromise
    write: Callable[..., Iterator[str] | Iterator[bytes]]
    states: Sequence[str]
    has_names: bool = False
    kind: str = "csv"


EXPORTS = (
    Export(
        "winners",
        _("Winners"),
        _("A row for each rank, alternates too: prize, ticket number, what became of it."),
        export_winners,
        [State.DRAWN],
        has_names=True,
    ),
    Export(
        "entries",
        _("Entries"),
        _("A row for each ticket: number, when it was issued, who entered. No codes."),
        export_entries,
        State.values,
        has_names=True,
    ),
    Export(
        "record",
        _("Record"),
        _("Who changed what, when and why."),
        export_record,
        State.values,
    ),
    Export(
        "evidence",
        _("Evidence"),
        _(
            "For somebody who has to look into it: commitments, proof, keys, verifier, "
            "replacements and record in one archive that is the same whenever it is made."
        ),
        export_evidence,
        list(FINISHED),
        kind="zip",
    ),
)
_TYPES = {"csv": "text/csv; charset=utf-8", "zip": "application/zip"}


class WinnersOfEventForm(forms.Form):
    """An event and a period, both days inclusive."""

    event = forms.SlugField(
        label=_("Event"),
        max_length=50,
        help_text=_("The last part of the event's address, such as morning."),
    )
    since = forms.DateField(
        label=_("Drawn from"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("Drawn to"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Both days inclusive, in UTC."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "since" in cleaned and "until" in cleaned and cleaned["until"] < cleaned["since"]:
            raise ValidationError(_("The last day comes before the first."))
        return cleaned


def export_raffle(request: HttpRequest, admin: AdminPages, raffle: Raffle) -> HttpResponseBase:
    """List a raffle's files; a POST downloads one and records that."""
    offered = {export.name: export for export in EXPORTS if raffle.state in export.states}
    if request.method != "POST":
        context = {"exports": offered.values(), "names": _names(request, raffle)}
        return admin.render(
            request, "admin/raffles/export.html", gettext("Export"), raffle, context
        )
    export = offered.get(request.POST.get("what", ""))
    if export is None:
        return posted_again(request, gettext("There is no such file of this raffle."))
    how = {"full_names": request.user.has_perm(FULL_NAMES)} if export.has_names else {}
    try:
        pieces = export.write(raffle.uuid, **how, now=timezone.now(), by=staff(request))
    except Refusal as refusal:
        return posted_again(request, str(refusal))
    of = f"{slugify(raffle.name)[:_MOST] or 'raffle'}-{str(raffle.uuid)[:8]}"
    return download(pieces, f"{of}-{export.name}", export.kind)


def export_everything(request: HttpRequest, admin: AdminPages) -> HttpResponseBase:
    """Export the winners of an event in a period, or the whole record."""
    by: dict[str, Any] = {"now": timezone.now(), "by": staff(request)}
    what = request.POST.get("what")
    if what == "record":
        return download(export_record(None, **by), "record", "csv")
    form = WinnersOfEventForm(request.POST if what else None, initial=_last_week(request))
    if form.is_valid():
        event, since, until = (form.cleaned_data[name] for name in ("event", "since", "until"))
        behind = min(until, _LAST_DAY) + timedelta(days=1)
        period: dict[str, Any] = {"since": _midnight(since), "until": _midnight(behind)}
        names = request.user.has_perm(FULL_NAMES)
        try:
            pieces = export_winners_of_event(event, **period, **by, full_names=names)
        except Refusal:
            form.add_error(None, gettext("This event drew nothing in that time."))
        else:
            return download(pieces, f"{event}-winners-{since}-{until}", "csv")
    status = 400 if request.method == "POST" else 200
    template = "admin/raffles/export_everything.html"
    return admin.render(request, template, gettext("Export"), None, {"form": form}, status)


EXPORT = ViewPage(
    name="export", label=_("Export"), permissions=("raffles.export_raffle",), view=export_raffle
)
EXPORT_EVERYTHING = ViewPage(
    name="exports",
    address="export",
    is_of_object=False,
    permissions=EXPORT.permissions,
    view=export_everything,
)


def download(
    pieces: Iterator[str] | Iterator[bytes], name: str, kind: str
) -> StreamingHttpResponse:
    """Return a streamed download; `name` holds letters, digits and hyphens only."""
    response = StreamingHttpResponse(pieces, content_type=_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _names(request: HttpRequest, raffle: Raffle) -> str:
    if not raffle.keeps_names:
        return ""
    if request.user.has_perm(FULL_NAMES):
        return gettext("Names are as they were entered.")
    return gettext("Names are as the draw shows them to everybody.")


def _last_week(request: HttpRequest) -> dict[str, Any]:
    today = timezone.now().astimezone(UTC).date()
    return {
        "event": request.GET.get("event", "")[:50],
        "since": today - timedelta(days=7),
        "until": today,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
