"""Staff: Django's users and groups, with every change recorded."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from raffles.admin.base import Beginning, Recorded

admin.site.unregister([User, Group])


@admin.register(User)
class StaffAdmin(Recorded, UserAdmin):
    """Who may log in, and with which rights."""

    purpose = _(
        "Who works here. Add each by name and password, and give them the rights of a group."
    )
    beginning = Beginning(_("Add somebody"), "admin:auth_user_add", "auth.add_user")
    readonly_fields: ClassVar[tuple[str, ...]] = ("last_login", "date_joined")
    list_display = ("username", "first_name", "last_name", "is_active", "last_login")

    def facts(self, row: Any) -> dict[str, Any]:
        """Return the rights that the user has from now on."""
        return {
            "active": row.is_active,
            "staff": row.is_staff,
            "superuser": row.is_superuser,
            "groups": sorted(group.name for group in row.groups.all()),
            "permissions": _permissions(row.user_permissions),
        }

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Change a password and record it in one transaction; Django does one after the other."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)


@admin.register(Group)
class RoleAdmin(Recorded, GroupAdmin):
    """The permissions of a group's members."""

    purpose = _(
        "What the members of a group may do. Manager, Operator and Auditor come by themselves."
    )
    beginning = Beginning(_("Add a group"), "admin:auth_group_add", "auth.add_group")

    def facts(self, row: Any) -> dict[str, Any]:
        """Return the permissions that it grants from now on."""
        return {"permissions": _permissions(row.permissions)}


def _permissions(manager: Any) -> list[str]:
    rows = manager.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{name}" for app, name in rows)
