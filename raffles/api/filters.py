"""Filters of the list of raffles."""

from __future__ import annotations

import django_filters
from django.db.models import F

from raffles.models import Raffle, State
from raffles.models.raffle import RaffleQuerySet
from raffles.web.lists import FlagFilter, MomentFilter, TextFilter


class RaffleFilter(django_filters.FilterSet):
    """By name, by outcome, and by time of creation."""

    name = TextFilter(lookup_expr="icontains", max_length=200)
    drawn = FlagFilter(method="filter_drawn", label="Winners are drawn.")
    sold_out = FlagFilter(method="filter_sold_out", label="No ticket is left.")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Raffle
        fields = ("name",)

    def filter_drawn(self, raffles: RaffleQuerySet, _name: str, value: bool) -> RaffleQuerySet:
        return raffles.filter(state=State.DRAWN) if value else raffles.exclude(state=State.DRAWN)

    def filter_sold_out(self, raffles: RaffleQuerySet, _name: str, value: bool) -> RaffleQuerySet:
        full = {"issued": F("total_tickets")}
        raffles = raffles.with_issued()
        return raffles.filter(**full) if value else raffles.exclude(**full)
