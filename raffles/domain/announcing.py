"""Writing the outbox: inside the transaction of what is announced, in one order for everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from raffles.models import Announcement, Raffle, State

from .recording import record
from .violations import violated
from .waking import wake_readers

_NEXT = """
    INSERT INTO raffles_streamcounter (id, last) VALUES (1, 1)
    ON CONFLICT (id) DO UPDATE SET last = raffles_streamcounter.last + 1 RETURNING last
"""


def announce(
    kind: Announcement.Kind,
    raffle: Raffle | None,
    payload: dict[str, Any],
    *,
    at: datetime,
    by: str,
) -> Announcement:
    """Writes one row, last in the caller's transaction: from here to its end others wait.

    ``payload`` is public: no code, no address, no tag. The record keeps a line of it.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("announce inside the transaction that makes it true")
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        (sequence,) = cursor.fetchone()
    subject = raffle or f"event {payload['event']}"
    record(subject, kind, at=at, by=by, why=payload.get("reason", ""), announced=sequence)
    transaction.on_commit(wake_readers, robust=True)
    return Announcement.objects.create(
        sequence=sequence,
        kind=kind,
        raffle=raffle,
        payload=_about(raffle) | payload if raffle else payload,
        announced_at=at,
        announced_by=by,
    )


def _about(raffle: Raffle) -> dict[str, Any]:
    about = {"raffle": str(raffle.uuid), "name": raffle.name}
    return about | {"event": raffle.series} if raffle.series else about


def announce_sold_out(raffle: Raffle, *, at: datetime, by: str) -> None:
    """Says once that no ticket is left; many may find out at the same time, and one says it."""
    kind = Announcement.Kind.SOLD_OUT
    if Announcement.objects.filter(raffle=raffle, kind=kind).exists():
        return
    try:
        with transaction.atomic():
            announce(kind, raffle, {"total_tickets": raffle.total_tickets}, at=at, by=by)
    except IntegrityError as error:
        if violated(error) != "sold_out_announced_once":
            raise


def announce_all_sold_out(*, at: datetime, by: str) -> None:
    """Says it of open raffles whose last ticket went without anybody being refused since."""
    told = Announcement.objects.filter(kind=Announcement.Kind.SOLD_OUT).values("raffle")
    untold = Raffle.objects.filter(state=State.OPEN).exclude(pk__in=told)
    nothing_left = {"available": 0}
    for raffle in untold.with_available().filter(**nothing_left):
        announce_sold_out(raffle, at=at, by=by)
