"""What every page has in common: the visitor's language, and errors as pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from raffles.pages.notices import Notice, TooManyTries
from raffles.web.languages import in_language_of
from raffles.web.outages import is_outage
from raffles.web.problems import RETRY_AFTER
from raffles.web.throttles import AddressThrottle

log = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """Make a view answer in the visitor's language, with 404 and 503 as pages.

    Caches revalidate its answers, unless the view says otherwise.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        # For templates: the one address of the page, whatever host it was asked under.
        request.public_address = settings.PUBLIC_URL + request.path  # type: ignore[attr-defined]
        response = in_language_of(request, lambda: _answer(view, request, *args, **kwargs))
        response.headers.setdefault("Cache-Control", "no-cache")
        # Pages count down to what this clock decides; in the body it would make every ETag new.
        response["Server-Timing"] = f"clock;dur={int(timezone.now().timestamp() * 1000)}"
        return response

    return answer


def _answer(view: View, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
    try:
        return view(request, *args, **kwargs)
    except (ObjectDoesNotExist, Http404):
        return render(request, "404.html", status=404)
    except (DatabaseError, InterfaceError) as error:
        if not is_outage(error):
            raise
        log.warning("The database is not available: %s", error)
    response = render(request, "503.html", status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    return response


LONGEST_KEY = 255  # characters of a request key that are read


def request_key(request: HttpRequest) -> str | None:
    """Return the key of the page's form, so that sending it again yields the same ticket."""
    return request.POST.get("request_key", "")[:LONGEST_KEY] or None


def answered(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    notice: Notice | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return the page with the notice's status; nobody caches an answer to a form."""
    status = notice.status if notice else status
    response = render(request, template, context, status=status)
    if request.method == "POST":
        response["Cache-Control"] = "no-store"
    if notice and notice.retry_after:
        response["Retry-After"] = str(notice.retry_after)
    return response


def throttle(request: HttpRequest, limit: AddressThrottle) -> None:
    """Raise TooManyTries beyond the rate limit, which counts visits and API calls together."""
    if not limit.allow_request(Request(request), APIView()):
        raise TooManyTries(limit.wait())
