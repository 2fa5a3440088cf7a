"""How the lists of events and of their winners can be narrowed."""

from __future__ import annotations

import django_filters
from drf_spectacular.utils import extend_schema_field

from events.models import Event
from events.models.event import EventQuerySet
from raffles.models import Winner
from rafflesite.filters import FlagFilter, TextFilter, WordFilter


class EventFilter(django_filters.FilterSet):
    """By name, time zone, who may enter, and whether the event is paused."""

    name = extend_schema_field({"type": "string", "minLength": 1, "maxLength": 180})(  # type: ignore[type-var]
        TextFilter(lookup_expr="icontains", max_length=180)
    )
    time_zone = extend_schema_field({"type": "string", "minLength": 1, "maxLength": 64})(  # type: ignore[type-var]
        TextFilter(max_length=64)
    )
    entry = WordFilter(choices=Event.Entry.choices)
    paused = FlagFilter(method="filter_paused", label="No date comes until it is resumed.")

    class Meta:
        model = Event
        fields = ("name", "time_zone", "entry")

    def filter_paused(self, events: EventQuerySet, _name: str, value: bool) -> EventQuerySet:
        return events.filter(paused_at__isnull=not value)


class WinnerFilter(django_filters.FilterSet):
    """By event."""

    event = extend_schema_field({"type": "string", "minLength": 1, "maxLength": 50})(  # type: ignore[type-var]
        TextFilter(field_name="raffle__series", max_length=50)
    )

    class Meta:
        model = Winner
        fields = ()
