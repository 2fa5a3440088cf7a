"""Which database this is, and how often it has begun anew: what tells that it was restored."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils.translation import gettext_lazy as _


def new_installation() -> bytes:
    """Return an id of 16 random bytes."""
    return secrets.token_bytes(16)


class Lineage(models.Model):
    """A single row, made by whoever needs it first: a flushed database is another installation.

    `system`, `timeline` and `database` say where it was when `epoch` began: PostgreSQL's system
    identifier, the timeline of its log and the database's oid; of SQLite the file's inode. Marks
    outside that were made in an epoch before `since` say nothing about this database. What was
    committed in the epochs from `unbroken_since` on is all in it. While it is
    `MOVING` or `MENDING` nothing is handed out. `token` is what `before_move` left, here and
    in the folder for state.
    """

    class State(models.TextChoices):
        """What is done with the database."""

        SERVING = "serving", _("Serving")
        MOVING = "moving", _("Moving")
        MENDING = "mending", _("Mending")

    installation = models.BinaryField(max_length=16, default=new_installation)
    epoch = models.PositiveIntegerField(default=1)
    since = models.PositiveIntegerField(default=1)
    unbroken_since = models.PositiveIntegerField(default=1)
    system = models.CharField(max_length=40)
    timeline = models.CharField(max_length=8)
    database = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SERVING)
    token = models.BinaryField(max_length=16, null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(pk=1), name="lineage_one"),
            models.CheckConstraint(
                condition=models.Q(state__in=["serving", "moving", "mending"]),
                name="lineage_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(since__gte=1, since__lte=models.F("epoch")),
                name="lineage_begins_in_an_epoch",
            ),
            models.CheckConstraint(
                condition=models.Q(unbroken_since__gte=1, unbroken_since__lte=models.F("epoch")),
                name="lineage_breaks_in_an_epoch",
            ),
        )

    def __str__(self) -> str:
        return f"{bytes(self.installation).hex()}, epoch {self.epoch}"

    @property
    def place(self) -> tuple[str, str, str]:
        """Return where the database was when the epoch began."""
        return self.system, self.timeline, self.database
