"""Writing the outbox: inside the transaction of what is announced, in one order for everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.transaction import TransactionManagementError

from raffles.models import Announcement, Raffle

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

    ``payload`` is public: no code, no address, no tag.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("announce inside the transaction that makes it true")
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        (sequence,) = cursor.fetchone()
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
