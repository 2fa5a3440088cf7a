"""Creating a raffle: its row, its prizes, and the stripes that hold its tickets."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from raffles.domain.keys import current_key_id
from raffles.domain.locking import locked, violated
from raffles.domain.log import origin
from raffles.domain.pool import hold_claims, make_stripes
from raffles.domain.refusals import ClosesInThePast, RequestMismatch, TermsFrozen, TooManyPrizes
from raffles.domain.witnesses.ours.named import named_in_terms
from raffles.fairness.verify import canonical
from raffles.models import Entropy, EntryMode, Privacy, Prize, Raffle, State
from raffles.models.raffle import MAX_PRIZES
from raffles.models.record import record


@dataclass(frozen=True)
class Request:
    """An `Idempotency-Key`, who sent it, and what they asked for."""

    caller: str
    key: str
    body: dict[str, Any]

    def tag(self) -> bytes:
        """Return 16 keyed bytes that identify caller and key without revealing them."""
        message = b"create raffle\0" + canonical([self.caller, self.key])
        return hmac.digest(settings.TICKET_KEYS[0], message, "sha256")[:16]

    def digest(self) -> bytes:
        """Return the 32-byte digest of the request's body."""
        return hashlib.sha256(canonical(self.body)).digest()


def create_raffle(
    *,
    name: str,
    total_tickets: int,
    prizes: Sequence[tuple[str, int]],
    alternates: int = 10,
    entropy: str = Entropy.SYSTEM,
    closes_at: datetime | None = None,
    time_zone: str | None = None,
    event_slug: str | None = None,
    privacy: Privacy = Privacy.NUMBER,
    entry: EntryMode = EntryMode.ADDRESS,
    claim: Mapping[str, Any] | None = None,
    now: datetime,
    by: str,
    request: Request | None = None,
    uuid: UUID | None = None,
) -> Raffle:
    """Create a raffle with its prizes, (name, amount) in order of rank.

    With an `event_slug` it is entered through that event. A `uuid` is of the caller's making,
    where the id must be known before. `claim` has the fields of `ClaimTerms`.

    A caller who repeats a `request` gets the raffle that it created the first time; another body
    under the same key raises RequestMismatch. Raises TooManyPrizes, ClosesInThePast.
    """
    if sum(amount for _, amount in prizes) > min(total_tickets, MAX_PRIZES):
        raise TooManyPrizes
    if closes_at is not None:
        closes_at = closes_at.replace(microsecond=0)
        if closes_at <= now:
            if earlier := made_before(request):
                return earlier
            raise ClosesInThePast
    raffle = Raffle(
        name=name,
        total_tickets=total_tickets,
        alternates=alternates,
        entropy=entropy,
        closes_at=closes_at,
        time_zone=time_zone,
        event_slug=event_slug,
        privacy=privacy,
        entry=entry,
        **claim or {},
        **({"uuid": uuid} if uuid else {}),
        request_tag=request.tag() if request else None,
        request_digest=request.digest() if request else None,
    )
    set_given(raffle, now=now, by=by)
    try:
        with transaction.atomic():
            raffle.save(force_insert=True)
            make_stripes(raffle)
            Prize.objects.bulk_create(
                Prize(raffle=raffle, position=position, name=prize, amount=amount)
                for position, (prize, amount) in enumerate(prizes, start=1)
            )
            record(raffle, "raffle.created", at=now, by=by, terms=raffle.terms())
    except IntegrityError as error:
        earlier = made_before(request) if violated(error) == "raffle_created_once" else None
        if earlier is None:
            raise
        return earlier
    return raffle


def set_given(raffle: Raffle, *, now: datetime, by: str) -> None:
    """Set on a raffle that is being made what nobody chooses for it: log, witnesses, key, maker.

    The witnesses are those of this moment, also where its terms name them only later, once they
    say that a beacon draws.
    """
    raffle.operator, raffle.witnesses = origin(), named_in_terms(now)
    raffle.ticket_key_id = current_key_id()
    raffle.created_at, raffle.created_by = now, by


def made_before(request: Request | None) -> Raffle | None:
    """Return the raffle that this request created. Raises RequestMismatch if its body differed."""
    if request is None:
        return None
    raffle = Raffle.objects.filter(request_tag=request.tag()).first()
    if raffle and bytes(raffle.request_digest or b"") != request.digest():
        raise RequestMismatch
    return raffle


def hold_terms(raffle_pk: int) -> Raffle:
    """Lock a raffle and its stripes for an edit in the caller's transaction, and return it.

    Claims wait for its end, so no ticket is issued under half-changed terms. Raises TermsFrozen.
    """
    raffle = locked(raffle_pk)
    if raffle.state != State.OPEN or hold_claims(raffle):
        raise TermsFrozen
    return raffle
