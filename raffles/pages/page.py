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
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

from rafflesite.problems import RETRY_AFTER

log = logging.getLogger(__name__)

LANGUAGES = ("en", "de")  # those with a whole catalogue in `locale/`; the first for everybody else
_LONGEST_WISH = 500  # characters of Accept-Language that are read

View = Callable[..., HttpResponse]


def language_of(request: HttpRequest) -> str:
    """The first language that the visitor reads and we speak."""
    wish = request.headers.get("Accept-Language", "")[:_LONGEST_WISH]
    for tag, _ in parse_accept_lang_header(wish):
        language = tag.partition("-")[0]
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


def page(view: View) -> View:
    """A view in the visitor's language that answers 404 and 503 as pages.

    Cached only to be asked for again, unless the view says otherwise.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        language = language_of(request)
        # For templates: the one address of the page, whatever host it was asked under.
        request.public_address = settings.PUBLIC_URL + request.path  # type: ignore[attr-defined]
        with translation.override(language):
            try:
                response = view(request, *args, **kwargs)
            except (ObjectDoesNotExist, Http404):
                response = render(request, "404.html", status=404)
            except (OperationalError, InterfaceError) as error:
                log.warning("The database is not available: %s", error)
                response = render(request, "503.html", status=503)
                response["Retry-After"] = str(RETRY_AFTER)
        response.headers.setdefault("Cache-Control", "no-cache")
        response["Content-Language"] = language
        patch_vary_headers(response, ["Accept-Language"])
        return response

    return answer
