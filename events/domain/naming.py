"""How far the public sees who took part."""

from __future__ import annotations

from collections.abc import Callable

from events.models import Event


def announced_name(slug: str) -> Callable[[str], str | None]:
    """What shows names in announcements of the event's draws."""
    stored = Event.objects.filter(slug=slug).values_list("privacy", flat=True).first()
    privacy = stored or Event.Privacy.NUMBER  # a draw must not fail for want of its event
    return lambda username: shown_name(username, privacy)


def shown_name(username: str | None, privacy: str) -> str | None:
    """A user's name as far as it may be shown: in full, as initials, or not at all."""
    if username is None or privacy == Event.Privacy.NUMBER:
        return None
    if privacy == Event.Privacy.INITIALS:
        return " ".join(f"{word[0].upper()}." for word in username.split())
    return username
