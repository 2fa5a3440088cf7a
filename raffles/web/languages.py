"""The visitor's language: of pages alone, since the API's sentences are a contract."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

# Those with a whole catalogue in `locale/`; the first is for everybody else.
LANGUAGES: Final = ("en", "de")
_LONGEST_WISH: Final = 500  # characters of Accept-Language that are read


def language_of(request: HttpRequest) -> str:
    """Return the first of the visitor's languages that the site speaks."""
    wish = request.headers.get("Accept-Language", "")[:_LONGEST_WISH]
    for tag, _ in parse_accept_lang_header(wish):
        language = tag.partition("-")[0]
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


def in_language_of(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """Make a view answer in the visitor's language, and tell caches that it does."""
    language = language_of(request)
    with translation.override(language):
        response = answer()
    response["Content-Language"] = language
    patch_vary_headers(response, ["Accept-Language"])
    return response
