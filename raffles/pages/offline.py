"""What a browser that keeps tickets shows when no network answers: these tickets."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from raffles.pages.page import page
from raffles.web.languages import LANGUAGES

_PAGE = "raffles/offline.html"
_LOADS = ("site.css", "icon.svg", "offline.js", "card.js", "qr.js", "tickets.js")


@require_safe
@page
def offline(request: HttpRequest) -> HttpResponse:
    """Show the kept tickets on a page that needs nothing else."""
    return render(request, _PAGE)


@require_safe
@cache_control(max_age=300)
def worker(_request: HttpRequest) -> HttpResponse:
    """Answer the service worker, another one whenever the page or what it loads is another.

    Where it is switched off, the worker that waits in a browser becomes one that goes away: an
    address that is gone would leave it there.
    """
    source = _worker() if settings.OFFLINE else render_to_string("raffles/offline_worker_off.js")
    return HttpResponse(source, content_type="text/javascript; charset=utf-8")


@cache
def _worker() -> str:
    files = [f"raffles/{name}" for name in _LOADS]
    contents = [Path(str(finders.find(file))).read_bytes() for file in files]
    for language in LANGUAGES:
        with translation.override(language):
            contents.append(render_to_string(_PAGE).encode())
    place = reverse("pages:offline")
    kept = {
        "version": hashlib.sha256(b"".join(contents)).hexdigest()[:16],
        "page": place,
        "languages": LANGUAGES,
        "assets": [static(file) for file in files],
    }
    return render_to_string("raffles/offline_worker.js", {"kept": json.dumps(kept)})
