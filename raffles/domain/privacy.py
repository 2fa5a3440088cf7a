"""Who sees names: everybody, as far as a raffle's privacy allows."""

from __future__ import annotations

from collections.abc import Collection

from raffles.models import Privacy, Raffle, Ticket


def shown_name(username: str | None, privacy: str) -> str | None:
    """Return a name as far as it may be shown: in full, as initials, or None."""
    if username is None or privacy == Privacy.NUMBER:
        return None
    if privacy == Privacy.INITIALS:
        return " ".join(f"{word[0].upper()}." for word in username.split())
    return username


def shown_names(raffle: Raffle, slots: Collection[int]) -> dict[int, str]:
    """Return the names of the tickets in `slots` that everybody may see, by slot."""
    if raffle.privacy == Privacy.NUMBER:
        return {}
    entered = Ticket.objects.filter(raffle=raffle, slot__in=slots, username__isnull=False)
    names = entered.values_list("slot", "username")
    return {slot: shown for slot, name in names if (shown := shown_name(name, raffle.privacy))}
