"""The ticket as a card to keep: number, code, a QR code that leads back, and a file to save."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from raffles.domain.finding import link_to_ticket
from raffles.fairness.receipts import Receipt
from raffles.models import Raffle


@dataclass(frozen=True, slots=True)
class Card:
    """What only the holder sees."""

    number: int
    code: str
    qr: SafeString

    @property
    def groups(self) -> list[str]:
        """Return the code in groups of four."""
        return self.code.split("-")


@dataclass(frozen=True, slots=True)
class Saved:
    """A ticket as files, by `data:` URLs, so that saving them needs no server.

    The page opens anywhere, and has the JSON in it; `name` is without an ending.
    """

    name: str
    page: str
    json: str


def card_of(raffle_id: UUID, number: int, code: str) -> Card:
    """Return the card of a ticket.

    Its QR leads to the ticket's page, with number and code behind the `#`: browsers send that part
    to nobody.
    """
    return Card(number, code, qr(link_to_ticket(raffle_id, number, code), mask=0))


def saved(raffle: Raffle, card: Card, receipt: Receipt, file: str) -> Saved:
    """Return the files of a ticket just taken, from `file_of`; later only its holder has these."""
    kept = {
        "raffle_id": str(raffle.uuid),
        "ticket_number": card.number,
        "verification_code": card.code,
        "receipt": receipt,
    }
    text = json.dumps(kept, indent=2)
    parts = {
        "number": str(card.number),
        "code": card.code,
        "qr": card.qr,
        "json": text.replace("<", r"\u003c"),
    }
    page = re.sub("@@([a-z]+)@@", lambda found: parts.get(found[1], found[0]), file)
    return Saved(
        name=f"ticket-{card.number}",
        page="data:text/html;charset=utf-8," + quote(page),
        json="data:application/json," + quote(text),
    )


def file_of(raffle: Raffle) -> str:
    """Return the page that is saved of a ticket, with a place (`@@code@@`) for what is secret."""
    page = settings.PUBLIC_URL + reverse("pages:ticket", args=[raffle.uuid])
    return render_to_string("raffles/ticket_file.html", {"raffle": raffle, "page": page})


def to_keep(raffle: Raffle, card: Card | None = None, receipt: Receipt | None = None) -> str:
    """Return as JSON what a browser keeps of a raffle, and of a ticket of it; see tickets.js."""
    return json.dumps(
        {
            "raffle": str(raffle.uuid),
            "number": card and card.number,
            "code": card and card.code,
            "receipt": receipt,
            "name": raffle.name,
            "closes_at": raffle.closes_at and raffle.closes_at.isoformat(),
            "home": reverse("pages:ticket", args=[raffle.uuid]),
        }
    )


def qr(address: str, mask: int | None = None) -> SafeString:
    """Return a QR code as SVG, dark on white in either theme, as scanners expect it.

    Finding the best of the eight masks takes most of the time; give one to save it.
    """
    code = segno.make(address, error="m", mask=mask)
    svg: str = code.svg_inline(
        border=4, dark="#1c1b1f", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return mark_safe(svg)  # noqa: S308 - segno draws modules, it repeats no text
