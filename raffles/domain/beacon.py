"""The drand beacon: fetch a round's signature from relays and believe none of them.

A relay can be late or silent, but it cannot choose: what it sends counts only when it is the one
signature of the chain's key for that round. The clock here only measures how long a relay takes.
"""

import io
import json
import re
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

from raffles.fairness.beacon import check_signature
from raffles.fairness.verify import CHAIN, Invalid

_LARGEST_ANSWER = 65536  # bytes, headers included; a round takes about 500
_SIGNATURE = re.compile("[0-9a-f]{96}")


class NotYet(Exception):
    """No relay has the round yet, and at least one says so; the text names each relay."""


class BeaconFault(Exception):
    """Every relay was wrong, late or silent; the text names each and what was wrong."""


def fetch(round_no: int, relays: Sequence[str], *, deadline: float = 10.0) -> bytes:
    """Return the 48-byte signature of a round from the first relay that has it, checked.

    `deadline` is in seconds and for each relay, from connecting to the last byte (looking a host
    name up keeps to the system resolver's own limits). Raises NotYet or BeaconFault.
    """
    answers: list[str] = []
    is_awaited = False
    for relay in relays:
        try:
            return _ask(relay, round_no, deadline)
        except NotYet as answer:
            is_awaited = True
            answers.append(f"{relay}: {answer}")
        except TimeoutError:
            answers.append(f"{relay}: no whole answer within {deadline:g} s")
        except HTTPException as fault:  # its text is the relay's: not for our logs
            answers.append(f"{relay}: not an HTTP answer ({type(fault).__name__})")
        except (Invalid, OSError, ValueError) as fault:
            answers.append(f"{relay}: {fault}")
    said = "; ".join(answers) or "there is no relay to ask"
    raise NotYet(said) if is_awaited else BeaconFault(said)


def check_relay(url: str) -> SplitResult:
    """Split a relay's address, `https://api.drand.sh`; ValueError says what is wrong with it."""
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValueError("it is not a URL in plain ASCII without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it does not begin with http:// or https:// and a host")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("it has more than a scheme, a host, a port and a path")
    if parts.port == 0:  # reading it also refuses what is no port at all
        raise ValueError("it names port 0")
    return parts


def _ask(relay: str, round_no: int, deadline: float) -> bytes:
    """Return one relay's signature of the round, checked.

    Raises NotYet, Invalid for a wrong answer, OSError or HTTPException for a broken one, and
    ValueError for a wrong address.
    """
    parts = check_relay(relay)
    status, body = _get(parts, f"{CHAIN}/public/{round_no}", time.monotonic() + deadline)
    if status in (404, 425):
        raise NotYet(f"round {round_no} is not published ({status})")
    if status != 200:  # a redirect too: the relay in the list is the one that answers
        raise Invalid(f"answered with status {status}")
    answer = _read(body)
    if type(answer["round"]) is not int or answer["round"] != round_no:
        raise Invalid(f"answered with another round than {round_no}")
    if not isinstance(answer["signature"], str) or not _SIGNATURE.fullmatch(answer["signature"]):
        raise Invalid("the beacon's signature is not 96 lowercase hex digits")
    signature = bytes.fromhex(answer["signature"])
    check_signature(round_no, signature)
    return signature


def _read(body: bytes) -> dict[str, Any]:
    """Read a relay's answer strictly; its randomness is left aside, since anyone computes it."""
    try:
        # int() takes neither NaN nor Infinity, and JSON has neither.
        answer = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=int)
    except (ValueError, RecursionError) as error:
        raise Invalid("the answer is not JSON") from error
    if not isinstance(answer, dict) or not {"round", "signature"} <= answer.keys():
        raise Invalid("the answer is not a round with its signature")
    return answer


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key stands twice")
    return members


def _get(relay: SplitResult, path: str, until: float) -> tuple[int, bytes]:
    """GET a path below a relay by `until` (monotonic): the status, and the body of a 200."""
    with ExitStack() as open_until_answered:
        connection = open_until_answered.enter_context(_connect(relay, until))
        connection.settimeout(_left(until))
        if relay.scheme == "https":
            connection = open_until_answered.enter_context(
                ssl.create_default_context().wrap_socket(connection, server_hostname=relay.hostname)
            )
        connection.sendall(
            f"GET {relay.path.rstrip('/')}/{path} HTTP/1.1\r\nHost: {relay.netloc}\r\n"
            "Accept: application/json\r\nConnection: close\r\n\r\n".encode()
        )
        response = HTTPResponse(_BoundedReader(connection, until), method="GET")  # type: ignore[arg-type]
        response.begin()
        if response.status != 200:
            return response.status, b""
        # With an amount, or a Content-Length of 10 GB is allocated before it is read.
        return response.status, response.read(_LARGEST_ANSWER)


def _connect(relay: SplitResult, until: float) -> socket.socket:
    """Connect to the first address that answers; each gets its share of the time left."""
    port = relay.port or (443 if relay.scheme == "https" else 80)
    found = socket.getaddrinfo(relay.hostname, port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for tries, (*_, address) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            return socket.create_connection((str(address[0]), port), _left(until) / tries)
        except OSError as error:
            failure = error
    raise failure


def _left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _BoundedReader(io.RawIOBase):
    """A connection to read an HTTP answer from, with one deadline and one size for all of it.

    A socket's own timeout begins anew with each byte, so a dripping relay would hold us for hours.
    """

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until
        self._room = _LARGEST_ANSWER

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._until))
        received = self._connection.recv_into(buffer)
        self._room -= received
        if self._room < 0:
            raise Invalid(f"the answer is larger than {_LARGEST_ANSWER} bytes")
        return received
