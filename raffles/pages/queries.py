"""What the pages show, each in a constant number of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Exists, F, Max, OuterRef, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from raffles.domain.privacy import shown_name
from raffles.domain.prizes import slot_of
from raffles.domain.proofs import inclusion, proof_head, published_draw
from raffles.domain.refusals import NoSuchTicket
from raffles.domain.witnesses.ours.named import answered_so_far
from raffles.domain.witnesses.ours.summary import Summary, seen
from raffles.models import (
    ENTERABLE,
    FINISHED,
    Channel,
    Draw,
    EntryMode,
    Handover,
    Privacy,
    Prize,
    Raffle,
    Replacement,
    Stripe,
    Winner,
)
from raffles.models.raffle import UNDER_WAY
from raffles.models.winner import WinnerQuerySet
from raffles.pages.reasons import shown_reason

SHOWN = 1_000  # winners on a certificate
LISTED = 12  # raffles in a list of the home page
PODIUM = 3  # winners or prizes of a draw that are shown where there is little room


def raffle_to_show(raffle_id: UUID) -> Raffle:
    """Return a raffle with `available` and its prizes. Raises Raffle.DoesNotExist."""
    raffles = Raffle.objects.with_available().prefetch_related("prizes")
    return raffles.get(uuid=raffle_id)


def takes_entries(raffle: Raffle, now: datetime) -> bool:
    """Return whether to show the button; whether a ticket is left, the gate decides later."""
    return _may_be_entered(raffle, now) and not (raffle.opens_at and now < raffle.opens_at)


def opens_later(raffle: Raffle, now: datetime) -> datetime | None:
    """Return from when on the button is shown; None where that moment has come, or never does."""
    is_ahead = raffle.opens_at and now < raffle.opens_at
    return raffle.opens_at if is_ahead and _may_be_entered(raffle, now) else None


def event_takes_entries(raffle: Raffle, now: datetime) -> bool:
    """Return whether the raffle is a date of an event, on whose page people can enter it."""
    is_of_event = raffle.event_slug is not None and raffle.entry != EntryMode.PARTNER
    return is_of_event and _has_tickets_left(raffle, now)


def _may_be_entered(raffle: Raffle, now: datetime) -> bool:
    is_by_visitors = raffle.event_slug is None and raffle.entry != EntryMode.LIST
    return is_by_visitors and _has_tickets_left(raffle, now)


def _has_tickets_left(raffle: Raffle, now: datetime) -> bool:
    return (
        raffle.state in ENTERABLE
        and raffle.available > 0
        and (raffle.closes_at is None or now < raffle.closes_at)
    )


def _to_list() -> QuerySet[Raffle]:
    """Return raffles with only the columns that a list shows: the home page is read most."""
    prizes = Prize.objects.only("raffle", "name", "amount", "picture")
    shown = Raffle.objects.only(
        *("uuid", "name", "total_tickets", "opens_at", "closes_at"),
        *("time_zone", "state", "event_slug", "entry"),
    )
    return shown.with_available().prefetch_related(Prefetch("prizes", prizes))


def first_picture(prizes: Iterable[Prize]) -> str:
    """Return the URL of the first picture that pages show; an empty string without one."""
    return next((shown for prize in prizes if (shown := prize.shown_picture())), "")


def next_draws() -> list[Raffle]:
    """Return the raffles that are still to be drawn at a known time, soonest first."""
    planned = (
        _to_list().filter(event_slug=None, closes_at__isnull=False).exclude(state__in=FINISHED)
    )
    return list(planned.order_by("closes_at", "pk")[:LISTED])


_HAS_TICKETS = Exists(Stripe.objects.filter(raffle=OuterRef("pk"), issued__lt=F("cap")))


def open_raffles() -> list[Raffle]:
    """Return the raffles with tickets left that are drawn once they sell out, latest first."""
    unplanned = _to_list().filter(_HAS_TICKETS, event_slug=None, closes_at=None)
    return list(unplanned.filter(state__in=ENTERABLE).order_by("-id")[:LISTED])


def full_raffles() -> list[Raffle]:
    """Return the raffles without a closing time that are to be drawn now, latest first."""
    unplanned = _to_list().filter(event_slug=None, closes_at=None).exclude(state__in=FINISHED)
    full = unplanned.filter(Q(state__in=UNDER_WAY) | ~_HAS_TICKETS)
    return list(full.order_by("-id")[:LISTED])


@dataclass(frozen=True, slots=True)
class Holder:
    """A ticket that holds a prize, or lost it for a `reason`, or `forfeited` it.

    `name` is its user, where privacy shows one.
    """

    ticket_number: int
    name: str = ""
    reason: str = ""
    forfeited: str = ""
    has_it_in_hand: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A rank with its prize and its holders, in order."""

    rank: int
    prize: Prize
    holders: list[Holder]

    def holder(self) -> Holder | None:
        """Return who holds the prize now; None if it was forfeited."""
        last = self.holders[-1]
        return None if last.forfeited else last

    def former(self) -> list[Holder]:
        """Return those who held it before."""
        return self.holders[:-1] if self.holder() else self.holders


def places(
    raffle: Raffle, *, after: int = 0, limit: int = SHOWN, names: Mapping[int, str] | None = None
) -> list[Place]:
    """Return at most `limit` prize ranks after rank `after`; `names` are by ticket number."""
    winners = Winner.objects.filter(raffle=raffle, rank__gt=after, rank__lte=after + limit)
    return _places([raffle], winners, lambda winner: (names or {}).get(winner.ticket_number(), ""))


def podiums(raffles: Sequence[Raffle]) -> dict[int, list[Place]]:
    """Return the first places of each raffle by its key, with the names that everybody may see.

    Two queries for any number of raffles.
    """
    by_key = {raffle.pk: raffle for raffle in raffles}

    def name_of(winner: Winner) -> str:
        return shown_name(winner.ticket.username, by_key[winner.raffle_id].privacy) or ""

    winners = Winner.objects.filter(raffle__in=by_key, rank__lte=PODIUM).select_related("ticket")
    found: dict[int, list[Place]] = {key: [] for key in by_key}
    for place in _places(raffles, winners, name_of, "alternate__ticket"):
        found[place.prize.raffle_id].append(place)
    return found


def _places(
    raffles: Sequence[Raffle],
    winners: WinnerQuerySet,
    name_of: Callable[[Winner], str],
    *also: str,
) -> list[Place]:
    lines = Replacement.objects.filter(raffle__in=raffles)
    replaced = {line.winner_id: line for line in lines.select_related("alternate__handover", *also)}
    drawn = winners.of_prizes().select_related("prize", "handover").order_by("rank")
    return [
        Place(winner.rank, winner.prize, list(_holders(winner, replaced, name_of)))
        for winner in drawn
        if winner.prize
    ]


def _holders(
    winner: Winner, replaced: Mapping[int, Replacement], name_of: Callable[[Winner], str]
) -> Iterator[Holder]:
    while line := replaced.get(winner.pk):
        yield Holder(winner.ticket_number(), name_of(winner), shown_reason(line.reason))
        winner = line.alternate
    handover = getattr(winner, "handover", None)
    yield Holder(
        winner.ticket_number(),
        name_of(winner),
        forfeited=_forfeited(handover) if handover else "",
        has_it_in_hand=bool(handover and handover.handed_over_at),
    )


@dataclass(frozen=True, slots=True)
class Given:
    """How many prizes of a drawn raffle there were, and how many tickets to win them."""

    prizes: int
    tickets: int

    def unwon(self) -> int:
        """Return how many prizes no ticket was left for."""
        return max(self.prizes - self.tickets, 0)

    def more(self) -> int:
        """Return how many winners there are beyond those of a podium."""
        return max(min(self.prizes, self.tickets) - PODIUM, 0)


def given(raffle: Raffle, tickets: int) -> Given:
    """Count the prizes of a raffle; no query where they are prefetched."""
    return Given(sum(prize.amount for prize in raffle.prizes.all()), tickets)


def _forfeited(handover: Handover) -> str:
    if handover.forfeited_at is None:
        return ""
    is_late = handover.is_overdue(handover.forfeited_at)
    return _("Not claimed in time") if is_late else _("Forfeited")


def forfeited(raffle: Raffle) -> dict[int, str]:
    """Return the tickets that forfeited a prize that nobody else got, with the words for it."""
    lost = Handover.objects.filter(winner__raffle=raffle, forfeited_at__isnull=False)
    rows = lost.filter(winner__replacement=None).select_related("winner")
    return {row.winner.ticket_number(): _forfeited(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Found:
    """What a draw says of a number, without its code.

    `row` is the rank in whose row of the winners it stands, as who holds its prize or `has_lost`
    it; `alternate` its place among those who were drawn beyond the prizes; `place` its place among
    the `tickets` that were sealed. Each is None where there is none.
    """

    number: int
    tickets: int
    row: int | None = None
    prize: Prize | None = None
    has_lost: bool = False
    alternate: int | None = None
    place: int | None = None


def find_number(raffle: Raffle, number: int) -> Found:
    """Return what a drawn raffle says of one of its numbers."""
    winner = Winner.objects.with_state().filter(raffle=raffle, slot=slot_of(raffle, number)).first()
    if winner is None:
        return _not_drawn(raffle, number)
    tickets = published_draw(raffle.uuid).raffle.pool.tickets
    row = winner
    while row.prize_id is None and (line := getattr(row, "replaces", None)):
        row = Winner.objects.select_related("replaces", "prize").get(pk=line.winner_id)
    if row.prize_id is None:
        ranks = Winner.objects.of_prizes().filter(raffle=raffle).aggregate(last=Max("rank"))
        return Found(number, tickets, alternate=winner.rank - ranks["last"])
    return Found(number, tickets, row.rank, row.prize, has_lost=winner.held_prize() is None)


def _not_drawn(raffle: Raffle, number: int) -> Found:
    try:
        place = inclusion(raffle.uuid, number)
    except NoSuchTicket:
        return Found(number, published_draw(raffle.uuid).raffle.pool.tickets)
    return Found(number, place["tickets"], place=place["index"] + 1)


@dataclass(frozen=True, slots=True)
class Story:
    """A sealed draw in three steps: the pool is frozen, the randomness comes, the winners follow.

    Hashes are in hex; what is still to come is None or empty.
    """

    draw: Draw
    tickets: int
    root: str
    commitment_hash: str
    draws_at: datetime | None
    randomness: str
    seed: str

    def channels(self) -> list[tuple[Channel, int]]:
        """By which channels the tickets came; empty if all came by the raffle's own."""
        return self.draw.raffle.pool.by_channel(self.draw.raffle.own_channel())

    def seen(self) -> Summary | None:
        """Who saw the seal; None before the draw."""
        return seen(self.draw) if self.draw.drawn_at else None

    def answered(self) -> list[tuple[str, int | None]]:
        """Who has witnessed the seal so far, by name and seconds before the number."""
        return answered_so_far(self.draw)


def story_of(raffle_id: UUID) -> Story:
    """Return the story of a draw. Raises Raffle.DoesNotExist, NotSealed."""
    draw = published_draw(raffle_id)
    seconds = draw.draws_at()
    head = proof_head(draw) if draw.drawn_at else None
    return Story(
        draw=draw,
        tickets=draw.raffle.pool.tickets,
        root=bytes(draw.raffle.pool.root).hex(),
        commitment_hash=bytes(draw.commitment_hash).hex(),
        draws_at=None if seconds is None else datetime.fromtimestamp(seconds, UTC),
        randomness=head["entropy"]["randomness"] if head else "",
        seed=head["seed"] if head else "",
    )


def names_behind(shown: Raffle, *, after: int = 0, is_of_date: bool) -> Mapping[int, str]:
    """Return names behind a rank; those of an event's raffle stand on its date's pages alone."""
    return names_of(shown, after=after) if is_of_date or shown.event_slug is None else {}


def names_of(raffle: Raffle, *, after: int = 0, limit: int = SHOWN) -> Mapping[int, str]:
    """Return names by ticket number, of all who hold or held a prize, as far as privacy shows them.

    They cover `limit` ranks after `after`, and every alternate who was promoted.
    """
    if raffle.privacy == Privacy.NUMBER:
        return {}
    drawn = Q(prize__isnull=False, rank__gt=after, rank__lte=after + limit)
    rows = raffle.winners.filter(drawn | Q(replaces__isnull=False)).select_related(
        "ticket", "raffle"
    )
    return {
        row.ticket_number(): shown_name(row.ticket.username, raffle.privacy) or "" for row in rows
    }
