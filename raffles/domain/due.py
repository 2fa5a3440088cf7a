"""Running what is due: for cron, on any number of machines at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import connection

from raffles.domain.drawing import Waiting, advance
from raffles.domain.pool import Progress
from raffles.domain.refusals import AlreadyDrawn, BeforeDrawTime, TicketsAvailable, Voided
from raffles.domain.sealing import Clock, close
from raffles.domain.witnesses.ours.asking import ask_witnesses
from raffles.models import Raffle, State

log = logging.getLogger(__name__)
AT_ONCE = 100_000  # tickets hashed while somebody waits for a page: a second or two
Outcome = Literal["drawn", "void", "waiting", "busy", "failed"]


@dataclass(frozen=True)
class Run:
    """The outcome of a run for one raffle that was due."""

    raffle: Raffle
    outcome: Outcome
    detail: str = ""


def run_due(
    raffles: list[Raffle],
    *,
    now: datetime,
    clock: Clock,
    by: str,
    progress: Callable[[Raffle], Progress] | None = None,
) -> Iterator[Run]:
    """Advance each raffle as far as it can go; a failure does not stop the rest.

    Its witnesses are asked as soon as it is sealed, with nothing locked.
    """
    for raffle in raffles:
        run = _run(raffle, now, clock, by, progress(raffle) if progress else None)
        if run.outcome == "waiting":
            ask_witnesses(clock)
        yield run


def _run(raffle: Raffle, now: datetime, clock: Clock, by: str, progress: Progress | None) -> Run:
    with _alone_with(raffle) as is_alone:
        if not is_alone:
            return Run(raffle, "busy", "another run is at it")
        try:
            advance(raffle.pk, now=now, clock=clock, by=by, progress=progress)
        except Waiting as waiting:
            return Run(raffle, "waiting", str(waiting) or f"round {waiting.draw.round}")
        except Exception as error:  # the rest is due as well; this one is tried again next time
            log.exception("raffle %s failed", raffle.uuid)
            return Run(raffle, "failed", f"{type(error).__name__}: {error}")
        raffle.refresh_from_db()
        return Run(raffle, "void" if raffle.state == State.VOID else "drawn")


def draw_or_close(raffle_id: UUID, *, now: datetime, clock: Clock, by: str) -> Raffle:
    """Draw a raffle while staff wait for the page; with more tickets than `AT_ONCE`, only close it.

    The next run finds it closed and goes on. Returns the raffle drawn, closed, or void if nobody
    entered. Raises Raffle.DoesNotExist, a Refusal, Waiting.
    """
    raffle = Raffle.objects.with_available().get(uuid=raffle_id)
    refuse_unless_drawable(raffle, now=now)
    close(raffle.pk, now=now, by=by)
    raffle = Raffle.objects.with_issued().get(pk=raffle.pk)
    if raffle.state == State.SEALED or (raffle.state == State.CLOSED and raffle.issued <= AT_ONCE):
        draw_now(raffle_id, now=now, clock=clock, by=by)
        raffle.refresh_from_db()
    return raffle


@contextmanager
def _alone_with(raffle: Raffle) -> Iterator[bool]:
    """Keep two runs from hashing the same pool at once; yields False if another run has it.

    It saves work and nothing depends on it. The advisory lock belongs to the session, so a killed
    run leaves none behind.
    """
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCKS, raffle.pk % 2**31])
        (is_alone,) = cursor.fetchone()
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCKS, raffle.pk % 2**31])


_LOCKS = 0x72616666  # "raff": the namespace of our advisory locks


def refuse_unless_drawable(raffle: Raffle, *, now: datetime) -> None:
    """Raise the Refusal that forbids drawing `raffle` (from `with_available`) at `now`."""
    if raffle.state == State.DRAWN:
        raise AlreadyDrawn
    if raffle.state == State.VOID:
        raise Voided
    if raffle.state != State.OPEN:
        return
    if raffle.closes_at and now < raffle.closes_at:
        raise BeforeDrawTime
    if not raffle.closes_at and raffle.available:
        raise TicketsAvailable


def draw_now(raffle_id: UUID, *, now: datetime, clock: Clock, by: str) -> Raffle:
    """Draw a raffle at a manager's request, and return it.

    Raises Raffle.DoesNotExist, a Refusal (also when another caller's draw came first), and Waiting
    once the witnesses of a raffle for the beacon have been asked.
    """
    raffle = Raffle.objects.with_available().get(uuid=raffle_id)
    refuse_unless_drawable(raffle, now=now)
    try:
        while not advance(raffle.pk, now=now, clock=clock, by=by):
            # Another caller's draw came first.
            refuse_unless_drawable(Raffle.objects.with_available().get(pk=raffle.pk), now=now)
    except Waiting:
        ask_witnesses(clock)
        raise
    return raffle
