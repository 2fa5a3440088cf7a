"""Users in the admin, with how they sign in; what django-allauth shows of itself stays away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.models import User
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ConfirmedAction, Performed
from raffles.admin.staff import StaffAdmin
from rafflesite.accounts.second_factor import factor_of, remove_factor

# They hold secrets, or a second way to what only signing in may set.
admin.site.unregister([Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken, User])


def _preview(user: User) -> Sequence[str]:
    return (
        gettext(
            "%(user)s loses the second factor and all recovery codes, and is signed out everywhere."
        )
        % {"user": user},
        gettext(
            "Whoever has the password can then set up a new one: make sure that it is they who ask."
        ),
    )


def _reset(user: User, *, now: datetime, by: str) -> Performed:
    remove_factor(user, now=now, by=by)
    return Performed(gettext("The second factor is reset."))


RESET = ConfirmedAction(
    name="reset_second_factor",
    label=_("Reset the second factor"),
    permissions=("auth.change_user",),
    preview=_preview,
    perform=_reset,
    is_offered=lambda user: factor_of(user) is not None,
    is_harmful=True,
)


@admin.register(User)
class AccountAdmin(AdminPages, StaffAdmin):
    """Who may sign in, how, and with which rights."""

    pages = (RESET,)
    readonly_fields = (*StaffAdmin.readonly_fields, "signs_in")

    def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
        """Return the groups of fields, with how an existing user signs in."""
        found = super().get_fieldsets(request, obj)
        return [*found, (_("Signing in"), {"fields": ("signs_in",)})] if obj else found

    @admin.display(description=_("by"))
    def signs_in(self, user: User) -> str:
        """Say by what the user signs in."""
        identities = SocialAccount.objects.filter(user=user).order_by("pk")
        found = [
            gettext("%(provider)s, as %(name)s") % {"provider": row.provider, "name": row.uid}
            for row in identities
        ]
        if user.has_usable_password():
            found.append(gettext("password"))
        if factor := factor_of(user):
            since = {"day": f"{factor.created_at:%Y-%m-%d}"}
            found.append(gettext("second factor since %(day)s") % since)
        return "; ".join(found) or gettext("nothing")
