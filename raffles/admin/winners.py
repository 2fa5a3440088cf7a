"""Winners: who holds which prize, what became of it, and whose turn it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from raffles.admin.actions import ConfirmedAct, ConfirmedActs, Outcome, ReasonForm
from raffles.admin.base import ReadOnly
from raffles.admin.counter import counter_urls
from raffles.admin.filters import Pages, RaffleFilter, StandingFilter
from raffles.admin.raffle_actions import PUBLIC, foresee_heir, passed_on
from raffles.domain.prizes import forfeit, note_told, replace_winner
from raffles.domain.search import find_winners, searched_without_choice
from raffles.models import Raffle, Replacement, Winner, WinnerState

NOTHING = "—"
_FOUND = 50  # winners that a search shows

_HELD = frozenset({WinnerState.DRAWN, WinnerState.NOTIFIED, WinnerState.CLAIMED})


class SearchForm(forms.Form):
    """What is on a ticket, looked for in one raffle or in those drawn last.

    It is posted: an address would keep the code in the browser's history and in logs.
    """

    text = forms.CharField(max_length=150)
    raffle = forms.IntegerField(required=False, widget=forms.HiddenInput)


# --- Acts on one winner


def _held(winner: Winner) -> str:
    prize = winner.current_prize()
    return f"Ticket {winner.ticket_number():,} holds {prize.name if prize else 'no prize'}."


def _perform_told(winner: Winner, *, now: datetime, by: str) -> Outcome:
    note_told([winner], now=now, by=by)
    return Outcome("Noted that the winner was told.")


def _foresee_forfeit(winner: Winner) -> list[str]:
    heir = foresee_heir(winner.raffle) if winner.raffle.promotes_alternates else ""
    nobody = "It goes to nobody; you may pass it on afterwards."
    return [_held(winner), "The winner loses it, for the reason you give.", heir or nobody, _FINAL]


_FINAL = "It can't be undone."


def _perform_forfeit(winner: Winner, *, now: datetime, by: str, reason: str) -> Outcome:
    done = forfeit(
        winner.raffle.uuid, ticket_number=winner.ticket_number(), reason=reason, now=now, by=by
    )
    return passed_on(done.replacement) if done.replacement else Outcome("The prize is forfeited.")


def _foresee_replacement(winner: Winner) -> list[str]:
    stays = "The first result stays and your reason stands beside it."
    return [_held(winner), foresee_heir(winner.raffle), stays, PUBLIC]


def _perform_replacement(winner: Winner, *, now: datetime, by: str, reason: str) -> Outcome:
    line = replace_winner(
        winner.raffle.uuid, ticket_number=winner.ticket_number(), reason=reason, now=now, by=by
    )
    return passed_on(line)


@admin.register(Winner)
class WinnerAdmin(ConfirmedActs, ReadOnly):
    """Winners and alternates in order of rank."""

    change_list_template = "admin/raffles/winner/change_list.html"
    list_display = ("rank", "prize_now", "state", "number", "user", "deadline", "of_raffle")
    list_display_links = ("rank", "prize_now")
    list_filter = (StandingFilter, RaffleFilter)
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER  # each would count them all
    show_full_result_count = False
    paginator = Pages
    ordering = ("-raffle_id", "rank")
    fields = (
        *("of_raffle", "rank", "prize_now", "number", "user", "state", "deadline"),
        *("told", "claimed", "handed_over", "forfeited", "passed_on"),
    )
    readonly_fields = fields
    acts = (
        ConfirmedAct(
            name="told",
            label="Told by phone",
            permission="raffles.hand_over_prize",
            is_offered=lambda winner: winner.state() == WinnerState.DRAWN,
            foresee=lambda winner: [_held(winner), "It is noted that you told them, today."],
            perform=_perform_told,
        ),
        ConfirmedAct(
            name="replace",
            label="Replace by the next alternate",
            permission="raffles.add_replacement",
            is_offered=lambda winner: winner.state() in _HELD | {WinnerState.FORFEITED},
            foresee=_foresee_replacement,
            perform=_perform_replacement,
            form=ReasonForm,
            is_harmful=True,
        ),
        ConfirmedAct(
            name="forfeit",
            label="Forfeit",
            permission="raffles.add_replacement",
            is_offered=lambda winner: winner.state() in _HELD,
            foresee=_foresee_forfeit,
            perform=_perform_forfeit,
            form=ReasonForm,
            is_harmful=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Winner]:
        winners: Any = super().get_queryset(request)
        # Joined, the raffles would be gone through before the first row is shown.
        found: QuerySet[Winner] = winners.with_state().select_related("ticket")
        return found.prefetch_related("raffle")

    def get_urls(self) -> list[URLPattern]:
        find = self.admin_site.admin_view(
            require_POST(sensitive_post_parameters("text")(self.find))
        )
        own = [path("find/", find, name="raffles_winner_find"), *counter_urls(self)]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        chosen = request.GET.get("raffle", "")
        context = {"chosen": chosen if chosen.isdecimal() else ""} | (extra_context or {})
        return super().changelist_view(request, context)

    def find(self, request: HttpRequest) -> HttpResponse:
        """The winners that what was typed belongs to; the page of the one, where it is one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = SearchForm(request.POST)
        is_typed = form.is_valid()
        chosen = form.cleaned_data.get("raffle")
        back = reverse("admin:raffles_winner_changelist") + (f"?raffle={chosen}" if chosen else "")
        if not is_typed:
            messages.error(request, "Type a ticket's number or code, or a username.")
            return HttpResponseRedirect(back)
        raffles = list(Raffle.objects.filter(pk=chosen)) if chosen else searched_without_choice()
        found = list(find_winners(form.cleaned_data["text"], raffles=raffles)[: _FOUND + 1])
        if len(found) == 1:
            return HttpResponseRedirect(reverse("admin:raffles_winner_change", args=[found[0].pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": "No such winner" if not found else "Winners found",
            "opts": self.opts,
            "found": found[:_FOUND],
            "is_cut": len(found) > _FOUND,
            "raffles": raffles,
            "chosen": chosen,
            "back": back,
        }
        return TemplateResponse(request, "admin/raffles/winner/found.html", context)

    @admin.display(description="raffle")
    def of_raffle(self, winner: Winner) -> SafeString:
        page = reverse("admin:raffles_raffle_change", args=[winner.raffle_id])
        return format_html('<a href="{}">{}</a>', page, winner.raffle.name)

    @admin.display(description="prize")
    def prize_now(self, winner: Winner) -> str:
        prize = winner.current_prize() or winner.prize
        return prize.name if prize else NOTHING

    @admin.display(description="ticket")
    def number(self, winner: Winner) -> str:
        return f"{winner.ticket_number():,}"

    @admin.display(description="username")
    def user(self, winner: Winner) -> str:
        return winner.ticket.username or NOTHING

    @admin.display(description="state")
    def state(self, winner: Winner) -> str:
        handover = getattr(winner, "handover", None)
        is_late = handover is not None and handover.is_overdue(timezone.now())
        late = ", too late to claim" if is_late and winner.state() in _HELD else ""
        return f"{winner.state()}{late}"

    @admin.display(description="claim until")
    def deadline(self, winner: Winner) -> str:
        until = winner.claim_until() if winner.state() in _HELD else None
        return _shown(until)

    @admin.display(description="told")
    def told(self, winner: Winner) -> str:
        return _moment(winner, "notified_at")

    @admin.display(description="claimed")
    def claimed(self, winner: Winner) -> str:
        return _moment(winner, "claimed_at")

    @admin.display(description="handed over")
    def handed_over(self, winner: Winner) -> str:
        return _moment(winner, "handed_over_at")

    @admin.display(description="forfeited")
    def forfeited(self, winner: Winner) -> str:
        return _moment(winner, "forfeited_at")

    @admin.display(description="passed on")
    def passed_on(self, winner: Winner) -> SafeString | str:
        """To whom or from whom the prize went, and why."""
        line = getattr(winner, "replacement", None) or getattr(winner, "replaces", None)
        if line is None:
            return NOTHING
        other = line.alternate if line.winner_id == winner.pk else line.winner
        which = "to" if line.winner_id == winner.pk else "from"
        page = reverse("admin:raffles_winner_change", args=[other.pk])
        text = '{} <a href="{}">ticket {}</a>, {}: {}'
        number = f"{other.ticket_number():,}"
        return format_html(text, which, page, number, _shown(line.replaced_at), line.reason)


def _shown(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else NOTHING


def _moment(winner: Winner, name: str) -> str:
    return _shown(getattr(getattr(winner, "handover", None), name, None))


@admin.register(Replacement)
class ReplacementAdmin(ReadOnly):
    """Who took whose place."""

    list_display = ("raffle", "prize", "reason", "replaced_at", "actor")
    list_select_related = ("raffle", "prize")
    fields = ("raffle", "prize", "winner", "alternate", "reason", "replaced_at", "actor")
    readonly_fields = fields
