"""Forms of an event's page."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from events.api.fields import UsernameField
from raffles.pages.forms import MailField
from raffles.pages.log import SearchForm, visible

_username = UsernameField()


class WinnersForm(SearchForm):
    """What is looked for among the winners of all draws."""

    winner = forms.CharField(
        label=_("A winner’s whole name (events)"), max_length=150, required=False
    )
    field_order = ("name", "winner", "until")

    def clean_winner(self) -> str:
        return visible(self.cleaned_data["winner"])


class ParticipationForm(forms.Form):
    """A username, as strict as in the API but for outer spaces, and an email address."""

    username = forms.CharField(
        label=_("Your name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = MailField(
        label=_("E-mail, if you want to be told of a prize"),
        help_text=_("Shown to nobody, and deleted after the draw."),
        required=False,
    )

    def clean_username(self) -> str:
        try:
            return str(_username.run_validation(self.cleaned_data["username"]))
        except ValidationError as error:
            raise forms.ValidationError(_("Write it with visible characters alone.")) from error
