"""The record in the admin: every action of staff is recorded and shown in its object's history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import cached_property

from raffles.models import LogEntry, Raffle
from raffles.models.record import actions, record
from raffles.web.callers import staff
from raffles.web.formats import SECOND, shown


class ReadOnlyMixin:
    """No adding, changing or deleting by hand."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


_MOST = 10_000  # rows reachable by paging; a search or a filter reaches the rest
_PAGE = 100


class Recorded(admin.ModelAdmin):
    """A ModelAdmin that records additions, changes and deletions, and shows them in History.

    `domain_records` are those of the three that the domain already records for this model.
    """

    domain_records: ClassVar[frozenset[str]] = frozenset()

    def facts(self, _row: Any) -> dict[str, Any]:
        """Return what the record stores about a row, besides the names of the changed fields."""
        return {}

    def about(self, row: Any) -> models.Model:
        """Return the row whose record is shown and written: for a part of a raffle, the raffle."""
        raffle = getattr(row, "raffle", None)
        return raffle if isinstance(raffle, Raffle) else row

    def log_addition(self, request: HttpRequest, obj: Any, _message: Any) -> Any:
        """Record it here, not in Django's log, which is editable and deleted with the user."""
        self.note(request, obj, "added", **self.facts(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record it; a saved form in which nothing was changed is no change."""
        if message:
            self.note(request, obj, "changed", changes=message, **self.facts(obj))

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        """Record each deletion, with the name of the deleted row."""
        for row in queryset:
            self.note(request, row, "deleted", name=str(row))

    def note(self, request: HttpRequest, row: Any, what: str, **details: Any) -> None:
        """Record that the user did this to the row, unless the domain already has."""
        if what not in self.domain_records:
            action = f"{row._meta.model_name}.{what}"
            record(row, action, at=timezone.now(), by=staff(request), **details)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> Any:
        """Run an action and its record entries in one transaction; Django runs them separately."""
        with transaction.atomic():
            return super().response_action(request, queryset, *args)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Answer the object's record, oldest first."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        pages = Paginator(LogEntry.objects.about(self.about(row)), _PAGE)
        page = pages.get_page(request.GET.get(PAGE_VAR, 1))
        context: dict[str, Any] = {
            "page": page,
            "entries": [(entry, _as_text(entry.details)) for entry in page],
            "page_range": pages.get_elided_page_range(page.number),
            "page_var": PAGE_VAR,
            **(extra_context or {}),
        }
        return self.render(request, "admin/object_history.html", "History", row, context)

    def render(
        self,
        request: HttpRequest,
        template: str,
        subject: str,
        row: Any,
        context: Mapping[str, Any],
        status: int = 200,
    ) -> TemplateResponse:
        """Return a page in the admin's frame, titled with `subject` and, if given, `row`."""
        about = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "object": row,
            "subject": subject,
            "title": subject if row is None else f"{subject}: {row}",
        }
        return TemplateResponse(request, template, {**about, **context}, status=status)


def _as_text(details: dict[str, Any]) -> str:
    return json.dumps(details, ensure_ascii=False) if details else ""


class ReadOnly(ReadOnlyMixin, Recorded):
    """A read-only ModelAdmin with its history."""


class FirstRows(Paginator):
    """Pages over the first rows only: counting millions would take longer than showing them."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by()[: _MOST + 1].count()
        return counted


class ActionFilter(admin.SimpleListFilter):
    """Entries by action."""

    title = "action"
    parameter_name = "action"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [(action, action) for action in actions()]

    def queryset(self, _request: HttpRequest, entries: Any) -> Any:
        return entries.filter(action=self.value()) if self.value() else entries


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly):
    """The record of the whole site, latest first."""

    list_display = ("when", "action", "subject", "by", "why")
    list_filter = (ActionFilter, "at")
    search_fields = ("subject", "by", "why")
    search_help_text = "Whom or what it was about, who did it, or the reason."
    ordering = ("-id",)
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER  # each facet would count all rows
    paginator = FirstRows
    list_per_page = _PAGE
    show_full_result_count = False
    fields = ("when", "action", "subject", "by", "why", "details")
    readonly_fields = fields

    @admin.display(description="at")
    def when(self, entry: LogEntry) -> str:
        """Show the time to the second."""
        return shown(entry.at, SECOND)
