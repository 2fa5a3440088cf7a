"""The admin site: its home page, limits on logins, and the record of logins and passwords."""

from __future__ import annotations

import math
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language
from rest_framework.request import Request

from raffles.models.record import record
from raffles.web.callers import caller_of, staff
from raffles.web.throttles import LoginThrottle, NameThrottle
from rafflesite.dashboard import home


class BackOffice(AdminSite):
    """Django's admin with our home page, limits on logins, and a record of what staff do."""

    site_header = site_title = _("Raffles and lucky draws")
    index_title = _("Back office")

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the home page: what needs somebody, and what is coming."""
        shown = home(request.user, timezone.now())
        return super().index(request, {"home": shown, **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        """Return the admin's URLs, with the one that remembers the language of a browser."""
        return [path("language/", require_POST(set_language), name="language"), *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Return the apps with those of draws first, users and groups last."""
        found = super().get_app_list(request, app_label)
        return sorted(found, key=lambda app: app["app_label"] == "auth")

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Log in; failures count by address and by name, and all attempts are recorded."""
        if request.method != "POST":
            return super().login(request, extra_context)
        name = request.POST.get("username", "")[:150].replace("\0", "")
        throttles = LoginThrottle(), NameThrottle()
        asking = cast("Request", request)  # they use nothing that only DRF's has
        passed = [throttle.allow_request(asking) for throttle in throttles]  # both count
        if not all(passed):
            return self.too_many(request, max(throttle.wait() for throttle in throttles))
        response: HttpResponse = super().login(request, extra_context)
        if response.status_code == 302:
            for throttle in throttles:
                throttle.forgive()
            return self.let_in(request, response)
        # Looked up whether or not the name is known, so that both take the same time.
        known = get_user_model().objects.filter(username=name).first()
        by = f"somebody from {caller_of(request).tag}"
        record(known or "login", "login.failed", at=timezone.now(), by=by)
        return response

    def let_in(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Record that the password was right, and answer."""
        record(cast("User", request.user), "login", at=timezone.now(), by=staff(request))
        return response

    def too_many(self, request: HttpRequest, seconds: float) -> TemplateResponse:
        """Answer that there were too many attempts; `seconds` is how long to wait."""
        context = {
            **self.each_context(request),
            "title": _("Too many attempts"),
            "minutes": max(1, math.ceil(seconds / 60)),
        }
        headers = {"Retry-After": str(max(1, math.ceil(seconds)))}
        template = "admin/too_many_logins.html"
        return TemplateResponse(request, template, context, status=429, headers=headers)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Change the password and record it; Django ends all other sessions of the user."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if response.status_code == 302:
                record(
                    cast("User", request.user),
                    "password.changed",
                    at=timezone.now(),
                    by=staff(request),
                )
        return response
