"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from . import staging, views

app_name = "pages"

urlpatterns = [
    path("robots.txt", views.robots, name="robots"),
    path("r/<uuid:raffle_id>/", views.raffle, name="raffle"),
    path("r/<uuid:raffle_id>/state/", views.raffle_state, name="state"),
    path("r/<uuid:raffle_id>/ticket/", views.ticket, name="ticket"),
    path("r/<uuid:raffle_id>/result/", views.result, name="result"),
    path("r/<uuid:raffle_id>/certificate/", views.certificate, name="certificate"),
    path("r/<uuid:raffle_id>/stage/", staging.stage, name="stage"),
    path("r/<uuid:raffle_id>/forfeited/", staging.forfeited_prizes, name="forfeited"),
    path("r/<uuid:raffle_id>/draw.ics", views.calendar, name="calendar"),
    path(
        "admin/raffles/raffle/<uuid:raffle_id>/stage/",
        staging.operated_stage,
        name="operated_stage",
    ),
]
