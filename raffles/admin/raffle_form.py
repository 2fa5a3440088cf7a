"""The form of a raffle's terms and prizes, open until somebody holds a ticket."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone

from raffles.domain.refusals import ClosesInThePast, TooManyPrizes
from raffles.models import Prize, Raffle, State
from raffles.models.raffle import CLAIM_TERMS, MAX_PRIZE_KINDS, MAX_PRIZES
from raffles.web.fields import ReadableField

TERMS = ("name", "alternates", "entropy", "closes_at", *CLAIM_TERMS)


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
            raise ValidationError("A raffle needs at least one prize.")
        tickets = self.instance.total_tickets or 0
        if sum(prize.get("amount") or 0 for prize in kept) > min(tickets, MAX_PRIZES):
            raise ValidationError(TooManyPrizes.sentence)

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
    """A raffle's terms."""

    class Meta:
        model = Raffle
        fields = ("name", "total_tickets", *TERMS[1:])
        labels = {"claim_days": "Claim within (days)"}
        field_classes = {"name": ReadableField, "promotes_alternates": forms.BooleanField}
        widgets = {"promotes_alternates": forms.CheckboxInput}

    def clean_closes_at(self) -> Any:
        closes_at = self.cleaned_data["closes_at"]
        if closes_at is None:
            return None
        closes_at = closes_at.replace(microsecond=0)
        if "closes_at" in self.changed_data and closes_at <= timezone.now():
            raise ValidationError(ClosesInThePast.sentence)
        return closes_at
