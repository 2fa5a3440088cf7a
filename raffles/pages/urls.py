"""URLs of the pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from raffles.pages import beacon, embed, log, offline, result, rules, stage, ticket, views
from raffles.web.converters import RAFFLE_ID


def routes(event_page: str, picture_of: stage.PictureOf) -> tuple[list[URLPattern], str]:
    """Return the routes; `event_page` is the route of an event's page, which takes its slug.

    Events live on a higher floor, so whoever knows both floors says where an event's page is, and
    which picture its draw has.
    """
    operated = path(
        f"admin/raffles/raffle/{RAFFLE_ID}/stage/",
        stage.operated_stage,
        {"event_page": event_page, "picture_of": picture_of},
        name="operated_stage",
    )
    # At the root, since a worker answers for what lies beneath it.
    worker = path("offline-worker.js", offline.worker, name="offline_worker")
    return [*public_routes(event_page, picture_of)[0], worker, operated], "pages"


def public_routes(event_page: str, picture_of: stage.PictureOf) -> tuple[list[URLPattern], str]:
    """Return the routes that need no login, as above."""
    to_event = {"event_page": event_page}
    on_stage = {"event_page": event_page, "picture_of": picture_of}
    return [
        path("robots.txt", views.robots, name="robots"),
        path("my-tickets/", views.my_tickets, name="my_tickets"),
        path("offline/", offline.offline, name="offline"),
        path("log/", log.log, name="log"),
        path("rules/<str:rules_hash>/", rules.rules, name="rules"),
        path("rules/<str:rules_hash>.txt", rules.rules_file, name="rules_file"),
        path(f"r/{RAFFLE_ID}/", views.raffle, to_event, name="raffle"),
        path(f"r/{RAFFLE_ID}/state/", views.raffle_state, to_event, name="state"),
        path(f"r/{RAFFLE_ID}/ticket/", ticket.ticket, to_event, name="ticket"),
        path(f"r/{RAFFLE_ID}/ticket/<int:number>/state/", ticket.ticket_state, name="ticket_state"),
        path(f"r/{RAFFLE_ID}/result/", result.result, to_event, name="result"),
        path(f"r/{RAFFLE_ID}/beacon/", beacon.beacon_of, name="beacon"),
        path(f"r/{RAFFLE_ID}/seen/", views.who_saw_it, name="seen"),
        path(f"r/{RAFFLE_ID}/certificate/", views.certificate, name="certificate"),
        path(f"r/{RAFFLE_ID}/stage/", stage.stage, on_stage, name="stage"),
        path(f"r/{RAFFLE_ID}/names/", stage.names, name="names"),
        path(f"r/{RAFFLE_ID}/forfeited/", stage.forfeited_prizes, name="forfeited"),
        path(f"embed/r/{RAFFLE_ID}/", embed.embed, to_event, name="embed"),
        path(f"embed/r/{RAFFLE_ID}/state/", embed.embed_state, to_event, name="embed_state"),
        path(f"r/{RAFFLE_ID}/draw.ics", views.calendar, name="calendar"),
    ], "pages"
