"""What every page has in common: the visitor's language, and words where something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from rafflesite.languages import in_language_of
from rafflesite.problems import RETRY_AFTER

log = logging.getLogger(__name__)

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """A view in the visitor's language that answers 404 and 503 as pages.

    Cached only to be asked for again, unless the view says otherwise.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        # For templates: the one address of the page, whatever host it was asked under.
        request.public_address = settings.PUBLIC_URL + request.path  # type: ignore[attr-defined]
        response = in_language_of(request, lambda: _answer(view, request, *args, **kwargs))
        response.headers.setdefault("Cache-Control", "no-cache")
        return response

    return answer


def _answer(view: View, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
    try:
        return view(request, *args, **kwargs)
    except (ObjectDoesNotExist, Http404):
        return render(request, "404.html", status=404)
    except (OperationalError, InterfaceError) as error:
        log.warning("The database is not available: %s", error)
        response = render(request, "503.html", status=503)
        response["Retry-After"] = str(RETRY_AFTER)
        return response
