"""Running what is due, and remembering what failed: the work of `manage.py draw_winners`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from uuid import UUID

from events.models import Heartbeat, Setback
from raffles.domain.running import Run, run_due
from raffles.domain.sealing import Clock, Progress
from raffles.models import Raffle
from raffles.models.raffle import RaffleQuerySet


def due_raffles(now: datetime, raffle_id: UUID | None = None) -> RaffleQuerySet:
    """The raffles with a step to take at ``now``, oldest first.

    One that failed waits for its next try, unless it is asked for by its ``raffle_id``.
    """
    due = Raffle.objects.due(now)
    if raffle_id is not None:
        return due.filter(uuid=raffle_id)
    return due.exclude(setback__in=Setback.objects.resting(now))


def run(
    raffles: Iterable[Raffle],
    *,
    now: datetime,
    clock: Clock,
    by: str,
    progress: Callable[[Raffle], Progress] | None = None,
) -> Iterator[Run]:
    """Advances each raffle, and records a failure with its next try."""
    for done in run_due(list(raffles), now=now, clock=clock, by=by, progress=progress):
        _remember(done, now=now)
        yield done


def _remember(done: Run, *, now: datetime) -> None:
    if done.outcome == "failed":
        defaults = {"failed_at": now, "next_try_at": now}
        setback, _ = Setback.objects.get_or_create(raffle=done.raffle, defaults=defaults)
        setback.fail_again(done.detail, now)
    elif done.outcome in ("drawn", "void"):
        Setback.objects.filter(raffle=done.raffle).delete()


def beat(now: datetime) -> None:
    """Says that a whole run came to its end."""
    Heartbeat.objects.update_or_create(pk=1, defaults={"ran_at": now})
