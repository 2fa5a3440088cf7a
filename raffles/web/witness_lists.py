"""Witnesses in the environment: whom we ask, and for whose logs we are one ourselves.

COSIGNERS and TIMESTAMP_AUTHORITIES, WITNESS_LOGS and WITNESS_KEY. What is wrong with a list raises
ImproperlyConfigured naming the variable: a raffle whose terms break section 3 of the draw protocol
could never be proved.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured

from raffles.fairness.verify import NAME, ORIGIN, TEXT, has_one_twice, is_public_key
from raffles.web.environment import hex_secrets, items
from raffles.web.outgoing import check_url

MOST = 16  # of each kind in one raffle's terms
_LONGEST_URL = 500
_BETWEEN = re.compile(r";(?=\s|$)|\n")


class Cosigner(NamedTuple):
    """A witness of logs (C2SP tlog-witness), its key in hex; asked at `<url>/add-checkpoint`."""

    name: str
    key: str
    url: str


class Authority(NamedTuple):
    """A timestamp authority (RFC 3161); requests are posted to `url` itself."""

    name: str
    url: str


class WatchedLog(NamedTuple):
    """Somebody else's log that we witness: its origin, its keys in hex, and where it is served."""

    origin: str
    keys: tuple[str, ...]
    url: str


Listed = TypeVar("Listed", Cosigner, Authority, WatchedLog)


def cosigners(text: str) -> list[Cosigner]:
    """Return the cosigners of `NAME KEYHEX URL`, one a line or divided by `; `."""
    found = _listed("COSIGNERS", text, _cosigner, most=MOST)
    if has_one_twice(cosigner.key for cosigner in found):
        raise ImproperlyConfigured("COSIGNERS names one key twice.")
    return found


def authorities(text: str) -> list[Authority]:
    """Return the authorities of `NAME URL`, listed likewise; a name may have spaces."""
    return _listed("TIMESTAMP_AUTHORITIES", text, _authority, most=MOST)


def watched_logs(text: str) -> dict[str, WatchedLog]:
    """Return the logs of `ORIGIN KEYHEX[,KEYHEX] URL`, listed likewise, by their origins."""
    return {log.origin: log for log in _listed("WITNESS_LOGS", text, _log)}


def witness_seed(text: str) -> bytes | None:
    """Return the seed of WITNESS_KEY; None without one: then we witness nobody's log."""
    if not text.strip():
        return None
    seeds = hex_secrets("WITNESS_KEY", text, least=32, most=32)
    if len(seeds) > 1:
        raise ImproperlyConfigured("WITNESS_KEY holds more than one key.")
    return seeds[0]


def _listed(
    variable: str, text: str, read: Callable[[str], Listed], *, most: int | None = None
) -> list[Listed]:
    found = []
    for item in filter(None, map(str.strip, _BETWEEN.split(text))):
        try:
            found.append(read(item))
        except ValueError as fault:
            raise ImproperlyConfigured(f"{variable}: in {item!r} {fault}.") from fault
    if most is not None and len(found) > most:
        raise ImproperlyConfigured(f"{variable} names {len(found)}; terms hold {most} at most.")
    if has_one_twice(each[0] for each in found):
        raise ImproperlyConfigured(f"{variable} uses one name twice.")
    if has_one_twice(each.url for each in found):
        raise ImproperlyConfigured(f"{variable} names one address twice.")
    return found


def _cosigner(item: str) -> Cosigner:
    name, key, url = _three(item)
    if not NAME.fits(name):
        raise ValueError(f"the name is not {NAME.words}")
    _check_key(key)
    return Cosigner(name, key, _folder(url))


def _authority(item: str) -> Authority:
    name, _, url = item.rpartition(" ")
    name = name.strip()
    if not TEXT.fits(name):
        raise ValueError(f"the name is not {TEXT.words}, before an address")
    return Authority(name, _checked(url))


def _log(item: str) -> WatchedLog:
    origin, keys, url = _three(item)
    if not ORIGIN.fits(origin):
        raise ValueError("the name is not the origin of a log")
    for key in items(keys):
        _check_key(key)
    return WatchedLog(origin, tuple(items(keys)), _folder(url))


def _three(item: str) -> list[str]:
    if len(fields := item.split()) != 3:
        raise ValueError("there are not a name, a key and an address with spaces between them")
    return fields


def _check_key(key: str) -> None:
    if not is_public_key(key):
        raise ValueError("the key is not 64 lowercase hex digits of an Ed25519 key")


def _folder(url: str) -> str:
    if "?" in url:
        raise ValueError("the address has a query")
    return _checked(url).rstrip("/")


def _checked(url: str) -> str:
    try:
        check_url(url)
    except ValueError as fault:
        raise ValueError(f"the address cannot be asked: {fault}") from fault
    if len(url) > _LONGEST_URL:
        raise ValueError(f"the address is longer than {_LONGEST_URL} characters")
    return url
