"""API keys of partners: made once, shown once, known by their hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q

from raffles.models import ApiKey

_HINT = 8  # characters that are kept, for telling keys apart
_USE_IS_NOTED_EVERY = timedelta(minutes=1)  # a write for every request would cost as a claim does


def make_key(key: ApiKey, *, now: datetime, by: str) -> str:
    """Store a new key and return its text, which nobody can tell afterwards."""
    text = f"key_{secrets.token_urlsafe(32)}"
    key.key_hash, key.hint = _hash(text), text[:_HINT]
    key.created_at, key.created_by = now, by
    key.save(force_insert=True)
    return text


def find_key(text: str, *, now: datetime) -> ApiKey | None:
    """Return the key of that text, unless it is unknown or has expired; notes its use."""
    key = ApiKey.objects.valid(now).filter(key_hash=_hash(text)).first()
    if key is not None:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_IS_NOTED_EVERY)
        if key.last_used_at is None or key.last_used_at < now - _USE_IS_NOTED_EVERY:
            ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)
    return key


def _hash(text: str) -> bytes:
    """SHA-256: the text is 256 random bits, so there is nothing to slow a guesser down for."""
    return hashlib.sha256(text.encode()).digest()
