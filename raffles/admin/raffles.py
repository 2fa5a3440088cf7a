"""Raffles in the back office: their terms, their state, and their next step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages
from raffles.admin.after_draw import CALL_SHEET, NOTIFIED, to_hand_over
from raffles.admin.base import Beginning
from raffles.admin.exclusions import EXCLUDE_FROM
from raffles.admin.exports import EXPORT, EXPORT_EVERYTHING
from raffles.admin.invitations import INVITATIONS
from raffles.admin.own_list import OWN_LIST
from raffles.admin.paper_tickets import PAPER_TICKETS
from raffles.admin.poster import POSTER
from raffles.admin.raffle_actions import RUNNING
from raffles.admin.raffle_form import TERMS, PrizeInline, RaffleForm, terms_open
from raffles.admin.rules_field import rules_link
from raffles.domain.clock import acting_time
from raffles.domain.creating import hold_terms, set_given
from raffles.domain.pool import make_stripes
from raffles.domain.refusals import Refusal, TermsFrozen
from raffles.domain.rules import keep_rules
from raffles.fairness.verify import time_of_round
from raffles.models import Draw, Prize, Raffle, State
from raffles.models.raffle import CLAIM_TERMS, UNDER_WAY
from raffles.models.record import record
from raffles.pages.reasons import shown_reason
from raffles.web.callers import staff
from raffles.web.formats import SECOND, clock, grouped, shown


@admin.register(Raffle)
class RaffleAdmin(AdminPages):
    """Raffles: the terms can change until the first ticket, nothing can by hand afterwards."""

    purpose = _(
        "A raffle has numbered tickets, some prizes and one draw. Each date of an event becomes "
        "one, too, with its first ticket."
    )
    beginning = Beginning(_("Create a raffle"), "admin:raffles_raffle_add", "raffles.add_raffle")
    form = RaffleForm
    inlines = (PrizeInline,)
    domain_records = frozenset({"added"})
    list_display = ("name", "state", "next_step", "tickets", "taken", "prize_count")
    list_filter = ("state", "entropy", "created_at")
    search_fields = ("name", "uuid")
    date_hierarchy = "created_at"
    change_form_template = "admin/raffles/raffle/change_form.html"
    pages = (
        *RUNNING,
        NOTIFIED,
        CALL_SHEET,
        EXPORT,
        INVITATIONS,
        PAPER_TICKETS,
        POSTER,
        EXPORT_EVERYTHING,
        OWN_LIST,
        EXCLUDE_FROM,
    )

    class Media:
        css = {"all": ("raffles/counter.css",)}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Raffle]:
        prizes = models.Subquery(
            Prize.objects.filter(raffle=models.OuterRef("pk"))
            .order_by()
            .values("raffle")
            .annotate(sum=models.Sum("amount"))
            .values("sum")
        )
        sealed = Draw.objects.waiting().filter(raffle=models.OuterRef("pk"))
        raffles = (
            Raffle.objects.with_issued()
            .with_available()
            .annotate(prizes_total=prizes, waits_for=models.Subquery(sealed.values("round")))
        )
        ordering = self.get_ordering(request)
        return raffles.order_by(*ordering) if ordering else raffles

    @admin.display(description=_("tickets issued"))
    def tickets(self, raffle: Any) -> SafeString:
        bar, of = '<progress max="{}" value="{}"></progress> {}', _("%(issued)s of %(total)s")
        issued, total = raffle.issued, raffle.total_tickets
        said = of % {"issued": grouped(issued), "total": grouped(total)}
        return format_html(bar, total, issued, said)

    @admin.display(description=_("entries"))
    def taken(self, raffle: Raffle) -> SafeString:
        """Show since when tickets are handed out, and until when."""
        since = format_html(gettext("since {}"), clock(raffle.created_at, raffle.zone()))
        until = raffle.closes_at and clock(raffle.closes_at, raffle.zone())
        return format_html(gettext("{} until {}"), since, until) if until else since

    @admin.display(description=_("prizes"))
    def prize_count(self, raffle: Any) -> int:
        return raffle.prizes_total or 0

    @admin.display(description=_("next"))
    def next_step(self, raffle: Any) -> str:
        """Show what happens next and when, so that a late beacon or a missed draw is noticed."""
        now, waits_for = timezone.now(), raffle.waits_for
        if raffle.state == State.SEALED and waits_for:
            comes_at = datetime.fromtimestamp(time_of_round(waits_for), UTC)
            said = _("beacon round %(round)s, %(at)s")
            if comes_at < now:
                said = _("beacon round %(round)s, %(at)s — late")
            at = shown(comes_at, SECOND, zone=raffle.zone())
            return said % {"round": grouped(waits_for), "at": at}
        if raffle.state in UNDER_WAY:
            return gettext("draws with the next run")
        if raffle.state != State.OPEN:
            return "—"
        if raffle.opens_at and now < raffle.opens_at:
            at = shown(raffle.opens_at, SECOND, zone=raffle.zone())
            return gettext("opens %(at)s") % {"at": at}
        if raffle.closes_at:
            said = _("draws %(at)s — overdue") if raffle.closes_at < now else _("draws %(at)s")
            return said % {"at": shown(raffle.closes_at, SECOND, zone=raffle.zone())}
        if raffle.issued == raffle.total_tickets:
            return gettext("sold out: a manager draws")
        return gettext("hands out tickets until all are gone")

    @admin.display(description=_("public record"))
    def public_record(self, raffle: Raffle) -> SafeString | str:
        """Show links to its public pages and files."""
        if not raffle.pk:
            return "—"
        return format_html_join(
            " · ",
            '<a href="{}">{}</a>',
            ((reverse(name, args=args), label) for label, name, args in _public(raffle)),
        )

    @admin.display(description=_("Rules"))
    def rules(self, raffle: Raffle) -> SafeString | str:
        """Show where the rules are, once they can't be changed."""
        return rules_link(raffle.rules_hash)

    @admin.display(description=_("void reason"))
    def why_void(self, raffle: Raffle) -> str:
        """Show why it was called off."""
        return shown_reason(raffle.void_reason)

    def _groups(self, obj: Raffle | None) -> Any:
        terms = ("name", "total_tickets", *TERMS[1 : -len(CLAIM_TERMS)])
        of_terms = (
            (_("Terms"), {"fields": terms}),
            (_("Rules"), {"fields": ("rules",)}),
            (_("Claiming a prize"), {"fields": CLAIM_TERMS}),
        )
        if obj is None:
            return of_terms
        stands: tuple[str, ...] = ("state", "next_step", "tickets", "taken", "public_record")
        if obj.state == State.VOID:
            stands += ("voided_at", "why_void")
        made = ("uuid", "created_at", "created_by")
        return ((None, {"fields": stands}), *of_terms, (_("Made"), {"fields": made}))

    def get_fieldsets(self, request: HttpRequest, obj: Raffle | None = None) -> Any:
        return self.with_clocks(request, obj, self._groups(obj))

    def get_readonly_fields(self, _request: HttpRequest, obj: Raffle | None = None) -> Any:
        names = [name for _, options in self._groups(obj) for name in options["fields"]]
        is_open = terms_open(obj)
        open_to_change = {*TERMS, "rules"} if is_open else set()
        fixed = [name for name in names if name not in open_to_change] if obj else []
        return self.on_clocks(fixed)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"entropy": settings.DRAW_ENTROPY, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: Raffle | None = None) -> bool:
        return (obj is None or terms_open(obj)) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Raffle | None = None) -> bool:
        return (obj is None or terms_open(obj)) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleting in bulk would include raffles that have tickets.
        return {
            name: action
            for name, action in super().get_actions(request).items()
            if name != "delete_selected"
        }

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            if request.method == "POST" and object_id and self.has_change_permission(request):
                self._refuse_frozen(request, object_id)
            return super().changeform_view(request, object_id, *args, **kwargs)
        except Refusal as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)

    def _refuse_frozen(self, request: HttpRequest, object_id: str) -> None:
        """Raise TermsFrozen if a ticket came while the form was open: clearer than a bare 403."""
        raffle = self.get_object(request, object_id)
        if raffle is not None and not terms_open(raffle):
            raise TermsFrozen

    def render_change_form(
        self, request: Any, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        raffle: Raffle | None = context.get("original")
        if raffle is not None and raffle.state == State.DRAWN:
            context["to_hand_over"] = to_hand_over(raffle, timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_model(self, _request: HttpRequest, obj: Raffle) -> None:
        with transaction.atomic():
            hold_terms(obj.pk)
            obj.delete()

    def facts(self, row: Any) -> dict[str, Any]:
        """Return the terms that apply from now on."""
        return {"terms": row.terms()}

    def save_model(self, request: HttpRequest, obj: Raffle, form: Any, change: bool) -> None:
        if change:
            if form.changed_data or request.method == "POST":
                hold_terms(obj.pk)
            self._keep_rules(request, obj, form)
            super().save_model(request, obj, form, change)
            return
        set_given(obj, now=acting_time(), by=staff(request))
        self._keep_rules(request, obj, form)
        super().save_model(request, obj, form, change)
        make_stripes(obj)
        record(obj, "raffle.created", at=obj.created_at, by=obj.created_by)

    def _keep_rules(self, request: HttpRequest, obj: Raffle, form: Any) -> None:
        by = staff(request)
        obj.rules_hash = keep_rules(form.cleaned_data["rules"], now=timezone.now(), by=by)


def _public(raffle: Raffle) -> list[tuple[str, str, list[Any]]]:
    """Return the raffle's public pages and files as (label, URL name, arguments)."""
    of_it: list[Any] = [raffle.uuid]
    found = [(gettext("page"), "pages:raffle", of_it)]
    if raffle.state == State.DRAWN:
        found += [
            (gettext("result"), "pages:result", of_it),
            (gettext("certificate"), "pages:certificate", of_it),
            (gettext("stage"), "pages:stage", of_it),
        ]
    found.append((gettext("replacements"), "raffle-replacements", of_it))
    if raffle.state in (State.SEALED, State.DRAWN):
        found.append((gettext("commitment"), "raffle-commitment", of_it))
    if raffle.state == State.DRAWN:
        found += [
            (gettext("proof"), "raffle-proof", of_it),
            (gettext("verifier"), "verifier", []),
        ]
    return found
