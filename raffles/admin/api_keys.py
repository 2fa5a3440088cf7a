"""API keys of partners in the back office."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.base import Beginning, Recorded
from raffles.domain.api_keys import make_key
from raffles.domain.clock import acting_time
from raffles.models import ApiKey
from raffles.web.callers import staff
from raffles.web.environment import rate
from raffles.web.fields import ReadableField
from raffles.web.formats import quotable


class ApiKeyForm(forms.ModelForm):
    """A key's terms."""

    class Meta:
        model = ApiKey
        fields = ("name", "rate", "expires_at")
        field_classes = {"name": ReadableField}

    def clean_rate(self) -> str:
        text: str = self.cleaned_data["rate"]
        try:
            rate(text)
        except ImproperlyConfigured as fault:
            said = gettext("“%(text)s” is not a rate; write a number and a time, such as 120/min.")
            raise ValidationError(said % {"text": quotable(text)}) from fault
        return text


@admin.register(ApiKey)
class ApiKeyAdmin(Recorded):
    """API keys of partners; the text is shown once, when the key is created."""

    purpose = _(
        "With a key, a partner’s server, such as a shop’s, hands out tickets. Give each partner "
        "one of their own: it can be ended without touching the others."
    )
    beginning = Beginning(_("Make a key"), "admin:raffles_apikey_add", "raffles.add_apikey")
    form = ApiKeyForm
    list_display = ("name", "hint", "rate", "expires_at", "last_used_at")
    readonly_fields = ("hint", "last_used_at", "created_at", "created_by")

    def facts(self, row: Any) -> dict[str, Any]:
        """Return the rate and expiry that apply from now on."""
        return {"rate": row.rate, "expires_at": row.expires_at}

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        text = make_key(obj, now=acting_time(), by=staff(request))
        said = gettext("Write this key down, it is not shown again: %(key)s")
        messages.warning(request, said % {"key": text})
