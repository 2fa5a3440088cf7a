"""Finding winners by what is on a ticket: its number, its code, its user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import BinaryField, Q, Sum, Value
from django.db.models.functions import Substr

from raffles.fairness.tickets import code_tag, read_code
from raffles.models import Draw, Raffle, Winner
from raffles.models.raffle import MAX_TICKETS
from raffles.models.winner import WinnerQuerySet

RECENT = 50  # raffles to choose from
_FOUND = 100  # matches per reading of the text; more than anybody looks through
_LOOKED_AT = 200_000  # winners and alternates that a search without a chosen raffle covers


def recently_drawn(limit: int = RECENT) -> list[Raffle]:
    """Return the raffles drawn last, latest first, with `drawn_at`."""
    draws = Draw.objects.filter(drawn_at__isnull=False).select_related("raffle")
    found = []
    for draw in draws.order_by("-drawn_at", "-pk")[:limit]:
        draw.raffle.drawn_at = draw.drawn_at  # type: ignore[attr-defined]
        found.append(draw.raffle)
    return found


def searched_without_choice() -> list[Raffle]:
    """Return the latest raffles, limited by their winners, for a search without a chosen one."""
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
    """Return winners and alternates of `raffles` whose ticket has this number, code or user.

    None of the three has an index, so each is searched separately, among winners, not tickets: in
    one query every winner would be joined with its ticket before the first comparison.
    """
    theirs = Winner.objects.filter(raffle__in=[raffle.pk for raffle in raffles])
    found: set[int] = set()
    for same in _readings(text):
        numbered = theirs.annotate(number=Substr("leaf", 17, 8, output_field=BinaryField()))
        found.update(numbered.filter(same).values_list("pk", flat=True)[:_FOUND])
    winners = Winner.objects.with_state().filter(pk__in=found)
    return winners.select_related("raffle").order_by("-raffle_id", "rank")


def _readings(text: str) -> Iterator[Q]:
    """Yield a condition for each thing that the text may be."""
    yield Q(ticket__username__iexact=text)
    if (code := read_code(text)) is not None:
        yield Q(ticket__code_tag=code_tag(code))
    number = text.replace(",", "")
    if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
        yield Q(number=Value(int(number).to_bytes(8, "big"), BinaryField()))


_DIGITS = len(str(MAX_TICKETS))
