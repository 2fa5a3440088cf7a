"""The form of a raffle's terms and prizes, open until somebody holds a ticket."""

from __future__ import annotations

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

from raffles.domain.refusals import ClosesInThePast, TooManyPrizes
from raffles.models import Prize, Raffle, State
from raffles.models.raffle import CLAIM_TERMS, MAX_PRIZE_KINDS, MAX_PRIZES
from raffles.web.fields import ReadableField
from raffles.web.zones import zone_of, zones

TERMS = ("name", "alternates", "entropy", "closes_at", "time_zone", *CLAIM_TERMS)


class PrizeForm(forms.ModelForm):
    """A prize with a readable name."""

    class Meta:
        model = Prize
        fields = ("name", "amount")
        field_classes = {"name": ReadableField}


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
    """A raffle's terms; it closes on the clocks of the zone that is chosen beside the time."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"), choices=lambda: [(zone, zone) for zone in sorted(zones())]
    )

    class Meta:
        model = Raffle
        fields = ("name", "total_tickets", *TERMS[1:])
        labels = {"claim_days": _("Claim within (days)")}
        field_classes = {"name": ReadableField, "promotes_alternates": forms.BooleanField}
        widgets = {"promotes_alternates": forms.CheckboxInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["time_zone"] = self.initial.get("time_zone") or settings.RAFFLE_ZONE

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        closes_at, zone = cleaned.get("closes_at"), cleaned.get("time_zone")
        if closes_at is None or zone is None:
            return cleaned
        try:  # the field has read it on the clocks of the page
            wall = timezone.make_naive(closes_at).replace(microsecond=0)
            with timezone.override(zone_of(zone)):
                cleaned["closes_at"] = from_current_timezone(wall)
        except ValidationError as error:
            self.add_error("closes_at", error)
            return cleaned
        is_new = {"closes_at", "time_zone"} & set(self.changed_data)
        if is_new and cleaned["closes_at"] <= timezone.now():
            self.add_error("closes_at", str(ClosesInThePast()))
        return cleaned
