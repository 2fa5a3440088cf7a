"""Who is asked to witness the operator's log: whose turn it is, their keys, and what they said."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Witness(models.Model):
    """A witness as it is spoken to, by its address: one request at a time, of all machines.

    Whoever raises ``fence`` by one may ask it until ``leased_until``; after a failure nobody does
    before ``rests_until``. ``size`` is the largest checkpoint that it signed for us: no smaller
    one is sent to it. Since ``disagrees_since`` we know that it signed what our log does not have.
    """

    url = models.CharField(max_length=500, unique=True)
    size = models.BigIntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)
    disagrees_since = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(size__gte=0), name="witness_has_size"),)

    def __str__(self) -> str:
        return self.url


class AuthorityKey(models.Model):
    """A key by which a timestamp authority signs, as `manage.py witnesses` learned it.

    ``key`` is SHA-256 (hex) of the SubjectPublicKeyInfo of a certificate that ends at ``ends_at``.
    """

    url = models.CharField(max_length=500)
    key = models.CharField(max_length=64)
    ends_at = models.DateTimeField()
    learned_at = models.DateTimeField()

    class Meta:
        ordering = ("-ends_at", "key")
        constraints = (models.UniqueConstraint(fields=("url", "key"), name="authority_key_once"),)

    def __str__(self) -> str:
        return f"{self.key} of {self.url}"


class WitnessAnswer(models.Model):
    """What a witness said about a checkpoint: checked before it was stored, never changed.

    The checkpoint is the log's over the first ``size`` statements, with that ``root``. ``content``
    is a cosignature (72 bytes: its time and its signature) or a token (DER), ``at`` its time in
    UNIX seconds, ``key`` the witness's in hex: a cosigner's own, an authority's as terms pin it.
    """

    class Kind(models.TextChoices):
        """What sort of witness answered."""

        COSIGNATURE = "cosignature"
        TOKEN = "token"  # noqa: S105 - of a timestamp

    kind = models.CharField(max_length=11, choices=Kind.choices)
    name = models.CharField(max_length=200)
    key = models.CharField(max_length=64)
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    at = models.BigIntegerField()
    content = models.BinaryField(max_length=16_384)

    class Meta:
        ordering = ("size", "name", "key")
        constraints = (
            models.UniqueConstraint(
                fields=("size", "kind", "name", "key"), name="witness_answer_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["cosignature", "token"]), name="witness_answer_kind_is_known"
            ),
            models.CheckConstraint(condition=Q(size__gte=1), name="witness_answer_has_checkpoint"),
        )

    def __str__(self) -> str:
        return f"{self.kind} by {self.name} at size {self.size}"
