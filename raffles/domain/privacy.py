"""Who sees names: everybody, as far as the privacy of a raffle shows them."""

from __future__ import annotations

from collections.abc import Collection

from raffles.models import Privacy, Raffle, Ticket


def shown_name(username: str | None, privacy: str) -> str | None:
    """Return a user's name as far as it may be shown: in full, as initials, or None."""
    if username is None or privacy == Privacy.NUMBER:
        return None
    if privacy == Privacy.INITIALS:
        return " ".join(f"{word[0].upper()}." for word in username.split())
    return username


def shown_names(raffle: Raffle, slots: Collection[int]) -> dict[int, str]:
    """Return the names that everybody may see of the tickets in `slots`, by slot."""
    if raffle.privacy == Privacy.NUMBER:
        return {}
    entered = Ticket.objects.filter(raffle=raffle, slot__in=slots, username__isnull=False)
    names = entered.values_list("slot", "username")
    return {slot: shown for slot, name in names if (shown := shown_name(name, raffle.privacy))}
