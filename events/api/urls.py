"""Addresses of the events."""

from __future__ import annotations

from datetime import date

from django.urls import path, register_converter
from rest_framework.routers import SimpleRouter

from events.api import legacy
from events.api.exclusions import ExclusionsOfEvents
from events.api.feeds import event_stream
from events.api.views import EventViewSet


class DayConverter:
    """A local date in a path; anything else is 404."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, text: str) -> date:
        return date.fromisoformat(text)

    def to_url(self, day: date) -> str:
        return day.isoformat()


register_converter(DayConverter, "day")

router = SimpleRouter(use_regex_path=False)
router.register("events", EventViewSet, basename="event")
router.register("exclusions", ExclusionsOfEvents, basename="exclusion")

urlpatterns = [
    *router.urls,
    path("events/<slug:slug>/stream/", event_stream, name="event-stream"),
    *legacy.urlpatterns,
]
