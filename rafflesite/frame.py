"""Links in the frame of every page, whose template belongs to no application."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse


def frame(_request: HttpRequest) -> dict[str, dict[str, str]]:
    """Return the URLs of the archive, the feeds and the API reference, for `base.html`."""
    return {
        "frame": {
            "winners": reverse("event_pages:winners"),
            "feed": reverse("event_pages:feed"),
            "calendar": reverse("event_pages:calendar"),
            "docs": reverse("docs"),
        }
    }
