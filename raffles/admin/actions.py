"""Admin pages beyond Django's own, and pages that ask for confirmation before they act.

A ModelAdmin that subclasses `AdminPages` lists its `pages`. Each gets a URL, its permission checks
and, if it has a label, a button on the object's own page.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from raffles.admin.base import Recorded
from raffles.domain.clock import acting_time
from raffles.domain.refusals import Refusal
from raffles.models.raffle import MAX_REASON
from raffles.web.callers import staff
from raffles.web.fields import ReadableField

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, kw_only=True)
class AdminPage(ABC):
    """A page of one object, or of a whole model where `is_of_object` is false.

    It requires all of its `permissions` (403) and an object that exists (404). `name` is the last
    part of its URL name, and of its URL unless `address` is set. With a `label`, it has a button
    on the page of each object for which it `is_offered`: a link, or a POST if `methods` lack GET.
    """

    name: str
    permissions: Sequence[str]
    label: StrOrPromise = ""
    address: str = ""
    is_of_object: bool = True
    methods: Sequence[str] = ("GET", "HEAD", "POST")
    is_offered: Callable[[Any], bool] = lambda _row: True
    is_harmful: bool = False

    def part(self) -> str:
        """Return the last part of its URL."""
        return self.address or self.name.replace("_", "-")

    def route(self) -> str:
        """Return its URL relative to the model's."""
        return f"<path:object_id>/{self.part()}/" if self.is_of_object else f"{self.part()}/"

    @abstractmethod
    def answer(self, request: HttpRequest, admin: AdminPages, *rows: Any) -> HttpResponseBase:
        """Answer a permitted request; `rows` is the one object, or empty."""


@dataclass(frozen=True, kw_only=True)
class ViewPage(AdminPage):
    """A page answered by a view, `view(request, admin)`, or with the object as third argument."""

    view: Callable[..., HttpResponseBase]

    def answer(self, request: HttpRequest, admin: AdminPages, *rows: Any) -> HttpResponseBase:
        """Answer with the view."""
        return self.view(request, admin, *rows)


class Performed(NamedTuple):
    """What was done, as a sentence, and the URL to redirect to; if empty, the object's page."""

    message: str
    to: str = ""


@dataclass(frozen=True, kw_only=True)
class ConfirmedAction(AdminPage):
    """An action that cannot be undone: a page with its consequences, then one button.

    `preview(row)` returns the consequences, in sentences; `perform(row, now=, by=, **values of the
    form)` acts or raises a Refusal, whose sentence is shown, or a ValidationError, whose sentences
    stand beside the fields of the form. `initial(row)` returns the form's initial values.
    """

    preview: Callable[[Any], Sequence[StrOrPromise]]
    perform: Callable[..., Performed]
    form: type[forms.Form] = forms.Form
    initial: Callable[[Any], dict[str, Any]] = lambda _row: {}

    def answer(self, request: HttpRequest, admin: AdminPages, *rows: Any) -> HttpResponseBase:
        """Show the consequences; on a valid POST, perform the action."""
        (row,) = rows
        posted = request.POST if request.method == "POST" else None
        form = self.form(posted, initial=self.initial(row))
        if form.is_valid():
            try:
                outcome = self.perform(
                    row, now=acting_time(), by=staff(request), **form.cleaned_data
                )
            except ValidationError as fault:
                form.add_error(None, fault)
            except Refusal as refusal:
                messages.error(request, str(refusal))
                return admin.to_object(row)
            else:
                messages.success(request, outcome.message)
                return HttpResponseRedirect(outcome.to) if outcome.to else admin.to_object(row)
        context = {"action": self, "form": form, "preview": self.preview(row)}
        return admin.render(request, "admin/confirm.html", self.label, row, context)


class AdminPages(Recorded):
    """A ModelAdmin with `pages` of its own."""

    pages: ClassVar[tuple[AdminPage, ...]] = ()
    change_form_template = "admin/change_form_with_pages.html"

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the pages, before those of the admin."""
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
        """Show the object's page with a button for each page that is offered and permitted."""
        row = context.get("original")
        if row is not None and request.method == "POST":  # it holds the refused values
            row = self.get_queryset(request).filter(pk=row.pk).first()
        context["pages"] = [
            page
            for page in self.pages
            if row is not None and page.label and request.user.has_perms(page.permissions)
            if page.is_offered(row)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def to_object(self, row: Any) -> HttpResponseRedirect:
        """Return a redirect to the object's own page."""
        opts = self.opts
        name = f"admin:{opts.app_label}_{opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[row.pk]))


def posted_again(request: HttpRequest, sentence: str) -> HttpResponseRedirect:
    """Return a redirect to the same page, which shows `sentence` as an error."""
    messages.error(request, sentence)
    return HttpResponseRedirect(request.path)


class ReasonForm(forms.Form):
    """A typed reason, which will be public."""

    reason = ReadableField(
        max_length=MAX_REASON,
        widget=forms.Textarea({"rows": 2}),
        label=_("Reason"),
        help_text=_("Published as you write it."),
    )
