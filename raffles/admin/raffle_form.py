"""The form of a raffle's terms and prizes, open until somebody holds a ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.forms.utils import from_current_timezone
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from raffles.admin.rules_field import RulesField
from raffles.domain.clock import acting_time
from raffles.domain.creating import refuse_order, refuse_times, whole
from raffles.domain.refusals import (
    ClosesInThePast,
    OpensAfterClosing,
    OpensInThePast,
    TooManyPrizes,
)
from raffles.domain.rules import text_of
from raffles.models import Prize, Raffle, State
from raffles.models.raffle import (
    CLAIM_TERMS,
    HOLDER_TERMS,
    MAX_PRIZE_KINDS,
    MAX_PRIZES,
    OWN_WAYS,
)
from raffles.web.fields import PictureAddressField, ReadableField
from raffles.web.zones import zone_of, zones

TIMES = ("opens_at", "closes_at")
TERMS = (
    *("name", "alternates", "entropy", "entry", *TIMES, "time_zone"),
    *HOLDER_TERMS,
    *CLAIM_TERMS,
)


class PrizeForm(forms.ModelForm):
    """A prize with a readable name, and a picture if there is one."""

    class Meta:
        model = Prize
        fields = ("name", "amount", "picture")
        field_classes = {"name": ReadableField, "picture": PictureAddressField}


class PrizeFormSet(BaseInlineFormSet):
    """All prizes of a raffle: at least one, and no more than it has tickets."""

    def clean(self) -> None:
        super().clean()
        kept = [
            form.cleaned_data
            for form in self.forms
            if getattr(form, "cleaned_data", None) and not form.cleaned_data.get("DELETE")
        ]
        if not kept:
            raise ValidationError(_("A raffle needs at least one prize."))
        tickets = self.instance.total_tickets or 0
        if sum(prize.get("amount") or 0 for prize in kept) > min(tickets, MAX_PRIZES):
            raise ValidationError(str(TooManyPrizes()))

    def save_new(self, form: Any, commit: bool = True) -> Prize:
        last = self.instance.prizes.aggregate(last=models.Max("position"))["last"] or 0
        form.instance.position = last + 1
        prize: Prize = super().save_new(form, commit)
        return prize


class PrizeInline(admin.TabularInline):
    """The prizes, in order of rank."""

    model = Prize
    form = PrizeForm
    formset = PrizeFormSet
    extra = 1
    max_num = MAX_PRIZE_KINDS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return terms_open(obj) and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return terms_open(obj) and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return terms_open(obj) and super().has_delete_permission(request, obj)


def terms_open(raffle: Raffle | None) -> bool:
    """Return whether nobody holds a ticket yet; `issued` comes with the admin's own query."""
    return raffle is None or (raffle.state == State.OPEN and not getattr(raffle, "issued", 0))


class RaffleForm(forms.ModelForm):
    """A raffle's terms; its times are on the clocks of the zone that is chosen beside them."""

    entry = forms.ChoiceField(
        required=False,  # clean_entry
        label=_("Way in"),
        choices=[(way.value, way.label) for way in OWN_WAYS],
        help_text=_(
            "Address: one button, one ticket for each internet address. E-mail: a link is sent. "
            "Invitation: codes that you hand out. List: you alone enter people."
        ),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), choices=lambda: [(zone, zone) for zone in sorted(zones())]
    )
    rules = RulesField()

    class Meta:
        model = Raffle
        fields = ("name", "total_tickets", *TERMS[1:])
        labels = {"claim_days": _("Claim within (days)")}
        field_classes = {"name": ReadableField, "promotes_alternates": forms.BooleanField}
        widgets = {"promotes_alternates": forms.CheckboxInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["time_zone"] = self.initial.get("time_zone") or settings.RAFFLE_ZONE
        self.initial["rules"] = text_of(self.instance.rules_hash)

    def clean_entry(self) -> str:
        """Return the way in that is chosen; without one the raffle's stays."""
        way: str = self.cleaned_data["entry"] or self.instance.entry
        return way

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        zone = cleaned.get("time_zone")
        if zone is None:
            return cleaned
        times = [self._on_clocks_of(zone, name) for name in TIMES]
        is_new = [{name, "time_zone"} & {*self.changed_data} for name in TIMES]
        changed = [moment if new else None for moment, new in zip(times, is_new, strict=True)]
        try:
            refuse_times(*changed, now=acting_time())
            refuse_order(*times)
        except (OpensInThePast, ClosesInThePast, OpensAfterClosing) as refusal:
            self.add_error(refusal.field, str(refusal))
        return cleaned

    def _on_clocks_of(self, zone: str, name: str) -> datetime | None:
        """Return a time in the zone; the field has read it on the clocks of the page."""
        if (read := self.cleaned_data.get(name)) is None:
            return None
        wall = whole(timezone.make_naive(read))
        try:
            with timezone.override(zone_of(zone)):
                self.cleaned_data[name] = from_current_timezone(wall)
        except ValidationError as error:
            self.add_error(name, error)
        moment: datetime | None = self.cleaned_data.get(name)
        return moment
