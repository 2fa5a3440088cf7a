"""Exclusions in the back office, with the events that people may be kept out of."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin

from events.models import Event
from raffles.admin.exclusions import ExclusionAdmin
from raffles.models import Exclusion


@admin.register(Exclusion)
class ExclusionsOfEvents(ExclusionAdmin):
    """Exclusions from all draws of an event, too."""

    def events(self) -> Iterable[tuple[str, str]]:
        return Event.objects.order_by("name").values_list("slug", "name")
