"""Exclusions in the API, with the events that people may be kept out of."""

from __future__ import annotations

from events.models import Event
from raffles.api.exclusions import ExclusionViewSet


class ExclusionsOfEvents(ExclusionViewSet):
    """Exclusions from all draws of an event, too."""

    def is_event(self, slug: str) -> bool:
        return Event.objects.filter(slug=slug).exists()
