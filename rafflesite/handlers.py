"""Django's handlers, with requests that survive any Content-Type.

Django decodes the query in the charset that the Content-Type names, while it makes the request:
`charset=bz2` raises before there is a middleware that could answer.
"""

from typing import Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.utils.http import parse_header_parameters


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
