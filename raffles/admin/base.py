"""The record in the admin: every action of staff is recorded and shown in its object's history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from raffles.admin.conflicts import Conflict, conflict_of, seen, typed
from raffles.admin.told import told
from raffles.admin.widgets import IN_FORMS
from raffles.domain.clock import acting_time
from raffles.models import LogEntry, Raffle
from raffles.models.record import actions, record
from raffles.web.callers import staff
from raffles.web.formats import SECOND, clock, shown

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ReadOnlyMixin:
    """No adding, changing or deleting by hand."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class Beginning(NamedTuple):
    """Where a list gets its first row: a label, the route of the page, and who may go there."""

    label: Any
    route: str
    permission: str

    @property
    def address(self) -> str:
        """Return the URL of the page."""
        return reverse(self.route)


_PAGE = 100


class FirstRows(Paginator):
    """Pages over the first rows only: counting millions would take longer than showing them.

    A page's rows are found by key first. Whole rows, with all that is joined to them and summed up
    beside them, would be made for each row before the page, and sorted on disk.
    """

    most: ClassVar[int] = 10_000  # rows reachable by paging; a search or a filter reaches the rest

    @cached_property
    def is_cut(self) -> bool:
        """Return whether there are more."""
        return self._counted > self.most

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.most)

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by()[: self.most + 1].count()
        return counted

    def page(self, number: Any) -> Any:
        page = super().page(number)
        rows: Any = page.object_list
        everything: Any = self.object_list
        page.object_list = everything.filter(pk__in=list(rows.values_list("pk", flat=True)))
        return page


class Recorded(admin.ModelAdmin):
    """A ModelAdmin that records additions, changes and deletions, and shows them in History.

    No list counts all of its rows, nor the rows of each filter: it is as fast with millions.
    `domain_records` are those of the three that the domain already records for this model. An
    empty list shows its `purpose`, and its `beginning` to who may go there.
    """

    domain_records: ClassVar[frozenset[str]] = frozenset()
    purpose: ClassVar[Any] = ""
    beginning: ClassVar[Beginning | None] = None
    formfield_overrides: ClassVar[Any] = IN_FORMS
    paginator = FirstRows
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = (f for f in self.opts.concrete_fields if isinstance(f, models.DateTimeField))
        self.moments = {field.name: self._moment(field) for field in stored}

    def _moment(self, field: models.Field[Any, Any]) -> Callable[[Any], SafeString | str]:
        """Return a column for a time; Django's own has neither the row's zone nor a tooltip."""

        @admin.display(description=field.verbose_name, ordering=field.name)
        def moment(row: Any) -> SafeString | str:
            return clock(field.value_from_object(row), self.zone(row))

        return moment

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns, those of times on the clocks of their row."""
        return [self.moments.get(str(one), one) for one in super().get_list_display(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is shown only, times on the clocks of the row."""
        return self.on_clocks(super().get_readonly_fields(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the groups of fields, in which times that are only shown have their clocks."""
        return self.with_clocks(request, obj, super().get_fieldsets(request, obj))

    def on_clocks(self, names: Iterable[Any]) -> list[Any]:
        """Return names of fields with a column in place of each time."""
        return [self.moments.get(str(name), name) for name in names]

    def with_clocks(self, request: HttpRequest, obj: Any, fieldsets: Any) -> list[tuple[Any, Any]]:
        """Return groups of fields with a column in place of each time that is shown only."""
        fixed = set(self.get_readonly_fields(request, obj))
        is_fixed = obj is not None and not self.has_change_permission(request, obj)

        def shown_as(name: Any) -> Any:
            column = self.moments.get(str(name), name)
            return column if is_fixed or column in fixed else name

        return [
            (title, {**options, "fields": [shown_as(name) for name in options["fields"]]})
            for title, options in fieldsets
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list; an empty one says what it is for and how to begin."""
        first = self.beginning
        may = first is not None and request.user.has_perm(first.permission)
        context = {"purpose": self.purpose, "beginning": first if may else None}
        return super().changelist_view(request, context | (extra_context or {}))

    def facts(self, _row: Any) -> dict[str, Any]:
        """Return what the record stores about a row, besides the names of the changed fields."""
        return {}

    def about(self, row: Any) -> models.Model:
        """Return the row whose record is shown and written: for a part of a raffle, the raffle."""
        raffle = getattr(row, "raffle", None)
        return raffle if isinstance(raffle, Raffle) else row

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the class of the form; one of an object carries what is seen in it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return seen(form, getattr(request, "conflict", None)) if change else form

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Iterator[Any]:
        """Yield rows with their pages; those of an object carry what is seen in them."""
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            if obj is not None:
                formset.form = seen(formset.form, getattr(request, "conflict", None))
            yield formset, inline

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Return the form; one that is sent is compared with what others did since it was shown."""
        row = self.get_object(request, unquote(object_id)) if object_id else None
        if request.method == "GET":  # what is sent is compared with the row under its lock
            request.shown_row = row  # type: ignore[attr-defined]
        with timezone.override(self.zone(row)):
            response = self._form_view(request, object_id, *args, **kwargs)
            return response.render() if isinstance(response, TemplateResponse) else response

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """Return the row, read once for a page that shows it."""
        shown_row = getattr(request, "shown_row", None)
        return shown_row or super().get_object(request, object_id, from_field)

    def zone(self, row: Any) -> tzinfo:
        """Return on whose clocks the times of a row's page are shown and typed."""
        owner: Any = self.about(row) if row is not None else None
        zone: tzinfo = owner.zone() if hasattr(owner, "zone") else UTC
        return zone

    def _form_view(
        self, request: HttpRequest, object_id: str | None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if request.method != "POST" or object_id is None:
            return super().changeform_view(request, object_id, *args, **kwargs)
        if self.get_object(request, unquote(object_id)) is None:
            if self.has_change_permission(request):
                return self._gone(request, unquote(object_id))
            return super().changeform_view(request, object_id, *args, **kwargs)
        with transaction.atomic():
            conflict = self._conflict(request, unquote(object_id))
            if conflict:
                request.POST = conflict.data  # type: ignore[assignment]
                request.conflict = conflict  # type: ignore[attr-defined]
            response: HttpResponse = super().changeform_view(request, object_id, *args, **kwargs)
        if conflict:
            response.status_code = 409
        return response

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return a page with what was typed into the form of a row that somebody has deleted."""
        deletions = LogEntry.objects.filter(action=f"{self.opts.model_name}.deleted")
        last = deletions.filter(details__pk=object_id).first()
        context = {
            "last": last,
            "deleted_at": shown(last.at, SECOND) if last else "",
            "typed": typed(request.POST, str(self.opts.model_name)),
        }
        return self.render(
            request, "admin/gone.html", gettext("Deleted meanwhile"), None, context, 409
        )

    def _conflict(self, request: HttpRequest, object_id: str) -> Conflict | None:
        row = self.get_object(request, object_id)
        if row is None or not self.has_change_permission(request, row):
            return None
        owner = self.about(row)
        # What it is compared with stays as it is until this form is saved.
        held: Any = models.QuerySet(type(owner)).select_for_update(no_key=True)
        held.filter(pk=owner.pk).first()
        row = self.get_object(request, object_id)
        make_form = self.get_form(request, row, change=True)
        form = make_form(request.POST, request.FILES, instance=row)
        rows = []
        for make_rows, inline in self.get_formsets_with_inlines(request, row):
            if row is not None and inline.has_change_permission(request, row):
                prefix = make_rows.get_default_prefix()
                how = self.get_formset_kwargs(request, row, inline, prefix)
                stored = make_rows(instance=row, prefix=prefix, queryset=how["queryset"])
                rows.append((make_rows(**how), stored))
        last = LogEntry.objects.about(owner).last()
        return conflict_of(form, rows, request.POST, last)

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
            with override(None):  # the record speaks one language
                name = str(row)
            self.note(request, row, "deleted", name=name, pk=str(row.pk))

    def note(self, request: HttpRequest, row: Any, what: str, **details: Any) -> None:
        """Record that the user did this to the row, unless the domain already has."""
        if what not in self.domain_records:
            action = f"{row._meta.model_name}.{what}"
            record(row, action, at=acting_time(), by=staff(request), **details)

    def response_action(
        self, request: HttpRequest, queryset: Any, *args: Any, **options: Any
    ) -> Any:
        """Run an action and its record entries in one transaction; Django runs them separately."""
        with transaction.atomic():
            return super().response_action(request, queryset, *args, **options)

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
            "entries": [
                (
                    entry,
                    clock(entry.at, self.zone(row), SECOND),
                    told(entry.details, self.zone(row)),
                )
                for entry in page
            ],
            "page_range": pages.get_elided_page_range(page.number),
            "page_var": PAGE_VAR,
            **(extra_context or {}),
        }
        return self.render(request, "admin/object_history.html", gettext("History"), row, context)

    def render(
        self,
        request: HttpRequest,
        template: str,
        subject: StrOrPromise,
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


class ReadOnly(ReadOnlyMixin, Recorded):
    """A read-only ModelAdmin with its history."""


class ActionFilter(admin.SimpleListFilter):
    """Entries by action."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [(action, action) for action in actions()]

    def queryset(self, _request: HttpRequest, entries: Any) -> Any:
        return entries.filter(action=self.value()) if self.value() else entries


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly):
    """The record of the whole site, latest first."""

    purpose = _(
        "Who of the staff did what, when and why. Nobody can edit it; every act adds a line."
    )
    list_display = ("when", "action", "subject", "by", "why")
    list_filter = (ActionFilter, "at")
    search_fields = ("subject", "by", "why")
    search_help_text = _(
        "Whom or what it was about, who did it, or the reason; without a date, of the latest "
        "100,000 lines."
    )
    ordering = ("-id",)
    sortable_by = ()
    searched: ClassVar[int] = 100_000  # lines of the record: more takes seconds
    list_per_page = _PAGE
    fields = ("when", "action", "subject", "by", "why", "how")
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Return what has these words; the latest lines alone, unless a time is chosen."""
        if search_term and not any(name.startswith("at__") for name in request.GET):
            latest = LogEntry.objects.aggregate(last=models.Max("pk"))["last"] or 0
            queryset = queryset.filter(pk__gt=latest - self.searched)
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("at"))
    def when(self, entry: LogEntry) -> SafeString | str:
        """Show the time to the second."""
        return clock(entry.at, UTC, SECOND)

    @admin.display(description=_("details"), empty_value="—")
    def how(self, entry: LogEntry) -> SafeString | str:
        """Show the details in words."""
        return told(entry.details, UTC)
