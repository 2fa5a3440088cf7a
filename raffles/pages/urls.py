"""Addresses of the pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from raffles.pages import stage, views


def routes(event_page: str) -> tuple[list[URLPattern], str]:
    """Return the routes; `event_page` names the one of an event's page, by its slug.

    Events live a floor above, so whoever knows both says where a raffle's event is shown.
    """
    to_event = {"event_page": event_page}
    return [
        path("robots.txt", views.robots, name="robots"),
        path("r/<uuid:raffle_id>/", views.raffle, to_event, name="raffle"),
        path("r/<uuid:raffle_id>/state/", views.raffle_state, to_event, name="state"),
        path("r/<uuid:raffle_id>/ticket/", views.ticket, name="ticket"),
        path("r/<uuid:raffle_id>/result/", views.result, to_event, name="result"),
        path("r/<uuid:raffle_id>/certificate/", views.certificate, name="certificate"),
        path("r/<uuid:raffle_id>/stage/", stage.stage, to_event, name="stage"),
        path("r/<uuid:raffle_id>/names/", stage.names, name="names"),
        path("r/<uuid:raffle_id>/forfeited/", stage.forfeited_prizes, name="forfeited"),
        path("r/<uuid:raffle_id>/draw.ics", views.calendar, name="calendar"),
        path(
            "admin/raffles/raffle/<uuid:raffle_id>/stage/",
            stage.operated_stage,
            to_event,
            name="operated_stage",
        ),
    ], "pages"
