"""The ticket as a card to keep: number, code, a QR code that leads back, and a file to save."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import segno
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from raffles.domain.entering import Entry
from raffles.fairness.receipts import Receipt
from raffles.models import Raffle


@dataclass(frozen=True, slots=True)
class Card:
    """What only the holder sees; `file` is a data: URL, so that saving it needs no server."""

    number: int
    code: str
    qr: SafeString
    file: str = ""
    file_name: str = ""

    @property
    def groups(self) -> list[str]:
        """Return the code in groups of four."""
        return self.code.split("-")


def card_of(entry: Entry, *, mask: int | None = None) -> Card:
    """Return the card of a ticket just taken; `mask` as in `qr`."""
    number, code = entry.ticket_number, entry.verification_code
    kept = {
        "raffle_id": str(entry.raffle_id),
        "ticket_number": number,
        "verification_code": code,
        "receipt": entry.receipt,
    }
    return Card(
        number=number,
        code=code,
        qr=_qr_of(entry.raffle_id, number, code, mask),
        file="data:application/json," + quote(json.dumps(kept, indent=2)),
        file_name=f"ticket-{number}.json",
    )


def card_again(raffle_id: UUID, number: int, code: str) -> Card:
    """Return the card of a ticket that was looked up; only its holder has its receipt."""
    return Card(number, code, _qr_of(raffle_id, number, code))


def _qr_of(raffle_id: UUID, number: int, code: str, mask: int | None = None) -> SafeString:
    """Return the QR of a ticket's page, with number and code behind the `#`.

    Browsers send that part to nobody.
    """
    place = reverse("pages:ticket", args=[raffle_id])
    return qr(f"{settings.PUBLIC_URL}{place}#{number}.{code}", mask)


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
