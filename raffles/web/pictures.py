"""Addresses of pictures: which of them a page may show."""

from __future__ import annotations

from django.conf import settings


def shown_picture(address: str) -> str:
    """Return the URL of a picture if this site serves it, else an empty string.

    Pages load nothing from elsewhere: another host would learn who looks.
    """
    return address if address.startswith(f"{settings.PUBLIC_URL}/") else ""
