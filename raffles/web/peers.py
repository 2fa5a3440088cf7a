"""Other installations that the environment names, and the key with which we are a witness."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from raffles.fairness.verify import KEY, ORIGIN
from raffles.web.environment import hex_secrets, items
from raffles.web.outgoing import check_url


class WatchedLog(NamedTuple):
    """Somebody else's log that we are a witness of: its name, its keys in hex, where it is."""

    origin: str
    keys: tuple[str, ...]
    url: str


def watched_logs(text: str) -> dict[str, WatchedLog]:
    """Return the logs of WITNESS_LOGS by their origins: `ORIGIN KEYHEX[,KEYHEX] URL`.

    One a line, or divided by `; `. Raises ImproperlyConfigured.
    """
    found: dict[str, WatchedLog] = {}
    for line in filter(None, map(str.strip, re.split(r"\n|;(?=\s|$)", text))):
        log = _log(line)
        if log.origin in found:
            raise ImproperlyConfigured(f"WITNESS_LOGS names {log.origin} twice.")
        found[log.origin] = log
    return found


def _log(line: str) -> WatchedLog:
    words = line.split()
    if len(words) != 3:
        raise ImproperlyConfigured(f"WITNESS_LOGS: {line!r} is not ORIGIN KEYHEX[,KEYHEX] URL.")
    origin, keys, url = words
    if not ORIGIN.fits(origin):
        raise ImproperlyConfigured(f"WITNESS_LOGS: {origin!r} is not the origin of a log.")
    for key in items(keys):
        if not KEY.fits(key):
            raise ImproperlyConfigured(f"WITNESS_LOGS: {key!r} of {origin} is not a public key.")
    try:
        if "?" in check_url(url).geturl():
            raise ValueError("it has a query")
    except ValueError as error:
        raise ImproperlyConfigured(f"WITNESS_LOGS: the URL of {origin}: {error}.") from error
    return WatchedLog(origin, tuple(items(keys)), url.rstrip("/"))


def witness_seed(text: str) -> bytes | None:
    """Return the seed of WITNESS_KEY; None without one: then we are nobody's witness."""
    if not text.strip():
        return None
    seeds = hex_secrets("WITNESS_KEY", text, least=32, most=32)
    if len(seeds) > 1:
        raise ImproperlyConfigured("WITNESS_KEY holds more than one key.")
    return seeds[0]
