"""Filters of the lists of events and of their winners."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import django_filters
from rest_framework.request import Request

from events.domain.calendar import ComingDraw
from events.models import Event
from events.models.event import EventQuerySet
from raffles.models import Winner
from raffles.web.lists import FlagFilter, LinkCursorPagination, TextFilter, WordFilter


class EventFilter(django_filters.FilterSet):
    """By name, time zone, who may enter, and whether the event is paused."""

    name = TextFilter(lookup_expr="icontains", max_length=180)
    time_zone = TextFilter(max_length=64)
    entry = WordFilter(choices=Event.Entry.choices)
    paused = FlagFilter(method="filter_paused", label="No date comes until it is resumed.")

    class Meta:
        model = Event
        fields = ("name", "time_zone", "entry")

    def filter_paused(self, events: EventQuerySet, _name: str, value: bool) -> EventQuerySet:
        return events.filter(paused_at__isnull=not value)


class WinnerFilter(django_filters.FilterSet):
    """By event."""

    event = TextFilter(field_name="raffle__event_slug", max_length=50)

    class Meta:
        model = Winner
        fields = ()


_EVENTS = 2**28  # events that a cursor can tell apart within a second


class SoonestFirst(LinkCursorPagination):
    """Coming draws in order of their time; a cursor is a time and an event in one number."""

    default_limit = 1000

    def since(self, request: Request) -> datetime | None:
        """Return the time from which the page is that the request asks for; None for the first."""
        _, position = self._cursor(request)
        return None if position is None else datetime.fromtimestamp(position // _EVENTS, UTC)

    def paginate_draws(self, draws: Iterable[ComingDraw], request: Request) -> list[ComingDraw]:
        """Return the page of `draws` (in order) that the request asks for, and set its link."""
        limit = self._limit(request)
        _, position = self._cursor(request)
        rest = (draw for draw in draws if position is None or _key(draw) > position)
        page = list(islice(rest, limit + 1))
        self.links = []
        if len(page) > limit:
            page = page[:limit]
            self.links = [self._link(request, "next", f"after-{_key(page[-1])}")]
        return page

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe `limit` and `cursor`."""
        return super().get_schema_operation_parameters(view)


def _key(draw: ComingDraw) -> int:
    return int(draw.draw_at.timestamp()) * _EVENTS + draw.event.pk % _EVENTS
