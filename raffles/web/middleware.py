"""What holds for every request before any view sees it, and for every public answer."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from typing import Any, Final, Protocol

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    UnreadablePostError,
)
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.http import ConditionalGetMiddleware
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.http import parse_header_parameters
from rest_framework.permissions import SAFE_METHODS
from whitenoise.middleware import WhiteNoiseMiddleware

from raffles.web.callers import BadForwarding, caller_of, refuse_foreign
from raffles.web.languages import ADMIN
from raffles.web.parsing import is_utf8
from raffles.web.problems import bad_request, problem, too_large

MAX_BODY: Final = 64 * 1024
MAX_MANAGER_BODY: Final = 2 * 1024 * 1024
# To the admin, whose forms take less and say so beside the file: deploy/nginx.conf has it too.
MAX_UPLOAD: Final = 20 * 1024 * 1024
_PIECE: Final = 64 * 1024
_DIGITS: Final = 30
PERMISSIONS: Final = "camera=(), geolocation=(), microphone=()"
CAMERA_PERMISSIONS: Final = PERMISSIONS.replace("camera=()", "camera=(self)")
METRICS: Final = "/metrics"
PROBES: Final = frozenset({"/livez", "/readyz", METRICS})
GetResponse = Callable[[HttpRequest], HttpResponseBase]
logger = logging.getLogger(__name__)


class Middleware(Protocol):
    """A factory of middleware: makes one get_response of another."""

    def __init__(self, get_response: GetResponse) -> None: ...

    def __call__(self, request: HttpRequest) -> Any: ...


class RefuseMalformedMiddleware:
    """Refuse what no view should have to expect, whatever the body says.

    A NUL in address or query (PostgreSQL raises on it), a charset other than UTF-8 (Django
    would read even the query in it), a body without a length or beyond the limit, a caller who
    cannot be told.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._answer(request)
        if MAX_BODY < _length(request) <= MAX_UPLOAD:
            _read_to_the_end(request)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        try:
            caller_of(request)
        except BadForwarding as error:
            # Nobody outside can cause it: our own proxy, or its place in the settings, is wrong.
            logger.warning("%s", error)
            return problem(400, "bad_forwarding", str(error))
        if "\0" in request.path_info or "%00" in meta.get("QUERY_STRING", ""):
            return bad_request(request, "The address holds a NUL character.")
        if not is_utf8((request.content_params or {}).get("charset", "utf-8")):
            return problem(415, "unsupported_media_type", "The charset must be UTF-8.")
        if "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH"):
            return problem(411, "length_required", "The request must say how long its body is.")
        length = _length(request)
        if length > MAX_BODY and length > (most := _most(request)):
            return too_large(request, most)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    # No body has as many digits; Python refuses to read a number of thousands.
    return int(length.lstrip("0")[:_DIGITS] or 0) if length.isdecimal() else 0


def _read_to_the_end(request: HttpRequest) -> None:
    """Drop what nobody read: a server that closes before it takes its answer back with that."""
    with suppress(UnreadablePostError):
        while request.read(_PIECE):
            pass


def _most(request: HttpRequest) -> int:
    """Return how many bytes a body may have."""
    if request.path_info.startswith(ADMIN):
        return MAX_UPLOAD
    return MAX_MANAGER_BODY if caller_of(request).is_manager else MAX_BODY


class RefuseForeignMiddleware:
    """Refuse whatever a page of another site makes its visitor send, on every route.

    Browsers send a POST without a body across sites without asking: it would burn the one ticket
    of the visitor's address, and from a manager's address it would draw.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in SAFE_METHODS:
            refuse_foreign(request)
        return self.get_response(request)


class PublicReadsMiddleware:
    """Let pages of any origin read what is public, which the admin and the metrics are not."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(ADMIN) and request.path_info != METRICS:
            response["Access-Control-Allow-Origin"] = "*"
            response["Access-Control-Expose-Headers"] = "ETag, Link, Retry-After, X-Request-ID"
        return response


class PagePolicyMiddleware(CSPMiddleware):
    """Say what a page may load and ask for. JSON loads nothing, so it goes without."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.get("Content-Type", "").endswith("json"):
            return response
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return super().process_response(request, response)


def uses_camera(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let a view's page, and no other, ask for the camera to read a ticket's QR code."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        response = view(*args, **kwargs)
        response["Permissions-Policy"] = CAMERA_PERMISSIONS
        return response

    return answer


def under_admin(*middleware: type[Middleware]) -> Callable[[GetResponse], GetResponse]:
    """Apply middleware to /admin/ alone: nobody logs in elsewhere, and a claim need not pay."""
    return _where(lambda request: request.path_info.startswith(ADMIN), middleware)


def for_reads(*middleware: type[Middleware]) -> Callable[[GetResponse], GetResponse]:
    """Apply middleware to all but claims, which it does not concern."""
    return _where(lambda request: request.method in ("GET", "HEAD"), middleware)


def _where(
    holds: Callable[[HttpRequest], bool], middleware: Iterable[type[Middleware]]
) -> Callable[[GetResponse], GetResponse]:
    """Chain middleware, the first outermost, for the requests of which `holds` is true."""

    def make(get_response: GetResponse) -> GetResponse:
        through = get_response
        for each in reversed(tuple(middleware)):
            through = each(through)
        return lambda request: (through if holds(request) else get_response)(request)

    return make


class AdminCallersMiddleware:
    """Keep the admin and its login to managers' addresses, where ADMIN_FOR_MANAGERS says so."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.ADMIN_FOR_MANAGERS and not caller_of(request).is_manager:
            raise PermissionDenied
        return self.get_response(request)


class AdminLocaleMiddleware(LocaleMiddleware):
    """The staff's language; the API's sentences are a contract and are never translated."""

    def __call__(self, request: HttpRequest) -> Any:
        # LocaleMiddleware leaves its language to the thread, whose next request may be anybody's.
        with translation.override(settings.LANGUAGE_CODE):
            return super().__call__(request)


staff = under_admin(
    AdminCallersMiddleware,
    SessionMiddleware,
    AdminLocaleMiddleware,
    AuthenticationMiddleware,
    MessageMiddleware,
)


class StaffFormsMiddleware(CsrfViewMiddleware):
    """A token in the forms of the staff alone: nobody needs a cookie to take part.

    What other sites send is refused for every address (RefuseForeignMiddleware), and a POST to what
    is only read is 405.
    """

    def process_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.path_info.startswith(ADMIN):
            return super().process_view(request, *args, **kwargs)
        return None


reads = for_reads(WhiteNoiseMiddleware, PublicReadsMiddleware, ConditionalGetMiddleware)


class AddressMiddleware(CommonMiddleware):
    """Django's, except for probes and for writes to a path without its final slash.

    Probes reach a machine by its own address: they are answered whatever host they name. A
    redirected POST would come back as a GET, whose 200 a client takes for success.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info in PROBES else super().process_request(request)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_write = request.method not in SAFE_METHODS
        if response.status_code == 404 and is_write and self.should_redirect_with_slash(request):
            there = request.get_full_path(force_append_slash=True)
            return problem(404, "missing_slash", f"The address ends in a slash: {there}")
        return super().process_response(request, response)


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
