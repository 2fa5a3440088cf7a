"""Pages of the admin beside Django's own, and those that ask before they do anything.

A ModelAdmin that subclasses `AdminPages` lists its `pages`. Each gets an address, the check of its
permissions and, if it has a label, a button on the object's own page.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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

from raffles.admin.base import Recorded
from raffles.domain.refusals import Refusal
from raffles.web.callers import staff
from raffles.web.fields import text_fault

MAX_REASON = 500  # characters


@dataclass(frozen=True, kw_only=True)
class AdminPage(ABC):
    """A page of one object, or of a kind of objects where ``is_of_object`` is false.

    It is opened with all of its ``permissions`` (403) and for an object that exists (404).
    ``name`` is the last part of its URL name, and of its address unless ``address`` is. With a
    ``label``, the page of an object for which it ``is_offered`` has a button that opens it, or that
    posts where ``methods`` lack GET.
    """

    name: str
    permissions: Sequence[str]
    label: str = ""
    address: str = ""
    is_of_object: bool = True
    methods: Sequence[str] = ("GET", "HEAD", "POST")
    is_offered: Callable[[Any], bool] = lambda _row: True
    is_harmful: bool = False

    def part(self) -> str:
        """Return the last part of its address."""
        return self.address or self.name.replace("_", "-")

    def route(self) -> str:
        """Return its address below that of the model."""
        return f"<path:object_id>/{self.part()}/" if self.is_of_object else f"{self.part()}/"

    @abstractmethod
    def answer(self, request: HttpRequest, admin: AdminPages, *rows: Any) -> HttpResponseBase:
        """Answer a permitted request; ``rows`` is the one object, or nothing."""


@dataclass(frozen=True, kw_only=True)
class ViewPage(AdminPage):
    """A page that a view answers: ``view(request, admin)``, and the object if it is of one."""

    view: Callable[..., HttpResponseBase]

    def answer(self, request: HttpRequest, admin: AdminPages, *rows: Any) -> HttpResponseBase:
        """Answer by the view."""
        return self.view(request, admin, *rows)


class Performed(NamedTuple):
    """What was done, in a sentence, and the address to go on from; empty: the object's page."""

    message: str
    to: str = ""


@dataclass(frozen=True, kw_only=True)
class ConfirmedAction(AdminPage):
    """An action that cannot be undone: a page that says what will happen, then one button.

    ``preview(row)`` gives sentences of what will happen; ``perform(row, now=, by=, **values of the
    form)`` does it or raises a Refusal, whose sentence is shown. ``initial(row)`` is what the form
    proposes.
    """

    preview: Callable[[Any], Sequence[str]]
    perform: Callable[..., Performed]
    form: type[forms.Form] = forms.Form
    initial: Callable[[Any], dict[str, Any]] = lambda _row: {}

    def answer(self, request: HttpRequest, admin: AdminPages, *rows: Any) -> HttpResponseBase:
        """Say what will happen and, when posted, do it."""
        (row,) = rows
        posted = request.POST if request.method == "POST" else None
        form = self.form(posted, initial=self.initial(row))
        if form.is_valid():
            try:
                outcome = self.perform(
                    row, now=timezone.now(), by=staff(request), **form.cleaned_data
                )
            except Refusal as refusal:
                messages.error(request, str(refusal))
                return admin.to_object(row)
            messages.success(request, outcome.message)
            return HttpResponseRedirect(outcome.to) if outcome.to else admin.to_object(row)
        context = {"action": self, "form": form, "preview": self.preview(row)}
        return admin.render(request, "admin/confirm.html", self.label, row, context)


class AdminPages(Recorded):
    """A ModelAdmin with ``pages`` of its own."""

    pages: ClassVar[tuple[AdminPage, ...]] = ()
    change_form_template = "admin/change_form_with_pages.html"

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses of the pages, before those of the admin."""
        model = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path(page.route(), self._view_of(page), name=f"{model}_{page.name}")
            for page in self.pages
        ] + super().get_urls()

    def _view_of(self, page: AdminPage) -> Callable[..., HttpResponseBase]:
        view = require_http_methods(list(page.methods))(partial(self._open, page))
        return self.admin_site.admin_view(view)

    def _open(
        self, page: AdminPage, request: HttpRequest, object_id: str | None = None
    ) -> HttpResponseBase:
        if not request.user.has_perms(page.permissions):
            raise PermissionDenied
        if object_id is None:
            return page.answer(request, self)
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        with timezone.override(self.zone(row)):
            response = page.answer(request, self, row)
            return response.render() if isinstance(response, TemplateResponse) else response

    def render_change_form(
        self, request: Any, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the object's page, with a button for each page that is offered and permitted."""
        row = context.get("original")
        context["pages"] = [
            page
            for page in self.pages
            if row is not None and page.label and request.user.has_perms(page.permissions)
            if page.is_offered(row)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def to_object(self, row: Any) -> HttpResponseRedirect:
        """Go on to the object's own page."""
        opts = self.opts
        name = f"admin:{opts.app_label}_{opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[row.pk]))


def posted_again(request: HttpRequest, sentence: str) -> HttpResponseRedirect:
    """Go to the same page again and say there what is wrong."""
    messages.error(request, sentence)
    return HttpResponseRedirect(request.path)


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
