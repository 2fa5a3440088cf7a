"""Forms for visitors."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from raffles.models.raffle import MAX_TICKETS
from raffles.web.fields import ReadableField


class TicketForm(forms.Form):
    """A ticket's number and code, as people write them."""

    ticket_number = forms.IntegerField(
        label=_("Number"),
        min_value=1,
        max_value=MAX_TICKETS,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    verification_code = forms.CharField(
        label=_("Code"),
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


class ReplacementForm(forms.Form):
    """The winner whose prize goes to the next alternate, and the reason; both are public."""

    ticket_number = forms.IntegerField(widget=forms.HiddenInput)
    reason = ReadableField(label=_("Reason, in public"), max_length=500)
