"""What the environment says, parsed: words, numbers, addresses, lists, secrets and rates.

Settings are made with these functions, so none of them reads settings. Each raises
ImproperlyConfigured naming the variable and the item: a typing mistake stops the start, not
some request a week later.
"""

import ipaddress
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.message import sanitize_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PERIODS = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "day": 86400}
_FLAGS = {"on": True, "true": True, "yes": True, "1": True}
_FLAGS |= {"off": False, "false": False, "no": False, "0": False}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_Value = TypeVar("_Value")
_Read = TypeVar("_Read")
_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"  # of a host
_IPV6 = r"\[[0-9a-f:.]+\]"
_PORT = r"(:[0-9]{1,5})?"
# In TRUSTED_PROXIES: the peer of a UNIX socket, which has no address.
UNIX = "unix"


def env_file(path: Path) -> StringIO:
    """Return a file of settings for django-environ, lines of `NAME=value` alone.

    It would take a file that it cannot open for none, and print a line that it does not know, which
    may hold a secret. Raises ImproperlyConfigured.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error}") from None
    kept = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not re.match(r"(export )?[A-Za-z0-9_]+=", line):
            raise ImproperlyConfigured(
                f"{path}: line {number} is neither NAME=value, without spaces before the =, nor a"
                " comment."
            )
        kept.append(line)
    return StringIO("\n".join(kept))


def read(name: str, value: _Value, how: Callable[[_Value], _Read]) -> _Read:
    """Return what a function that knows no names makes of the value of `name`."""
    try:
        return how(value)
    except (ImproperlyConfigured, ValueError) as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def flag(text: str) -> bool:
    """Return whether a word says on or off; a misspelt one is neither."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{text!r} is neither on nor off.") from None


def whole(name: str, text: str, *, least: int, most: int | None = None) -> int:
    """Return the whole number of `name`, from `least` to `most`."""
    try:
        number = int(text)
        is_one = least <= number and (most is None or number <= most)
    except ValueError:
        is_one = False
    if not is_one:
        wanted = f"{least} or more" if most is None else f"{least} to {most}"
        raise ImproperlyConfigured(f"{name} is {text!r}; set a whole number, {wanted}.")
    return number


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


def service(
    name: str, url: str, how: Callable[[str], _Read], *, schemes: Iterable[str], example: str
) -> _Read:
    """Return what `how` makes of the address of a service. No message has any of its text.

    A `/` or `?` in a password would end the host before it begins, and what is left of the
    password would be taken for a port or a name, and be told to whoever reads the message. A `#`
    is part of it: no such address has a fragment.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme in schemes and not re.match(r"[^/?]+[/?].*@", rest):
        with suppress(ImproperlyConfigured, ValueError):
            return how(url.replace("#", "%23"))
    raise ImproperlyConfigured(
        f"{name} is not {example}. A user's name or password in it has %2F for /, %3F for ? and"
        " %25 for %."
    )


def public_url(text: str) -> SplitResult:
    """Return the address of the site, split: scheme and host, with a port or without.

    Raises ImproperlyConfigured, and ValueError for a port or an IPv6 address that is none.
    """
    if not re.fullmatch(rf"https?://({_NAME}|{_IPV6}){_PORT}", text):
        raise ImproperlyConfigured(
            f"{text!r} is not the scheme and host that people see, in small letters and without a"
            " path: https://draws.example.org"
        )
    parts = urlsplit(text)
    _ = parts.port  # reading it refuses one above 65535
    return parts


def hosts(text: str) -> list[str]:
    """Return the comma-separated hosts, of which Django takes `*` and `.example.org`, too."""
    listed = items(text)
    for item in listed:
        if not re.fullmatch(rf"\*|\.?{_NAME}|{_IPV6}", item.lower()):
            raise ImproperlyConfigured(f"{item!r} is not a host without scheme, port and path.")
    return listed


def sender(text: str) -> str:
    """Return from whom mails come: `draws@example.org`, `Draws <draws@example.org>`."""
    sanitize_address(text, "utf-8")  # as Django does when it sends; raises ValueError
    if "@" not in text:
        raise ImproperlyConfigured(f"{text!r} is not an e-mail address.")
    return text


def origins(name: str, text: str) -> list[str]:
    """Return the comma-separated origins of `name`: scheme and host, with a port or without."""
    listed = items(text)
    for item in listed:
        if not re.fullmatch(rf"https?://{_NAME}{_PORT}", item):
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
