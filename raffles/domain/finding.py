"""Finding winners by what is on a ticket: its number, its code, its user."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import BinaryField, Q, Sum, Value
from django.db.models.functions import Substr

from raffles.fairness.tickets import code_tag, read_code
from raffles.models import Draw, Raffle, Winner
from raffles.models.winner import WinnerQuerySet

RECENT = 50  # raffles to choose from
_LOOKED_AT = 200_000  # winners and alternates of those that a search without a raffle goes through


def recently_drawn(limit: int = RECENT) -> list[Raffle]:
    """The raffles that were drawn last, the latest first, with ``drawn_at``."""
    draws = Draw.objects.filter(drawn_at__isnull=False).select_related("raffle")
    found = []
    for draw in draws.order_by("-drawn_at", "-pk")[:limit]:
        draw.raffle.drawn_at = draw.drawn_at  # type: ignore[attr-defined]
        found.append(draw.raffle)
    return found


def searched_without_choice() -> list[Raffle]:
    """The latest raffles that a search goes through which names none: bounded by their winners."""
    raffles = recently_drawn()
    sums = Raffle.objects.filter(pk__in=[raffle.pk for raffle in raffles])
    prizes = dict(sums.values_list("pk").annotate(Sum("prizes__amount")).order_by())
    left = _LOOKED_AT
    chosen: list[Raffle] = []
    for raffle in raffles:
        left -= (prizes[raffle.pk] or 0) + raffle.alternates
        if chosen and left < 0:
            break
        chosen.append(raffle)
    return chosen


def find_winners(text: str, *, raffles: Sequence[Raffle]) -> WinnerQuerySet:
    """Winners and alternates of ``raffles`` whose ticket has this number, code or user.

    No index knows any of the three, so it goes through the winners, never through the tickets.
    """
    found = Winner.objects.with_standing().filter(raffle__in=[raffle.pk for raffle in raffles])
    which = Q(ticket__username__iexact=text)
    if (code := read_code(text)) is not None:
        which |= Q(ticket__code_tag=code_tag(code))
    number = text.replace(",", "")
    if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
        on_leaf = Substr("leaf", 17, 8, output_field=BinaryField())
        found = found.annotate(number=on_leaf)
        which |= Q(number=Value(int(number).to_bytes(8, "big"), BinaryField()))
    return found.filter(which).select_related("raffle").order_by("-raffle_id", "rank")


_DIGITS = 8  # of the largest raffle's last number
