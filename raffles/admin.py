"""The back office of raffles: everything to be seen, terms to be set, nothing to be undone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from raffles.domain.creating import make_stripes
from raffles.domain.editing import hold_terms
from raffles.domain.keys import current_key_id
from raffles.domain.recording import record
from raffles.domain.refusals import ClosesInThePast, Refusal, TooManyPrizes
from raffles.fairness.verify import time_of_round
from raffles.models import Announcement, Draw, Prize, Raffle, Replacement, State, Winner
from raffles.models.raffle import CLAIM_TERMS, MAX_PRIZE_KINDS, MAX_PRIZES, UNDER_WAY
from rafflesite.fields import text_fault
from rafflesite.records import ReadOnly, staff

from . import admin_delivery

__all__ = ["admin_delivery"]  # found by the admin through this module

admin.site.site_header = admin.site.site_title = "Raffles and lucky draws"
admin.site.index_title = "Back office"

TERMS = ("name", "alternates", "entropy", "closes_at", *CLAIM_TERMS)


def _clean_name(name: str) -> str:
    if fault := text_fault(name):
        raise ValidationError(fault)
    return name


class PrizeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A prize with a name that people can read."""

    class Meta:
        model = Prize
        fields = ("name", "amount")

    def clean_name(self) -> str:
        return _clean_name(self.cleaned_data["name"])


class PrizeFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The prizes together: at least one, and no more than tickets."""

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


class PrizeInline(admin.TabularInline):  # type: ignore[type-arg]
    """The prizes, in order of rank."""

    model = Prize
    form = PrizeForm
    formset = PrizeFormSet
    extra = 1
    max_num = MAX_PRIZE_KINDS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _terms_open(obj) and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _terms_open(obj) and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _terms_open(obj) and super().has_delete_permission(request, obj)


def _terms_open(raffle: Raffle | None) -> bool:
    """Whether nobody holds a ticket yet; ``issued`` comes with the admin's own query."""
    return raffle is None or (raffle.state == State.OPEN and not getattr(raffle, "issued", 0))


class RaffleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A raffle's terms."""

    class Meta:
        model = Raffle
        fields = ("name", "total_tickets", *TERMS[1:])
        field_classes = {"promotes_alternates": forms.BooleanField}
        widgets = {"promotes_alternates": forms.CheckboxInput}

    def clean_name(self) -> str:
        return _clean_name(self.cleaned_data["name"])

    def clean_closes_at(self) -> Any:
        closes_at = self.cleaned_data["closes_at"]
        if closes_at is None:
            return None
        closes_at = closes_at.replace(microsecond=0)
        if "closes_at" in self.changed_data and closes_at <= timezone.now():
            raise ValidationError(ClosesInThePast.sentence)
        return closes_at


@admin.register(Raffle)
class RaffleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Raffles: terms may change until the first ticket, then nothing does by hand."""

    form = RaffleForm
    inlines = (PrizeInline,)
    list_display = ("name", "state", "tickets", "prize_count", "next_step")
    list_filter = ("state", "entropy", "created_at")
    search_fields = ("name", "uuid")
    date_hierarchy = "created_at"
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Raffle]:
        prizes = models.Subquery(
            Prize.objects.filter(raffle=models.OuterRef("pk"))
            .order_by()
            .values("raffle")
            .annotate(sum=models.Sum("amount"))
            .values("sum")
        )
        sealed = Draw.objects.live().filter(raffle=models.OuterRef("pk"), drawn_at=None)
        raffles = Raffle.objects.with_issued().annotate(
            prizes_total=prizes, waits_for=models.Subquery(sealed.values("round"))
        )
        ordering = self.get_ordering(request)
        return raffles.order_by(*ordering) if ordering else raffles

    @admin.display(description="tickets issued")
    def tickets(self, raffle: Raffle) -> str:
        return f"{raffle.issued:,} of {raffle.total_tickets:,}"  # type: ignore[attr-defined]

    @admin.display(description="prizes")
    def prize_count(self, raffle: Raffle) -> int:
        return raffle.prizes_total or 0  # type: ignore[attr-defined]

    @admin.display(description="next")
    def next_step(self, raffle: Raffle) -> str:
        """What happens next, and when; so that a late beacon or a missed draw is seen."""
        now, waits_for = timezone.now(), raffle.waits_for  # type: ignore[attr-defined]
        if raffle.state == State.SEALED and waits_for:
            comes_at = datetime.fromtimestamp(time_of_round(waits_for), UTC)
            late = " — late" if comes_at < now else ""
            return f"beacon round {waits_for:,}, {comes_at:%Y-%m-%d %H:%M:%S} UTC{late}"
        if raffle.state in UNDER_WAY:
            return "draws with the next run"
        if raffle.state != State.OPEN:
            return "—"
        if raffle.closes_at:
            late = " — overdue" if raffle.closes_at < now else ""
            return f"draws {raffle.closes_at:%Y-%m-%d %H:%M:%S} UTC{late}"
        is_full = raffle.issued == raffle.total_tickets  # type: ignore[attr-defined]
        return "sold out: a manager draws" if is_full else "hands out tickets"

    @admin.display(description="public record")
    def public_record(self, raffle: Raffle) -> SafeString | str:
        """Links to what anyone can read of it."""
        if not raffle.pk:
            return "—"
        names = ["detail", "winners", "replacements", "draws"]
        if raffle.state in (State.SEALED, State.DRAWN):
            names += ["commitment", "proof"] if raffle.state == State.DRAWN else ["commitment"]
        links = [
            format_html('<a href="{}">{}</a>', reverse(f"raffle-{name}", args=[raffle.uuid]), name)
            for name in names
        ]
        return SafeString(" · ".join(links))

    def get_fields(self, _request: HttpRequest, obj: Raffle | None = None) -> tuple[str, ...]:
        terms = ("name", "total_tickets", *TERMS[1:])
        if obj is None:
            return terms
        record = (
            *("uuid", "state", "tickets", "next_step"),
            *("created_at", "created_by", "public_record"),
        )
        return terms + record + (("voided_at", "void_reason") if obj.state == State.VOID else ())

    def get_readonly_fields(
        self, request: HttpRequest, obj: Raffle | None = None
    ) -> tuple[str, ...]:
        if obj is None:
            return ()
        fields = self.get_fields(request, obj)
        return tuple(field for field in fields if field not in TERMS or not _terms_open(obj))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"entropy": settings.DRAW_ENTROPY, **super().get_changeform_initial_data(request)}

    def has_delete_permission(self, request: HttpRequest, obj: Raffle | None = None) -> bool:
        return (obj is None or _terms_open(obj)) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleting in bulk would try raffles that have tickets.
        return {
            name: action
            for name, action in super().get_actions(request).items()
            if name != "delete_selected"
        }

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
            return HttpResponseRedirect(request.path)

    def delete_model(self, request: HttpRequest, obj: Raffle) -> None:
        with transaction.atomic():
            hold_terms(obj.pk)
            record(obj, "raffle.deleted", at=timezone.now(), by=staff(request), name=obj.name)
            obj.delete()

    def save_model(self, request: HttpRequest, obj: Raffle, form: Any, change: bool) -> None:
        if change:
            if form.changed_data or request.method == "POST":
                hold_terms(obj.pk)
            super().save_model(request, obj, form, change)
            if form.changed_data:
                record(
                    obj, "terms.changed", at=timezone.now(), by=staff(request), terms=obj.terms()
                )
            return
        obj.ticket_key_id = current_key_id()
        obj.created_at = timezone.now()
        obj.created_by = staff(request)
        super().save_model(request, obj, form, change)
        make_stripes(obj)
        record(obj, "raffle.created", at=obj.created_at, by=obj.created_by)


@admin.register(Draw)
class DrawAdmin(ReadOnly):
    """Draws: what was committed to, and what decided."""

    list_display = ("raffle", "number", "closed_at", "round", "drawn_at", "voided_at")
    list_select_related = ("raffle",)
    search_fields = ("raffle__name", "raffle__uuid")
    fields = (
        *("raffle", "number", "closed_at", "commitment", "round", "beacon_randomness"),
        *("drawn_at", "voided_at", "void_reason"),
    )
    readonly_fields = fields

    @admin.display(description="commitment hash")
    def commitment(self, draw: Draw) -> str:
        return bytes(draw.commitment_hash).hex()

    @admin.display(description="randomness")
    def beacon_randomness(self, draw: Draw) -> str:
        return bytes(draw.randomness).hex() if draw.randomness else "—"


@admin.register(Winner)
class WinnerAdmin(ReadOnly):
    """Winners and alternates in order of rank."""

    list_display = ("raffle", "rank", "ticket_number", "prize")
    list_select_related = ("raffle", "prize")
    search_fields = ("raffle__name", "raffle__uuid")
    show_full_result_count = False
    fields = ("raffle", "rank", "ticket_number", "prize", "index")
    readonly_fields = fields
    ordering = ("-raffle", "rank")


@admin.register(Replacement)
class ReplacementAdmin(ReadOnly):
    """Who took whose place."""

    list_display = ("raffle", "prize", "reason", "replaced_at", "actor")
    list_select_related = ("raffle", "prize")
    fields = ("raffle", "prize", "winner", "alternate", "reason", "replaced_at", "actor")
    readonly_fields = fields


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnly):
    """What was announced, in its one order."""

    list_display = ("sequence", "kind", "raffle", "announced_at", "announced_by")
    list_filter = ("kind",)
    list_select_related = ("raffle",)
    fields = ("sequence", "kind", "raffle", "payload", "announced_at", "announced_by")
    readonly_fields = fields
    ordering = ("-sequence",)
