"""Logs: one JSON object a line, tied together by a request id, without addresses."""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.debug import SafeExceptionReporterFilter

from raffles.web.callers import caller_of, is_forwarded
from raffles.web.metrics import count_request

access = logging.getLogger("raffles.access")
request_id: ContextVar[str] = ContextVar("request_id", default="")

_ENCODER = json.JSONEncoder(default=str)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
# Only our own proxies say which scheme a request came by, and what it is called.
_FROM_PROXIES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_REQUEST_ID")


class JSONFormatter(logging.Formatter):
    """Format a record as `time, level, logger, message, request_id`, and what `fields` adds.

    What the pattern `hides` matches in their texts, such as a name in a path, becomes `…`.
    """

    def __init__(self, *, hides: str = "(?!)") -> None:
        super().__init__()
        self._hidden = re.compile(hides)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if identity := request_id.get():
            line["request_id"] = identity
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        for name, value in line.items():
            if isinstance(value, str):
                line[name] = self._hidden.sub("…", value)
        return _ENCODER.encode(line)


class SecretsFilter(SafeExceptionReporterFilter):
    """Mask settings that hold a secret without being named like one, wherever Django shows them."""

    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern
        + "|SEED|LOCATION|(DATABASE|REDIS|EMAIL|CACHE).*URL",
        re.IGNORECASE,
    )


class AccessLogMiddleware:
    """Give each request an id and a line: method, path, status, milliseconds, caller's tag.

    It is counted here too, where its time is known.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        identity = _identify(request)
        token = request_id.set(identity)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = identity
            seconds = time.perf_counter() - started
            count_request(request, response.status_code, seconds)
            if access.isEnabledFor(logging.INFO):
                _write_line(request, response.status_code, seconds)
            return response
        finally:
            request_id.reset(token)


def _identify(request: HttpRequest) -> str:
    """Return the id that a trusted proxy gave the request, or a new one; drop anybody else's."""
    if not is_forwarded(request):
        for name in _FROM_PROXIES:
            request.META.pop(name, None)
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def _write_line(request: HttpRequest, status: int, seconds: float) -> None:
    try:
        caller = caller_of(request).tag
    except BadRequest:
        caller = "unknown"
    fields = {
        "method": request.method,
        "path": request.path,
        "status": status,
        "ms": round(seconds * 1000, 2),
        "caller": caller,
    }
    access.info("request", extra={"fields": fields})
