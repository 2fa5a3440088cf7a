"""The Idempotency-Key header: what a client sends again to get a lost answer again."""

import re

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

_KEY = re.compile("[!-~]{1,255}")


def idempotency_key(request: Request) -> str | None:
    """Return the key of the request, None without one; 400 for what is no key."""
    key = request.headers.get("Idempotency-Key")
    if key is None or _KEY.fullmatch(key):
        return key
    raise ValidationError({"Idempotency-Key": ["Write 1 to 255 visible ASCII characters."]})
