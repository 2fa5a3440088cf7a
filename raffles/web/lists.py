"""Lists: bare arrays, latest first, with the pages beside them in the Link header (RFC 8288)."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import django_filters
from django import forms
from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from django_filters.fields import ChoiceField
from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from raffles.web.fields import StrictSerializer, read_moment

# As many digits as every 64-bit column holds.
_CURSOR = re.compile(r"(before|after)-([0-9]{1,18})", re.ASCII)


class LinkCursorPagination(BasePagination):
    """Keyset pages: each is one query of `limit` + 1 rows, however far down the list it is.

    A cursor names the row that the page comes before or after in the list. An invalid limit or
    cursor is 400. Subclasses may order by another unique, positive integer column.
    """

    ordering = "-id"
    default_limit = 100
    max_limit = 1000

    links: list[str]

    def paginate_queryset(  # type: ignore[override]  # only a database seeks by key
        self,
        queryset: QuerySet[Any],
        request: Request,
        view: APIView | None = None,  # noqa: ARG002
    ) -> list[Any]:
        limit = self._limit(request)
        before, position = self._cursor(request)
        column = self.ordering.removeprefix("-")
        # Walking down the list, or back up from the cursor towards its start.
        descending = self.ordering.startswith("-") != before
        rows = queryset.order_by(f"{'-' * descending}{column}")
        if position is not None:
            rows = rows.filter(**{f"{column}__{'lt' if descending else 'gt'}": position})
        page = list(rows[: limit + 1])
        has_more = len(page) > limit
        page = page[:limit]
        if before:
            page.reverse()
        has_next = bool(page) and (has_more or before)
        has_prev = bool(page) and (has_more if before else position is not None)
        self.links = [
            self._link(request, name, f"{side}-{_key(row, column)}")
            for wanted, name, side, row in (
                (has_next, "next", "after", page[-1:]),
                (has_prev, "prev", "before", page[:1]),
            )
            if wanted
        ]
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response(data, headers={"Link": ", ".join(self.links)} if self.links else None)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of the array itself: nothing is wrapped around it."""
        return schema

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:  # noqa: ARG002
        """Describe `limit` and `cursor`."""
        limit = {
            "type": "integer",
            "minimum": 1,
            "maximum": self.max_limit,
            "default": self.default_limit,
        }
        cursor = {"type": "string", "pattern": f"^{_CURSOR.pattern}$"}
        return [
            {"name": "limit", "in": "query", "description": "Rows a page.", "schema": limit},
            {
                "name": "cursor",
                "in": "query",
                "description": "A place in the list, taken from a Link header.",
                "schema": cursor,
            },
        ]

    def _limit(self, request: Request) -> int:
        text = request.query_params.get("limit")
        if text is None:
            return self.default_limit
        if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= self.max_limit:
            raise ValidationError({"limit": [f"Write a number from 1 to {self.max_limit}."]})
        return int(text)

    def _cursor(self, request: Request) -> tuple[bool, int | None]:
        """Return whether the page ends before the cursor's row, and that row's key if any."""
        text = request.query_params.get("cursor")
        if text is None:
            return False, None
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise ValidationError({"cursor": ["Take the cursor from a Link header."]})
        return match[1] == "before", int(match[2])

    def _link(self, request: Request, name: str, cursor: str) -> str:
        url = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
        return f'<{url}>; rel="{name}"'


def _key(row: Sequence[Model], column: str) -> int:
    return int(getattr(row[0], column))


class _FlagField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value not in (None, "true", "false"):
            raise forms.ValidationError("Write true or false.")
        return None if value is None else value == "true"


class _MomentField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        try:
            return None if value is None else read_moment(value)
        except ValueError as fault:
            raise forms.ValidationError(str(fault)) from None


class _NotEmpty(forms.Field):
    def to_python(self, value: Any) -> Any:
        if value == "":
            raise forms.ValidationError("Write a value, or leave it out.")
        return super().to_python(value)


class _TextField(_NotEmpty, forms.CharField):
    pass


class _WordField(_NotEmpty, ChoiceField):
    pass


class TextFilter(django_filters.CharFilter):
    """Text of 1 to `max_length` characters."""

    field_class = _TextField

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)
        text = {"type": "string", "minLength": 1, "maxLength": max_length}
        set_override(self, "field", text)


class WordFilter(django_filters.ChoiceFilter):
    """One of the words in `choices`."""

    field_class = _WordField


class FlagFilter(django_filters.BooleanFilter):
    """`true` or `false`."""

    field_class = _FlagField  # type: ignore[assignment]  # not the lenient one


class MomentFilter(django_filters.IsoDateTimeFilter):
    """An instant with its offset."""

    field_class = _MomentField  # type: ignore[assignment]  # not the lenient one


class WholeNumberField(serializers.IntegerField):
    """A whole number of at most 18 ASCII digits, from `least` to `most`."""

    default_error_messages = {"invalid": "Write a number from {least} to {most}."}

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        self.bounds = {"least": least, "most": most}
        super().__init__(min_value=least, max_value=most, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        least, most = self.bounds.values()
        if not re.fullmatch("[0-9]{1,18}", data) or not least <= int(data) <= most:
            self.fail("invalid", **self.bounds)
        return int(data)


class FlagField(serializers.BooleanField):
    """`true` or `false`, in exactly this spelling."""

    default_error_messages = {"invalid": "Write true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid")
        return bool(data == "true")


Source = type[StrictSerializer | LinkCursorPagination | django_filters.FilterSet]
_View = TypeVar("_View", bound=Callable[..., Response | HttpResponseBase])


def reads(*sources: Source) -> Callable[[_View], _View]:
    """Declare what reads an action's query: a serializer, a paginator, filters.

    The serializer also documents its parameters; DRF documents those of the others.
    """

    def declare(view: _View) -> _View:
        vars(view)["reads"] = sources
        shapes = [source for source in sources if issubclass(source, StrictSerializer)]
        return extend_schema(parameters=shapes)(view)

    return declare


def _names(source: Source) -> Collection[str]:
    if issubclass(source, StrictSerializer):
        return source().fields.keys()
    if issubclass(source, LinkCursorPagination):
        return ("limit", "cursor")
    return source.base_filters.keys()


class StrictQueryMixin(ViewSet):
    """Refuse a query parameter that is unknown, given twice or invalid (400), as bodies do.

    A misspelt filter must not answer everything. An action reads what `reads` declares, and
    nothing without it; `query` holds the values of its serializer.
    """

    query: Mapping[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the query once the action is permitted."""
        super().initial(request, *args, **kwargs)
        if not self.action:
            return  # a method that is not allowed, whatever it asks for
        sources: Sequence[Source] = getattr(getattr(self, self.action, None), "reads", ())
        known = {name for source in sources for name in _names(source)}
        faults = {
            name: ["Give it once." if name in known else "Unknown parameter."]
            for name, values in request.query_params.lists()
            if name not in known or len(values) > 1
        }
        if faults:
            raise ValidationError(faults)
        asked = request.query_params.dict()
        self.query = {}
        for source in sources:
            if issubclass(source, StrictSerializer):
                shape = source(data={n: asked[n] for n in _names(source) if n in asked})
                shape.is_valid(raise_exception=True)
                self.query |= shape.validated_data
