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

from raffles.domain import lineage
from raffles.domain.keys import current_key_id
from raffles.domain.locking import locked, violated
from raffles.domain.log import origin
from raffles.domain.pool import hold_claims, make_stripes
from raffles.domain.refusals import (
    ClosesInThePast,
    OpensAfterClosing,
    OpensInThePast,
    RequestMismatch,
    TermsFrozen,
    TooManyPrizes,
)
from raffles.domain.rules import keep_rules
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

    def tags(self) -> list[bytes]:
        """Return 16 bytes that identify caller and key without revealing them, by each ticket key.

        The first is for a new raffle; the others, of keys before it, for older ones.
        """
        message = b"create raffle\0" + canonical([self.caller, self.key])
        return [hmac.digest(key, message, "sha256")[:16] for key in settings.TICKET_KEYS]

    def digest(self) -> bytes:
        """Return the 32-byte digest of the request's body."""
        return hashlib.sha256(canonical(self.body)).digest()


def create_raffle(
    *,
    name: str,
    total_tickets: int,
    prizes: Sequence[tuple[str, int] | tuple[str, int, str]],
    alternates: int = 10,
    entropy: str = Entropy.SYSTEM,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    tickets_per_holder: int = 1,
    max_wins_per_holder: int = 0,
    rules_hash: str = "",
    rules: str = "",
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
    """Create a raffle with its prizes, (name, amount) in order of rank, or with a picture's URL.

    With an `event_slug` it is entered through that event. A `uuid` is of the caller's making,
    where the id must be known before. `claim` has the fields of `ClaimTerms`. `rules` are a text,
    or kept already under their `rules_hash`.

    A caller who repeats a `request` gets the raffle that it created the first time; another body
    under the same key raises RequestMismatch. Raises TooManyPrizes, OpensInThePast,
    ClosesInThePast, OpensAfterClosing, Restored.
    """
    if sum(prize[1] for prize in prizes) > min(total_tickets, MAX_PRIZES):
        raise TooManyPrizes
    opens_at, closes_at = opens_at and whole(opens_at), closes_at and whole(closes_at)
    try:
        refuse_times(opens_at, closes_at, now=now)
        refuse_order(opens_at, closes_at)
    except (OpensInThePast, ClosesInThePast, OpensAfterClosing):
        if earlier := made_before(request):
            return earlier
        raise
    raffle = Raffle(
        name=name,
        total_tickets=total_tickets,
        alternates=alternates,
        entropy=entropy,
        opens_at=opens_at,
        closes_at=closes_at,
        tickets_per_holder=tickets_per_holder,
        max_wins_per_holder=max_wins_per_holder,
        time_zone=time_zone,
        event_slug=event_slug,
        privacy=privacy,
        entry=entry,
        **claim or {},
        **({"uuid": uuid} if uuid else {}),
        request_tag=request.tags()[0] if request else None,
        request_digest=request.digest() if request else None,
    )
    set_given(raffle, now=now, by=by)
    try:
        with transaction.atomic():
            raffle.rules_hash = rules_hash or keep_rules(rules, now=now, by=by)
            raffle.save(force_insert=True)
            make_stripes(raffle)
            Prize.objects.bulk_create(
                Prize(
                    raffle=raffle,
                    position=position,
                    name=prize[0],
                    amount=prize[1],
                    picture=prize[2] if len(prize) > 2 else "",
                )
                for position, prize in enumerate(prizes, start=1)
            )
            record(raffle, "raffle.created", at=now, by=by, terms=raffle.terms())
    except IntegrityError as error:
        earlier = made_before(request) if violated(error) == "raffle_created_once" else None
        if earlier is None:
            raise
        return earlier
    return raffle


def whole(moment: datetime) -> datetime:
    """Return the second that a time is in: terms know no smaller part."""
    return moment.replace(microsecond=0)


def refuse_times(opens_at: datetime | None, closes_at: datetime | None, *, now: datetime) -> None:
    """Raise OpensInThePast or ClosesInThePast for a time, in whole seconds, that has come."""
    if closes_at and closes_at <= now:
        raise ClosesInThePast
    if opens_at and opens_at <= now:
        raise OpensInThePast


def refuse_order(opens_at: datetime | None, closes_at: datetime | None) -> None:
    """Raise OpensAfterClosing for times between which nobody could enter."""
    if opens_at and closes_at and opens_at >= closes_at:
        raise OpensAfterClosing


def set_given(raffle: Raffle, *, now: datetime, by: str) -> None:
    """Set on a raffle that is being made what nobody chooses for it: log, witnesses, key, maker.

    The witnesses are those of this moment, also where its terms name them only later, once they
    say that a beacon draws. Raises Restored.
    """
    lineage.refuse_restored()
    raffle.operator, raffle.witnesses = origin(), named_in_terms(now)
    raffle.ticket_key_id = current_key_id()
    raffle.created_at, raffle.created_by = now, by


def made_before(request: Request | None) -> Raffle | None:
    """Return the raffle that this request created. Raises RequestMismatch if its body differed."""
    if request is None:
        return None
    raffle = Raffle.objects.filter(request_tag__in=request.tags()).first()
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
