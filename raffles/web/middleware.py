"""What holds for every request, before any view sees it, and for every public answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.http import parse_header_parameters

from raffles.web.callers import BadForwarding, caller_address, is_manager
from raffles.web.parsing import is_utf8
from raffles.web.problems import ADMIN, problem, too_large

MAX_BODY: Final = 64 * 1024
MAX_MANAGER_BODY: Final = 2 * 1024 * 1024
PERMISSIONS: Final = "camera=(), geolocation=(), microphone=()"
CAMERA_PERMISSIONS: Final = PERMISSIONS.replace("camera=()", "camera=(self)")
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RefuseMalformedMiddleware:
    """Refuse what no view should have to expect, before a byte of the body is read.

    A NUL in address or query (PostgreSQL raises on it), a charset other than UTF-8 (Django
    would read even the query in it), a body without a length or beyond the limit, a caller who
    cannot be told. Uploads in the admin have Django's own limits.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        try:
            caller_address(request)
        except BadForwarding as error:
            return problem(400, "bad_forwarding", str(error))
        if "\0" in request.path_info or "%00" in meta.get("QUERY_STRING", ""):
            return problem(400, "bad_request", "The address holds a NUL character.")
        if not is_utf8((request.content_params or {}).get("charset", "utf-8")):
            return problem(415, "unsupported_media_type", "The charset must be UTF-8.")
        if "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH"):
            return problem(411, "length_required", "The request must say how long its body is.")
        length = meta.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > MAX_BODY and _is_beyond(request, int(length)):
            return too_large()
        return self.get_response(request)


def _is_beyond(request: HttpRequest, length: int) -> bool:
    if request.path_info.startswith(ADMIN):
        return False
    return length > (MAX_MANAGER_BODY if is_manager(request) else MAX_BODY)


class PublicReadsMiddleware:
    """Let pages of any origin read what everybody may read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method in ("GET", "HEAD") and not request.path_info.startswith(ADMIN):
            response["Access-Control-Allow-Origin"] = "*"
            response["Access-Control-Expose-Headers"] = "ETag, Link, Retry-After, X-Request-ID"
        return response


class PagePolicyMiddleware(CSPMiddleware):
    """Say what a page may load and ask for. JSON loads nothing, and it costs as much as a query."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.get("Content-Type", "").endswith("json"):
            return response
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return super().process_response(request, response)


def uses_camera(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view whose page may ask for the camera, to read a ticket's QR code; others may not."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        response = view(*args, **kwargs)
        response["Permissions-Policy"] = CAMERA_PERMISSIONS
        return response

    return answer


class _InAdmin:
    """Act under /admin/ alone: nobody is logged in elsewhere, and a claim should not pay for it."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(ADMIN):
            return super().__call__(request)  # type: ignore[misc]  # a mixin's
        return self.get_response(request)  # type: ignore[attr-defined]


class AdminCallersMiddleware:
    """Keep the admin to managers' addresses, the login too, where ADMIN_FOR_MANAGERS says so."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_kept = settings.ADMIN_FOR_MANAGERS and request.path_info.startswith(ADMIN)
        if is_kept and not is_manager(request):
            raise PermissionDenied
        return self.get_response(request)


class AdminSessionMiddleware(_InAdmin, SessionMiddleware):
    """Sessions of the staff."""


class AdminLocaleMiddleware(_InAdmin, LocaleMiddleware):
    """The staff's language; the API's sentences are a contract and never translated."""

    def __call__(self, request: HttpRequest) -> Any:
        # LocaleMiddleware leaves its language to the thread, whose next request may be anybody's.
        with translation.override(settings.LANGUAGE_CODE):
            return super().__call__(request)


class AdminAuthenticationMiddleware(_InAdmin, AuthenticationMiddleware):
    """Logins of the staff."""


class AdminMessageMiddleware(_InAdmin, MessageMiddleware):
    """Messages to the staff."""


class _UTF8Query(HttpRequest):
    """Queries are UTF-8; a body of another charset is refused by RefuseMalformedMiddleware."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        content_type = meta.get("CONTENT_TYPE", "")
        self.content_type, self.content_params = parse_header_parameters(content_type)


class UTF8WSGIRequest(_UTF8Query, WSGIRequest):
    """A request under WSGI."""


class UTF8ASGIRequest(_UTF8Query, ASGIRequest):
    """A request under ASGI."""


class UTF8WSGIHandler(WSGIHandler):
    """The handler behind `rafflesite.wsgi`."""

    request_class = UTF8WSGIRequest


class UTF8ASGIHandler(ASGIHandler):
    """The handler behind `rafflesite.asgi`."""

    request_class = UTF8ASGIRequest
