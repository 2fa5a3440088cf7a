"""Drawing: randomness for a sealed pool, the pure selection, and the winners stored at once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from raffles.domain import beacon, lineage
from raffles.domain.announcing import announce
from raffles.domain.erasing import finish_erasures
from raffles.domain.keys import signer
from raffles.domain.locking import locked
from raffles.domain.log import Turn, take_turn
from raffles.domain.pool import Pages, Progress, build_tree, leaves_of, shut_gate
from raffles.domain.privacy import shown_names
from raffles.domain.prizes import open_handovers
from raffles.domain.refusals import AlreadyDrawn, Voided
from raffles.domain.sealing import Clock, SealTooLate, close, mark_void, seal
from raffles.domain.witnesses.ours.named import log_of_proof
from raffles.fairness.numbering import numbering
from raffles.fairness.tickets import holder_tag_of
from raffles.fairness.verify import derive_seed, randomness_of, select
from raffles.fairness.verify import draw as drawn_order
from raffles.models import Announcement, Draw, Raffle, SkippedEntry, State, Winner

_BATCH = 1_000  # rows written, or read ahead, at once
_SHOWN = 100  # winners in an announcement; the API has the rest


class Waiting(Exception):
    """The raffle is sealed, and its beacon's round is not available yet; `draw` has the round."""

    def __init__(self, draw: Draw, why: str = "") -> None:
        super().__init__(why)
        self.draw = draw


def advance(
    raffle_pk: int, *, now: datetime, clock: Clock, by: str, progress: Progress | None = None
) -> bool:
    """Take a due raffle through all its remaining steps; return whether this call drew it.

    Every step is conditional on the state before it, so any number of callers and any crash end in
    the same one draw. Raises Waiting while the beacon has not spoken, and what `seal` raises.
    """
    close(raffle_pk, now=now, by=by)
    raffle = Raffle.objects.get(pk=raffle_pk)
    if raffle.state == State.CLOSED:
        tree = build_tree(raffle, progress)
        for more_tries in reversed(range(5)):
            try:
                seal(raffle_pk, tree, clock=clock, by=by)
                break
            except SealTooLate:
                if not more_tries:
                    raise
        raffle.refresh_from_db()
    if raffle.state != State.SEALED:
        return False
    draw = Draw.objects.select_related("raffle__pool").get(raffle=raffle)
    randomness, signature = _randomness(draw, now)
    return store_draw(draw, randomness=randomness, signature=signature, clock=clock, by=by)


def _randomness(draw: Draw, now: datetime) -> tuple[bytes, bytes | None]:
    """Return 32 bytes and the beacon's signature. Raises Waiting.

    Without a beacon the bytes come from the operating system, after the commitment was stored. One
    source never substitutes for another: a late beacon means a later draw. No transaction is open
    meanwhile.
    """
    draws_at = draw.draws_at()
    if draw.round is None or draws_at is None:
        return os.urandom(32), None
    if now.timestamp() < draws_at:
        raise Waiting(draw)
    try:
        signature = beacon.fetch(draw.round, settings.DRAND_RELAYS)
    except (beacon.NotYet, beacon.BeaconFault) as late:
        raise Waiting(draw, str(late)) from late
    return randomness_of(signature), signature


def store_draw(
    draw: Draw, *, randomness: bytes, signature: bytes | None, clock: Clock, by: str
) -> bool:
    """Select and store the winners of a sealed draw; return False if another call already has.

    The slow reads come before the transaction: the pool cannot change any more. Raises Restored.
    """
    lineage.refuse_restored()
    winners, skipped = select_entries(draw, randomness)
    log = log_of_proof(draw) if draw.round else None
    with transaction.atomic():
        raffle = locked(draw.raffle_id)
        if raffle.state != State.SEALED:
            return False
        now = clock()
        draw.randomness, draw.beacon_signature, draw.drawn_at = randomness, signature, now
        draw.log = log
        draw.save(update_fields=["randomness", "beacon_signature", "drawn_at", "log"])
        store_winners(winners)
        SkippedEntry.objects.bulk_create(skipped, batch_size=_BATCH)
        open_handovers(raffle, now=now)
        raffle.state = State.DRAWN
        raffle.save(update_fields=["state"])
        finish_erasures(raffle)
        announce(
            Announcement.Kind.DRAWN,
            raffle,
            _result(draw, raffle, winners),
            at=now,
            by=by,
            commitment_hash=bytes(draw.commitment_hash).hex(),
            randomness=randomness.hex(),
        )
    return True


def select_entries(draw: Draw, randomness: bytes) -> tuple[list[Winner], list[SkippedEntry]]:
    """Return what follows from a commitment and its randomness, not yet stored.

    Winners and alternates by rank, and what a limit of wins passed over by its step.
    """
    raffle = draw.raffle
    prizes = list(raffle.prizes.all())
    by_rank = [prize for prize in prizes for _ in range(prize.amount)]
    seed = derive_seed(bytes(draw.commitment_hash), randomness)
    pages = Pages(raffle)
    holder_of = _read_ahead(raffle, pages, seed) if raffle.max_wins_per_holder else None
    picks = list(select(raffle.terms(prizes), seed, pages.size, holder_of))
    slots = [pages.slot_of(pick.index) for pick in picks]
    leaves = leaves_of(raffle, slots)
    winners, skipped = [], []
    for pick, slot in zip(picks, slots, strict=True):
        entry = {"raffle": raffle, "index": pick.index, "slot": slot, "leaf": leaves[slot]}
        if pick.rank is None:
            skipped.append(SkippedEntry(step=pick.draw, **entry))
        else:
            prize = by_rank[pick.rank - 1] if pick.rank <= len(by_rank) else None
            winners.append(Winner(rank=pick.rank, prize=prize, **entry))
    return winners, skipped


def _read_ahead(raffle: Raffle, pages: Pages, seed: bytes) -> Callable[[int], bytes]:
    """Return a function from an index to its holder's tag, to be asked in the order of drawing."""
    order = drawn_order(seed, pages.size)
    read: dict[int, bytes] = {}

    def holder_of(index: int) -> bytes:
        if index not in read:
            slots = {i: pages.slot_of(i) for i in islice(order, _BATCH)}
            leaves = leaves_of(raffle, list(slots.values()))
            read.clear()
            read.update({i: holder_tag_of(leaves[slot]) for i, slot in slots.items()})
        return read[index]

    return holder_of


def store_winners(winners: Sequence[Winner]) -> None:
    """Insert all winners at once: COPY is six to eight times faster than bulk_create."""
    if connection.vendor != "postgresql":
        Winner.objects.bulk_create(winners)
        return
    rows = io.StringIO()
    for winner in winners:
        prize = "\\N" if winner.prize_id is None else winner.prize_id
        place = f"{winner.raffle_id}\t{winner.rank}\t{winner.slot}\t{winner.index}"
        rows.write(f"{place}\t{prize}\t\\\\x{winner.leaf.hex()}\n")
    rows.seek(0)
    with connection.cursor() as cursor:
        cursor.copy_expert(
            'COPY raffles_winner (raffle_id, rank, slot, "index", prize_id, leaf) FROM STDIN', rows
        )
    # Now, not with the commit: others wait for the log by then.
    connection.check_constraints()


def _result(draw: Draw, raffle: Raffle, winners: Sequence[Winner]) -> dict[str, Any]:
    """Return the announced result: the first hundred winners of prizes, and their total."""
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    won = [winner for winner in winners if winner.prize is not None]
    names = shown_names(raffle, [winner.slot for winner in won[:_SHOWN]])
    return {
        "commitment_hash": bytes(draw.commitment_hash).hex(),
        "late": draw.is_late(),
        "winners_total": len(won),
        "winners": [
            {"rank": winner.rank, "ticket_number": number(winner.slot), "prize": winner.prize.name}
            | ({"username": names[winner.slot]} if winner.slot in names else {})
            for winner in won[:_SHOWN]
            if winner.prize
        ],
    }


def void_raffle(
    raffle_id: UUID, *, reason: str, now: datetime, by: str, is_said: bool = False
) -> Raffle:
    """End a raffle without winners, at any time before they are stored, and for good.

    It is dated by its statement in the log. A sealed pool stays public, so with a beacon anyone
    can compute who would have won. After a restore the log may have said so before (`is_said`).
    Raises Raffle.DoesNotExist, AlreadyDrawn, Voided, Restored.
    """
    lineage.refuse_restored()
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        if raffle.state == State.DRAWN:
            raise AlreadyDrawn
        if raffle.state == State.VOID:
            raise Voided
        if raffle.state == State.OPEN:
            shut_gate(raffle)
        turn = take_turn(now)
        if raffle.state == State.SEALED:
            _void_draw(Draw.objects.get(raffle=raffle), reason=reason, turn=turn)
        mark_void(raffle, reason=reason, turn=turn, by=by, is_said=is_said)
        finish_erasures(raffle)
    return raffle


def _void_draw(draw: Draw, *, reason: str, turn: Turn) -> None:
    """Sign and store the void of a sealed draw."""
    signed = signer().void(bytes(draw.commitment_hash), reason, turn.at)
    draw.voided_at, draw.void_reason = turn.moment(), reason
    draw.void_public_key = signed["public_key"]
    draw.void_signature = bytes.fromhex(signed["signature"])
    draw.save(update_fields=["voided_at", "void_reason", "void_public_key", "void_signature"])
