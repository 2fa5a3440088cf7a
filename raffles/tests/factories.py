"""Raffles as the product makes them: created, entered and drawn by the domain's own acts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import factory

from raffles.domain.creating import create_raffle
from raffles.domain.drawing import advance, void_raffle
from raffles.domain.entering import Entry, enter
from raffles.domain.keys import ticket_key
from raffles.domain.pool import build_tree
from raffles.domain.sealing import close, seal
from raffles.fairness.tickets import code_key, derive_code
from raffles.models import Raffle, State, Winner

NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)
STAFF = "staff"


def clock() -> datetime:
    """Return a clock that stands at `NOW`."""
    return NOW


def address(n: int) -> str:
    """Return the address of holder `n`, 0 to 2^24 - 1."""
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def enter_nth(raffle: Raffle, n: int, *, request_key: str | None = None) -> Entry:
    """Hand holder `n` a ticket at `NOW`."""
    return enter(raffle.uuid, identity=f"ip:{address(n)}", now=NOW, request_key=request_key)


def code_of(winner: Winner) -> str:
    """Return the code on the ticket that won."""
    key = code_key(ticket_key(winner.raffle.ticket_key_id), winner.raffle.uuid.bytes)
    return derive_code(key, bytes(winner.ticket.holder_tag or b""), 0)


class RaffleFactory(factory.django.DjangoModelFactory[Raffle]):
    """`RaffleFactory.create()`: an open raffle of three tickets, one prize and one alternate.

    `tickets=2` lets holders 0 and 1 enter. `state=State.SEALED` takes it as far as that; what
    needs a pool takes holders until it is sold out, unless `tickets` says otherwise.
    """

    class Meta:
        model = Raffle

    name = "Spring raffle"
    total_tickets = 3
    prizes = (("Phone", 1),)
    alternates = 1
    now = NOW
    by = STAFF

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **terms: Any) -> Raffle:  # noqa: ARG003
        state = terms.pop("state", State.OPEN)
        tickets = terms.pop("tickets", None)
        raffle = create_raffle(**terms)
        if tickets is None:
            tickets = 0 if state in (State.OPEN, State.VOID) else raffle.total_tickets
        for n in range(tickets):
            enter_nth(raffle, n)
        take_to(state, raffle)
        return raffle


def take_to(state: State, raffle: Raffle) -> None:
    """Take an open raffle to `state`, at its closing time, and reload it."""
    at = max(NOW, raffle.closes_at or NOW)
    if state == State.VOID:
        void_raffle(raffle.uuid, reason="Called off", now=NOW, by=STAFF)
    elif state == State.DRAWN:
        advance(raffle.pk, now=at, clock=lambda: at, by=STAFF)
    elif state != State.OPEN:
        close(raffle.pk, now=at, by=STAFF)
        if state == State.SEALED:
            seal(raffle.pk, build_tree(raffle), clock=lambda: at, by=STAFF)
    raffle.refresh_from_db()
