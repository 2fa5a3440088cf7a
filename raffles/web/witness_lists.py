"""Who is asked to witness seals, as the environment names them: COSIGNERS, TIMESTAMP_AUTHORITIES.

What is wrong with a list raises ImproperlyConfigured naming the variable: a raffle whose terms
break section 3 of the draw protocol could never be proved.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured

from raffles.fairness.verify import NAME, TEXT, has_one_twice, is_public_key
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


Listed = TypeVar("Listed", Cosigner, Authority)


def cosigners(text: str) -> list[Cosigner]:
    """Return the cosigners of `NAME KEYHEX URL`, one a line or divided by `; `."""
    found = _listed("COSIGNERS", text, _cosigner)
    if has_one_twice(cosigner.key for cosigner in found):
        raise ImproperlyConfigured("COSIGNERS names one key twice.")
    return found


def authorities(text: str) -> list[Authority]:
    """Return the authorities of `NAME URL`, listed likewise; a name may have spaces."""
    return _listed("TIMESTAMP_AUTHORITIES", text, _authority)


def _listed(variable: str, text: str, read: Callable[[str], Listed]) -> list[Listed]:
    found = []
    for item in filter(None, map(str.strip, _BETWEEN.split(text))):
        try:
            found.append(read(item))
        except ValueError as fault:
            raise ImproperlyConfigured(f"{variable}: in {item!r} {fault}.") from fault
    _check_together(variable, found)
    return found


def _check_together(variable: str, found: Sequence[Cosigner] | Sequence[Authority]) -> None:
    if len(found) > MOST:
        raise ImproperlyConfigured(f"{variable} names {len(found)}; terms hold {MOST} at most.")
    if has_one_twice(witness.name for witness in found):
        raise ImproperlyConfigured(f"{variable} uses one name twice.")
    if has_one_twice(witness.url for witness in found):
        raise ImproperlyConfigured(f"{variable} names one address twice.")


def _cosigner(item: str) -> Cosigner:
    if len(fields := item.split()) != 3:
        raise ValueError("there are not a name, a key and an address with spaces between them")
    name, key, url = fields
    if not NAME.fits(name):
        raise ValueError(f"the name is not {NAME.words}")
    if not is_public_key(key):
        raise ValueError("the key is not 64 lowercase hex digits of an Ed25519 key")
    if "?" in url:
        raise ValueError("the address has a query")
    return Cosigner(name, key, _checked(url).rstrip("/"))


def _authority(item: str) -> Authority:
    name, _, url = item.rpartition(" ")
    name = name.strip()
    if not TEXT.fits(name):
        raise ValueError(f"the name is not {TEXT.words}, before an address")
    return Authority(name, _checked(url))


def _checked(url: str) -> str:
    try:
        check_url(url)
    except ValueError as fault:
        raise ValueError(f"the address cannot be asked: {fault}") from fault
    if len(url) > _LONGEST_URL:
        raise ValueError(f"the address is longer than {_LONGEST_URL} characters")
    return url
