"""Links in the frame of every page, whose template belongs to no application."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from raffles.web.languages import editions


def frame(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """Return the links of `base.html`, and the page in each language."""
    links = {name: reverse(route) for name, route in _LINKS.items()}
    if settings.OFFLINE:  # one for all languages, at the root
        links["worker"] = reverse("pages:offline_worker", settings.ROOT_URLCONF)
    return {"frame": {**links, "editions": editions(request)}}


_LINKS = {
    "home": "event_pages:home",
    "winners": "event_pages:winners",
    "feed": "event_pages:feed",
    "calendar": "event_pages:calendar",
    "my_tickets": "pages:my_tickets",
    "docs": "docs",
}
