"""The field of a form in which rules are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from raffles.domain.rules import read_rules

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


_ACCEPTED = _(
    "Whoever takes part accepts them. Say here, too, from which age one may. Plain text; its "
    "fingerprint is in every receipt. Empty: no rules."
)


class RulesField(forms.CharField):
    """A text as it will be kept; the line breaks of browsers are no change."""

    def __init__(self, help_text: StrOrPromise = _ACCEPTED) -> None:
        super().__init__(
            required=False,
            strip=False,
            label=_("Rules"),
            widget=forms.Textarea({"rows": 8, "class": "vLargeTextField"}),
            help_text=help_text,
        )

    def clean(self, value: Any) -> str:
        """Return the text as it will be kept."""
        try:
            return read_rules(super().clean(value))
        except ValueError as fault:
            raise ValidationError(str(fault)) from fault

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether another text would be kept."""
        try:
            return read_rules(initial or "") != read_rules(data or "")
        except ValueError:
            return True


def rules_link(rules_hash: str | None) -> SafeString | str:
    """Return a link to the page of the rules with that hash, or a dash."""
    if not rules_hash:
        return "—"
    page = reverse("pages:rules", args=[rules_hash])
    return format_html('<a href="{}"><code>{}</code></a>', page, rules_hash)
