"""A ticket: a slot that was given out, and keyed pseudonyms of who holds it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from raffles.models.raffle import Raffle


class Ticket(models.Model):
    """One given slot of a raffle.

    The number is not stored: it is a keyed permutation of ``slot``. Of the holder and the code only
    16-byte tags are kept; erasing a participant replaces both by ``leaf_hash`` as soon as the draw
    needs them no more, and every proof stays valid.

    Of an entry through an event there is also the name it was made for, the tag of its order (once
    for ever, so it stays) and, where an address may enter once, the tag of that.
    """

    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="tickets", db_index=False)
    slot = models.PositiveIntegerField()
    holder_tag = models.BinaryField(max_length=16, null=True)
    code_tag = models.BinaryField(max_length=16, null=True)
    leaf_hash = models.BinaryField(max_length=32, null=True)
    request_tag = models.BinaryField(max_length=16, null=True)
    username = models.CharField(max_length=150, null=True)  # noqa: DJ001 - no one is not ""
    order_tag = models.BinaryField(max_length=16, null=True)
    address_tag = models.BinaryField(max_length=16, null=True)
    issued_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("raffle", "slot"), name="ticket_slot_once"),
            models.UniqueConstraint(fields=("raffle", "holder_tag"), name="ticket_holder_once"),
            # Partial, so that a ticket without them pays for neither index.
            models.UniqueConstraint(
                fields=("order_tag",),
                condition=Q(order_tag__isnull=False),
                name="ticket_order_once",
            ),
            models.UniqueConstraint(
                fields=("raffle", "address_tag"),
                condition=Q(address_tag__isnull=False),
                name="ticket_address_once",
            ),
            models.CheckConstraint(
                condition=Q(holder_tag__isnull=False, code_tag__isnull=False)
                | Q(holder_tag__isnull=True, code_tag__isnull=True, leaf_hash__isnull=False),
                name="ticket_keeps_tags_or_leaf",
            ),
        )
        indexes = (
            models.Index(
                fields=("raffle",),
                condition=Q(erased_at__isnull=False, holder_tag__isnull=False),
                name="ticket_to_be_erased",
            ),
        )

    def __str__(self) -> str:
        return f"slot {self.slot}"
