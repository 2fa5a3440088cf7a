"""The admin's records: shown, never touched; and who of the staff is acting, from where."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from rafflesite.callers import address_tag, caller_address


def staff(request: HttpRequest) -> str:
    """Who of the staff is acting, and the keyed pseudonym of their address."""
    return f"staff {request.user.get_username()} from {address_tag(caller_address(request))}"


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
