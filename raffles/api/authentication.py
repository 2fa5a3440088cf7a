"""Partners' API keys, sent as `Authorization: Bearer ...`, and their rate limits."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from raffles.domain.api_keys import find_key
from raffles.models import ApiKey
from raffles.web.callers import ManagerOnly, caller_of
from raffles.web.throttles import EntryThrottle


def actor(request: Request) -> str:
    """Return who is acting: a keyed pseudonym, not the address."""
    return f"manager {caller_of(request).tag}"


def supplier(request: Request) -> tuple[str, str]:
    """Return for the record which manager or partner it is, and whose its request keys are."""
    partner: Any = request.auth
    if partner:
        return f"partner {partner.name}", f"key:{partner.pk}"
    return actor(request), caller_of(request).holder


class PartnerKey(BaseAuthentication):
    """Authenticate by API key; 401 for one that is unknown or has expired."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        key = find_key(text.strip(), now=timezone.now()) if scheme.lower() == "bearer" else None
        if key is None:
            raise AuthenticationFailed("This API key is unknown or has expired.", "bad_key")
        return None, key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return "Bearer"


class PartnerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key as the schema describes it."""

    target_class = PartnerKey
    name = "partnerKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer"}


class ManagerOrPartner(ManagerOnly):
    """Let managers in, and whoever has an API key; 401 for everybody else."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiKey) or super().has_permission(request, view):
            return True
        raise NotAuthenticated("An API key is needed, or the address of a manager.", "no_key")


class PartnerThrottle(EntryThrottle):
    """Limit a partner by the key's own rate, anybody else by address."""

    def rate_of(self, request: Request) -> str:
        if isinstance(request.auth, ApiKey):
            return request.auth.rate or settings.THROTTLE_API_KEY
        return super().rate_of(request)

    def counted_by(self, request: Request) -> str:
        if isinstance(request.auth, ApiKey):
            return f"key-{request.auth.pk}"
        return super().counted_by(request)
