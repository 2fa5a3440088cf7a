"""Running what is due: for cron, on any number of machines at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import connection

from raffles.models import Raffle, State

from .drawing import Waiting, advance
from .sealing import Clock, Progress

log = logging.getLogger(__name__)

Outcome = Literal["drawn", "void", "waiting", "busy", "failed"]


@dataclass(frozen=True)
class Run:
    """What became of one raffle that was due."""

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
    """Advances each raffle as far as it can go; one that fails does not stop the rest."""
    for raffle in raffles:
        with _alone_with(raffle) as is_alone:
            if not is_alone:
                yield Run(raffle, "busy", "another run is at it")
                continue
            try:
                advance(
                    raffle.pk,
                    now=now,
                    clock=clock,
                    by=by,
                    progress=progress(raffle) if progress else None,
                )
            except Waiting as waiting:
                yield Run(raffle, "waiting", str(waiting) or f"round {waiting.draw.round}")
            except Exception as error:  # the rest is due as well; this one is tried again next time
                log.exception("raffle %s failed", raffle.uuid)
                yield Run(raffle, "failed", f"{type(error).__name__}: {error}")
            else:
                raffle.refresh_from_db()
                yield Run(raffle, "void" if raffle.state == State.VOID else "drawn")


@contextmanager
def _alone_with(raffle: Raffle) -> Iterator[bool]:
    """Keeps two runs from hashing the same pool at once: saves work, decides nothing.

    The lock goes with the connection, so a killed run leaves none behind.
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
