"""Errors in one format, RFC 9457 problem details, whatever raised them.

`type, title, status, detail, code`, and `errors` by field (`prizes.1.amount`) as lists of
sentences. Pages that ask for HTML, and the admin, get Django's.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.request import MediaType
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views import defaults
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers

from raffles.web.callers import ForeignOrigin
from raffles.web.formats import grouped
from raffles.web.languages import ADMIN, in_language_of
from raffles.web.outages import Unavailable, is_outage

logger = logging.getLogger(__name__)
CONTENT_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 5
MAIL_AFTER: Final = 60  # seconds: a mail server is seldom back in five
NON_FIELD: Final = "non_field_errors"
# By kind of refusal.
STATUS: Final = {
    "gone": 410,
    "forbidden": 403,
    "conflict": 409,
    "missing": 404,
    "invalid": 400,
    "mismatched": 422,
    "stale": 412,
    "away": 503,
}
# As RFC 9110 has them: Python before 3.13 knows them by older names.
_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

Errors = Mapping[str, list[str]]


class ProblemSerializer(serializers.Serializer[Any]):
    """The shape of a problem, for the schema."""

    type = serializers.CharField(default="about:blank")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened, in one sentence.")
    code = serializers.CharField(help_text="What happened, in one word for programs.")
    errors = serializers.DictField(  # type: ignore[assignment]  # a field, for DRF
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Sentences by field.",
    )
    opens_at = serializers.DateTimeField(
        required=False, help_text="When entries open, where they are not open yet."
    )


def problem(
    status: int,
    code: str,
    detail: str,
    errors: Errors | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """Return the answer that describes a problem; `members` are more of its body."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _RENAMED.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = errors
    return JsonResponse(body | members, status=status, content_type=CONTENT_TYPE, headers=headers)


def unavailable(
    detail: str = "The service is not available at the moment. Try again in a few seconds.",
) -> HttpResponse:
    """Return 503: the database is away, or busy for longer than a request should wait."""
    return problem(503, "unavailable", detail, headers={"Retry-After": str(RETRY_AFTER)})


def too_many(detail: str) -> HttpResponse:
    """Return 429: the holder already has as many at once as permitted."""
    return problem(429, "throttled", detail, headers={"Retry-After": str(RETRY_AFTER)})


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Translate what a DRF view raised; None for the unknown, which becomes a 500."""
    if isinstance(exc, exceptions.ValidationError):
        return _invalid(exc)
    if isinstance(exc, exceptions.MethodNotAllowed) and "Allow" in context["view"].headers:
        # DRF always lists OPTIONS, which is switched off.
        allowed = context["view"].headers["Allow"].split(", ")
        context["view"].headers["Allow"] = ", ".join(m for m in allowed if m != "OPTIONS")
    if isinstance(exc, exceptions.APIException):
        return problem(exc.status_code, _code(exc), str(exc.detail), headers=_headers(exc))
    return translate(exc)


def translate(exc: BaseException | None) -> HttpResponse | None:
    """Return the problem for what Django and the database raise, None for anything else."""
    match exc:
        case _ if is_outage(exc):
            # Django drops a connection that has failed at the end of the request.
            logger.warning("The database is not available: %s", exc)
            return unavailable()
        case Unavailable():
            logger.error("%s", exc.for_operators())
            return problem(503, exc.code, str(exc), headers={"Retry-After": str(RETRY_AFTER)})
        case RequestDataTooBig():
            return _too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        case Http404():
            return not_found()
        case DjangoPermissionDenied():
            return denied(exc)
        case BadRequest():
            return problem(400, "bad_request", str(exc) or "The request cannot be understood.")
        case UnreadablePostError():
            return problem(400, "bad_request", "The request ended before its body did.")
    return None


def not_found() -> HttpResponse:
    """Return 404, also with DEBUG, where Django would list its routes on a page."""
    return problem(404, "not_found", "There is nothing at this address.")


def denied(exc: Exception) -> HttpResponse:
    """Return 403, with the exception's code if it has one."""
    code = getattr(exc, "code", "permission_denied")
    return problem(403, code, str(exc) or "You may not do this.")


def too_large(request: HttpRequest, most: int) -> HttpResponse:
    """Return 413 where at most so many bytes are taken: to people a page."""
    if not _is_page(request):
        return _too_large(most)
    return in_language_of(
        request, lambda: render(request, "413.html", {"most": grouped(most)}, status=413)
    )


def _too_large(most: int) -> HttpResponse:
    return problem(413, "too_large", f"The body of the request has more than {most:,} bytes.")


def _code(exc: exceptions.APIException) -> str:
    codes = exc.get_codes()
    return codes if isinstance(codes, str) else exc.default_code


def _headers(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return headers


def _invalid(exc: exceptions.ValidationError) -> HttpResponse:
    """Return 400 with every sentence; the first one that belongs to no field is the detail."""
    errors: dict[str, list[str]] = {}
    _flatten(exc.detail, "", errors)
    detail = errors.get(NON_FIELD, ["The request is not valid; errors says why, by field."])[0]
    return problem(400, "invalid", detail, errors)


def _flatten(detail: Any, path: str, errors: dict[str, list[str]]) -> None:
    if isinstance(detail, dict):
        for key, value in detail.items():
            _flatten(value, f"{path}.{key}" if path else str(key), errors)
    elif isinstance(detail, list):
        for position, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            _flatten(value, f"{path}.{position}".lstrip(".") if nested else path, errors)
    else:
        errors.setdefault(path.removesuffix(f".{NON_FIELD}") or NON_FIELD, []).append(str(detail))


# --- What Django answers by itself

_Handler = Callable[..., HttpResponse]


def wish_for(request: HttpRequest, media_type: str) -> float | None:
    """Return with which quality the client accepts a type by its name, None without its name."""
    accepted = map(MediaType, request.headers.get("Accept", "").split(","))
    wishes = (each.quality for each in accepted if str(each).partition(";")[0] == media_type)
    return max(wishes, default=None)


def _is_page(request: HttpRequest) -> bool:
    return request.path_info.startswith(ADMIN) or bool(wish_for(request, "text/html"))


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django finds suspicious, without its message, which may quote the request."""
    if isinstance(exception, RequestDataTooBig):
        return too_large(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if not _is_page(request) and (known := translate(exception)):
        return known
    return bad_request(request, "The request cannot be understood.")


def bad_request(request: HttpRequest, detail: str) -> HttpResponse:
    """Return 400: to people a page with a way on."""
    if _is_page(request):
        return in_language_of(request, lambda: defaults.bad_request(request, BadRequest()))
    return problem(400, "bad_request", detail)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer PermissionDenied raised outside DRF."""
    if _is_page(request):
        name = "403_foreign.html" if isinstance(exception, ForeignOrigin) else "403.html"
        return in_language_of(request, lambda: defaults.permission_denied(request, exception, name))
    return denied(exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token is missing or of another session: Django's has no language."""
    logger.info("A form was refused: %s", reason)
    if _is_page(request):
        return in_language_of(request, lambda: render(request, "403_csrf.html", status=403))
    return problem(403, "csrf_failed", "Load the page anew and try again.")


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer paths that do not exist."""
    if _is_page(request):
        return in_language_of(request, lambda: defaults.page_not_found(request, exception))
    return problem(404, "not_found", "There is nothing at this address.")


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours, or 503 when it is the database's (seen by other middleware)."""
    if away := _translated(request, sys.exc_info()[1]):
        return away
    if _is_page(request):
        return in_language_of(request, lambda: _server_error(request))
    return problem(500, "server_error", "Something went wrong here. It has been noted.")


def _server_error(request: HttpRequest) -> HttpResponse:
    try:
        return render(request, "500.html", status=500)
    except Exception:  # whatever is broken, there is an answer
        logger.exception("The page of the error cannot be made")
        return defaults.server_error(request)


def _translated(request: HttpRequest, exc: BaseException | None) -> HttpResponse | None:
    """Return the problem, and to people the page that says the database is away."""
    if isinstance(exc, RequestDataTooBig):
        return too_large(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    answer = translate(exc)
    if answer is None or answer.status_code != 503 or not _is_page(request):
        return answer
    shown = in_language_of(
        request, lambda: render(request, "503.html", {"unavailable": _unavailable(exc)}, status=503)
    )
    shown["Retry-After"] = str(RETRY_AFTER)
    return shown


def _unavailable(exc: BaseException | None) -> str | None:
    """Return the sentence to show instead of the usual one, in the reader's language."""
    return str(exc) if isinstance(exc, Unavailable) else None


class ProblemMiddleware:
    """Turn what escapes views of any kind into problems: 503 without the database, bare 405s."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code == 405 and response.get("Content-Type") != CONTENT_TYPE:
            detail = f'Method "{request.method}" not allowed.'
            return problem(
                405, "method_not_allowed", detail, headers={"Allow": response.get("Allow", "")}
            )
        return response

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if isinstance(exc, DatabaseError | InterfaceError | Unavailable | RequestDataTooBig):
            return _translated(request, exc)
        return None


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Send the same key again to get a lost answer again.",
)
# Whatever is asked for: a request that nobody could answer, or a server that cannot now.
_ALWAYS = (400, 411, 413, 415, 503)


def answers(*refused: int, **given: Any) -> dict[Any, Any]:
    """Return responses by status: `_201=Serializer` for answers, bare numbers for problems."""
    return {int(status[1:]): body for status, body in given.items()} | {
        (status, CONTENT_TYPE): ProblemSerializer for status in (*refused, *_ALWAYS)
    }
