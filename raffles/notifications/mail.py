"""Mail to staff, with the news that they subscribed to, and to winners who left an address.

Only the numeric status of the mail server's replies is kept, since their text quotes addresses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Subquery
from django.template.loader import render_to_string

from raffles.domain.contacts import contact_of_row
from raffles.models import Delivery, Endpoint, Winner
from raffles.models.delivery import DeliveryQuerySet
from raffles.notifications.attempts import Message, Result, Send

# --- Messages ------------------------------------------------------------------------------

Mail = Message[EmailMultiAlternatives]


def render(endpoint: Endpoint, deliveries: DeliveryQuerySet) -> list[Mail]:
    """Render mails; one whose address has been erased has no recipient."""
    rows = list(deliveries.select_related("announcement"))
    if endpoint.channel != Endpoint.Channel.WINNERS:
        return [_message(row, _to_staff(row, endpoint.address)) for row in rows]
    winners = Winner.objects.filter(pk__in=[row.winner_id for row in rows if row.winner_id])
    email = Subquery(contact_of_row().values("email")[:1])
    found = winners.select_related("prize", "raffle").annotate(email=email).in_bulk()
    return [_message(row, _to_winner(row, found[row.winner_id])) for row in rows if row.winner_id]


def _message(delivery: Delivery, mail: EmailMultiAlternatives) -> Mail:
    """Wrap a mail in its message; without a recipient it notifies no winner."""
    winner = delivery.winner_id if mail.to else None
    return Message(delivery.pk, delivery.message_id.hex, delivery.attempts, winner, mail)


def _to_winner(delivery: Delivery, winner: Any) -> EmailMultiAlternatives:
    replaced = delivery.announcement.payload.get("prize") if delivery.announcement else None
    context = {
        "raffle": winner.raffle,
        "prize": winner.prize.name if winner.prize else replaced,
        "ticket_number": winner.ticket_number(),
        "rank": winner.rank,
        "url": _url(winner.raffle.uuid),
    }
    subject = f"You have won: {context['prize']}"
    return _mail(delivery, winner.email, subject, "winner", context)


def _to_staff(delivery: Delivery, address: str) -> EmailMultiAlternatives:
    if delivery.announcement is None:
        return _mail(delivery, address, "Test", "test", {"url": settings.PUBLIC_URL})
    announcement, payload = delivery.announcement, delivery.announcement.payload
    context = {
        "announcement": announcement,
        "payload": payload,
        "url": _url(payload["raffle"]) if "raffle" in payload else settings.PUBLIC_URL,
    }
    subject = f"{announcement.get_kind_display()}: {payload.get('name', '')}"
    return _mail(delivery, address, subject, "announcement", context)


def _url(raffle_id: Any) -> str:
    return f"{settings.PUBLIC_URL}/r/{raffle_id}/"  # its page


def _mail(
    delivery: Delivery, address: str | None, subject: str, template: str, context: dict[str, Any]
) -> EmailMultiAlternatives:
    host = urlsplit(settings.PUBLIC_URL).hostname
    message = EmailMultiAlternatives(
        " ".join(subject.split()),
        render_to_string(f"mail/{template}.txt", context),
        to=[address] if address else [],
        headers={
            "Message-ID": f"<{delivery.message_id.hex}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    return message


# --- Sending -------------------------------------------------------------------------------


@contextmanager
def connect() -> Iterator[Send[EmailMultiAlternatives]]:
    """Yield a function that sends mails over one connection to the mail server."""
    backend = get_connection()

    def send(message: Mail, _at: datetime) -> Result:
        started = time.monotonic()
        status, detail = _post(backend, message.content)
        is_accepted = status is not None and status < 300
        return Result(is_accepted, status, detail, time.monotonic() - started)

    try:
        yield send
    finally:
        backend.close()


def _post(backend: BaseEmailBackend, mail: EmailMultiAlternatives) -> tuple[int | None, str]:
    """Return the server's status, or None, and the kind of fault; never the reply's text."""
    if not mail.to:
        return _ACCEPTED, "the address was erased"
    try:
        backend.open()
        backend.send_messages([mail])
    except SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0], "the recipient was refused"
    except SMTPResponseException as error:
        backend.close()
        return error.smtp_code, type(error).__name__
    except (SMTPException, OSError) as error:
        backend.close()
        return None, type(error).__name__
    return _ACCEPTED, ""


_ACCEPTED = 250
