"""Acts of the admin that cannot be undone: a page that says what will happen, then one button.

A ModelAdmin lists its `Act`s and inherits `ConfirmedActs`; each gets an address, a button on the
object's page and the check of its permission.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from raffles.domain.refusals import Refusal
from raffles.models import Raffle, State
from raffles.web.callers import staff
from raffles.web.fields import text_fault

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


MAX_REASON = 500  # characters


class Outcome(NamedTuple):
    """What was done, in a sentence, and the address to go on from; empty: the object's page."""

    message: str
    to: str = ""


class ReasonForm(forms.Form):
    """A typed reason that everybody will read."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=forms.Textarea({"rows": 2}),
        label="Reason",
        help_text="Published as you write it.",
    )

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if fault := text_fault(reason):
            raise ValidationError(fault)
        return reason


@dataclass(frozen=True, kw_only=True)
class ConfirmedAct:
    """One act on one object.

    ``foresee(row)`` are sentences of what will happen; ``perform(row, now=, by=, **values of the
    form)`` does it or raises a Refusal. ``is_offered(row)`` says whether the button is shown; what
    is refused is for the domain to say. ``initial(row)`` is what the form proposes.
    """

    name: str
    label: str
    permission: str
    foresee: Callable[[Any], Sequence[str]]
    perform: Callable[..., Outcome]
    is_offered: Callable[[Any], bool] = lambda _: True
    form: type[forms.Form] = forms.Form
    initial: Callable[[Any], dict[str, Any]] = lambda _: {}
    is_harmful: bool = False


class ConfirmedActs:
    """For a ModelAdmin: its ``acts``, with a page for each."""

    acts: ClassVar[tuple[ConfirmedAct, ...]] = ()
    change_form_template: ClassVar[Any] = "admin/change_form_with_acts.html"

    def get_urls(self) -> list[URLPattern]:
        """An address for each act, before those of the admin."""
        opts = self.opts  # type: ignore[attr-defined]
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        own = [
            path(
                f"<path:object_id>/{act.name}/",
                wrap(require_http_methods(["GET", "HEAD", "POST"])(partial(self.confirm, act))),
                name=f"{opts.app_label}_{opts.model_name}_{act.name.replace('-', '_')}",
            )
            for act in self.acts
        ]
        inherited: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return own + inherited

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The object's page, with a button for each act that is offered and permitted."""
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        offered = [
            act
            for act in self.acts
            if row is not None and act.is_offered(row) and request.user.has_perm(act.permission)
        ]
        context = {"acts": offered} | (extra_context or {})
        response: HttpResponse = super().change_view(  # type: ignore[misc]
            request, object_id, form_url, context
        )
        return response

    def confirm(self, act: ConfirmedAct, request: HttpRequest, object_id: str) -> HttpResponse:
        """Says what will happen and, when posted, does it."""
        if not request.user.has_perm(act.permission):
            raise PermissionDenied
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if row is None:
            raise Http404
        opts = self.opts  # type: ignore[attr-defined]
        page = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
        form = act.form(
            request.POST if request.method == "POST" else None, initial=act.initial(row)
        )
        if request.method == "POST" and form.is_valid():
            try:
                outcome = act.perform(
                    row, now=timezone.now(), by=staff(request), **form.cleaned_data
                )
            except Refusal as refusal:
                messages.error(request, str(refusal))
                return HttpResponseRedirect(page)
            messages.success(request, outcome.message)
            return HttpResponseRedirect(outcome.to or page)
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "opts": opts,
            "object": row,
            "act": act,
            "form": form,
            "page": page,
            "title": f"{act.label}: {row}",
            "foreseen": act.foresee(row),
        }
        return TemplateResponse(request, "admin/confirm.html", context)
