"""Who is calling: one canonical address per request, and what it is allowed.

Managers, one ticket per address, throttles and logs all ask here, so that they cannot
disagree. Addresses are never stored nor logged; `address_tag` is what may be.
"""

import ipaddress
from functools import lru_cache
from hashlib import blake2b

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from raffles.web.environment import networks

__all__ = [
    "BadForwarding",
    "ManagerOnly",
    "ManagerOrReadOnly",
    "NoHolder",
    "address_tag",
    "caller_address",
    "is_forwarded",
    "is_manager",
    "is_trusted_proxy",
    "networks",
    "require_holder",
]
_CALLER = "raffles.caller_address"
_TAG_BYTES = 6


class BadForwarding(BadRequest):
    """The address of the caller cannot be told: a trusted proxy sent something else (400)."""


class NoHolder(PermissionDenied):
    """The caller is a proxy, not somebody who could hold a ticket (403)."""


def caller_address(request: HttpRequest | Request) -> str:
    """Return the canonical address of whoever sent the request.

    That is the peer's, or, when the peer is in TRUSTED_PROXIES, the right-most entry of
    X-Forwarded-For that is not. No other header counts, and none from anybody else. IPv4-mapped
    IPv6 is IPv4; scope ids are dropped. Raises BadForwarding for what is no address.
    """
    # In META, since DRF wraps the request and would keep an attribute to itself.
    known: str | None = request.META.get(_CALLER)
    if known is None:
        known = request.META[_CALLER] = _find_caller(request)
    return known


def _find_caller(request: HttpRequest | Request) -> str:
    peer = _canonical(request.META.get("REMOTE_ADDR", ""))
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if not forwarded or not is_trusted_proxy(peer):
        return peer
    for entry in reversed(forwarded.split(",")):
        address = _canonical(entry.strip())
        if not is_trusted_proxy(address):
            return address
    return peer


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise BadForwarding("The address of the caller cannot be told.") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@lru_cache(maxsize=4096)
def _is_listed(address: str, listed: tuple[str, ...]) -> bool:
    found = ipaddress.ip_address(address)
    return any(found in network for network in networks(listed))


def is_forwarded(request: HttpRequest | Request) -> bool:
    """Say whether one of our own proxies sent the request, so that its headers are believed."""
    try:
        return is_trusted_proxy(_canonical(request.META.get("REMOTE_ADDR", "")))
    except BadForwarding:
        return False


def is_trusted_proxy(address: str) -> bool:
    """Say whether the canonical `address` is one of our own proxies."""
    return _is_listed(address, tuple(settings.TRUSTED_PROXIES))


def is_manager(request: HttpRequest | Request) -> bool:
    """Say whether a manager is calling; a proxy never is, even when MANAGER_IPS lists it."""
    address = caller_address(request)
    return _is_listed(address, tuple(settings.MANAGER_IPS)) and not is_trusted_proxy(address)


def require_holder(request: HttpRequest | Request) -> str:
    """Return whom a ticket of this caller belongs to, by address.

    IPv6 addresses that share their first IPV6_PREFIX bits are one holder. Raises NoHolder for a
    proxy that names nobody: everyone behind it would be the same holder.
    """
    address = caller_address(request)
    if is_trusted_proxy(address):
        raise NoHolder("Taking part is not possible from the address of a proxy.")
    return _holder(address, settings.IPV6_PREFIX)


@lru_cache(maxsize=4096)
def _holder(address: str, prefix: int) -> str:
    if ":" not in address or prefix >= ipaddress.IPV6LENGTH:
        return address
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def address_tag(address: str) -> str:
    """Return the pseudonym of an address for logs and counters, keyed by SECRET_KEY (12 hex)."""
    return _address_tag(address, settings.SECRET_KEY)


@lru_cache(maxsize=4096)
def _address_tag(address: str, secret: str) -> str:
    key = blake2b(secret.encode(), person=b"address-tag").digest()
    return blake2b(address.encode(), digest_size=_TAG_BYTES, key=key).hexdigest()


class ManagerOnly(BasePermission):
    """Let managers in (MANAGER_IPS) and nobody else."""

    message = "Only managers may do this."
    code = "managers_only"

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        return is_manager(request)


class ManagerOrReadOnly(ManagerOnly):
    """Let everybody read and managers write."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or super().has_permission(request, view)


def staff(request: HttpRequest) -> str:
    """Who of the staff is acting, and the keyed pseudonym of their address."""
    return f"staff {request.user.get_username()} from {address_tag(caller_address(request))}"
