"""Webhooks as the Standard Webhooks have them: signed, short, and never followed anywhere."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.db.models import TextField
from django.db.models.functions import Cast
from standardwebhooks import Webhook

from raffles.domain.keys import current_key_id, ticket_key
from raffles.models import Announcement, Endpoint
from raffles.models.delivery import DeliveryQuerySet
from raffles.notifications.attempts import Answer, Letter, Send
from raffles.web.environment import networks
from raffles.web.outgoing import BoundedSocket, Forbidden, connect

TOTAL = 15.0  # seconds for one message, from looking up the name to the end of the answer
LARGEST_ANSWER = 64 * 1024  # bytes of an answer that are read
OVERLAP = timedelta(days=1)  # for how long the secret before is still used, too
GONE = 410


def make_secret(key_id: str, endpoint: Endpoint, version: int) -> str:
    """The ``whsec_`` secret of that version, derived and not stored. Raises KeyMissing."""
    message = b"webhook\0" + endpoint.uuid.bytes + version.to_bytes(4, "big")
    secret = hmac.digest(ticket_key(key_id), message, "sha256")
    return "whsec_" + base64.b64encode(secret).decode()


def secrets_of(endpoint: Endpoint, now: datetime) -> list[str]:
    """The secrets to sign with: the present one, and for a day the one before. KeyMissing."""
    secrets = [make_secret(endpoint.key_id, endpoint, endpoint.secret_version)]
    if endpoint.rotated_at is not None and now < endpoint.rotated_at + OVERLAP:
        version = endpoint.secret_version - 1
        secrets.append(make_secret(endpoint.previous_key_id, endpoint, version))
    return secrets


def rotate_secret(endpoint: Endpoint, *, now: datetime) -> str:
    """Gives the endpoint a new secret and returns it, for the one time it is shown."""
    endpoint.previous_key_id, endpoint.key_id = endpoint.key_id, current_key_id()
    endpoint.secret_version += 1
    endpoint.rotated_at = now
    endpoint.save(update_fields=["previous_key_id", "key_id", "secret_version", "rotated_at"])
    return make_secret(endpoint.key_id, endpoint, endpoint.secret_version)


class Message(NamedTuple):
    """A signed-at-sending message: its constant id and its body."""

    message_id: str
    body: str


def write(deliveries: DeliveryQuerySet) -> Iterator[Letter[Message]]:
    """The messages as they will go out: what everybody reads in the stream, or a test."""
    fields = "pk", "attempts", "message_id", "announcement", "created_at"
    rows = list(deliveries.values_list(*fields))
    news = _news({announcement for _, _, _, announcement, _ in rows})
    for key, attempts, message_id, announcement, created_at in rows:
        body = news[announcement] if announcement else _TEST % created_at.isoformat()
        yield Letter(key, attempts, None, Message(f"msg_{message_id.hex}", body))


def _news(keys: Set[int]) -> dict[int, str]:
    """The bodies of announcements; their payload is handed on as it is stored."""
    rows = Announcement.objects.filter(pk__in=keys).values_list(
        "pk", "kind", "announced_at", "sequence", Cast("payload", TextField())
    )
    return {
        key: _NEWS % (kind, announced_at.isoformat(), sequence, payload)
        for key, kind, announced_at, sequence, payload in rows
    }


_NEWS = '{"type":"%s","timestamp":"%s","sequence":%d,"data":%s}'
_TEST = '{"type":"endpoint.test","timestamp":"%s","data":{}}'


class _Line:
    """One kept connection to an endpoint; made anew when the peer has closed it.

    A request is written in one piece: most of its head is the same each time.
    """

    def __init__(self, url: SplitResult, secrets: Sequence[str]) -> None:
        self._url, self._signers = url, [Webhook(secret) for secret in secrets]
        self._head = _head(url)
        self._socket: BoundedSocket | None = None

    def send(self, message: Message, at: datetime) -> Answer:
        """Posts one message; what became of it, never an exception of the network."""
        started = time.monotonic()
        try:
            status, detail = self._post(self._request(message, at), started + TOTAL), ""
        except (OSError, HTTPException, ValueError, Forbidden) as error:
            self.close()
            status, detail = None, f"{type(error).__name__}: {error}"[:200]
        took = time.monotonic() - started
        is_accepted = status is not None and 200 <= status < 300
        return Answer(is_accepted, status, detail, took, is_gone=status == GONE)

    def _request(self, message: Message, at: datetime) -> bytes:
        """Signed as a receiver checks it with the library of its language; ``at`` is in UTC."""
        key, text = message
        signatures = " ".join([signer.sign(key, at, text) for signer in self._signers])
        body = text.encode()
        return self._head % (
            *(key.encode(), int(at.timestamp()), signatures.encode(), len(body)),
            body,
        )

    def _post(self, request: bytes, deadline: float) -> int:
        for is_kept in (self._socket is not None, False):
            try:
                line = self._open(deadline)
                line.sendall(request)
                response = HTTPResponse(line, method="POST")
                response.begin()
                break
            except (ConnectionError, HTTPException):
                # A kept connection that the peer closed meanwhile says nothing about the message.
                self.close()
                if not is_kept:
                    raise
        if not _is_read_whole(response):
            self.close()
        return response.status

    def _open(self, deadline: float) -> BoundedSocket:
        if self._socket is None:
            host, is_tls = str(self._url.hostname), self._url.scheme == "https"
            port = self._url.port or (443 if is_tls else 80)
            allowed = networks(settings.WEBHOOK_NETWORKS)
            self._socket = connect(host, port, tls=is_tls, deadline=deadline, allowed=allowed)
        self._socket.deadline = deadline
        return self._socket

    def close(self) -> None:
        """Hangs up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _head(url: SplitResult) -> bytes:
    """The head of each request, with places for what is different each time."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    address = f"POST {target} HTTP/1.1\r\nHost: {url.netloc}\r\n".encode("ascii")
    return address.replace(b"%", b"%%") + _HEADERS


_HEADERS = b"""\
Content-Type: application/json\r
User-Agent: raffles-webhooks/1\r
webhook-id: %s\r
webhook-timestamp: %d\r
webhook-signature: %s\r
Content-Length: %d\r
\r
%s"""


def _is_read_whole(response: HTTPResponse) -> bool:
    """Reads an answer up to its limit; whether the connection can be used again."""
    with response:
        response.read(LARGEST_ANSWER)
        return response.isclosed() and not response.will_close


@contextmanager
def open_line(address: str, secrets: Sequence[str]) -> Iterator[Send[Message]]:
    """Yields what sends messages to a webhook, one after another, over one connection."""
    line = _Line(urlsplit(address), secrets)
    try:
        yield line.send
    finally:
        line.close()
