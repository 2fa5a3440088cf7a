"""What we have seen of other operators' logs as their witness."""

from __future__ import annotations

from hashlib import sha256

from django.db import models
from django.db.models import Q

EMPTY_ROOT = sha256(b"").digest()


class WitnessedLog(models.Model):
    """How far we have signed a log (``size``, ``root``), and how far we have read its entries.

    The two go their own ways: a long log is read in many requests before it is signed once. What
    was read is ``frontier``, the roots of the perfect trees over the first ``read`` entries, 32
    bytes each, largest first; ``flaw`` is what was found there that no log may hold. Entries are
    believed only once a signed checkpoint has their root: then a flaw refuses the log for good.
    """

    origin = models.CharField(max_length=200)
    size = models.BigIntegerField(default=0)
    root = models.BinaryField(max_length=32, default=EMPTY_ROOT)
    read = models.BigIntegerField(default=0)
    frontier = models.BinaryField(default=b"")
    flaw = models.CharField(max_length=200, blank=True, default="")
    refused_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("origin",), name="witnessed_log_once"),
            models.CheckConstraint(
                condition=Q(refused_at=None) | ~Q(flaw=""), name="witnessed_log_refused_for_a_flaw"
            ),
        )

    def __str__(self) -> str:
        return f"{self.origin}, signed up to {self.size}"


class WitnessedSeal(models.Model):
    """A raffle that a log has sealed, by its statement ``n``: a second one must be noticed."""

    log = models.ForeignKey(WitnessedLog, models.CASCADE, related_name="seals")
    raffle_uuid = models.UUIDField()
    n = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("log", "raffle_uuid"), name="witnessed_seal_once"),
        )

    def __str__(self) -> str:
        return f"{self.raffle_uuid}, sealed by statement {self.n}"
