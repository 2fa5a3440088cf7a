"""What the back office's own pages of a raffle have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ClassVar, NamedTuple

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from raffles.models import Raffle, State

View = Callable[..., HttpResponseBase]


class Link(NamedTuple):
    """A relative address, its label, and in which states of the raffle it is of use."""

    address: str
    label: str
    states: Collection[str] = State.values


class RafflePages:
    """For the admin of raffles: pages that a GET shows and a POST acts on, and links to them."""

    change_form_template: ClassVar[Any] = "admin/change_form_with_acts.html"

    def page_url(self, route: str, view: View, name: str) -> URLPattern:
        """The address of a page, for the staff; the view asks for its permission."""
        methods = require_http_methods(["GET", "HEAD", "POST"])
        wrapped: View = self.admin_site.admin_view(methods(view))  # type: ignore[attr-defined]
        return path(route, wrapped, name=f"raffles_raffle_{name}")

    def links(self, _request: HttpRequest) -> list[Link]:
        """What the raffle's page leads to."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The raffle's page, with the links."""
        context = {"links": self.links(request)} | (extra_context or {})
        response: HttpResponse = super().change_view(  # type: ignore[misc]
            request, object_id, form_url, context
        )
        return response

    def permitted_raffle(self, request: HttpRequest, object_id: int, permission: str) -> Raffle:
        """The raffle with ``available``, for who may; 403 and 404 otherwise."""
        if not request.user.has_perm(permission):
            raise PermissionDenied
        raffle = Raffle.objects.with_available().filter(pk=object_id).first()
        if raffle is None:
            raise Http404
        return raffle

    def show(
        self, request: HttpRequest, template: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        """A page; what was sent in vain is shown again with 400."""
        about = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "opts": self.opts,  # type: ignore[attr-defined]
            "title": title,
        }
        status = 400 if request.method == "POST" else 200
        name = f"admin/raffles/{template}.html"
        return TemplateResponse(request, name, about | context, status=status)

    def back(self, request: HttpRequest, sentence: str) -> HttpResponse:
        """To the page again, with what is wrong."""
        messages.error(request, sentence)
        return HttpResponseRedirect(request.path)
