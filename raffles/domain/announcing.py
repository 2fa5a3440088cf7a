"""Announcing: a public statement in the transaction that makes it true, and a nudge over Redis."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.db import IntegrityError, transaction
from redis.exceptions import RedisError

from raffles.domain.locking import violated
from raffles.domain.log import Turn, take_turn, write
from raffles.models import Announcement, Raffle, State
from raffles.models.record import record


def announce(
    kind: Announcement.Kind,
    raffle: Raffle | None,
    payload: dict[str, Any],
    *,
    at: datetime,
    by: str,
    turn: Turn | None = None,
    **adds: Any,
) -> None:
    """Write one statement, last in the caller's transaction: until that ends, others wait.

    `payload` is public: no code, no address, no tag. `adds` are the members that this kind of
    statement has besides its raffle; `turn` is the caller's, where its act depends on the
    statement's time. A line of the record is written with it.
    """
    turn = turn or take_turn(at)
    subject = raffle or f"event {payload['event']}"
    record(subject, kind, at=at, by=by, why=payload.get("reason", ""), announced=turn.n + 1)
    transaction.on_commit(wake_readers, robust=True)
    write(
        turn,
        kind,
        {"raffle_id": raffle.uuid.hex if raffle else _NOBODY, **adds},
        raffle=raffle,
        payload=about(raffle) | payload if raffle else payload,
        at=at,
        by=by,
    )


def about(raffle: Raffle) -> dict[str, Any]:
    """Return what stands beside every statement on a raffle: its id, its name, its event."""
    known = {"raffle": str(raffle.uuid), "name": raffle.name}
    return known | {"event": raffle.event_slug} if raffle.event_slug else known


def announce_sold_out(raffle: Raffle, *, at: datetime, by: str) -> None:
    """Announce, once for each raffle, that it is sold out; of concurrent callers one succeeds."""
    kind = Announcement.Kind.SOLD_OUT
    if Announcement.objects.filter(raffle=raffle, kind=kind).exists():
        return
    try:
        with transaction.atomic():
            announce(kind, raffle, {"total_tickets": raffle.total_tickets}, at=at, by=by)
    except IntegrityError as error:
        if violated(error) != "announced_once":
            raise


def announce_all_sold_out(*, at: datetime, by: str) -> None:
    """Announce it of open raffles that are sold out but have refused nobody since."""
    told = Announcement.objects.filter(kind=Announcement.Kind.SOLD_OUT).values("raffle")
    untold = Raffle.objects.filter(state=State.OPEN).exclude(pk__in=told)
    nothing_left = {"available": 0}
    for raffle in untold.with_available().filter(**nothing_left):
        announce_sold_out(raffle, at=at, by=by)


log = logging.getLogger(__name__)
_NOBODY = "0" * 32  # in place of a raffle, for a date that nobody entered
CHANNEL = "raffles:announced"
_PAUSE = 5.0  # seconds without another try, so that nobody keeps waiting for a hung Redis
_TIMEOUT = 0.5
_paused_until = 0.0


def wake_readers() -> None:
    """Wake the readers of the stream; log a warning if Redis is unreachable, never raise."""
    global _paused_until  # noqa: PLW0603 - one Redis, one pause
    if not settings.REDIS_URL or time.monotonic() < _paused_until:
        return
    try:
        _client(settings.REDIS_URL).publish(CHANNEL, b"")
    except (RedisError, OSError) as error:
        _paused_until = time.monotonic() + _PAUSE
        log.warning("Readers of the stream will poll, Redis is away: %s", error)


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
