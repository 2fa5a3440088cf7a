"""The one table that gives refusals their HTTP status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpResponse

from raffles.domain import refusals
from raffles.domain.keys import KeyMissing
from raffles.domain.refusals import Refusal
from raffles.domain.sealing import SealTooLate
from rafflesite import problems

logger = logging.getLogger(__name__)

STATUS: dict[type[Refusal], int] = {
    refusals.SoldOut: 410,
    refusals.GateShut: 410,
    refusals.AlreadyEntered: 403,
    refusals.OrderUsed: 403,
    refusals.ThroughEvent: 403,
    refusals.RequestMismatch: 422,
    refusals.TooManyPrizes: 400,
    refusals.ClosesInThePast: 400,
    refusals.TermsFrozen: 409,
    refusals.TicketsAvailable: 403,
    refusals.AlreadyDrawn: 403,
    refusals.BeforeDrawTime: 403,
    refusals.Voided: 403,
    refusals.NotDrawn: 400,
    refusals.NotFinished: 409,
    refusals.NotSealed: 404,
    refusals.NoProofYet: 404,
    refusals.InvalidCode: 400,
    refusals.RoundHasCome: 409,
    refusals.AlreadyRedrawn: 409,
    refusals.NoAlternateLeft: 409,
    refusals.NotAWinner: 400,
    refusals.HandedOver: 409,
    refusals.Forfeited: 409,
    refusals.NoSuchTicket: 404,
}


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """The problem that answers what a view raised."""
    if isinstance(exc, Refusal):
        return problems.problem(STATUS[type(exc)], exc.code, str(exc))
    if isinstance(exc, SealTooLate | KeyMissing):
        # The operator's to mend; the client's request was good and may come again.
        logger.error("%s: %s", type(exc).__name__, exc)
        return problems.unavailable()
    if isinstance(exc, ObjectDoesNotExist):
        exc = Http404()
    return problems.exception_handler(exc, context)
