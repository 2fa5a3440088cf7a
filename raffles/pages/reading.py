"""What the pages show, each in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import F

from raffles.domain.proving import proof_head, published_draw
from raffles.models import (
    ENTERABLE,
    FINISHED,
    Draw,
    Prize,
    Raffle,
    Replacement,
    Standing,
    Winner,
)

SHOWN = 1_000  # winners a page
LISTED = 12  # raffles in a list of the home page
PODIUM = 3  # winners or prizes of a draw that are shown where there is little room


def raffle_to_show(raffle_id: UUID) -> Raffle:
    """A raffle with ``available`` and its prizes; raises Raffle.DoesNotExist."""
    raffles = Raffle.objects.with_available().prefetch_related("prizes")
    return raffles.get(uuid=raffle_id)


def takes_entries(raffle: Raffle, now: datetime) -> bool:
    """Whether the button is shown; whether a ticket is left then, the gate decides."""
    return (
        raffle.state in ENTERABLE
        and raffle.series is None
        and raffle.available > 0  # type: ignore[attr-defined]
        and (raffle.closes_at is None or now < raffle.closes_at)
    )


def next_draws() -> list[Raffle]:
    """Raffles that draw at a known time and have not, soonest first."""
    raffles = Raffle.objects.with_available().prefetch_related("prizes")
    planned = raffles.filter(series=None, closes_at__isnull=False).exclude(state__in=FINISHED)
    return list(planned.order_by("closes_at", "pk")[:LISTED])


def open_raffles() -> list[Raffle]:
    """Raffles that draw once they are sold out, latest first."""
    raffles = Raffle.objects.with_available().prefetch_related("prizes")
    unplanned = raffles.filter(series=None, closes_at=None, state__in=ENTERABLE)
    return list(unplanned.order_by("-id")[:LISTED])


@dataclass(frozen=True, slots=True)
class Holder:
    """A ticket that holds a prize, or held it until ``reason``; its user where one is shown."""

    ticket_number: int
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A rank with its prize, and its holders in order: the last one holds it now."""

    rank: int
    prize: Prize
    holders: list[Holder]


def places(
    raffle: Raffle, *, after: int = 0, limit: int = SHOWN, names: Mapping[int, str] | None = None
) -> list[Place]:
    """The prize winners behind rank ``after``, at most ``limit``; ``names`` by ticket number."""
    winners = Winner.objects.of_prizes().filter(raffle=raffle, rank__gt=after)
    lines = Replacement.objects.filter(raffle=raffle).select_related("winner", "alternate")
    replaced = {line.winner_id: line for line in lines}
    return [
        Place(winner.rank, winner.prize, list(_holders(winner, replaced, names or {})))
        for winner in winners.select_related("prize").order_by("rank")[:limit]
        if winner.prize
    ]


def _holders(
    winner: Winner, replaced: Mapping[int, Replacement], names: Mapping[int, str]
) -> Iterator[Holder]:
    while line := replaced.get(winner.pk):
        number = winner.ticket_number()
        yield Holder(number, names.get(number, ""), line.reason)
        winner = line.alternate
    number = winner.ticket_number()
    yield Holder(number, names.get(number, ""))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a drawn ticket has: a prize, to be claimed ``until`` then; or why it has none.

    ``lost`` is the reason that was given when its prize was passed on.
    """

    prize: Prize | None = None
    standing: Standing | None = None
    until: datetime | None = None
    lost: str = ""


def outcome_of(raffle: Raffle, slot: int, now: datetime) -> Outcome:
    """What became of the ticket in a slot; a deadline that has passed counts before any run."""
    winner = Winner.objects.with_standing().filter(raffle=raffle, slot=slot).first()
    if winner is None:
        return Outcome()
    until, standing = winner.claim_until(), winner.standing()
    if standing == Standing.REPLACED:
        return Outcome(standing=standing, lost=winner.replacement.reason)
    is_overdue = until is not None and winner.handover.is_overdue(now)
    if standing == Standing.FORFEITED or is_overdue:
        return Outcome(standing=Standing.FORFEITED, until=until)
    return Outcome(winner.held_prize(), standing, until)


@dataclass(frozen=True, slots=True)
class Story:
    """A sealed draw in three steps: pool frozen, randomness came, winners follow.

    Hashes are hex; what has not come yet is None or empty.
    """

    draw: Draw
    tickets: int
    root: str
    commitment_hash: str
    draws_at: datetime | None
    randomness: str
    seed: str
    earlier: list[Draw]


def story_of(raffle_id: UUID) -> Story:
    """The story of the latest draw. Raises Raffle.DoesNotExist, NotSealed."""
    draw = published_draw(raffle_id)
    seconds = draw.draws_at()
    head = proof_head(draw) if draw.drawn_at else None
    earlier = Draw.objects.filter(raffle=draw.raffle, number__lt=draw.number)
    return Story(
        draw=draw,
        tickets=draw.raffle.pool.tickets,
        root=bytes(draw.raffle.pool.root).hex(),
        commitment_hash=bytes(draw.commitment_hash).hex(),
        draws_at=None if seconds is None else datetime.fromtimestamp(seconds, UTC),
        randomness=head["entropy"]["randomness"] if head else "",
        seed=head["seed"] if head else "",
        earlier=list(earlier.order_by(F("number").desc())) if draw.number > 1 else [],
    )
