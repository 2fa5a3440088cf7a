"""Answering a form: whose page sent it, how often, and with which status."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.request import Request
from rest_framework.views import APIView

from rafflesite.throttles import AddressThrottle

from .notices import ForeignForm, Notice, TooManyTries

LONGEST_KEY = 255  # characters of a request key that are read


def request_key(request: HttpRequest) -> str | None:
    """What the page's form was given, so that sending it again brings the same ticket again."""
    return request.POST.get("request_key", "")[:LONGEST_KEY] or None


def answered(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    notice: Notice | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with the notice's status; what answers a form is kept nowhere."""
    status = notice.status if notice else status
    response = render(request, template, context, status=status)
    if request.method == "POST":
        response["Cache-Control"] = "no-store"
    if notice and notice.retry_after:
        response["Retry-After"] = str(notice.retry_after)
    return response


def refuse_foreign(request: HttpRequest) -> None:
    """Raises ForeignForm for a form that our own page did not send.

    Browsers name the sender's site, or on plain http at least its origin; neither can be forged
    by a page.
    """
    site = request.headers.get("Sec-Fetch-Site")
    own = f"{request.scheme}://{request.get_host()}"
    if site != "same-origin" if site else request.headers.get("Origin") != own:
        raise ForeignForm


def throttle(request: HttpRequest, limit: AddressThrottle) -> None:
    """Raises TooManyTries when the visitor asks too often, together with their calls of the API."""
    if not limit.allow_request(Request(request), APIView()):
        raise TooManyTries(limit.wait())
