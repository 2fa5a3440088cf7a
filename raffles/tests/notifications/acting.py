"""What tests of announcing do: add an endpoint, announce, deliver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from raffles.domain.announcing import announce
from raffles.domain.contacts import keep_contact
from raffles.domain.keys import current_key_id
from raffles.domain.sealing import NOTHING_SEALED
from raffles.fairness.verify import hash_reason
from raffles.models import Announcement, Delivery, Endpoint, Raffle, State
from raffles.notifications.attempts import Tally
from raffles.notifications.delivery import deliver
from raffles.notifications.outbox import spread
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to

Kind = Announcement.Kind


def endpoint(address: str = "https://example.org/hook", **fields: Any) -> Endpoint:
    return Endpoint.objects.create(
        address=address, created_at=NOW, key_id=current_key_id(), **fields
    )


def announced(
    count: int = 1, raffle: Raffle | None = None, *, at: datetime = NOW, **payload: Any
) -> list[Announcement]:
    """Announce that many replacements in a raffle, each with its number."""
    raffle = raffle or RaffleFactory.create()
    with transaction.atomic():
        for n in range(count):
            announce(
                Kind.REPLACED,
                raffle,
                {"number": n} | payload,
                at=at,
                by=STAFF,
                commitment_hash=NOTHING_SEALED,
                rank=1,
                by_rank=2,
                reason_hash=hash_reason("Ill").hex(),
            )
    return list(reversed(Announcement.objects.order_by("-sequence")[:count]))


def delivered_at(now: datetime = NOW, **options: Any) -> Tally:
    """Fan out and deliver with a clock that stands still."""
    spread(now=now)
    return deliver(clock=lambda: now, **options)


def after(**pause: float) -> datetime:
    return NOW + timedelta(**pause)


def states(deliveries: Sequence[Delivery] | None = None) -> list[str]:
    rows = Delivery.objects.order_by("pk") if deliveries is None else deliveries
    return [str(delivery.state) for delivery in rows]


def raffle_with_contacts(**terms: Any) -> Raffle:
    """Return a drawn raffle in which everybody left an address."""
    raffle: Raffle = RaffleFactory.create(**terms)
    for n in range(raffle.total_tickets):
        entry = enter_nth(raffle, n)
        keep_contact(entry, f"holder{entry.ticket_number}@example.org", now=NOW)
    take_to(State.DRAWN, raffle)
    return raffle
