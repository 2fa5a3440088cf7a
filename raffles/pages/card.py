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


@dataclass(frozen=True, slots=True)
class Card:
    """What only the holder sees; `file` is a data: URL, so that saving it needs no server."""

    raffle_id: UUID
    number: int
    code: str
    receipt: str
    qr: SafeString
    file: str
    file_name: str

    @property
    def groups(self) -> list[str]:
        """Return the code in groups of four."""
        return self.code.split("-")


def card_of(entry: Entry, *, mask: int | None = None) -> Card:
    """Return the card of a ticket; `mask` as in `qr`.

    The QR leads to the page that looks the ticket up, with number and code behind the `#`:
    browsers send that part to nobody.
    """
    number, code = entry.ticket_number, entry.verification_code
    place = reverse("pages:ticket", args=[entry.raffle_id])
    kept = {
        "raffle_id": str(entry.raffle_id),
        "ticket_number": number,
        "verification_code": code,
        "receipt": entry.receipt,
    }
    return Card(
        raffle_id=entry.raffle_id,
        receipt=json.dumps(entry.receipt),
        number=number,
        code=code,
        qr=qr(f"{settings.PUBLIC_URL}{place}#{number}.{code}", mask),
        file="data:application/json," + quote(json.dumps(kept, indent=2)),
        file_name=f"ticket-{number}.json",
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
