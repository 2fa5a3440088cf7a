"""The admin site where staff accounts are installed: a second factor, and a provider."""

from __future__ import annotations

import logging
from typing import Any, cast

from allauth.mfa.totp.internal.auth import clear_totp_secret, get_totp_secret
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME, login, logout
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from rest_framework.request import Request

from raffles.domain.refusals import Refusal
from raffles.models.record import record
from raffles.pages.card import qr
from raffles.web.callers import address_tag, caller_of, staff
from raffles.web.throttles import LoginThrottle
from rafflesite.accounts import second_factor
from rafflesite.accounts.admitting import admit
from rafflesite.accounts.openid import SocialAdapter, StrictAdapter
from rafflesite.accounts.second_factor import ISSUER, SHOWN, Lacking
from rafflesite.admin_site import BackOffice

logger = logging.getLogger(__name__)
_BACKEND = "django.contrib.auth.backends.ModelBackend"


class CodeThrottle(LoginThrottle):
    """Limit wrong codes of one account, from any address: whoever types them has its password."""

    def counted_by(self, request: Request) -> str:
        return "code:" + address_tag(f"user {request.user.pk}")


class PasswordForm(AdminAuthenticationForm):
    """Name and password; who belongs to the provider enters there alone."""

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        issuer = settings.OIDC_ISSUER
        if issuer and SocialAccount.objects.filter(user=user, provider=issuer).exists():
            raise self.get_invalid_login_error()


class CodeForm(forms.Form):
    """A code of the second factor."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )


class AccountsOffice(BackOffice):
    """The admin behind a second factor, and a provider beside its password."""

    login_template = "admin/sign_in/login.html"
    login_form = PasswordForm

    def get_urls(self) -> list[Any]:
        """Return the pages of signing in before those of the admin."""
        own: list[URLPattern] = [
            path("second-factor/", self.second_factor, name="second_factor"),
            path("oidc/", self.oidc, name="oidc"),
            path("oidc/callback/", self.oidc_callback, name="oidc_callback"),
        ]
        return own + super().get_urls()

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in staff whose session lacks nothing; every address of the admin asks here."""
        return super().has_permission(request) and self._lacking(request) is Lacking.NOTHING

    def _lacking(self, request: HttpRequest) -> Lacking:
        return second_factor.lacking(cast("User", request.user), request.session)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the variables of every page, with where one's own second factor is."""
        is_asked = settings.SECOND_FACTOR and ISSUER not in request.session
        url = reverse("admin:second_factor") if is_asked else ""
        return {**super().each_context(request), "second_factor_url": url}

    # --- The password

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Log in by password; whoever has shown theirs goes on to what they lack."""
        if request.method != "POST" and super().has_permission(request):
            lacking = self._lacking(request)
            if lacking is Lacking.SIGN_IN:
                logout(request)
            elif lacking is not Lacking.NOTHING:
                return self._to_second_factor(self._next(request))
        provider = {"provider": settings.OIDC_NAME if settings.OIDC_ISSUER else ""}
        return super().login(request, {**provider, **(extra_context or {})})

    def let_in(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Go on to the second factor if there is to be one."""
        for name in (SHOWN, ISSUER):
            request.session.pop(name, None)
        if self._lacking(request) is Lacking.NOTHING:
            return super().let_in(request, response)
        self._record(request, "login.password")
        return self._to_second_factor(response["Location"])

    def _record(self, request: HttpRequest, action: str, **details: Any) -> None:
        user = cast("User", request.user)
        record(user, action, at=timezone.now(), by=staff(request), **details)

    def _next(self, request: HttpRequest) -> str:
        """Return where to go afterwards, which is an address of ours."""
        url = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
        is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
        return url if is_ours else reverse("admin:index")

    def _to_second_factor(self, following: str) -> HttpResponseRedirect:
        query = urlencode({REDIRECT_FIELD_NAME: following})
        return HttpResponseRedirect(f"{reverse('admin:second_factor')}?{query}")

    # --- The second factor

    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("code"))
    def second_factor(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for a code; help to set a factor up; show one's own."""
        if not settings.SECOND_FACTOR:
            raise Http404
        user = cast("User", request.user)
        is_staff = super().has_permission(request)
        lacking = self._lacking(request) if is_staff else Lacking.SIGN_IN
        if lacking is Lacking.SIGN_IN or "leave" in request.POST:
            logout(request)
            return redirect_to_login(self._next(request), reverse("admin:login"))
        if ISSUER in request.session:
            return HttpResponseRedirect(reverse("admin:index"))
        if second_factor.factor_of(user) is None:
            return self._set_up(request, user, is_login=lacking is Lacking.FACTOR)
        return self._ask(request, user, is_own=lacking is Lacking.NOTHING)

    def _ask(self, request: HttpRequest, user: User, *, is_own: bool) -> HttpResponse:
        """Ask for a code: to come in, or for what one may do with one's own factor."""
        form = CodeForm(request.POST or None)
        if form.is_valid():
            asking = cast("Request", request)
            throttles = LoginThrottle(), CodeThrottle()
            passed = [throttle.allow_request(asking) for throttle in throttles]  # both count
            if not all(passed):
                return self.too_many(request, max(throttle.wait() for throttle in throttles))
            if kind := second_factor.take_code(user, form.cleaned_data["code"]):
                for throttle in throttles:
                    throttle.forgive()
                return self._after_code(request, user, kind, is_own=is_own)
            by = f"somebody from {caller_of(request).tag}"
            record(user, "login.failed", at=timezone.now(), by=by, why="wrong code")
            form.add_error("code", _("That code is wrong, or was used before."))
        context = {"is_own": is_own, "left": second_factor.recovery_codes_left(user)}
        return self._page(request, "second_factor", _("Second factor"), form=form, **context)

    def _after_code(
        self, request: HttpRequest, user: User, kind: str, *, is_own: bool
    ) -> HttpResponse:
        now, by = timezone.now(), staff(request)
        if is_own and "remove" in request.POST:
            second_factor.remove_factor(user, now=now, by=by)
            del request.session[SHOWN]
            messages.success(request, _("Your second factor is removed."))
            return HttpResponseRedirect(reverse("admin:second_factor"))
        if is_own:
            codes = second_factor.make_recovery_codes(user, now=now, by=by)
            return self._recovery_codes(request, codes, is_first=False)
        factor = second_factor.factor_of(user)
        request.session.cycle_key()
        request.session[SHOWN] = factor.pk if factor else None
        self._record(request, "login", factor=kind)
        return HttpResponseRedirect(self._next(request))

    def _set_up(self, request: HttpRequest, user: User, *, is_login: bool) -> HttpResponse:
        """Show a secret as a QR code until a code proves that somebody's device has it."""
        secret = get_totp_secret()
        form = CodeForm(request.POST or None)
        if form.is_valid():
            now, by = timezone.now(), staff(request)
            try:
                factor = second_factor.add_factor(
                    user, secret, form.cleaned_data["code"], now=now, by=by
                )
            except IntegrityError:  # another window was first
                return self._to_second_factor(self._next(request))
            if factor:
                clear_totp_secret(request)
                request.session.cycle_key()
                request.session[SHOWN] = factor
                if is_login:
                    self._record(request, "login", factor="totp")
                codes = second_factor.make_recovery_codes(user, now=now, by=by)
                return self._recovery_codes(request, codes, is_first=True)
            form.add_error("code", _("That is not the code your app shows for this secret now."))
        url = second_factor.Adapter().build_totp_url(user, secret)
        spaced = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
        return self._page(
            request, "set_up", _("Set up a second factor"), form=form, qr=qr(url), secret=spaced
        )

    def _recovery_codes(
        self, request: HttpRequest, codes: list[str], *, is_first: bool
    ) -> HttpResponse:
        spaced = [f"{code[:4]} {code[4:]}" for code in codes]
        title = _("Recovery codes")
        return self._page(request, "recovery_codes", title, codes=spaced, is_first=is_first)

    def _page(
        self, request: HttpRequest, name: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        shown = {**self.each_context(request), "title": title, "next": self._next(request)}
        template = f"admin/sign_in/{name}.html"
        return TemplateResponse(request, template, {**shown, **context}, status=status)

    # --- The provider

    @method_decorator(never_cache)
    @method_decorator(require_POST)
    def oidc(self, request: HttpRequest) -> HttpResponseBase:
        """Go on to the provider.

        By a page that does: to what a form is sent, and wherever that leads on to, browsers apply
        `form-action`, which lets nothing out of this site. An attempt counts like a wrong password,
        by address, until it succeeds.
        """
        if not settings.OIDC_ISSUER:
            raise Http404
        throttle = LoginThrottle()
        if not throttle.allow_request(cast("Request", request)):
            return self.too_many(request, throttle.wait())
        try:
            answer = (
                SocialAdapter(request)
                .get_provider(request)
                .redirect(request, "login", self._next(request))
            )
        except OAuth2Error as error:
            return self.not_signed_in(request, error)
        title = _("Going on to %s") % settings.OIDC_NAME
        return self._page(request, "going_on", title, url=answer["Location"])

    @method_decorator(never_cache)
    def oidc_callback(self, request: HttpRequest) -> HttpResponseBase:
        """Take the provider's answer to an attempt that began here."""
        if not settings.OIDC_ISSUER:
            raise Http404
        adapter = StrictAdapter(request, settings.OIDC_ISSUER)
        try:
            answer: HttpResponse = OAuth2CallbackView.adapter_view(adapter)(request)
        except OAuth2Error as error:
            answer = self.not_signed_in(request, error)
        if answer.status_code == 302:
            throttle = LoginThrottle()
            throttle.allow_request(cast("Request", request))
            for _each in ("this count", "the attempt's"):
                throttle.forgive()
        return answer

    def admit(self, request: HttpRequest, identity: SocialLogin) -> HttpResponse:
        """Let somebody in whom the provider vouches for, if their groups may enter."""
        if identity.claims["nonce"] != identity.state["nonce"]:
            return self.not_signed_in(request, OAuth2Error("The nonce is another."))
        now, tag = timezone.now(), caller_of(request).tag
        try:
            user = admit(identity, now=now, by=f"{settings.OIDC_NAME}, somebody from {tag}")
        except Refusal as refusal:
            known = identity.user if identity.is_existing else "login"
            by = f"somebody from {tag}"
            record(known, "login.failed", at=now, by=by, why=str(refusal))
            return self._failed(request, _(refusal.sentence), 403)
        except IntegrityError as error:  # two windows made the account at once
            return self.not_signed_in(request, error)
        login(request, user, backend=_BACKEND)
        request.session.pop(SHOWN, None)
        request.session[ISSUER] = settings.OIDC_ISSUER
        self._record(request, "login", issuer=settings.OIDC_ISSUER)
        return HttpResponseRedirect(identity.state["next"])

    def not_signed_in(
        self, request: HttpRequest, error: Exception | None, *, is_cancelled: bool = False
    ) -> HttpResponse:
        """Say that it did not work; the operator's log has the reason."""
        if is_cancelled:
            return self._failed(request, _("You did not sign in there."), 403)
        if error is None:
            return self._failed(
                request, _("This attempt is no longer under way. Begin again."), 403
            )
        logger.warning("Signing in by %s failed: %s", settings.OIDC_ISSUER, error)
        return self._failed(
            request,
            _("Its answer could not be verified. Try again, or tell whoever runs this site."),
            502,
        )

    def _failed(self, request: HttpRequest, sentence: str, status: int) -> HttpResponse:
        title = _("Not signed in with %s") % settings.OIDC_NAME
        return self._page(request, "failed", title, status=status, sentence=sentence).render()
