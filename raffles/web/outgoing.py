"""The one HTTP client: bounded in time and size, and guarded where a stranger chose the URL.

It follows no redirect. The guard checks the very address that it connects to: checking a name
first and connecting later would let its owner answer differently the second time.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from email.message import Message
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple, Self, cast
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext as _

from raffles.web.environment import Network, networks

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Everything that is not the public internet, even where ipaddress calls it global: the ways to
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
EVERYWHERE = networks("0.0.0.0/0, ::/0")  # for addresses that the operator chose
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
_TOLERANCE = 0.05  # seconds by which a deadline may be missed


class Forbidden(OSError):
    """The name resolves to no permitted address."""


class TooLarge(OSError):
    """The answer is larger than permitted."""


# --- Requests ------------------------------------------------------------------------------


class Reply(NamedTuple):
    """An answer; `body` is None when it is too large to be read."""

    status: int
    headers: Message
    body: bytes | None


def check_url(url: str) -> SplitResult:
    """Split a URL that the client can request. Raises ValueError with what is wrong with it."""
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValueError(_("it is not a URL in plain ASCII without spaces"))
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(_("it does not begin with http:// or https:// and a host"))
    if "@" in parts.netloc or "#" in url:
        raise ValueError(_("it has a user name or a fragment"))
    if parts.port == 0:  # reading it also refuses what is no port at all
        raise ValueError(_("it names port 0"))
    return parts


def ask(
    url: str,
    body: bytes | None = None,
    *,
    seconds: float,
    most: int,
    headers: Mapping[str, str] | None = None,
    allowed: Iterable[Network] = (),
) -> Reply:
    """Send one request, as `Connection.ask` does, over a connection of its own."""
    with Connection(url, most=most, allowed=allowed) as connection:
        return connection.ask(
            body, seconds=seconds, headers={"Connection": "close"} | dict(headers or {})
        )


class Connection:
    """A connection to a URL (http or https), kept from one request to the next.

    It leads to an address that is public, by https, or in an `allowed` network. Of each answer
    `most` bytes are read, its head included. Raises ValueError for what is no such URL.
    """

    def __init__(self, url: str, *, most: int, allowed: Iterable[Network] = ()) -> None:
        parts = check_url(url)
        self._host, self._is_tls = str(parts.hostname), parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._netloc, self._most, self._allowed = parts.netloc, most, tuple(allowed)
        self._socket: socket.socket | None = None

    def ask(
        self, body: bytes | None = None, *, seconds: float, headers: Mapping[str, str]
    ) -> Reply:
        """POST the body, or GET without one, and return the answer, whatever its status.

        Looking up the name, connecting, sending and reading take `seconds` together at most. A
        kept connection that the peer has closed is made anew, once. Raises OSError (TimeoutError,
        Forbidden and TooLarge among them) and HTTPException; then the connection is closed.
        """
        method = "GET" if body is None else "POST"
        lines = [f"{method} {self._target} HTTP/1.1", f"Host: {self._netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        request = "\r\n".join([*lines, "\r\n"]).encode("ascii") + (body or b"")
        deadline = time.monotonic() + seconds
        try:
            if self._socket is not None:
                try:
                    return self._exchange(method, request, deadline)
                except (ConnectionError, HTTPException):  # says nothing about the request
                    self.close()
            return self._exchange(method, request, deadline)
        except BaseException:
            self.close()
            raise

    def _exchange(self, method: str, request: bytes, deadline: float) -> Reply:
        if self._socket is None:
            self._socket = _connect(
                self._host, self._port, self._allowed, deadline, is_tls=self._is_tls
            )
        _bound(self._socket, deadline)
        self._socket.sendall(request)
        incoming = _Incoming(self._socket, deadline, self._most)
        # All that it asks of a socket is the file.
        with HTTPResponse(cast("socket.socket", incoming), method=method) as response:
            response.begin()
            try:
                # With an amount, or a Content-Length of 10 GB is allocated before it is read.
                body = response.read(self._most)
            except TooLarge:
                body = None
            if body is None or response.will_close or not response.isclosed():
                self.close()
            return Reply(response.status, response.headers, body)

    def close(self) -> None:
        """Hang up; the next request connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Incoming(io.RawIOBase):
    """What a socket receives, as a file, with one deadline and one size limit for all of it.

    A socket's own timeout restarts with each byte: a dripping peer would hold us for hours.
    """

    def __init__(self, line: socket.socket, deadline: float, most: int) -> None:
        self._line, self._deadline, self._most, self._left = line, deadline, most, most

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        _bound(self._line, self._deadline)
        received = self._line.recv_into(buffer)
        self._left -= received
        if self._left < 0:
            raise TooLarge(f"the answer is larger than {self._most} bytes")
        return received


# --- Connecting ----------------------------------------------------------------------------


def is_within(address: IPAddress, listed: Iterable[Network]) -> bool:
    """Return whether the canonical address is in one of the networks."""
    return any(address in network for network in listed)


def canonical(text: str) -> IPAddress:
    """Return the address without its scope id; an IPv4-mapped IPv6 address becomes IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: IPAddress) -> bool:
    """Return whether the address belongs to the public internet."""
    if is_within(address, DENIED):
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in _PUBLIC_IPV6


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context, which checks certificates against the system's authorities."""
    return ssl.create_default_context()


def _connect(
    host: str, port: int, allowed: tuple[Network, ...], deadline: float, *, is_tls: bool
) -> socket.socket:
    """Connect to the first permitted address that answers; each gets a share of the time left."""
    usable = [
        address
        for address in map(canonical, _resolve(host, deadline))
        if is_within(address, allowed) or (is_tls and is_public(address))
    ]
    if not usable:
        raise Forbidden("the address is not of the public internet, or without https")
    failure = OSError("no address")
    for shares, address in zip(range(len(usable), 0, -1), usable, strict=True):
        try:
            line = socket.create_connection((str(address), port), _left(deadline) / shares)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _encrypted(line, host, deadline) if is_tls else line
        except OSError as error:
            failure = error
    raise failure


def _encrypted(line: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
    with line:  # detached when it worked
        _bound(line, deadline)
        return tls_context().wrap_socket(line, server_hostname=host)


def _bound(line: socket.socket, deadline: float) -> None:
    left = _left(deadline)
    # Setting it is a system call, which would cost more than many a message.
    if abs(left - (line.gettimeout() or 0.0)) > _TOLERANCE:
        line.settimeout(left)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left


def _resolve(host: str, deadline: float) -> list[str]:
    """Look up a name's addresses, in a thread, since the resolver takes no deadline."""
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put([str(sockaddr[0]) for *_, sockaddr in found])
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))

    Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(deadline))
    except Empty:
        raise TimeoutError("the name was not found in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
