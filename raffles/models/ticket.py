"""A ticket: an issued slot, and keyed pseudonyms of its holder."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from raffles.models.raffle import Channel, Raffle


class Ticket(models.Model):
    """An issued slot of a raffle.

    The number is not stored: it is a keyed permutation of `slot`. Of holder and code only
    16-byte tags are stored; an erasure replaces both with `leaf_hash` as soon as the draw no longer
    needs them, and every proof stays valid.

    It is the `nth` ticket of its holder, from 0 and without gaps. `channel` is null for the
    raffle's own way in: what nearly every ticket has costs it nothing.

    An entry through an event also has its username, the tag of its order or of the list that it is
    the first of (valid once for ever, so it stays) and, where an address may enter once, the tag of
    that address.
    """

    raffle = models.ForeignKey(Raffle, models.PROTECT, related_name="tickets", db_index=False)
    slot = models.PositiveIntegerField()
    holder_tag = models.BinaryField(max_length=16, null=True)
    code_tag = models.BinaryField(max_length=16, null=True)
    nth = models.PositiveIntegerField(default=0)
    leaf_hash = models.BinaryField(max_length=32, null=True)
    request_tag = models.BinaryField(max_length=16, null=True)
    username = models.CharField(max_length=150, null=True)  # noqa: DJ001 - null: no name
    order_tag = models.BinaryField(max_length=16, null=True)
    address_tag = models.BinaryField(max_length=16, null=True)
    channel = models.CharField(max_length=8, choices=Channel.choices, null=True)  # noqa: DJ001
    issued_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("raffle", "slot"), name="ticket_slot_once"),
            models.UniqueConstraint(
                fields=("raffle", "holder_tag", "nth"), name="ticket_holder_nth_once"
            ),
            # Partial, so that a ticket without these tags costs neither index anything.
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
            models.CheckConstraint(
                condition=Q(channel__in=Channel.values), name="ticket_channel_is_known"
            ),
        )
        indexes = (
            models.Index(
                fields=("raffle",),
                condition=Q(erased_at__isnull=False, holder_tag__isnull=False),
                name="ticket_to_be_erased",
            ),
            models.Index(
                fields=("raffle", "channel"),
                condition=Q(channel__isnull=False),
                name="ticket_by_channel",
            ),
        )

    def __str__(self) -> str:
        return f"slot {self.slot}"
