"""Pages of the admin for what is a record: shown, never touched."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class ReadOnlyMixin:
    """Neither added, changed nor deleted by hand."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class ReadOnly(ReadOnlyMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """The page of one kind of record."""
