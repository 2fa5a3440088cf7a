"""Server-sent events as bytes."""

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


def frame(announcement: Announcement) -> bytes:
    """Render an event; its id is the announcement's sequence number."""
    return _frame(announcement.sequence, announcement.kind, announcement.public())


def reset(head: int, latest: Sequence[Announcement]) -> bytes:
    """Render a reset: the client starts anew from `latest`, and the stream goes on after `head`."""
    shown = [announcement.public() for announcement in latest]
    return _frame(head, "reset", {"type": "reset", "sequence": head, "announcements": shown})


def opening(retry: int, position: int) -> bytes:
    """Render the first frame: the delay before reconnecting, in milliseconds, and the position."""
    return f"retry: {retry}\nid: {position}\n\n".encode()


def heartbeat(position: int) -> bytes:
    """Render a heartbeat, whose id keeps clients of quiet raffles from falling behind."""
    return f":\nid: {position}\n\n".encode()


def last_seen(header: str | None, query: str | None) -> tuple[bool, int | None]:
    """Return whether a client resumes, and after which number; None if that is no id of ours.

    The header comes from a browser that reconnects, so it is newer than the query.
    """
    text = header or query
    if not text:
        return False, None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return True, None
    return True, int(text)


def _frame(number: int, kind: str, public: dict[str, Any]) -> bytes:
    # JSON contains no line break, so one data line is enough.
    data = json.dumps(public, ensure_ascii=False, separators=(",", ":"))
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()
