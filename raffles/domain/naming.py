"""Names of entries, as far as the event that they came through shows them."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.utils.module_loading import import_string

from raffles.models import Raffle, Ticket


def shown_names(raffle: Raffle, slots: Collection[int]) -> dict[int, str]:
    """The names that may be announced, by slot; none of a raffle that stands alone.

    How much is shown is for the event to say, by the function that the settings name.
    """
    if raffle.series is None:
        return {}
    show = import_string(settings.ANNOUNCED_NAME)(raffle.series)
    entered = Ticket.objects.filter(raffle=raffle, slot__in=slots, username__isnull=False)
    names = {slot: show(name) for slot, name in entered.values_list("slot", "username")}
    return {slot: name for slot, name in names.items() if name}
