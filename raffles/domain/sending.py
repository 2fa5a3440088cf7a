"""What every way of telling somebody has in common: a message goes out, an answer comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

Message = TypeVar("Message")
Send = Callable[[Message, datetime], "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try; ``status`` is the receiver's (HTTP, SMTP), None when silent."""

    is_accepted: bool
    status: int | None
    detail: str
    seconds: float
    is_gone: bool = False


class Letter(NamedTuple, Generic[Message]):
    """A message as it goes out, with the delivery of which this is the next try."""

    delivery: int
    attempts: int
    winner: int | None
    message: Message
