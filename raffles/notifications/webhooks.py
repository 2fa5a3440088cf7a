"""Webhooks as specified by Standard Webhooks: signed, bounded in size and time.

`raffles.web.outgoing` guards against addresses that lead into our own network (SSRF).
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from django.conf import settings
from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from standardwebhooks import Webhook

from raffles.domain.keys import current_key_id, ticket_key
from raffles.models import Announcement, Endpoint
from raffles.models.delivery import DeliveryQuerySet
from raffles.notifications.attempts import Message, Result, Send
from raffles.web.environment import networks
from raffles.web.outgoing import Connection

TOTAL = 15.0  # seconds per message, from resolving the name to the end of the answer
LARGEST_ANSWER = 64 * 1024  # bytes of an answer that are read
OVERLAP = timedelta(days=1)  # how long the previous secret signs as well
GONE = 410
BUSY = frozenset({429, 503})  # may come with Retry-After


def make_secret(key_id: str, endpoint: Endpoint, version: int) -> str:
    """Derive the endpoint's `whsec_` secret of a version; it is not stored. Raises KeyMissing."""
    message = b"webhook\0" + endpoint.uuid.bytes + version.to_bytes(4, "big")
    secret = hmac.digest(ticket_key(key_id), message, "sha256")
    return "whsec_" + base64.b64encode(secret).decode()


def secrets_of(endpoint: Endpoint, now: datetime) -> list[str]:
    """Return the secrets to sign with: the current one and, for a day, the previous one.

    Raises KeyMissing.
    """
    secrets = [make_secret(endpoint.key_id, endpoint, endpoint.secret_version)]
    if endpoint.rotated_at is not None and now < endpoint.rotated_at + OVERLAP:
        version = endpoint.secret_version - 1
        secrets.append(make_secret(endpoint.previous_key_id, endpoint, version))
    return secrets


@transaction.atomic
def rotate_secret(endpoint: Endpoint, *, now: datetime) -> str:
    """Give the endpoint a new secret and return it, for the receiver to be told.

    While the previous one signs too, the new one stays and is returned again: a third would end the
    only one that the receiver may know. Raises KeyMissing.
    """
    endpoint.refresh_from_db(from_queryset=Endpoint.objects.select_for_update(no_key=True))
    if endpoint.rotated_at is not None and now < endpoint.rotated_at + OVERLAP:
        return make_secret(endpoint.key_id, endpoint, endpoint.secret_version)
    endpoint.previous_key_id, endpoint.key_id = endpoint.key_id, current_key_id()
    endpoint.secret_version += 1
    endpoint.rotated_at = now
    endpoint.save(update_fields=["previous_key_id", "key_id", "secret_version", "rotated_at"])
    return make_secret(endpoint.key_id, endpoint, endpoint.secret_version)


def render(deliveries: DeliveryQuerySet) -> Iterator[Message[str]]:
    """Yield the messages in the stream's JSON, or as tests."""
    fields = "pk", "attempts", "message_id", "announcement", "created_at"
    rows = list(deliveries.values_list(*fields))
    bodies = _bodies({announcement for _, _, _, announcement, _ in rows})
    for key, attempts, message_id, announcement, created_at in rows:
        body = bodies[announcement] if announcement else _TEST % created_at.isoformat()
        yield Message(key, f"msg_{message_id.hex}", attempts, None, body)


def _bodies(keys: Set[int]) -> dict[int, str]:
    """Return announcements as JSON by key; payloads are inserted as they are stored."""
    rows = Announcement.objects.filter(pk__in=keys).values_list(
        "pk", "kind", "announced_at", "sequence", Cast("payload", TextField())
    )
    return {
        key: _NEWS % (kind, announced_at.isoformat(), sequence, payload)
        for key, kind, announced_at, sequence, payload in rows
    }


_NEWS = '{"type":"%s","timestamp":"%s","sequence":%d,"data":%s}'
_TEST = '{"type":"endpoint.test","timestamp":"%s","data":{}}'


@contextmanager
def connect(address: str, secrets: Sequence[str]) -> Iterator[Send[str]]:
    """Yield a function that posts messages to a webhook over one connection.

    It signs with each of `secrets`, at a time in UTC, and turns network errors into results.
    """
    allowed = networks(settings.WEBHOOK_NETWORKS)
    signers = [Webhook(secret) for secret in secrets]

    def send(message: Message[str], at: datetime) -> Result:
        signatures = [signer.sign(message.message_id, at, message.content) for signer in signers]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "raffles-webhooks/1",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        started = time.monotonic()
        try:
            reply = connection.ask(message.content.encode(), seconds=TOTAL, headers=headers)
        except (OSError, HTTPException, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"[:200]
            return Result(False, None, detail, time.monotonic() - started)
        return Result(
            is_accepted=200 <= reply.status < 300,
            status=reply.status,
            detail="",
            seconds=time.monotonic() - started,
            pause=_pause(reply.headers["Retry-After"], at) if reply.status in BUSY else None,
            is_gone=reply.status == GONE,
        )

    with Connection(address, most=LARGEST_ANSWER, allowed=allowed) as connection:
        yield send


def _pause(retry_after: str | None, at: datetime) -> timedelta | None:
    """Parse seconds or an HTTP date; return None if there is nothing to wait for."""
    if not retry_after:
        return None
    try:
        if retry_after.isascii() and retry_after.isdigit():
            pause = timedelta(seconds=int(retry_after))
        else:
            pause = parsedate_to_datetime(retry_after) - at
    except OverflowError:
        return timedelta.max
    except (TypeError, ValueError):  # no date, one without a zone, or thousands of digits
        return None
    return pause if pause > timedelta() else None
