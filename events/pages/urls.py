"""Addresses of the calendar's pages."""

from __future__ import annotations

from django.urls import path

from events.api import urls as api_urls
from events.pages import embed, feeds, views

__all__ = ["api_urls", "app_name", "urlpatterns"]  # for its converter

app_name = "event_pages"

urlpatterns = [
    path("", views.home, name="home"),
    path("winners/", views.winners, name="winners"),
    path("winners.atom", feeds.winners_feed, name="feed"),
    path("events/<slug:slug>/winners.atom", feeds.winners_feed, name="event_feed"),
    path("events.ics", feeds.events_calendar, name="calendar"),
    path("e/<slug:slug>/", views.event, name="event"),
    path("e/<slug:slug>/state/", views.event_state, name="state"),
    path("embed/e/<slug:slug>/", embed.embed, name="embed"),
    path("embed/e/<slug:slug>/state/", embed.embed_state, name="embed_state"),
    path("e/<slug:slug>/<day:day>/", views.draw, name="draw"),
    path("e/<slug:slug>/<day:day>/certificate/", views.certificate, name="certificate"),
]
