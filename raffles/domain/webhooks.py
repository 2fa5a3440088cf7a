"""Webhooks as the Standard Webhooks have them: signed, short, and never followed anywhere."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from standardwebhooks import Webhook

from raffles.models import Delivery, Endpoint
from rafflesite.environment import networks

from .guarding import BoundedSocket, Forbidden, connect
from .keys import current_key_id, ticket_key
from .sending import Answer, Send

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


@dataclass(frozen=True, slots=True)
class Message:
    """A signed-at-sending message: its constant id and its body."""

    message_id: str
    body: str

    @classmethod
    def of(cls, delivery: Delivery) -> Message:
        """What a delivery says."""
        body = json.dumps(delivery.body(), ensure_ascii=False, separators=(",", ":"))
        return cls(f"msg_{delivery.message_id.hex}", body)

    def headers(self, secrets: list[str], at: datetime) -> dict[str, str]:
        """What a receiver checks with the library of its language; ``at`` is in UTC."""
        signatures = [Webhook(secret).sign(self.message_id, at, self.body) for secret in secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": "raffles-webhooks/1",
            "webhook-id": self.message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


class _Line:
    """One kept connection to an endpoint; made anew when the peer has closed it."""

    def __init__(self, url: SplitResult, secrets: list[str]) -> None:
        self._url, self._secrets = url, secrets
        self._connection: HTTPConnection | None = None
        self._socket: BoundedSocket

    def send(self, message: Message, at: datetime) -> Answer:
        """Posts one message; what became of it, never an exception of the network."""
        started = time.monotonic()
        deadline = started + TOTAL
        try:
            status, detail = self._post(message, at, deadline), ""
        except (OSError, HTTPException, ValueError, Forbidden) as error:
            self.close()
            status, detail = None, f"{type(error).__name__}: {error}"[:200]
        took = time.monotonic() - started
        is_accepted = status is not None and 200 <= status < 300
        return Answer(is_accepted, status, detail, took, is_gone=status == GONE)

    def _post(self, message: Message, at: datetime, deadline: float) -> int:
        body, headers = message.body.encode(), message.headers(self._secrets, at)
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        for is_kept in (self._connection is not None, False):
            try:
                connection = self._open(deadline)
                connection.request("POST", target, body, headers)
                response = connection.getresponse()
                break
            except (ConnectionError, HTTPException):
                # A kept connection that the peer closed meanwhile says nothing about the message.
                self.close()
                if not is_kept:
                    raise
        if not _is_read_whole(response):
            self.close()
        return response.status

    def _open(self, deadline: float) -> HTTPConnection:
        if self._connection is None:
            host, is_tls = str(self._url.hostname), self._url.scheme == "https"
            port = self._url.port or (443 if is_tls else 80)
            allowed = networks(settings.WEBHOOK_NETWORKS)
            sock = connect(host, port, tls=is_tls, deadline=deadline, allowed=allowed)
            self._connection = HTTPConnection(host, port)
            self._connection.auto_open = 0  # it would connect past the guard
            self._connection.sock = sock
            self._connection.default_port = 443 if is_tls else 80
            self._socket = sock
        self._socket.deadline = deadline
        return self._connection

    def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_read_whole(response: HTTPResponse) -> bool:
    """Reads an answer up to its limit; whether the connection can be used again."""
    response.read(LARGEST_ANSWER)
    return response.isclosed() and not response.will_close


@contextmanager
def open_line(endpoint: Endpoint, secrets: list[str]) -> Iterator[Send[Message]]:
    """Yields what sends messages to a webhook, one after another, over one connection."""
    line = _Line(urlsplit(endpoint.address), secrets)
    try:
        yield line.send
    finally:
        line.close()
