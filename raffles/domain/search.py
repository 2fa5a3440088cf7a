"""Finding winners by what is on a ticket: its number, its code, its user; in public by its user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_

from django.db.models import BinaryField, Q, Sum, Value

from raffles.domain.identities import of_user
from raffles.domain.keys import held_key
from raffles.fairness.tickets import code_tag, holder_key, holder_tag, read_code
from raffles.models import Draw, Privacy, Raffle, State, Ticket, Winner
from raffles.models.raffle import MAX_TICKETS
from raffles.models.winner import CODE_IN_LEAF, NUMBER_IN_LEAF, WinnerQuerySet

RECENT = 50  # raffles to choose from
_FOUND = 100  # matches per reading of the text; more than anybody looks through
_NAMED = 1_000  # raffles that a public search for a name goes through, the latest
_AT_ONCE = 100  # of them in one query
_NOBODY = Q(pk__in=[])
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

    Number and code have an index. A name has none, and is looked for where names are kept; apart,
    or every winner would be joined with its ticket before the first comparison.
    """
    found: set[int] = set()
    for same, among in _readings(text, raffles):
        theirs = Winner.objects.filter(raffle__in=[raffle.pk for raffle in among])
        theirs = theirs.alias(number=NUMBER_IN_LEAF, code=CODE_IN_LEAF)
        found.update(theirs.filter(same).values_list("pk", flat=True)[:_FOUND])
    winners = Winner.objects.with_state().filter(pk__in=found)
    return winners.select_related("raffle").order_by("-raffle_id", "rank")


def raffles_won_by(username: str) -> list[int]:
    """Return the keys of the events' raffles in which a user holds or held a prize, for everybody.

    Only raffles that show names in full are searched. Names have no index; tags have, so the user's
    is computed for each raffle, and looked up there. Who was erased has no name any more.
    """
    named = Raffle.objects.filter(
        state=State.DRAWN, privacy=Privacy.FULL, event_slug__isnull=False
    ).order_by("-pk")
    identity, found = of_user(username), list[int]()
    rows = list(named.values_list("pk", "uuid", "ticket_key_id")[:_NAMED])
    for first in range(0, len(rows), _AT_ONCE):
        theirs = (
            Q(raffle=pk, holder_tag=holder_tag(holder_key(key, uuid.bytes), identity))
            for pk, uuid, key_id in rows[first : first + _AT_ONCE]
            if (key := held_key(key_id))
        )
        tickets = Ticket.objects.filter(reduce(or_, theirs, _NOBODY), username__isnull=False)
        held = [Q(raffle=pk, slot=slot) for pk, slot in tickets.values_list("raffle", "slot")]
        if held:
            won = Winner.objects.filter(reduce(or_, held))
            prized = won.filter(Q(prize__isnull=False) | Q(replaces__isnull=False))
            found += prized.values_list("raffle", flat=True)
    return found


def _readings(text: str, raffles: Sequence[Raffle]) -> Iterator[tuple[Q, Sequence[Raffle]]]:
    """Yield a condition for each thing that the text may be, and the raffles that can meet it."""
    named = [each for each in raffles if each.keeps_names]
    yield Q(ticket__username__iexact=text), named
    if (code := read_code(text)) is not None:
        tag = code_tag(code)
        yield Q(code=Value(tag, BinaryField()), ticket__code_tag=tag), raffles  # not of an erased
    number = text.replace(",", "")
    if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
        yield Q(number=Value(int(number).to_bytes(8, "big"), BinaryField())), raffles


_DIGITS = len(str(MAX_TICKETS))
