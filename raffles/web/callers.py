"""Who is calling: one canonical address per request, and what it may do.

Managers, one ticket per address, throttles and logs all ask here, so that they cannot
disagree. Addresses are neither stored nor logged; `Caller.tag` may be.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from raffles.web.environment import UNIX, Network, networks, proxy_networks

__all__ = [
    "BadForwarding",
    "Caller",
    "ForeignOrigin",
    "ManagerOnly",
    "ManagerOrReadOnly",
    "NoHolder",
    "address_tag",
    "caller_at",
    "caller_of",
    "is_forwarded",
    "refuse_foreign",
    "require_holder",
    "staff",
]
_CALLER = "raffles.caller"
_TAG_BYTES = 6
# How proxies write an address with a port, or IPv6 in brackets.
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class BadForwarding(BadRequest):
    """The caller's address cannot be told: a trusted proxy sent something that is none (400)."""


class NoHolder(PermissionDenied):
    """The caller is a proxy, not somebody who could hold a ticket (403)."""


class ForeignOrigin(PermissionDenied):
    """A page of another site made its visitor's browser send the request (403)."""

    code = "foreign_origin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request.

    `address` is canonical; `holder` is whom a ticket belongs to and whose requests are counted
    together: the address, or the network of an IPv6 address. `tag` is the holder's pseudonym.
    """

    address: str
    holder: str
    tag: str
    is_proxy: bool
    is_manager: bool


def caller_of(request: HttpRequest | Request) -> Caller:
    """Return who sent the request.

    That is the peer, or, when the peer is in TRUSTED_PROXIES, the right-most entry of
    X-Forwarded-For that is not. No other header counts, and none from anybody else. IPv4-mapped
    IPv6 is IPv4; scope ids and ports are dropped. Raises BadForwarding for what is no address.
    """
    # In META, since DRF wraps the request and would keep an attribute to itself.
    known: Caller | None = request.META.get(_CALLER)
    if known is None:
        known = request.META[_CALLER] = _find_caller(request)
    return known


def _find_caller(request: HttpRequest | Request) -> Caller:
    peer = _peer(request)
    if not peer.is_proxy:
        return peer
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    # An empty entry, as behind a trailing comma, says nothing (RFC 9110, 5.6.1).
    for entry in filter(None, map(str.strip, reversed(forwarded.split(",")))):
        caller = caller_at(entry)
        if not caller.is_proxy:
            return caller
    return peer


def _peer(request: HttpRequest | Request) -> Caller:
    peer = request.META.get("REMOTE_ADDR", "")
    if peer:
        return caller_at(peer)
    if UNIX not in settings.TRUSTED_PROXIES:
        raise BadForwarding(
            "The request came through a UNIX socket, whose peer has no address: "
            "add unix to TRUSTED_PROXIES."
        )
    return Caller(UNIX, UNIX, address_tag(UNIX), is_proxy=True, is_manager=False)


def caller_at(text: str) -> Caller:
    """Return who calls from that address. Raises BadForwarding for what is none."""
    return _caller(
        text,
        tuple(settings.MANAGER_IPS),
        tuple(settings.TRUSTED_PROXIES),
        settings.IPV6_PREFIX,
        settings.SECRET_KEY,
    )


@lru_cache(maxsize=8192)
def _caller(
    text: str, managers: tuple[str, ...], proxies: tuple[str, ...], prefix: int, secret: str
) -> Caller:
    address = _canonical(text)
    holder = _holder(address, prefix)
    is_proxy = _is_within(address, proxy_networks(proxies))
    return Caller(
        address=str(address),
        holder=holder,
        tag=_tag(holder, secret),
        is_proxy=is_proxy,
        # A proxy never is, even when MANAGER_IPS lists it: everybody comes from there.
        is_manager=not is_proxy and _is_within(address, networks(managers)),
    )


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _canonical(text: str) -> IPAddress:
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise BadForwarding("The address of the caller cannot be told.") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _holder(address: IPAddress, prefix: int) -> str:
    if address.version == 4 or prefix >= ipaddress.IPV6LENGTH:
        return str(address)
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def _is_within(address: IPAddress, listed: tuple[Network, ...]) -> bool:
    return any(address in network for network in listed)


def _tag(text: str, secret: str) -> str:
    key = blake2b(secret.encode(), person=b"address-tag").digest()
    return blake2b(text.encode(), digest_size=_TAG_BYTES, key=key).hexdigest()


def address_tag(text: str) -> str:
    """Return a pseudonym for logs and counters, keyed by SECRET_KEY (12 hex)."""
    return _tag(text, settings.SECRET_KEY)


def is_forwarded(request: HttpRequest | Request) -> bool:
    """Say whether one of our own proxies sent the request, so that its headers are believed."""
    try:
        return _peer(request).is_proxy
    except BadForwarding:
        return False


def require_holder(request: HttpRequest | Request) -> str:
    """Return whom a ticket of this caller belongs to, by address.

    IPv6 addresses that share their first IPV6_PREFIX bits are one holder. Raises NoHolder for a
    proxy that names nobody: everyone behind it would be the same holder.
    """
    caller = caller_of(request)
    if caller.is_proxy:
        raise NoHolder("Taking part is not possible from the address of a proxy.")
    return caller.holder


def refuse_foreign(request: HttpRequest | Request) -> None:
    """Raise ForeignOrigin for a request that a page of another site made its visitor send.

    Browsers say where a request comes from, which no page can forge: in Sec-Fetch-Site, or on
    plain http at least in Origin. Whoever sends neither is no browser.
    """
    site = request.META.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        origin = request.META.get("HTTP_ORIGIN")
        is_own = origin is None or _is_own(origin, request)
    if not is_own:
        raise ForeignOrigin("A page of another site may not send this.")


def _is_own(origin: str, request: HttpRequest | Request) -> bool:
    own = f"{request.scheme}://{request.get_host()}"
    return origin == own or any(_fits(origin, listed) for listed in settings.CSRF_TRUSTED_ORIGINS)


def _fits(origin: str, listed: str) -> bool:
    """Return whether an origin is the listed one, or a subdomain of it (`https://*.example.org`)."""
    scheme, star, domain = listed.partition("*")
    return origin.startswith(scheme) and origin.endswith(domain) if star else origin == listed


class ManagerOnly(BasePermission):
    """Let managers in (MANAGER_IPS) and nobody else."""

    message = "Only managers may do this."
    code = "managers_only"

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        return caller_of(request).is_manager


class ManagerOrReadOnly(ManagerOnly):
    """Let everybody read and managers write."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or super().has_permission(request, view)


def staff(request: HttpRequest) -> str:
    """Return which member of staff is acting, with the keyed pseudonym of their address."""
    return f"staff {request.user.get_username()} from {caller_of(request).tag}"
