"""What is locked, and in which order: the raffle, then its stripes, then the stream counter."""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.db.models import F, Sum

from raffles.models import Raffle, Stripe


def locked(raffle_pk: int) -> Raffle:
    """The raffle under its lock; FOR UPDATE would deadlock with the foreign key of tickets."""
    return Raffle.objects.select_for_update(no_key=True).get(pk=raffle_pk)


def held(raffle_id: UUID) -> Raffle:
    """The raffle, whose state stays until the transaction ends; others may hold it as well."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM raffles_raffle WHERE uuid = %s FOR SHARE", [raffle_id])
    return Raffle.objects.get(uuid=raffle_id)


def hold_claims(raffle: Raffle) -> int:
    """Locks the stripes of a locked raffle, waiting for claims in flight; returns what they issued.

    Locking them in order keeps it from deadlocking with a claim that waits, and the sum is read
    after the locks: read with them it would be too early.
    """
    stripes = Stripe.objects.filter(raffle=raffle)
    list(stripes.select_for_update().order_by("raffle_id", "stripe").values_list("pk"))
    return stripes.aggregate(issued=Sum("issued"))["issued"] or 0


def shut_gate(raffle: Raffle) -> int:
    """Sets every stripe's cap to what it issued, and returns the sum; for a locked raffle."""
    issued = hold_claims(raffle)
    Stripe.objects.filter(raffle=raffle).update(cap=F("issued"))
    return issued
