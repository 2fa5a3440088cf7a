"""Auditing: check the database against what was published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import Sum

from raffles.domain.log import statements
from raffles.domain.pool import Pages, Progress, build_tree, count_channels
from raffles.domain.proofs import drawn, stream_proof
from raffles.fairness.verify import (
    Invalid,
    Step,
    hash_commitment,
    hash_leaf,
    make_leaf,
    read_statement,
    verify,
)
from raffles.models import Draw, Pool, Raffle, Replacement, State, Ticket, Winner

_BATCH = 900


def audit(
    raffle: Raffle, *, published: Any = None, progress: Progress | None = None
) -> Iterator[Step]:
    """Yield each check of a sealed raffle that has passed. Raises Invalid on the first that fails.

    `published` is a proof that somebody kept; without it the database's own proof is checked.
    """
    pool = Pool.objects.get(raffle=raffle)
    yield _gate(raffle, pool)
    yield _root(raffle, pool, progress)
    yield _commitment(raffle)
    if raffle.state != State.DRAWN:
        return
    draw = drawn(raffle.uuid)
    own = json.loads("".join(stream_proof(draw)))
    checked: list[Step] = []
    verify(own if published is None else published, {}, checked.append)
    yield from checked
    if published is not None:
        yield _same(own, published)
    yield _winners(raffle)
    yield _replacements(raffle)


def _gate(raffle: Raffle, pool: Pool) -> Step:
    sums = raffle.stripes.aggregate(issued=Sum("issued"), cap=Sum("cap"))
    stored = Ticket.objects.filter(raffle=raffle).count()
    if not sums["issued"] == sums["cap"] == stored == pool.tickets:
        raise Invalid(
            f"{pool.tickets} tickets were sealed, {sums['issued']} were handed out, "
            f"{stored} are stored, the gate is at {sums['cap']}"
        )
    if Ticket.objects.filter(raffle=raffle, nth__gte=raffle.tickets_per_holder).exists():
        raise Invalid(f"a holder has more tickets than {raffle.tickets_per_holder}")
    if count_channels(raffle) != pool.channels:
        raise Invalid("the tickets came by other channels than were counted with the seal")
    return Step("gate", f"shut, {stored} tickets handed out, stored and sealed")


def _root(raffle: Raffle, pool: Pool, progress: Progress | None) -> Step:
    tree = build_tree(raffle, progress)
    if tree.root != bytes(pool.root):
        raise Invalid(f"the tickets make the root {tree.root.hex()}, not {_hex(pool.root)}")
    if b"".join(tree.levels) != bytes(pool.levels):
        raise Invalid("the stored levels of the tree are not those over the tickets")
    return Step("root", f"{tree.root.hex()}, recomputed from the tickets")


def _commitment(raffle: Raffle) -> Step:
    draw = Draw.objects.select_related("raffle").get(raffle=raffle)
    if hash_commitment(draw.commitment()) != bytes(draw.commitment_hash):
        raise Invalid("the terms and pool are not what was committed to")
    (sealed,) = statements(draw.statement, draw.statement + 1)
    said = read_statement(sealed)
    about = said["kind"], said.get("raffle_id"), said.get("commitment_hash")
    if about != ("sealed", raffle.uuid.hex, bytes(draw.commitment_hash).hex()):
        raise Invalid(f"statement {draw.statement} of the log is not this seal")
    return Step("commitment", f"{bytes(draw.commitment_hash).hex()}, statement {draw.statement}")


def _same(own: dict[str, Any], published: Any) -> Step:
    for key, value in own.items():
        if published[key] != value:  # verify() has checked its shape
            raise Invalid(f"the database and the published proof differ in {key}")
    return Step("published", "the database gives the same proof")


def _winners(raffle: Raffle) -> Step:
    """Check slot, index and leaf of the stored winners; the proof's check covers the rest."""
    pages, checked = Pages(raffle), 0
    winners = Winner.objects.filter(raffle=raffle).order_by("rank")
    while batch := list(winners.filter(rank__gt=checked)[:_BATCH]):
        slots = [winner.slot for winner in batch]
        tickets = Ticket.objects.filter(raffle=raffle, slot__in=slots)
        by_slot = {ticket.slot: ticket for ticket in tickets}
        for winner in batch:
            ticket = by_slot.get(winner.slot)
            if ticket is None or pages.index_of(winner.slot) != winner.index:
                raise Invalid(f"rank {winner.rank} is not the ticket that was drawn")
            if not _holds(ticket, raffle, winner):
                raise Invalid(f"the leaf of rank {winner.rank} is not its ticket's")
        checked = batch[-1].rank
    return Step("winners", f"{checked} stored ranks are the tickets drawn")


def _holds(ticket: Ticket, raffle: Raffle, winner: Winner) -> bool:
    leaf = bytes(winner.leaf)
    if ticket.holder_tag is None or ticket.code_tag is None:
        return hash_leaf(leaf) == bytes(ticket.leaf_hash or b"")
    number = winner.ticket_number()
    tags = bytes(ticket.holder_tag), bytes(ticket.code_tag)
    return leaf == make_leaf(raffle.uuid.bytes, number, *tags)


def _replacements(raffle: Raffle) -> Step:
    """Check that each replacement gave a prize that was held to the first unused alternate."""
    holds = dict(
        Winner.objects.filter(raffle=raffle, prize__isnull=False).values_list("pk", "prize_id")
    )
    alternates = iter(
        Winner.objects.filter(raffle=raffle, prize__isnull=True)
        .order_by("rank")
        .values_list("pk", flat=True)
    )
    lines = list(Replacement.objects.filter(raffle=raffle).order_by("id"))
    for line in lines:
        if holds.pop(line.winner_id, None) != line.prize_id:
            raise Invalid(f"a replacement takes a prize that was not held: {line.reason}")
        if next(alternates, None) != line.alternate_id:
            raise Invalid(f"a replacement passes over an alternate: {line.reason}")
        holds[line.alternate_id] = line.prize_id
    return Step("replacements", f"{len(lines)}, each to the first unused alternate")


def _hex(value: bytes | memoryview) -> str:
    return bytes(value).hex()
