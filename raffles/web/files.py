"""Answers that never change, kept as files: made once per machine, by whoever needs them first."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from raffles.web.callers import caller_of
from raffles.web.problems import too_many
from raffles.web.throttles import Held, Places

logger = logging.getLogger(__name__)
Pieces = Iterable[str | bytes]

AT_ONCE = 2  # long answers to one holder in a process, which has four threads (gunicorn.conf.py)
LONG = 64 * 1024  # bytes; less is in the socket's buffer before a slow client matters
_reading = Places()


class NotNow(Exception):
    """Somebody else is making the file, or it cannot be made now (503)."""


def kept(name: str, pieces: Callable[[], Pieces]) -> BinaryIO:
    """Open the file of that name in STATE_DIR/files; make it of `pieces()` if it is not there.

    The name must follow from the content, so that no other database's file is ever served.
    Raises NotNow, and whatever `pieces` raises; then no such file remains.
    """
    path = Path(settings.STATE_DIR, "files", name)
    try:
        try:
            return path.open("rb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path, pieces)
            return path.open("rb")
    except BlockingIOError:
        raise NotNow from None
    except OSError as error:  # no space, no right: the operator's to mend
        logger.error("%s cannot be kept: %s", path, error)
        raise NotNow from error


def _make(path: Path, pieces: Callable[[], Pieces]) -> None:
    """Write beside the file, then rename. Raises BlockingIOError while somebody else does.

    The file being written is the lock as well: it ends with the process, and whoever comes after
    a crash starts again. Whoever locks it after the rename finds the file.
    """
    with path.with_name(f"{path.name}.part").open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():
            return
        try:
            part.truncate(0)
            for piece in pieces():
                part.write(piece.encode() if isinstance(piece, str) else piece)
            part.flush()
            os.fsync(part.fileno())
            os.rename(part.name, path)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(part.fileno(), 0)  # gives the space back
            raise


def file_answer(request: Request, file: BinaryIO, content_type: str) -> HttpResponseBase:
    """Answer the whole file in constant memory; HEAD gets its length."""
    length = os.fstat(file.fileno()).st_size
    response: HttpResponseBase
    if request.method == "HEAD":
        file.close()
        response = HttpResponse(content_type=content_type)
    else:
        pieces = iter(partial(file.read, LONG), b"")
        response = long_answer(request, pieces, content_type, length=length, close=file.close)
    if response.status_code == 200:
        response["Content-Length"] = str(length)
    return response


def long_answer(
    request: HttpRequest | Request,
    pieces: Pieces,
    content_type: str,
    *,
    length: int = LONG,
    close: Callable[[], None] = lambda: None,
) -> HttpResponseBase:
    """Answer piece by piece; 429 to a holder who is already reading AT_ONCE long answers here.

    A client that does not read holds a thread. `close` is called at the end, however it ends.
    """
    holder = caller_of(request).tag
    if length < LONG:
        return StreamingHttpResponse(Held(pieces, close), content_type=content_type)
    if not _reading.take(holder, AT_ONCE):
        close()
        return too_many("You are reading as much as one address may at once.")

    def leave() -> None:
        close()
        _reading.leave(holder)

    return StreamingHttpResponse(Held(pieces, leave), content_type=content_type)
