"""Server-sent events as bytes.

The id of an event is its sequence number, `120`. A database that was restored gives numbers a
second time: from then on the epoch (`since`) that `after_restore` began stands before it, `3.120`,
and an id without it is none of ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from raffles.models import Announcement

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events until its buffer is full
    "Access-Control-Allow-Origin": "*",
}


def frame(announcement: Announcement, since: int) -> bytes:
    """Render an announcement."""
    return _frame(announcement.sequence, since, announcement.kind, announcement.public())


def reset(head: int, since: int, latest: Sequence[Announcement]) -> bytes:
    """Render a reset: the client starts anew from `latest`, and the stream goes on after `head`."""
    shown = [announcement.public() for announcement in latest]
    said = {"type": "reset", "sequence": head, "announcements": shown}
    return _frame(head, since, "reset", said)


def opening(retry: int, position: int, since: int) -> bytes:
    """Render the first frame: the delay before reconnecting, in milliseconds, and the position."""
    return f"retry: {retry}\nid: {_id(position, since)}\n\n".encode()


def heartbeat(position: int, since: int) -> bytes:
    """Render a heartbeat, whose id keeps clients of quiet raffles from falling behind."""
    return f":\nid: {_id(position, since)}\n\n".encode()


def last_seen(header: str | None, query: str | None, since: int) -> tuple[bool, int | None]:
    """Return whether a client resumes, and after which number; None if that is no id of ours.

    The header comes from a browser that reconnects, so it is newer than the query.
    """
    text = header or query
    if not text:
        return False, None
    number = text.rpartition(".")[2]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return True, None
    return True, int(number) if text == _id(int(number), since) else None


def _id(number: int, since: int) -> str:
    return f"{since}.{number}" if since > 1 else str(number)


def _frame(number: int, since: int, kind: str, public: dict[str, Any]) -> bytes:
    # JSON contains no line break, so one data line is enough.
    data = json.dumps(public, ensure_ascii=False, separators=(",", ":"))
    return f"id: {_id(number, since)}\nevent: {kind}\ndata: {data}\n\n".encode()
