"""Settings of staff accounts, as the environment says them. Imports nothing that is optional.

Each function raises ImproperlyConfigured naming the variable and what is wrong with it.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

FACTORS: Final = ("", "optional", "required")
# In place of the name of a group: every right there is.
SUPERUSER: Final = "superuser"
_LONGEST_ISSUER = 200  # characters; a column of django-allauth's
_BETWEEN = re.compile(r";(?=\s|$)|\n")


def factor(text: str) -> str:
    """Return of whom a second factor is asked: nobody (empty), who has one, or everybody."""
    if text in FACTORS:
        return text
    raise ImproperlyConfigured(f"SECOND_FACTOR is {text!r}; set optional, required, or nothing.")


def issuer(text: str) -> str:
    """Return the provider's issuer, which its tokens repeat: HTTPS, or on loopback."""
    if not text:
        return ""
    if not is_safe(text) or len(text) > _LONGEST_ISSUER or re.search(r"[?#\s]", text):
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is {text!r}; set the provider's https:// address, "
            "as `issuer` at its /.well-known/openid-configuration says it."
        )
    return text


def is_safe(url: object) -> bool:
    """Say whether nobody on the way to an address can read along or answer in its place."""
    try:
        parts = urlsplit(str(url))
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def rights(text: str) -> dict[str, frozenset[str]]:
    """Return the groups of each value of the claim: `VALUE=GROUP`, one a line or divided by `; `.

    A value may have `=` in it, and may be listed more than once.
    """
    found: dict[str, frozenset[str]] = {}
    for item in filter(None, map(str.strip, _BETWEEN.split(text))):
        value, equals, group = map(str.strip, item.rpartition("="))
        if not (value and equals and group):
            raise ImproperlyConfigured(f"OIDC_GROUPS: {item!r} is not VALUE=GROUP.")
        found[value] = found.get(value, frozenset()) | {group}
    return found


def half_configured(values: Mapping[str, object]) -> str:
    """Return a sentence on what is missing where only some of these settings are set, or ''."""
    missing = [name for name, value in values.items() if not value]
    if not missing or len(missing) == len(values):
        return ""
    given = ", ".join(name for name in values if name not in missing)
    return f"{given} without {', '.join(missing)}: set all of them, or none."
