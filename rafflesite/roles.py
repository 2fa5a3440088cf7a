"""The groups of the staff, which `migrate` creates with exactly these permissions.

For other permissions, create a group of your own.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps as all_apps
from django.db.models import Q

_OURS = Q(content_type__app_label__in=("raffles", "events"))
_VIEWS = Q(codename__startswith="view_")

# The permissions of each group.
ROLES = {
    "Manager": _OURS,
    "Operator": _OURS
    & (_VIEWS | Q(codename__in=("run_raffle", "hand_over_prize", "add_replacement"))),
    "Auditor": (_OURS | Q(content_type__app_label="auth")) & _VIEWS | Q(codename="export_raffle"),
}


def make_groups(*, apps: Any = all_apps, using: str, **_: Any) -> None:
    """Create the groups, or reset their permissions; called after each `migrate` and `flush`."""
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, rights in ROLES.items():
        row, _created = group.objects.using(using).get_or_create(name=name)
        row.permissions.set(permission.objects.using(using).filter(rights))
