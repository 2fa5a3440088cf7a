"""Entries that managers and partners send as a list: by whom, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from raffles.api.authentication import supplier
from raffles.domain.clock import acting_time
from raffles.domain.creating import Request as CreatingRequest
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import BadLines
from raffles.models import Channel
from raffles.web.parsing import idempotency_key


class Listed(NamedTuple):
    """The lines of a request, and how they are entered."""

    lines: list[Line]
    how: dict[str, Any]


def listed_in(request: Request, entrants: list[dict[str, Any]]) -> Listed:
    """Return the entrants of a request as lines from 0, with the arguments to enter them by."""
    lines = [
        Line(
            number,
            each["holder"],
            each.get("name", ""),
            tickets=each["tickets"],
            channel=each["channel"],
        )
        for number, each in enumerate(entrants)
    ]
    key = idempotency_key(request)
    by, caller = supplier(request)
    how = {
        "now": acting_time(),
        "by": by,
        "channel": Channel.PARTNER if request.auth else Channel.LIST,
        "request": CreatingRequest(caller, key, {"entries": request.data}) if key else None,
    }
    return Listed(lines, how)


@contextmanager
def faults_by_place() -> Iterator[None]:
    """Answer 400 to bad lines, with a sentence for each by its place and field."""
    try:
        yield
    except BadLines as bad:
        faults = ((n, *fault.rpartition(": ")[::2]) for n, fault in bad.faults)
        raise ValidationError(
            {f"{n}.{field or 'holder'}": [fault] for n, field, fault in faults}
        ) from None


def shown_entries(entered: dict[str, Any]) -> list[dict[str, Any]]:
    """Return tickets by holder as an answer lists them."""
    return [{"holder": holder, "tickets": tickets} for holder, tickets in entered.items()]
