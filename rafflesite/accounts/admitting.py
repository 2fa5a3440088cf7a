"""Who may enter by the provider, and with which rights: its claim says so anew at each sign-in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.core.exceptions import ValidationError
from django.db import transaction

from raffles.domain.refusals import Kind, Refusal
from raffles.models.record import record
from rafflesite.accounts.configured import SUPERUSER

logger = logging.getLogger(__name__)
_LONGEST_NAME = 150


class NoGroup(Refusal):
    """The claim names no group that may enter."""

    kind = Kind.FORBIDDEN
    code = "no_group"
    sentence = "None of your groups there may work here."


class SwitchedOff(Refusal):
    """An administrator here has made the account inactive."""

    kind = Kind.FORBIDDEN
    code = "switched_off"
    sentence = "Your account here is switched off."


class Rights(NamedTuple):
    """What the claim gives: groups, and every right there is or not."""

    groups: list[Group]
    is_superuser: bool

    def __bool__(self) -> bool:
        return bool(self.groups) or self.is_superuser


def rights_of(claims: Mapping[str, Any]) -> Rights:
    """Return the rights that the claim gives: none if it cannot be read."""
    named = claims.get(settings.OIDC_CLAIM)
    values = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    given: frozenset[str] = frozenset().union(
        *(settings.OIDC_GROUPS.get(value, ()) for value in values if isinstance(value, str))
    )
    names = given - {SUPERUSER}
    groups = list(Group.objects.filter(name__in=names))
    if unknown := names - {group.name for group in groups}:
        logger.error("OIDC_GROUPS names groups that do not exist: %s", ", ".join(sorted(unknown)))
    return Rights(groups, SUPERUSER in given)


def admit(login: SocialLogin, *, now: datetime, by: str) -> User:
    """Return the user of that identity, made now if it is new, with the rights of its claims.

    An account whose claim gives none keeps none. Raises NoGroup, SwitchedOff.
    """
    rights = rights_of(login.claims)
    user: User | None = None
    with transaction.atomic():
        if login.is_existing:
            user = User.objects.select_for_update(no_key=True).get(pk=login.user.pk)
            _set(user, rights, login.claims, now, by)
        elif rights:
            user = login.user = User(username=_free_name(login))
            user.set_unusable_password()
            login.save(None, connect=True)
            _set(user, rights, login.claims, now, by, is_new=True)
    if user is None or not rights:
        raise NoGroup
    if not user.is_active:
        raise SwitchedOff
    return user


def _set(
    user: User,
    rights: Rights,
    claims: Mapping[str, Any],
    now: datetime,
    by: str,
    *,
    is_new: bool = False,
) -> None:
    facts = admin.site.get_model_admin(User).facts  # type: ignore[attr-defined]
    before = facts(user)
    user.is_staff, user.is_superuser = bool(rights), rights.is_superuser
    user.first_name = _text(claims, "given_name")
    user.last_name = _text(claims, "family_name")
    user.save()
    user.groups.set(rights.groups)
    after = facts(user)
    if is_new or after != before:
        action = "user.added" if is_new else "user.changed"
        record(user, action, at=now, by=by, **after)


def _text(claims: Mapping[str, Any], name: str) -> str:
    text = claims.get(name)
    return text.replace("\0", "")[:_LONGEST_NAME] if isinstance(text, str) else ""


def _free_name(login: SocialLogin) -> str:
    """Return a name to be known by in the record, which nobody here has.

    What the provider proposes may be somebody else's here, or look like it.
    """
    mark = sha256(f"{login.account.provider} {login.account.uid}".encode()).hexdigest()[:8]
    name = _text(login.claims, "preferred_username")[: _LONGEST_NAME - len(mark) - 1]
    try:
        ASCIIUsernameValidator()(name)
    except ValidationError:
        return f"staff-{mark}"
    is_taken = User.objects.filter(username__iexact=name).exists()
    return f"{name}-{mark}" if is_taken else name
