"""Mail: to staff about everything they asked for, to winners who gave an address about their prize.

The log of tries keeps the mail server's numbers only, since its words quote addresses.
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
from raffles.notifications.attempts import Answer, Letter, Send

# --- Messages ------------------------------------------------------------------------------


Mail = Letter[EmailMultiAlternatives]


def write(endpoint: Endpoint, deliveries: DeliveryQuerySet) -> list[Mail]:
    """The mails as they will go out; without a recipient where the address was erased."""
    rows = list(deliveries.select_related("announcement"))
    if endpoint.channel != Endpoint.Channel.WINNERS:
        return [_letter(row, _to_staff(row, endpoint.address)) for row in rows]
    winners = Winner.objects.filter(pk__in=[row.winner_id for row in rows if row.winner_id])
    email = Subquery(contact_of_row().values("email")[:1])
    told = winners.select_related("prize", "raffle").annotate(email=email).in_bulk()
    return [_letter(row, _to_winner(row, told[row.winner_id])) for row in rows if row.winner_id]


def _letter(delivery: Delivery, mail: EmailMultiAlternatives) -> Mail:
    """Nobody is told by a mail without a recipient."""
    winner = delivery.winner_id if mail.to else None
    return Letter(delivery.pk, delivery.attempts, winner, mail)


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
    return f"{settings.PUBLIC_URL}/raffles/{raffle_id}/"


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
def open_line() -> Iterator[Send[EmailMultiAlternatives]]:
    """Yields what sends mails over one connection to the mail server."""
    backend = get_connection()

    def send(message: EmailMultiAlternatives, _at: datetime) -> Answer:
        started = time.monotonic()
        status, detail = _try(backend, message)
        is_accepted = status is not None and status < 300
        return Answer(is_accepted, status, detail, time.monotonic() - started)

    try:
        yield send
    finally:
        backend.close()


def _try(backend: BaseEmailBackend, message: EmailMultiAlternatives) -> tuple[int | None, str]:
    """The mail server's number and, where it has none, what went wrong; never its words."""
    if not message.to:
        return _ACCEPTED, "the address was erased"
    try:
        backend.open()
        backend.send_messages([message])
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
