"""Names of entries, as far as the event that they came through shows them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from django.conf import settings
from django.utils.module_loading import import_string

from raffles.models import Raffle, Ticket


def name_shown_of(series: str | None) -> Callable[[str], str | None]:
    """What shows a name as everybody may see it; None of it for a raffle that stands alone.

    How much is shown is for the event to say, by the function that the settings name.
    """
    if series is None:
        return lambda _name: None
    show: Callable[[str], str | None] = import_string(settings.ANNOUNCED_NAME)(series)
    return show


def shown_names(raffle: Raffle, slots: Collection[int]) -> dict[int, str]:
    """The names that may be announced, by slot; none of a raffle that stands alone."""
    if raffle.series is None:
        return {}
    show = name_shown_of(raffle.series)
    entered = Ticket.objects.filter(raffle=raffle, slot__in=slots, username__isnull=False)
    names = {slot: name and show(name) for slot, name in entered.values_list("slot", "username")}
    return {slot: name for slot, name in names.items() if name}
