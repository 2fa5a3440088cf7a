"""A poster to hang up: what is given away, when, and the way to take part as a QR code."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy

from raffles.admin.actions import AdminPages, ViewPage
from raffles.models import Raffle, State
from raffles.pages.card import qr
from raffles.web.languages import in_language_of


class Poster(NamedTuple):
    """What is written on it; `path` is the page where people take part."""

    name: str
    path: str
    prizes: list[str]
    draw_at: datetime | None
    zone: tzinfo
    back: str


def show(request: HttpRequest, poster: Poster) -> HttpResponse:
    """Answer with the poster, in the language of who prints it."""
    address = f"{settings.PUBLIC_URL}{poster.path}"
    context = {"poster": poster, "address": address.partition("://")[2], "qr": qr(address)}
    return in_language_of(request, lambda: render(request, "admin/raffles/poster.html", context))


def raffle_poster(request: HttpRequest, _admin: AdminPages, raffle: Raffle) -> HttpResponse:
    """Answer with the poster of a raffle."""
    return show(
        request,
        Poster(
            name=raffle.name,
            path=reverse("pages:raffle", args=[raffle.uuid]),
            prizes=[str(prize) for prize in raffle.prizes.all()[:_LISTED]],
            draw_at=raffle.closes_at,
            zone=raffle.zone(),
            back=reverse("admin:raffles_raffle_change", args=[raffle.pk]),
        ),
    )


_LISTED = 6  # prizes
POSTER = ViewPage(
    name="poster",
    label=gettext_lazy("Poster"),
    permissions=("raffles.view_raffle",),
    methods=("GET", "HEAD"),
    is_offered=lambda raffle: raffle.state == State.OPEN and raffle.event_slug is None,
    view=raffle_poster,
)
