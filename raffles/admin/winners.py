"""Winners: who holds which prize, what became of it, and who is next."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from raffles.admin.actions import AdminPages, ViewPage
from raffles.admin.base import Beginning, ReadOnly, ReadOnlyMixin
from raffles.admin.counter import COUNTER
from raffles.admin.filters import OfRaffleFilter, StateFilter
from raffles.admin.winner_actions import HELD, WINNER_ACTIONS
from raffles.domain.search import find_winners, searched_without_choice
from raffles.models import Raffle, Replacement, Winner
from raffles.pages.reasons import shown_reason
from raffles.web.formats import clock, grouped

NOTHING = "—"
_FOUND = 50  # winners shown by a search

# --- The search


class SearchForm(forms.Form):
    """What is on a ticket, to be searched in one raffle or in those drawn last.

    It is posted: a URL would keep the code in the browser's history and in logs.
    """

    text = forms.CharField(max_length=150)
    raffle = forms.IntegerField(required=False, widget=forms.HiddenInput)


@sensitive_post_parameters("text")
def find(request: HttpRequest, admin: AdminPages) -> HttpResponse:
    """Show the winners that match the text; redirect to the page of a single one."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    form = SearchForm(request.POST)
    is_typed = form.is_valid()
    chosen = form.cleaned_data.get("raffle")
    back = reverse("admin:raffles_winner_changelist") + (f"?raffle={chosen}" if chosen else "")
    if not is_typed:
        messages.error(request, gettext("Type a ticket's number or code, or a username."))
        return HttpResponseRedirect(back)
    raffles = list(Raffle.objects.filter(pk=chosen)) if chosen else searched_without_choice()
    found = list(find_winners(form.cleaned_data["text"], raffles=raffles)[: _FOUND + 1])
    if len(found) == 1:
        return admin.to_object(found[0])
    context = {
        "found": found[:_FOUND],
        "is_cut": len(found) > _FOUND,
        "raffles": raffles,
        "chosen": chosen,
        "back": back,
    }
    title = gettext("Winners found") if found else gettext("No such winner")
    return admin.render(request, "admin/raffles/winner/found.html", title, None, context)


@admin.register(Winner)
class WinnerAdmin(ReadOnlyMixin, AdminPages):
    """Winners and alternates in order of rank."""

    purpose = _(
        "Who has won what, and whether they have it. Winners come here when a raffle is drawn."
    )
    beginning = Beginning(
        _("Look at the raffles"), "admin:raffles_raffle_changelist", "raffles.view_raffle"
    )
    change_list_template = "admin/raffles/winner/change_list.html"
    list_display = ("rank", "prize_now", "state", "number", "user", "deadline", "of_raffle")
    list_display_links = ("rank", "prize_now")
    list_filter = (StateFilter, OfRaffleFilter)
    list_per_page = 50
    ordering = ("-raffle_id", "rank")
    fields = (
        *("of_raffle", "rank", "prize_now", "number", "user", "state", "deadline"),
        *("notified", "claimed", "handed_over", "forfeited", "passed_on"),
    )
    readonly_fields = fields
    pages = (
        *WINNER_ACTIONS,
        COUNTER,
        ViewPage(name="find", is_of_object=False, permissions=(), methods=("POST",), view=find),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Winner]:
        winners: Any = super().get_queryset(request)
        # Joined, all raffles would be read before the first row is shown.
        found: QuerySet[Winner] = winners.with_state().select_related("ticket")
        return found.prefetch_related("raffle")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        chosen = request.GET.get("raffle", "")
        context = {"chosen": chosen if chosen.isdecimal() else ""} | (extra_context or {})
        return super().changelist_view(request, context)

    @admin.display(description=_("raffle"))
    def of_raffle(self, winner: Winner) -> SafeString:
        page = reverse("admin:raffles_raffle_change", args=[winner.raffle_id])
        return format_html('<a href="{}">{}</a>', page, winner.raffle.name)

    @admin.display(description=_("prize"))
    def prize_now(self, winner: Winner) -> str:
        prize = winner.current_prize() or winner.prize
        return prize.name if prize else NOTHING

    @admin.display(description=_("ticket"))
    def number(self, winner: Winner) -> str:
        return grouped(winner.ticket_number())

    @admin.display(description=_("username"))
    def user(self, winner: Winner) -> str:
        return winner.ticket.username or NOTHING

    @admin.display(description=_("state"))
    def state(self, winner: Winner) -> str:
        handover = getattr(winner, "handover", None)
        is_late = handover is not None and handover.is_overdue(timezone.now())
        state = winner.state().label
        if is_late and winner.state() in HELD:
            return _("%(state)s, too late to claim") % {"state": state}
        return str(state)

    @admin.display(description=_("claim until"))
    def deadline(self, winner: Winner) -> SafeString | str:
        until = winner.claim_until() if winner.state() in HELD else None
        return clock(until, winner.raffle.zone())

    @admin.display(description=_("notified"))
    def notified(self, winner: Winner) -> SafeString | str:
        return _moment(winner, "notified_at")

    @admin.display(description=_("claimed"))
    def claimed(self, winner: Winner) -> SafeString | str:
        return _moment(winner, "claimed_at")

    @admin.display(description=_("handed over"))
    def handed_over(self, winner: Winner) -> SafeString | str:
        return _moment(winner, "handed_over_at")

    @admin.display(description=_("forfeited"))
    def forfeited(self, winner: Winner) -> SafeString | str:
        return _moment(winner, "forfeited_at")

    @admin.display(description=_("passed on"))
    def passed_on(self, winner: Winner) -> SafeString | str:
        """Show to whom or from whom the prize went, and why."""
        line = getattr(winner, "replacement", None) or getattr(winner, "replaces", None)
        if line is None:
            return NOTHING
        other = line.alternate if line.winner_id == winner.pk else line.winner
        is_lost = line.winner_id == winner.pk
        page = reverse("admin:raffles_winner_change", args=[other.pk])
        text = gettext('from <a href="{}">ticket {}</a>, {}: {}')
        if is_lost:
            text = gettext('to <a href="{}">ticket {}</a>, {}: {}')
        number, at = grouped(other.ticket_number()), clock(line.replaced_at, winner.raffle.zone())
        return format_html(text, page, number, at, shown_reason(line.reason))


def _moment(winner: Winner, name: str) -> SafeString | str:
    moment = getattr(getattr(winner, "handover", None), name, None)
    return clock(moment, winner.raffle.zone())


@admin.register(Replacement)
class ReplacementAdmin(ReadOnly):
    """Replacements: who replaced whom."""

    purpose = _(
        "Prizes that passed from a winner to the next alternate, with the public reason. It is "
        "done on the winner’s page."
    )
    beginning = Beginning(
        _("Look at the winners"), "admin:raffles_winner_changelist", "raffles.view_winner"
    )
    list_display = ("raffle", "prize", "why", "replaced_at", "actor")
    list_select_related = ("raffle", "prize")
    fields = ("raffle", "prize", "winner", "alternate", "why", "replaced_at", "actor")
    readonly_fields = fields

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, line: Replacement) -> str:
        """Show why the prize went to another."""
        return shown_reason(line.reason)
