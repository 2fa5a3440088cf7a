"""What the API answers when a view raises: refusals and missing rows as problems."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpResponse

from raffles.domain.refusals import Kind, NotOpenYet, Refusal
from raffles.domain.sealing import SealTooLate
from raffles.web import problems
from raffles.web.files import NotNow
from raffles.web.metrics import count_refusal

logger = logging.getLogger(__name__)


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the problem that answers an exception of a view; None for a fault of ours."""
    if isinstance(exc, Refusal):
        return _refused(exc)
    if isinstance(exc, SealTooLate):
        # The operator's to mend; the client's request was good and may come again.
        logger.error("%s: %s", type(exc).__name__, exc)
        return problems.unavailable()
    if isinstance(exc, NotNow):
        return problems.unavailable()
    if isinstance(exc, ObjectDoesNotExist):
        exc = Http404()
    return problems.exception_handler(exc, context)


def _refused(refusal: Refusal) -> HttpResponse:
    count_refusal(refusal.code)
    sentence = str(refusal)
    return problems.problem(
        problems.STATUS[refusal.kind],
        refusal.code,
        sentence,
        {refusal.field: [sentence]} if refusal.field else None,
        {"Retry-After": str(problems.MAIL_AFTER)} if refusal.kind == Kind.AWAY else None,
        **({"opens_at": refusal.opens_at} if isinstance(refusal, NotOpenYet) else {}),
    )
