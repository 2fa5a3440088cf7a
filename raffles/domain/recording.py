"""Writing the record: one line an act, inside the transaction of what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from raffles.models import Act
from raffles.models.act import subject_of


def record(
    subject: models.Model | str,
    deed: str,
    *,
    at: datetime,
    by: str,
    why: str = "",
    **details: Any,
) -> Act:
    """Says that ``by`` did ``deed`` to ``subject``; ``details`` hold no data of participants."""
    return Act.objects.create(
        subject=subject if isinstance(subject, str) else subject_of(subject),
        deed=deed,
        at=at,
        by=by,
        why=why,
        details=details,
    )
