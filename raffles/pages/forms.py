"""Forms for visitors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import formats
from django.utils.translation import gettext_lazy as _

from raffles.domain.identities import LONGEST_MAIL, read_mail
from raffles.domain.reading_lists import LONGEST_HOLDER
from raffles.models import EntryMode, Raffle
from raffles.models.raffle import MAX_TICKETS
from raffles.web.fields import ReadableField


class TicketForm(forms.Form):
    """A ticket's number and code, as people write them."""

    ticket_number: forms.Field = forms.IntegerField(
        label=_("Number"),
        min_value=1,
        max_value=MAX_TICKETS,
        error_messages={"invalid": _("Write the number that is on the ticket, such as 1234.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    verification_code = forms.CharField(
        label=_("Code"),
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


class ListedTicketForm(TicketForm):
    """The same where entrants come from a list: its identifier of the holder is as good."""

    ticket_number = forms.CharField(
        label=_("Number or identifier"),
        help_text=_(
            "As the organiser's list has it: a customer's number, say, or an e-mail address."
        ),
        max_length=LONGEST_HOLDER,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )


def ticket_form(raffle: Raffle) -> type[TicketForm]:
    """Return the form that looks up a ticket of the raffle."""
    return ListedTicketForm if raffle.entry == EntryMode.LIST else TicketForm


class MailField(forms.CharField):
    """An e-mail address, read as addresses are compared; the API's of this name takes the same."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.EmailInput(
            attrs={"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}
        )
        super().__init__(max_length=LONGEST_MAIL, strip=False, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value)).strip(" ")
        return read_mail(text) if text else ""


class EntryForm(forms.Form):
    """Who takes part, in a raffle that asks: nothing where the visitor's address says it."""


class MailForm(EntryForm):
    """The address that a link is sent to."""

    email = MailField(label=_("Your e-mail address"))


class InvitationForm(EntryForm):
    """The code of an invitation, as people write it."""

    invitation = forms.CharField(
        label=_("The code of your invitation"),
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


ENTRY_FORMS: Mapping[str, type[EntryForm]] = {
    EntryMode.EMAIL: MailForm,
    EntryMode.INVITATION: InvitationForm,
}


class NumberForm(forms.Form):
    """A ticket's number to look for, as people write it: "#1,234" is 1234."""

    number = forms.CharField(
        label=_("Find your number"),
        required=False,
        widget=forms.TextInput(
            attrs={
                "maxlength": "20",
                "inputmode": "numeric",
                "autocomplete": "off",
                "aria-describedby": "found",
            }
        ),
    )

    def __init__(self, *args: Any, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.most = most

    def clean_number(self) -> int:
        """Return the number, 1 to `most`."""
        written = re.sub(r"[#\s.,'\u2019\u202f]", "", self.cleaned_data["number"])
        number = int(written) if re.fullmatch(r"\d{1,8}", written) else 0
        if not 1 <= number <= self.most:
            limit = formats.number_format(self.most, force_grouping=True)
            raise forms.ValidationError(_("Write a number from 1 to %(most)s.") % {"most": limit})
        return number


class ReplacementForm(forms.Form):
    """The winner whose prize goes to the next alternate, and the reason; both are public."""

    ticket_number = forms.IntegerField(widget=forms.HiddenInput)
    reason = ReadableField(label=_("Reason, in public"), max_length=500)
