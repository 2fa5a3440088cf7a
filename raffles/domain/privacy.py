"""Who sees names: everybody, as far as a raffle's privacy allows."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from django.db.models import QuerySet

from raffles.models import Announcement, Privacy, Raffle, Ticket, Winner

_CHUNK = 100  # announcements, of at most a hundred winners each


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


def forget_names(raffles: QuerySet[Raffle]) -> None:
    """Take out of announcements the names that nobody may see any more: the only part that changes.

    Streams, feeds, webhooks and mail read what is stored, so an erased or hidden name is gone from
    all of them at once. It never comes back there.
    """
    told = Announcement.objects.of_winners().filter(
        kind=Announcement.Kind.DRAWN, raffle__in=raffles
    )
    rows = told.select_related("raffle").order_by("pk").iterator(_CHUNK)
    while chunk := list(islice(rows, _CHUNK)):
        last = max(len(row.payload["winners"]) for row in chunk)
        shown = _names_by_rank([row.raffle for row in chunk if row.raffle], last)
        changed = set()
        for row in chunk:
            for winner in row.payload["winners"]:
                name = winner.get("username")
                if name is not None and name != shown.get((row.raffle_id, winner["rank"])):
                    del winner["username"]
                    changed.add(row)
        Announcement.objects.bulk_update(changed, ["payload"])


def _names_by_rank(raffles: Collection[Raffle], last: int) -> dict[tuple[int | None, int], str]:
    privacy = {raffle.pk: raffle.privacy for raffle in raffles if raffle.privacy != Privacy.NUMBER}
    won = Winner.objects.of_prizes().filter(raffle__in=privacy, rank__lte=last)
    named = won.filter(ticket__username__isnull=False)
    rows = named.values_list("raffle_id", "rank", "ticket__username")
    return {
        (raffle, rank): shown
        for raffle, rank, name in rows
        if (shown := shown_name(name, privacy[raffle]))
    }
