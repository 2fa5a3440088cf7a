"""django-allauth's OpenID Connect made strict: one provider, and tokens that prove who made them.

django-allauth takes an ID token unread that came straight from the provider over HTTPS; here its
signature, issuer, audience, nonce and time are checked all the same. Identities are the issuer and
the subject, never a mail address, and nobody signs up: `AccountsOffice.admit` says who may enter.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base.constants import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from requests import RequestException

from rafflesite.accounts.configured import is_safe

# None with a shared secret, and not `none`.
ALGORITHMS: Final = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
)
LEEWAY: Final = 60  # seconds by which the provider's clock may be off
_LONGEST_SUBJECT = 191  # characters; a column of django-allauth's
_REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# What a provider can make Python raise with an answer that is not what it should be.
_MISSHAPEN = (AttributeError, KeyError, TypeError, ValueError)


class StrictAdapter(OpenIDConnectOAuth2Adapter):
    """How the provider is asked, and what of its answers is believed."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return what the provider says of itself. Raises OAuth2Error unless it fits."""
        try:
            found: dict[str, Any] = super().openid_config
            faults = [name for name in _ENDPOINTS if not is_safe(found[name])]
            if found["issuer"] != settings.OIDC_ISSUER:
                faults.append(f"issuer {found['issuer']!r}")
        except (RequestException, *_MISSHAPEN) as fault:
            raise OAuth2Error(f"The provider does not describe itself: {fault!r}") from fault
        if faults:
            raise OAuth2Error(f"The provider's description does not fit: {', '.join(faults)}")
        return found

    @property
    def basic_auth(self) -> bool:
        """Say how the secret is sent: in a header, which is the standard's default, or the body."""
        methods = self.openid_config.get("token_endpoint_auth_methods_supported")
        return "client_secret_post" not in (methods or ["client_secret_basic"])

    def get_callback_url(self, _request: HttpRequest, _app: SocialApp) -> str:
        """Return where the provider sends people back to, which it has been told beforehand."""
        return settings.PUBLIC_URL + reverse("admin:oidc_callback")

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Return who signed in, with their `claims`. Raises OAuth2Error for what is not proved."""
        try:
            claims = self._proved(kwargs["response"]["id_token"], app)
            # Some providers list groups only where they are asked for them.
            if settings.OIDC_CLAIM not in claims and "userinfo_endpoint" in self.openid_config:
                told = self._fetch_user_info(token.token)
                if told["sub"] != claims["sub"]:
                    raise OAuth2Error("The claims are about somebody else.")
                claims = {**told, **claims}
        except (RequestException, jwt.PyJWTError, *_MISSHAPEN) as fault:
            raise OAuth2Error(f"The ID token is not proved: {fault!r}") from fault
        login = self.get_provider().sociallogin_from_response(request, claims)
        login.claims = claims
        return login

    def _proved(self, token: str, app: SocialApp) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        keys = [key for key in self._keys() if header.get("kid") in (None, key.key_id)]
        if len(keys) != 1:
            raise OAuth2Error(f"No key is {header.get('kid')!r}.")
        claims: dict[str, Any] = jwt.decode(
            token,
            keys[0].key,
            # The key says how it signs; what the token says of that is only compared.
            algorithms=[keys[0].algorithm_name],
            audience=app.client_id,
            issuer=settings.OIDC_ISSUER,
            leeway=LEEWAY,
            options={"require": _REQUIRED},
        )
        audience = claims["aud"]
        is_shared = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", None if is_shared else app.client_id) != app.client_id:
            raise OAuth2Error("The token was made for somebody else.")
        if not 0 < len(claims["sub"]) <= _LONGEST_SUBJECT:
            raise OAuth2Error("The subject is empty or too long.")
        return claims

    def _keys(self) -> list[jwt.PyJWK]:
        with SocialAdapter(self.request).get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            found = jwt.PyJWKSet.from_dict(answer.json()).keys
        return [
            key for key in found if key.public_key_use != "enc" and key.algorithm_name in ALGORITHMS
        ]


class Provider(OpenIDConnectProvider):
    """The one provider; of what it says only the subject is kept."""

    oauth2_adapter_class = StrictAdapter

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, **kwargs: Any
    ) -> Any:
        """Return a redirect to the provider, with a nonce that its token has to repeat."""
        nonce = secrets.token_urlsafe(32)
        kwargs |= {"auth_params": {"nonce": nonce}, "nonce": nonce}
        return super().redirect(request, process, next_url, **kwargs)

    def extract_uid(self, claims: dict[str, Any]) -> str:
        """Return the subject, which the provider gives to nobody else."""
        return str(claims["sub"])

    def extract_extra_data(self, _claims: dict[str, Any]) -> dict[str, Any]:
        """Store nothing: what is needed of the claims is in our own user."""
        return {}

    def extract_common_fields(self, _claims: dict[str, Any]) -> dict[str, Any]:
        """Fill in nothing: `admitting` does."""
        return {}

    def extract_email_addresses(self, _claims: dict[str, Any]) -> list[Any]:
        """Return none: a mail address is no identity."""
        return []


class SocialAdapter(DefaultSocialAccountAdapter):
    """What django-allauth asks us: which provider, and what follows its answer."""

    def get_provider(self, request: HttpRequest, *_: Any, **__: Any) -> Provider:
        """Return the provider of the settings; rows of the table of providers count for nothing."""
        issuer = settings.OIDC_ISSUER
        app = SocialApp(
            provider=Provider.id,
            provider_id=issuer,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={
                "server_url": f"{issuer.rstrip('/')}/.well-known/openid-configuration",
                "scope": settings.OIDC_SCOPE,
                "oauth_pkce_enabled": True,
            },
        )
        return Provider(request, app=app)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Answer ourselves: django-allauth's own way goes on to signing up."""
        raise ImmediateHttpResponse(admin.site.admit(request, sociallogin))  # type: ignore[attr-defined]

    def on_authentication_error(
        self, request: HttpRequest, *_: Any, error: Any = None, exception: Any = None, **__: Any
    ) -> None:
        """Answer ourselves, with a page of the back office."""
        is_cancelled = error == AuthError.CANCELLED
        answer = admin.site.not_signed_in(request, exception, is_cancelled=is_cancelled)  # type: ignore[attr-defined]
        raise ImmediateHttpResponse(answer)

    def is_open_for_signup(self, *_: Any) -> bool:
        """Return that nobody signs up."""
        return False

    def can_authenticate_by_email(self, *_: Any) -> bool:
        """Return that a mail address opens nobody's account."""
        return False
