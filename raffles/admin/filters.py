"""Filters of the list of winners, for any number of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from raffles.domain.search import recently_drawn
from raffles.models import Raffle, WinnerState

_LISTED = 15  # raffles beside the list


class OfRaffleFilter(admin.SimpleListFilter):
    """Winners by raffle: those drawn last, and the chosen one."""

    title = _("raffle")
    parameter_name = "raffle"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        raffles = recently_drawn(_LISTED)
        chosen = self.chosen()
        if chosen is not None and chosen not in [raffle.pk for raffle in raffles]:
            raffles += Raffle.objects.filter(pk=chosen)
        return [(str(raffle.pk), raffle.name) for raffle in raffles]

    def chosen(self) -> int | None:
        """Return the primary key of the chosen raffle; None without a valid choice."""
        text = self.value() or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None

    def queryset(self, _request: HttpRequest, winners: Any) -> Any:
        chosen = self.chosen()
        return winners if chosen is None else winners.filter(raffle=chosen)


class StateFilter(admin.SimpleListFilter):
    """Winners by state."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in WinnerState]

    def queryset(self, _request: HttpRequest, winners: Any) -> Any:
        return winners.state(self.value()) if self.value() in WinnerState.values else winners
