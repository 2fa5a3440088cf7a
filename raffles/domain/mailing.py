"""Mail: to staff about everything they asked for, to winners who gave an address about their prize.

The log of tries keeps the mail server's numbers only, since its words quote addresses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
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
from django.urls import reverse

from raffles.models import Delivery, Endpoint, Winner

from .contacts import contact_of_row
from .sending import Answer, Send

# --- Messages ------------------------------------------------------------------------------


def write(endpoint: Endpoint, deliveries: Sequence[Delivery]) -> list[EmailMultiAlternatives]:
    """The mails as they will go out; without a recipient where the address was erased."""
    if endpoint.channel == Endpoint.Channel.WINNERS:
        keys = [delivery.winner_id or 0 for delivery in deliveries]
        winners = Winner.objects.filter(pk__in=keys).select_related("prize", "raffle")
        email = Subquery(contact_of_row().values("email")[:1])
        told = {winner.pk: winner for winner in winners.annotate(email=email)}
        return [_to_winner(delivery, told[delivery.winner_id or 0]) for delivery in deliveries]
    return [_to_staff(delivery, endpoint.address) for delivery in deliveries]


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
    return settings.PUBLIC_URL + reverse("raffle-detail", args=[raffle_id])


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
