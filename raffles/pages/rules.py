"""The rules that participants accept: each version at an address of its own, for good."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from raffles.models import Rules
from raffles.pages.page import page

_FOR_GOOD = "public, max-age=31536000, immutable"


def acceptance(request: HttpRequest, rules_hash: str) -> dict[str, Any]:
    """Return what the tick beside the button shows: as it was sent, or that it is missing."""
    is_ticked = request.POST.get("accepts") == rules_hash
    is_missing = request.method == "POST" and bool(rules_hash) and not is_ticked
    return {"rules_hash": rules_hash, "is_ticked": is_ticked, "is_unaccepted": is_missing}


@require_safe
@page
def rules(request: HttpRequest, rules_hash: str) -> HttpResponse:
    """Show the text with that hash."""
    found = Rules.objects.get(hash=rules_hash)
    return render(request, "raffles/rules.html", {"rules": found})


@require_safe
@page
def rules_file(_request: HttpRequest, rules_hash: str) -> HttpResponse:
    """Answer the very bytes that the hash is of."""
    text = Rules.objects.get(hash=rules_hash).text
    headers = {"Cache-Control": _FOR_GOOD}
    return HttpResponse(text.encode(), content_type="text/plain; charset=utf-8", headers=headers)
