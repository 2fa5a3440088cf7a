"""A language that a visitor has chosen is a part of the address, since no page sets a cookie.

Under `/de/` stand the pages and nothing else; on them every link to a page leads to one there, by
the URLs of the request, while the API, the files and the admin stay where they are.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path

from events.pages import urls as events_pages
from events.pages.queries import picture_of_draw
from raffles.pages import urls as raffles_pages
from raffles.web.languages import LANGUAGES, chosen_language
from raffles.web.middleware import GetResponse
from rafflesite import urls


class ChosenUrls:
    """The URLs of the site for a request whose path begins with a language."""

    handler400, handler403 = staticmethod(urls.handler400), staticmethod(urls.handler403)
    handler404, handler500 = staticmethod(urls.handler404), staticmethod(urls.handler500)

    def __init__(self, language: str) -> None:
        pages: list[Any] = [
            path("", include(raffles_pages.public_routes("event_pages:event", picture_of_draw))),
            path("", include(events_pages)),
        ]
        self.urlpatterns = [path(f"{language}/", include(pages)), *urls.without_pages]


_URLS: Final = {language: ChosenUrls(language) for language in LANGUAGES}


class ChosenLanguageMiddleware:
    """Give a request whose path begins with a language the URLs of that language."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if chosen := chosen_language(request.path_info):
            request.urlconf = _URLS[chosen]  # type: ignore[assignment]  # whatever has urlpatterns
        return self.get_response(request)
