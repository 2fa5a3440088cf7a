"""Invitations in the back office: codes as letters to print and as a table, shown once."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from raffles.admin.actions import AdminPages, ViewPage, posted_again
from raffles.domain.clock import acting_time
from raffles.domain.exports import table
from raffles.domain.inviting import (
    MAX_BATCH,
    batches_of,
    link_to,
    make_invitations,
    withdraw,
    withdraw_one,
)
from raffles.domain.refusals import Refusal
from raffles.models import Channel, EntryMode, Raffle, State
from raffles.pages.card import qr
from raffles.web.callers import staff
from raffles.web.formats import as_sentence, clock, grouped
from raffles.web.languages import in_language_of

_SHEET = 10  # invitations on a sheet, as in print.css
_COLUMNS = ("n", "code", "link", "tickets", "channel")


class InvitationsForm(forms.Form):
    """How many codes, and what each is for; with the same `batch` they are the same codes."""

    amount = forms.IntegerField(
        min_value=1, max_value=MAX_BATCH, initial=10, label=_("Invitations")
    )
    tickets = forms.IntegerField(
        min_value=1,
        initial=1,
        label=_("Tickets each"),
        help_text=_("At most as many as a holder may have in this raffle."),
    )
    channel = forms.ChoiceField(
        required=False,
        label=_("Channel"),
        choices=[("", "—"), *Channel.choices],
        help_text=_("How they reach people; counted in public. The odds are the same."),
    )
    batch = forms.RegexField(r"\A[0-9a-f]{32}\Z", widget=forms.HiddenInput)

    def clean_channel(self) -> Channel | None:
        chosen = self.cleaned_data["channel"]
        return Channel(chosen) if chosen else None


class WithdrawalForm(forms.Form):
    """One invitation, by the code that is on it."""

    code = forms.CharField(
        max_length=500,
        label=_("Code"),
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Of an invitation that is not to be used, such as one sent to the wrong person."
        ),
    )

    def clean_code(self) -> str:
        """Take a link as well, which is what people have at hand."""
        code: str = self.cleaned_data["code"]
        return code.rpartition("#invitation=")[2]


@sensitive_post_parameters("code")
def invite(request: HttpRequest, admin: AdminPages, raffle: Raffle) -> HttpResponseBase:
    """Ask how many; a POST makes them and answers with the codes, or withdraws some.

    What stands in the form beside the one that was sent is sent along, and shown again.
    """
    posted = request.POST if request.method == "POST" else None
    by: dict[str, Any] = {"now": acting_time(), "by": staff(request)}
    may_begin = raffle.state == State.OPEN and raffle.entry == EntryMode.INVITATION
    is_of_one = posted is not None and "code" in posted and not {"make", "withdraw"} & {*posted}
    is_made = posted is not None and not is_of_one and "withdraw" not in posted
    typed = request.POST.dict()
    form = InvitationsForm(
        posted if is_made else None, initial=typed | {"batch": secrets.token_hex(16)}
    )
    one = WithdrawalForm(posted if is_of_one else None, initial=typed)
    is_refused = posted is not None
    if posted and "withdraw" in posted:
        is_refused = not _withdrawn(request, raffle, posted["withdraw"], by)
    elif is_of_one and not may_begin:
        messages.error(request, gettext("The raffle takes no more entries."))
    elif one.is_valid() and _is_withdrawn(raffle, one, by):
        messages.success(request, gettext("The invitation is withdrawn."))
        is_refused, one = False, WithdrawalForm()
    elif form.is_valid():
        try:
            codes = make_invitations(raffle.uuid, **form.cleaned_data, **by)
        except Refusal as refusal:
            if refusal.field not in form.fields:
                return posted_again(request, str(refusal))
            form.add_error(refusal.field, str(refusal))
        else:
            sheets = _sheets(raffle, codes, form.cleaned_data)
            template = "admin/raffles/invitation_letters.html"
            return in_language_of(request, lambda: render(request, template, sheets))
    batches = [
        batch
        | {
            "tag": batch["batch"].hex(),
            "at": clock(batch["at"], raffle.zone()),
            "channel": Channel(batch["channel"]).label if batch["channel"] else "—",
            "left": batch["amount"] - batch["used"] - batch["withdrawn"],
        }
        for batch in batches_of(raffle)
    ]
    context = {
        "form": form,
        "one": one,
        "batches": batches,
        "may_begin": may_begin,
    }
    template, status = "admin/raffles/invitations.html", 400 if is_refused else 200
    return admin.render(request, template, str(INVITATIONS.label), raffle, context, status)


def _withdrawn(request: HttpRequest, raffle: Raffle, tag: str, by: dict[str, Any]) -> int:
    """Withdraw what is left of a batch, say so, and return how many."""
    try:
        count = withdraw(raffle.uuid, batch=bytes.fromhex(tag), **by)
    except ValueError:
        count = 0
    if not count:
        messages.error(request, gettext("There is nothing to withdraw."))
        return 0
    said = ngettext(
        "%(count)s invitation was withdrawn.", "%(count)s invitations were withdrawn.", count
    )
    messages.success(request, said % {"count": grouped(count)})
    return count


def _is_withdrawn(raffle: Raffle, form: WithdrawalForm, by: dict[str, Any]) -> bool:
    try:
        withdraw_one(raffle.uuid, code=form.cleaned_data["code"], **by)
    except Refusal as refusal:
        form.add_error("code", as_sentence(str(refusal)))
        return False
    return True


INVITATIONS = ViewPage(
    name="invitations",
    label=_("Invitations"),
    permissions=("raffles.run_raffle",),
    is_offered=lambda raffle: raffle.entry == EntryMode.INVITATION,
    view=invite,
)


def _sheets(raffle: Raffle, codes: list[str], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the invitations as sheets, and the same as a file."""
    links = [link_to(raffle.uuid, code) for code in codes]
    rows = [
        (n, code, link, asked["tickets"], asked["channel"] or "")
        for n, (code, link) in enumerate(zip(codes, links, strict=True), 1)
    ]
    # One mask for all: finding the best for each would take half a minute for a thousand.
    letters = [(code, qr(link, mask=0)) for code, link in zip(codes, links, strict=True)]
    page = settings.PUBLIC_URL + reverse("pages:raffle", args=[raffle.uuid])
    return {
        "raffle": raffle,
        "zone": raffle.zone(),
        "tickets": asked["tickets"],
        "count": len(codes),
        "sheets": [letters[start : start + _SHEET] for start in range(0, len(codes), _SHEET)],
        "address": page.partition("://")[2],
        "table": "data:text/csv;charset=utf-8," + quote("".join(table(_COLUMNS, rows))),
        "table_name": f"invitations-{asked['batch'][:8]}.csv",
    }
