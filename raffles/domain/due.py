"""Running what is due: for cron, on any number of machines at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import QuerySet

from raffles.domain import lineage
from raffles.domain.clock import signed_time
from raffles.domain.drawing import Waiting, advance
from raffles.domain.keys import KeyMissing
from raffles.domain.pool import Progress
from raffles.domain.refusals import AlreadyDrawn, BeforeDrawTime, TicketsAvailable, Voided
from raffles.domain.sealing import Clock, close
from raffles.domain.witnesses.ours.asking import ask_witnesses
from raffles.models import Raffle, RunLease, State
from raffles.web.formats import shown
from raffles.web.outages import Unavailable

log = logging.getLogger(__name__)
AT_ONCE = 100_000  # tickets hashed while somebody waits for a page: a second or two
LEASE = timedelta(seconds=60)  # of a run's turn with one raffle; hashing renews it
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
    turn = _Turn(raffle, clock)
    if not turn.begins():
        return _busy(raffle, signed_time(clock()))

    def step(done: int, total: int) -> None:
        turn.renew()
        if progress:
            progress(done, total)

    try:
        advance(raffle.pk, now=now, clock=clock, by=by, progress=step)
    except Waiting as waiting:
        return Run(raffle, "waiting", str(waiting) or f"round {waiting.draw.round}")
    except KeyMissing as missing:  # of this one alone
        log.error("raffle %s failed: %s", raffle.uuid, missing.for_operators())
        return Run(raffle, "failed", missing.for_operators())
    except Unavailable:
        raise  # nothing else will go better
    except Exception as error:  # the rest is due as well; this one is tried again next time
        log.exception("raffle %s failed", raffle.uuid)
        return Run(raffle, "failed", f"{type(error).__name__}: {error}")
    finally:
        turn.end()
    raffle.refresh_from_db()
    return Run(raffle, "void" if raffle.state == State.VOID else "drawn")


def draw_or_close(raffle_id: UUID, *, now: datetime, clock: Clock, by: str) -> Raffle:
    """Draw a raffle while staff wait for the page; with more tickets than `AT_ONCE`, only close it.

    The next run finds it closed and goes on. Returns the raffle drawn, closed, or void if nobody
    entered. Raises Raffle.DoesNotExist, a Refusal, Waiting.
    """
    lineage.refuse_restored()  # an older state knows nothing of what became of it
    raffle = Raffle.objects.with_available().get(uuid=raffle_id)
    refuse_unless_drawable(raffle, now=now)
    close(raffle.pk, now=now, by=by)
    raffle = Raffle.objects.with_issued().get(pk=raffle.pk)
    if raffle.state == State.SEALED or (raffle.state == State.CLOSED and raffle.issued <= AT_ONCE):
        draw_now(raffle_id, now=now, clock=clock, by=by)
        raffle.refresh_from_db()
    return raffle


def _busy(raffle: Raffle, now: datetime) -> Run:
    """Return the outcome of a run that found another one at it, which lasts minutes at the most."""
    other = RunLease.objects.overdue(now).filter(pk=raffle.pk).first()
    if other:
        return Run(raffle, "failed", f"another run has been at it since {shown(other.since)}")
    return Run(raffle, "busy", "another run is at it")


class _Turn:
    """A run's turn with a raffle, so that two do not hash one pool: nothing but work depends on it.

    It is a lease: what a killed run leaves behind ends by itself, whatever stands between this
    process and the database.
    """

    def __init__(self, raffle: Raffle, clock: Clock) -> None:
        self._clock = clock
        self._lease = RunLease(raffle=raffle)

    def begins(self) -> bool:
        """Take the turn; return False if another run has it."""
        now = signed_time(self._clock())
        RunLease.objects.over(now).filter(pk=self._lease.pk).delete()
        self._lease.since, self._lease.until = now, now + LEASE
        try:
            with transaction.atomic():
                self._lease.save(force_insert=True)
        except IntegrityError:
            return False
        return True

    def renew(self) -> None:
        """Keep it for longer where half of it is over."""
        now = signed_time(self._clock())
        if self._lease.until - now < LEASE / 2 and self._ours().update(until=now + LEASE):
            self._lease.until = now + LEASE

    def end(self) -> None:
        """Leave the raffle to whoever comes next; where the database is away, by and by."""
        with suppress(DatabaseError):
            self._ours().delete()

    def _ours(self) -> QuerySet[RunLease]:
        return RunLease.objects.filter(pk=self._lease.pk, until=self._lease.until)


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
    lineage.refuse_restored()
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
