"""Connecting to an address that a stranger chose: never into our own networks, never for long.

What counts is the address that is connected to. Looking at the name first and connecting later
would let its owner answer differently the second time.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from raffles.web.environment import Network, networks

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Everything that is not the public internet, also what ipaddress counts as global: the ways to
# write an IPv4 address in IPv6, old site-local addresses, shared address space, and the address
# by which Azure's machines reach their host.
DENIED = networks(
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 168.63.129.16, 169.254.0.0/16, "
    "172.16.0.0/12, "
    "192.0.0.0/24, 192.0.2.0/24, 192.31.196.0/24, 192.52.193.0/24, 192.88.99.0/24, "
    "192.168.0.0/16, 192.175.48.0/24, 198.18.0.0/15, 198.51.100.0/24, 203.0.113.0/24, "
    "224.0.0.0/4, 240.0.0.0/4, "
    "::/96, ::ffff:0:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48, 100::/64, 2001::/23, 2001:db8::/32, "
    "2002::/16, 3fff::/20, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8"
)
_TOLERANCE = 0.05  # seconds by which a deadline may be missed
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")


class Forbidden(Exception):
    """The name leads to no address that may be connected to."""


def is_within(address: IPAddress, listed: Iterable[Network]) -> bool:
    """Whether the canonical address is in one of the networks."""
    return any(address in network for network in listed)


def canonical(text: str) -> IPAddress:
    """The address without its scope; an IPv4 address mapped into IPv6 is what it stands for."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: IPAddress) -> bool:
    """Whether the address is one of the public internet."""
    if is_within(address, DENIED):
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in _PUBLIC_IPV6


def left_until(deadline: float) -> float:
    """Seconds until the monotonic ``deadline``; raises TimeoutError when it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left


class _Bounded:
    """All waiting for a peer together ends at ``deadline``, however often it sends a byte."""

    deadline = float("inf")

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return int(super().recv_into(*args, **kwargs))  # type: ignore[misc]

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._bound()
        super().sendall(*args, **kwargs)  # type: ignore[misc]

    def _bound(self) -> None:
        left = left_until(self.deadline)
        # Setting it is a system call, which would cost more than many a message.
        if abs(left - (self.gettimeout() or 0.0)) > _TOLERANCE:  # type: ignore[attr-defined]
            self.settimeout(left)  # type: ignore[attr-defined]


class PlainSocket(_Bounded, socket.socket):
    """A connection without TLS."""


class TLSSocket(_Bounded, ssl.SSLSocket):
    """A connection with TLS."""


BoundedSocket = PlainSocket | TLSSocket


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.sslsocket_class = TLSSocket
    return context


def connect(
    host: str, port: int, *, tls: bool, deadline: float, allowed: Iterable[Network] = ()
) -> BoundedSocket:
    """A connection to ``host``, by an address that is public or in an ``allowed`` network.

    Without TLS only an allowed one will do. Raises Forbidden, OSError (also TimeoutError).
    """
    listed = tuple(allowed)
    usable = [
        address
        for address in map(canonical, _resolve(host, deadline))
        if is_within(address, listed) or (tls and is_public(address))
    ]
    if not usable:
        raise Forbidden("the address is not of the public internet, or without https")
    failure: OSError = OSError("no address")
    for address in usable:
        try:
            plain = _connect_to(address, port, deadline)
            return _encrypted(plain, host, deadline) if tls else plain
        except OSError as error:
            failure = error
    raise failure


def _connect_to(address: IPAddress, port: int, deadline: float) -> PlainSocket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    plain = PlainSocket(family, socket.SOCK_STREAM)
    try:
        plain.deadline = deadline
        plain.settimeout(left_until(deadline))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.connect((str(address), port))
    except BaseException:
        plain.close()
        raise
    return plain


def _encrypted(plain: PlainSocket, host: str, deadline: float) -> TLSSocket:
    with plain:  # detached when it worked
        plain.settimeout(left_until(deadline))
        secure = _tls().wrap_socket(plain, server_hostname=host)
    assert isinstance(secure, TLSSocket)  # noqa: S101 - the context makes no other
    secure.deadline = deadline
    return secure


def _resolve(host: str, deadline: float) -> list[str]:
    """The addresses of a name. In a thread of its own, since a resolver takes no deadline."""
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put([str(sockaddr[0]) for *_, sockaddr in found])
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=left_until(deadline))
    except Empty:
        raise TimeoutError("the name was not found in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
