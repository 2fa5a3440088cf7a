"""The second factor: whose it is, whether a code is right, and what a session still lacks."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.mfa.utils import decrypt
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import models, transaction

from raffles.models.record import record

logger = logging.getLogger(__name__)
# In a session: the authenticator whose code it has shown, or the issuer it came in by.
SHOWN: Final = "second_factor"
ISSUER: Final = "issuer"
_STEP = "last_step"  # in a TOTP authenticator's data: of the last code that was taken


class Adapter(DefaultMFAAdapter):
    """How secrets are stored, and what the app on somebody's telephone calls them."""

    def encrypt(self, text: str) -> str:
        """Encrypt under SECRET_KEY: a stolen backup opens nothing."""
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt. Raises InvalidToken for what was encrypted under another SECRET_KEY."""
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def get_totp_label(self, user: User) -> str:
        """Return the user's name."""
        return user.get_username()

    def get_totp_issuer(self) -> str:
        """Return the site's host."""
        return urlsplit(settings.PUBLIC_URL).netloc


def _fernet() -> Fernet:
    secret = settings.SECRET_KEY.encode()
    key = blake2b(secret, digest_size=32, person=b"second-factor").digest()
    return Fernet(urlsafe_b64encode(key))


class Lacking(StrEnum):
    """What a session of somebody with the right password lacks."""

    NOTHING = "nothing"
    CODE = "code"
    FACTOR = "factor"
    SIGN_IN = "sign in"


def lacking(user: User, session: SessionBase) -> Lacking:
    """Return what the user's session lacks before it may see anything.

    One by the provider lacks nothing: the provider asks for its own factor. A session that has
    shown a factor which is gone, or came by a provider which is, has to begin again.
    """
    if ISSUER in session:
        is_current = session[ISSUER] == settings.OIDC_ISSUER
        return Lacking.NOTHING if is_current else Lacking.SIGN_IN
    if not settings.SECOND_FACTOR:
        return Lacking.NOTHING
    factor = factor_of(user)
    if factor is None:
        if SHOWN in session:
            return Lacking.SIGN_IN
        return Lacking.FACTOR if settings.SECOND_FACTOR == "required" else Lacking.NOTHING
    return Lacking.NOTHING if session.get(SHOWN) == factor.pk else Lacking.CODE


def factor_of(user: User) -> Authenticator | None:
    """Return the user's TOTP authenticator."""
    found: Authenticator | None = Authenticator.objects.filter(
        user=user, type=Authenticator.Type.TOTP
    ).first()
    return found


def take_code(user: User, code: str) -> str:
    """Take a code, which is good for once; return of which type it was, or '' if it is wrong."""
    with transaction.atomic():
        for factor in Authenticator.objects.select_for_update().filter(user=user).order_by("pk"):
            try:
                is_right = _take(factor, code)
            except InvalidToken:
                logger.error("The second factor of user %s is of another SECRET_KEY", user.pk)
                continue
            if is_right:
                factor.record_usage()
                return str(factor.type)
    return ""


def _take(factor: Authenticator, code: str) -> bool:
    if factor.type == Authenticator.Type.RECOVERY_CODES:
        return bool(RecoveryCodes(factor).validate_code(code))
    # Not django-allauth's own, which remembers in the cache what was used: each process may have
    # one of its own, and it may be away.
    step = _step_of(decrypt(factor.data["secret"]), code)
    if step is None or step <= factor.data[_STEP]:
        return False
    factor.data[_STEP] = step
    factor.save(update_fields=["data"])
    return True


def _step_of(secret: str, code: str) -> int | None:
    """Return of which step of thirty seconds the code is."""
    for step in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))):
            return int(step)
    return None


def add_factor(user: User, secret: str, code: str, *, now: datetime, by: str) -> int | None:
    """Give the user a factor if the code is one of the secret's; return its key.

    Raises IntegrityError if there is one already.
    """
    step = _step_of(secret, code)
    if step is None:
        return None
    with transaction.atomic():
        factor = TOTP.activate(user, secret).instance
        factor.data[_STEP] = step
        factor.save(update_fields=["data"])
        record(user, "second_factor.added", at=now, by=by)
    return int(factor.pk)


def make_recovery_codes(user: User, *, now: datetime, by: str) -> list[str]:
    """Return ten new recovery codes, each good for once; the old ones are void."""
    with transaction.atomic():
        _recovery(user).delete()
        codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
        record(user, "recovery_codes.made", at=now, by=by)
    return codes


def recovery_codes_left(user: User) -> int:
    """Return how many recovery codes the user has."""
    kept = _recovery(user).first()
    try:
        return len(RecoveryCodes(kept).get_unused_codes()) if kept else 0
    except InvalidToken:
        return 0


def _recovery(user: User) -> models.QuerySet[Authenticator]:
    kind = Authenticator.Type.RECOVERY_CODES
    found: models.QuerySet[Authenticator] = Authenticator.objects.filter(user=user, type=kind)
    return found


def remove_factor(user: User, *, now: datetime, by: str, why: str = "") -> bool:
    """Take away factor and recovery codes, which ends all sessions; say if there was one."""
    with transaction.atomic():
        count, _ = Authenticator.objects.filter(user=user).delete()
        if count:
            record(user, "second_factor.removed", at=now, by=by, why=why)
    return bool(count)
