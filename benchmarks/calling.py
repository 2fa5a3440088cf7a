"""Requests without a network: the site's WSGI application, called in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

application = WSGIHandler()  # the setup was done before, logs and all
_callers = itertools.count(1)


def ask(method: str, path: str, content: bytes = b"") -> tuple[int, bytes]:
    """Status and body of a request (JSON, if any), each from an address of its own."""
    caller = next(_callers)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": f"11.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(content),
    }
    if content:
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content))}
    statuses: list[str] = []

    def start(status: str, _headers: Any, _fault: Any = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _body: None

    response = application(environ, start)
    try:
        return int(statuses[0][:3]), b"".join(response)
    finally:
        response.close()
