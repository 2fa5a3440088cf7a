"""Signing in with a second factor and by a provider, from the form to the first page and back."""

from __future__ import annotations

import time
from functools import partial

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf.global_settings import PASSWORD_HASHERS
from django.contrib.auth.models import User
from pytest_django import Settings

from raffles.tests.browser.serving import Site
from raffles.tests.browser.test_back_office import unsound
from raffles.tests.browser.test_every_page import axe
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from rafflesite.accounts.tests.provider import CLIENT, SECRET, Provider

__all__ = ["axe"]  # the fixture

pytestmark = BROWSER
PASSWORD = "a long and winding phrase"


def code_of(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def sign_in(visitor: Visitor) -> None:
    visitor.go("/admin/raffles/raffle/")
    visitor.write("Username:", "sam")
    visitor.write("Password:", PASSWORD)
    visitor.press("Log in")


@pytest.mark.usefixtures("served")  # whose keys are announced by now
def test_staff_sign_in_by_provider_and_by_second_factor(
    visit: Visit, axe: str, settings: Settings
) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS  # the server's
    User.objects.create_superuser("sam", password=PASSWORD)
    site = Site(
        SECOND_FACTOR="required",
        OIDC_CLIENT_ID=CLIENT,
        OIDC_CLIENT_SECRET=SECRET,
        OIDC_GROUPS="draw-desk=Operator",
        OIDC_NAME="The club",
    )
    people = {"dana": {"groups": ["draw-desk"], "preferred_username": "dana", "given_name": "Dana"}}
    with Provider(f"{site.url}/admin/oidc/callback/", people).up() as provider:
        site.environment["OIDC_ISSUER"] = provider.url
        # Still, or colours would be on their way to the others.
        window = partial(visit, site.url, reduced_motion="reduce")
        with site.up():
            found = {**_by_provider(window(), provider, axe), **_by_factor(window, site, axe)}
    assert {name: said for name, said in found.items() if said} == {}


def _by_provider(visitor: Visitor, provider: Provider, axe: str) -> dict[str, list[str]]:
    """Come in by the provider, at the second try; return what is not sound by the way."""
    page = visitor.page
    page.context.route(f"{provider.url}/**", lambda route: route.continue_())
    visitor.go("/admin/raffles/raffle/")
    found = {"login": unsound(visitor, axe)}
    visitor.press("Sign in with The club")
    visitor.press("I am nobody")
    visitor.see("You did not sign in there.")
    visitor.lost.clear()  # it is a 403
    found["not signed in"] = unsound(visitor, axe)
    visitor.press("Back to signing in")
    visitor.press("Sign in with The club")
    page.get_by_text("Who are you?").wait_for()
    page.go_back()  # to the form, not to the page between
    visitor.press("Sign in with The club")
    visitor.press("I am dana")
    visitor.see("Dana")
    assert page.url == f"{visitor.url}/admin/"
    assert page.get_by_text("Second factor").count() == 0  # the provider asks for its own
    visitor.press("Log out")
    visitor.see("Logged out")
    visitor.leave()
    return found


def _by_factor(window: Visit, site: Site, axe: str) -> dict[str, list[str]]:
    """Set a factor up, use it in another window; return what is not sound by the way."""
    visitor = window()
    sign_in(visitor)
    visitor.see("Scan this")
    found = {"set up": unsound(visitor, axe)}
    secret = visitor.text("code").replace(" ", "")
    visitor.write("Code:", "000000")
    visitor.press("Set up")
    visitor.see("That is not the code")
    assert visitor.text("code").replace(" ", "") == secret
    code = code_of(secret)
    visitor.write("Code:", code)
    visitor.press("Set up")
    visitor.see("Your second factor works.")
    found["recovery codes"] = unsound(visitor, axe)
    recovery = visitor.text("code")
    visitor.press("I have kept them")
    assert visitor.page.url == f"{site.url}/admin/raffles/raffle/"
    visitor.press("Second factor")
    visitor.see("You have 10 recovery codes left.")
    found["one's own"] = unsound(visitor, axe)

    other = window()
    sign_in(other)
    other.see("Type the code that your app shows now")
    found["code"] = unsound(other, axe)
    other.write("Code:", code)  # which has set it up
    other.press("Sign in")
    other.see("That code is wrong, or was used before.")
    other.write("Code:", recovery)
    other.press("Sign in")
    other.page.wait_for_url(f"{site.url}/admin/raffles/raffle/")
    return found
