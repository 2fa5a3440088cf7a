"""The connection: Django looks for it under this name."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Keeps a place on the server within a transaction alone.

    Outside of one, a pooler gives the next statement to another connection, which knows nothing of
    a cursor: `iterator()`, as the fields of forms use it, then reads its rows at once. What reads
    more than fits into memory opens a transaction (`raffles.domain.reading`).
    """

    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor, of that name within a transaction."""
        return super().create_cursor(name if self.in_atomic_block else None)
