"""Rules: the texts that participants accept, each version under its own hash."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

MAX_RULES = 50_000  # characters


class Rules(models.Model):
    """A text as it was written once, for good: another text is another row.

    `hash` is the SHA-256, in hex, of the text in UTF-8: what the terms of a raffle name, and what
    `sha256sum` says of the file that the text is served as.
    """

    hash = models.CharField(max_length=64, unique=True)
    text = models.TextField(max_length=MAX_RULES)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = _("rules")
        ordering = ("-id",)
        constraints = (models.CheckConstraint(condition=~Q(text=""), name="rules_say_something"),)

    def __str__(self) -> str:
        return self.hash
