"""API keys of partners: generated, shown once, and recognised by their hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q

from raffles.models import ApiKey

_HINT = 8  # characters kept, to tell keys apart
_USE_IS_NOTED_EVERY = timedelta(minutes=1)  # a write on every request would cost as much as a claim


def make_key(key: ApiKey, *, now: datetime, by: str) -> str:
    """Store a new key and return its text, which is not stored and cannot be shown again."""
    text = f"key_{secrets.token_urlsafe(32)}"
    key.key_hash, key.hint = _hash(text), text[:_HINT]
    key.created_at, key.created_by = now, by
    key.save(force_insert=True)
    return text


def find_key(text: str, *, now: datetime) -> ApiKey | None:
    """Return the valid key with that text, None without one, and note that it was used."""
    key = ApiKey.objects.valid(now).filter(key_hash=_hash(text)).first()
    if key is not None:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_IS_NOTED_EVERY)
        if key.last_used_at is None or key.last_used_at < now - _USE_IS_NOTED_EVERY:
            ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)
    return key


def _hash(text: str) -> bytes:
    """Return the SHA-256; the text has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(text.encode()).digest()
