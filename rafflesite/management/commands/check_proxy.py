"""Test from outside whether a stranger's headers are believed; exit status 1 if one is.

Run it from a machine that is not a proxy of the site. It changes nothing there and reveals nothing:
a believed header shows in a different answer of `/livez`.
"""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

_TIMEOUT = 10
_PATH = "/livez"
Header = tuple[str, str]


class Answer(NamedTuple):
    """The answer of `/livez`."""

    status: int
    code: str
    request_id: str


def spellings(name: str) -> Iterator[str]:
    """Yield the ways to write a header's name that some servers treat as the same."""
    parts = name.split("-")
    for signs in product("-_", repeat=len(parts) - 1):
        yield parts[0] + "".join(map("".join, zip(signs, parts[1:], strict=True)))
    yield from (name.lower(), name.lower().replace("-", "_"), f"{name} ", f"{name}\t")
    yield from (name.replace("-", "."), f"HTTP_{name.upper().replace('-', '_')}")


def orders(header: Header) -> Iterator[list[Header]]:
    """Yield ways to send a header: alone, before and after others.

    Which of two spellings wins differs by server: the first, the last, or whichever comes first in
    a hash table that grows with their number.
    """
    yield [header]
    for count in (1, 2, 3, 5, 8, 13):
        filling = [(f"X-Filling-{number}", "x") for number in range(count)]
        yield from ([header, *filling], [*filling, header])


class Command(BaseCommand):
    """Sends every spelling of the headers that only our own proxies may set."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="https://draws.example.org, as strangers reach it")
        parser.add_argument("--source", help="send from this address of the machine")

    def handle(self, *_: Any, **options: Any) -> None:
        site = _Site(options["url"], options["source"])
        try:
            if site.ask().status != 200:
                raise CommandError(f"{site.url}{_PATH} is not answered by this site.")
            tried, believed = 0, dict[str, str]()
            for header, name, sentence in site.collisions():
                tried += 1
                if site.believes(name, header):
                    believed.setdefault(header[0], sentence)
        except (OSError, HTTPException) as error:
            raise CommandError(f"{site.url} cannot be reached: {error}") from error
        if believed:
            lines = [f"{written!r} gets through: {why}" for written, why in believed.items()]
            hint = "Serve and proxy as docs/securing.md has it, and check TRUSTED_PROXIES."
            raise CommandError("\n".join([*lines, hint]))
        if options["verbosity"]:
            self.stdout.write(f"{tried} headers sent, none believed.")


class _Site:
    def __init__(self, url: str, source: str | None) -> None:
        self._source = (source, 0) if source else None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError("Write the address as strangers reach it: https://...", returncode=2)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._netloc = parts.netloc
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._other = "http" if parts.scheme == "https" else "https"

    def collisions(self) -> Iterator[tuple[Header, str, str]]:
        """Yield each header to send, the name it must not be read as, and the consequence."""
        values = {
            "X-Forwarded-For": ("nonsense", "whoever sends it is anybody, also a manager."),
            "X-Forwarded-Proto": (self._other, "whoever sends it chooses the scheme."),
            "X-Request-ID": (f"check-{secrets.token_hex(8)}", "strangers name lines of the log."),
        }
        for name, (value, sentence) in values.items():
            for written in spellings(name):
                yield (written, value), name, sentence

    def believes(self, name: str, header: Header) -> bool:
        """Return whether the site takes the header, in any order, for the one with that name."""
        return any(self._believes(name, header, order) for order in orders(header))

    def _believes(self, name: str, header: Header, headers: list[Header]) -> bool:
        match name:
            case "X-Forwarded-For":
                return self.ask(headers).code == "bad_forwarding"
            case "X-Forwarded-Proto":
                # A page of the other scheme is foreign, unless that scheme is believed.
                origin = ("Origin", f"{self._other}://{self._netloc}")
                return self.ask([origin, *headers], "POST").status == 405
        return header[1] in self.ask(headers).request_id

    def ask(self, headers: list[Header] | None = None, method: str = "GET") -> Answer:
        """Send the headers exactly as given, in this order, before all others."""
        connection = self._kind(self._netloc, timeout=_TIMEOUT, source_address=self._source)
        try:
            connection.putrequest(method, _PATH, skip_accept_encoding=True)
            for name, value in headers or ():
                connection.putheader(name, value)
            if method == "POST":
                connection.putheader("Content-Length", "0")
            connection.endheaders()
            response = connection.getresponse()
            return Answer(
                response.status,
                _code(response.read()),
                response.headers.get("X-Request-ID", ""),
            )
        finally:
            connection.close()


def _code(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("code", "")) if isinstance(answer, dict) else ""
