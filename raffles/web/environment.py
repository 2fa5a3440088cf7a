"""What the environment says, parsed: lists, networks, secrets and rates.

Settings are made with these functions, so none of them reads settings. Each raises
ImproperlyConfigured naming the variable and the item: a typing mistake stops the start, not
some request a week later.
"""

import ipaddress
import re
import secrets
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PERIODS = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "day": 86400}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_Value = TypeVar("_Value")
_Read = TypeVar("_Read")
# In TRUSTED_PROXIES: the peer of a UNIX socket, which has no address.
UNIX = "unix"


def read(name: str, value: _Value, how: Callable[[_Value], _Read]) -> _Read:
    """Return what a function that knows no names makes of the value of `name`."""
    try:
        return how(value)
    except (ImproperlyConfigured, ValueError) as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def items(text: str) -> list[str]:
    """Split a comma-separated list; outer spaces and empty items go (django-environ keeps them)."""
    return [item for item in map(str.strip, text.split(",")) if item]


def networks(value: str | Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that a list of addresses and CIDR networks names.

    An IPv4-mapped item becomes the IPv4 network it stands for. Raises ImproperlyConfigured on
    an item that is neither, also when bits are set beyond its prefix (10.0.0.1/8): whoever
    writes that means something else.
    """
    return _networks(tuple(items(value)) if isinstance(value, str) else tuple(value))


def proxy_networks(listed: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of a list of proxies, which may also say `unix`."""
    return networks(item for item in listed if item != UNIX)


@lru_cache(maxsize=64)
def _networks(listed: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(_network(item) for item in listed)


def _network(item: str) -> Network:
    try:
        network = ipaddress.ip_network(item.strip())
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{item!r} is neither an IP address nor a CIDR network ({error})."
        ) from error
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def origins(name: str, text: str) -> list[str]:
    """Return the comma-separated origins of `name`: scheme and host, with a port or without."""
    listed = items(text)
    for item in listed:
        if not re.fullmatch(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", item):
            raise ImproperlyConfigured(
                f"{name}: {item!r} is not an origin such as https://club.example.org: scheme and "
                "host in small letters, no path and no slash at its end."
            )
    return listed


def hex_secrets(name: str, text: str, *, least: int, most: int | None = None) -> list[bytes]:
    """Return the comma-separated hexadecimal secrets of `name`, newest first.

    Each is `least` bytes long or longer, `most` at most. One random secret when there is none:
    good for tests and a first look, and lost with the process.
    """
    return [_secret(name, item, least, most) for item in items(text)] or [
        secrets.token_bytes(least)
    ]


def _secret(name: str, item: str, least: int, most: int | None) -> bytes:
    # No item in the messages: they end up in logs.
    try:
        secret = bytes.fromhex(item)
    except ValueError:
        raise ImproperlyConfigured(f"{name} holds an item that is not hexadecimal.") from None
    if len(secret) < least or (most is not None and len(secret) > most):
        size = f"exactly {least}" if most == least else f"at least {least}"
        raise ImproperlyConfigured(
            f"{name} holds an item of {len(secret)} bytes; {size} are needed."
        )
    return secret


def bearer(name: str, text: str) -> str:
    """Return a token that clients send as `Authorization: Bearer`, empty for none (RFC 6750)."""
    token = text.strip()
    if token and not re.fullmatch(r"[A-Za-z0-9._~+/-]{32,}=*", token):
        raise ImproperlyConfigured(
            f"{name} is not a token: 32 or more of A-Z a-z 0-9 . _ ~ + / -, which nobody can guess."
        )
    return token


@lru_cache(maxsize=64)
def rate(text: str) -> tuple[int, int] | None:
    """Return (requests, seconds) of a rate: `120/min`, `10/15min`; None, no limit, when empty."""
    if not text.strip():
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,3})?([a-z]+)", text.strip())
    if match is None or match[3] not in _PERIODS:
        raise ImproperlyConfigured(
            f"{text!r} is not a rate; write a number and one of {', '.join(_PERIODS)}: 120/min."
        )
    return int(match[1]), int(match[2] or 1) * _PERIODS[match[3]]
