"""The visitor's language: of pages alone, since the API's sentences are a contract.

A page speaks the language that the browser asks for, or the one that its path begins with, which
the visitor has chosen: `/r/…/` or `/de/r/…/`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

# Those with a whole catalogue in `locale/`; the first is for everybody else.
LANGUAGES: Final = ("en", "de")
ADMIN: Final = "/admin/"
_LONGEST_WISH: Final = 500  # characters of Accept-Language that are read


@dataclass(frozen=True, slots=True)
class Edition:
    """A page in one language, by its path with the query; `is_shown` in the answer at hand."""

    language: str
    name: str
    path: str
    address: str
    is_shown: bool


def chosen_language(path: str) -> str | None:
    """Return the language that a path begins with; None where the browser's counts."""
    first = path[1:].partition("/")[0]
    return first if first in LANGUAGES else None


def language_of(request: HttpRequest) -> str:
    """Return the language chosen, or the first of the browser's that the site speaks."""
    if chosen := chosen_language(request.path_info):
        return chosen
    if request.path_info.startswith(ADMIN):  # where staff choose theirs
        return translation.get_language_from_request(request).partition("-")[0]
    wish = request.headers.get("Accept-Language", "")[:_LONGEST_WISH]
    for tag, _ in parse_accept_lang_header(wish):
        language = tag.partition("-")[0]
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


def in_language_of(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """Make a view answer in the visitor's language, and tell caches if the browser chose it."""
    language = language_of(request)
    with translation.override(language):
        response = answer()
    response["Content-Language"] = language
    if not chosen_language(request.path_info):
        patch_vary_headers(response, ["Accept-Language"])
    return response


def editions(request: HttpRequest) -> list[Edition]:
    """Return the page in each language; none for an answer to a form, which is said only once."""
    if request.method not in ("GET", "HEAD") or request.path_info.startswith(ADMIN):
        return []
    chosen = chosen_language(request.path)
    path = request.path.removeprefix(f"/{chosen}")
    query = request.META.get("QUERY_STRING", "")
    shown = language_of(request)
    return [
        Edition(
            language=language,
            name=str(LANG_INFO[language]["name_local"]),
            path=f"/{language}{path}{'?' if query else ''}{query}",
            address=f"{settings.PUBLIC_URL}/{language}{path}",
            is_shown=language == shown,
        )
        for language in LANGUAGES
    ]
