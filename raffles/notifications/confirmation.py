"""The mail with the link that confirms an address: sent while its sender waits.

Whoever asks learns nothing of the address: the answer, and what is done before it, are the same
for one that holds a ticket and for one that has had its mails of this hour.
"""

from __future__ import annotations

import logging
from datetime import datetime
from email.utils import make_msgid
from smtplib import SMTPException, SMTPRecipientsRefused
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from raffles.domain.confirming import Offer, offer_ticket, take_place
from raffles.domain.refusals import MailAway

log = logging.getLogger(__name__)
_PRINTED = "django.core.mail.backends.console.EmailBackend"


def send_confirmation(raffle_id: UUID, *, address: str, now: datetime) -> None:
    """Send a link to an address, which `read_mail` has read, in the language of the moment.

    Raises what `offer_ticket` raises, and MailAway.
    """
    message = _message(offer_ticket(raffle_id, address=address, now=now), address)
    if settings.EMAIL_BACKEND == _PRINTED and not settings.DEBUG:
        # It would reach nobody, and whoever reads what is printed could take the ticket.
        log.error("A confirmation cannot be sent: EMAIL_URL names no mail server")
        raise MailAway
    place = None
    try:
        # Opened also where nothing is sent: a server that is down is down for every address.
        with get_connection() as backend:
            place = take_place(address, now=now)
            if place is not None:
                backend.send_messages([message])
    except SMTPRecipientsRefused:
        # Whether there is such a mailbox is nobody's business.
        log.info("The mail server refused a recipient of a confirmation")
    except (SMTPException, OSError) as error:
        if place is not None:
            place.delete()
        log.warning("A confirmation could not be sent: %s", type(error).__name__)
        raise MailAway from None


def _message(offer: Offer, address: str) -> EmailMultiAlternatives:
    page = f"{settings.PUBLIC_URL}/r/{offer.raffle.uuid}/"
    context = {
        "raffle": offer.raffle,
        "numbers": [str(number) for number in offer.numbers],  # join takes no integers
        "page": page,
        "link": f"{page}?confirmation={offer.confirmation}",
    }
    template = "confirmation" if offer.confirmation else "confirmed_before"
    subject = _("Confirm your entry: %(name)s") if offer.confirmation else _("Your entry: %(name)s")
    message = EmailMultiAlternatives(
        " ".join((subject % {"name": offer.raffle.name}).split()),
        render_to_string(f"mail/{template}.txt", context),
        to=[address],
        headers={
            "Message-ID": make_msgid(domain=urlsplit(settings.PUBLIC_URL).hostname),
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    return message
