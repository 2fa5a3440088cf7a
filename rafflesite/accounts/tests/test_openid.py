"""Signing in by OpenID Connect: at a provider on this machine, and at one that lies."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from conftest import MANAGER
from raffles.web.callers import address_tag
from rafflesite.accounts.tests.provider import CLIENT, KEY, OTHER_KEY, SECRET, Provider, signed

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LOGIN, HOME, BEGIN, BACK = (
    reverse(f"admin:{name}") for name in ("login", "index", "oidc", "oidc_callback")
)
TAG = address_tag("127.0.0.1")
DESK = {"groups": ["draw-desk"], "preferred_username": "dana"}


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    """Yield a provider that the site belongs to, with Dana at the desk."""
    people = {"dana": dict(DESK), "vic": {"groups": ["visitors"], "preferred_username": "vic"}}
    with Provider(f"http://testserver{BACK}", people).up() as provider:
        settings.OIDC_ISSUER = provider.url
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.OIDC_NAME = "The club"
        settings.OIDC_GROUPS = {
            "draw-desk": frozenset({"Operator"}),
            "draw-board": frozenset({"Manager", "Auditor"}),
            "root": frozenset({"superuser"}),
        }
        yield provider


def begin(client: Client, **fields: str) -> str:
    """Return the address of the provider that the site goes on to."""
    answer = client.post(BEGIN, fields)
    assert answer.status_code == 200
    found = re.search(r'content="0;url=([^"]+)"', answer.content.decode())
    assert found
    return html.unescape(found[1])


def chosen(url: str, name: str) -> str:
    """Sign in at the provider, and return the path it sends the browser back to."""
    page = requests.get(url, timeout=10)
    assert page.status_code == 200, page.text
    asked = re.search(r'name="asked" value="([^"]+)"', page.text)
    assert asked
    root = url.partition("/authorize")[0]
    fields = {"name": name, "asked": html.unescape(asked[1])}
    sent = requests.post(f"{root}/signed-in", fields, allow_redirects=False, timeout=10)
    return sent.headers["Location"].removeprefix("http://testserver")


def sign_in(client: Client, name: str = "dana", **fields: str) -> Any:
    """Return the answer to who comes back from the provider."""
    return client.get(chosen(begin(client, **fields), name))


def noted() -> list[tuple[str, str, str]]:
    acts = apps.get_model("raffles", "LogEntry").objects.order_by("pk")
    return list(acts.values_list("subject", "action", "why"))


def rights(user: User) -> tuple[list[str], bool, bool]:
    user.refresh_from_db()
    groups = sorted(user.groups.values_list("name", flat=True))
    return groups, user.is_staff, user.is_superuser


# --- As it should be


def test_who_is_in_a_group_comes_in_with_its_rights(client: Client, provider: Provider) -> None:
    answer = sign_in(client)
    assert (answer.status_code, answer["Location"]) == (302, HOME)
    assert client.get(HOME).status_code == 200
    user = User.objects.get()
    assert (user.username, user.has_usable_password(), user.email) == ("dana", False, "")
    assert rights(user) == (["Operator"], True, False)
    (identity,) = SocialAccount.objects.values_list("provider", "uid", "extra_data")
    assert identity == (provider.url, "id of dana", {})
    who = f"user {user.pk}"
    assert noted() == [(who, "user.added", ""), (who, "login", "")]


def test_provider_is_asked_as_the_standard_says(client: Client, provider: Provider) -> None:
    sign_in(client)
    (asked,) = provider.asked
    assert set(asked.pop("scope").split()) == {"openid", "profile"}
    assert set(asked) == {
        *("client_id", "redirect_uri", "response_type", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }


def test_rights_are_set_anew_at_each_sign_in(client: Client, provider: Provider) -> None:
    sign_in(client)
    user = User.objects.get()
    provider.people["dana"] = DESK | {"groups": ["draw-board", "draw-desk", "choir"]}
    sign_in(client)
    assert rights(user) == (["Auditor", "Manager", "Operator"], True, False)
    provider.people["dana"] = DESK | {"groups": "root"}
    sign_in(client)
    assert rights(user) == ([], True, True)
    user.groups.set([Group.objects.get(name="Manager")])
    provider.people["dana"] = DESK
    sign_in(client)
    assert rights(user) == (["Operator"], True, False)
    assert [act for _, act, _ in noted()].count("user.changed") == 3


def test_whose_claim_is_gone_is_out_at_once_and_everywhere(
    client: Client, provider: Provider
) -> None:
    elsewhere = Client()
    sign_in(client)
    sign_in(elsewhere)
    del provider.people["dana"]["groups"]
    answer = sign_in(client)
    assert answer.status_code == 403
    assert b"None of your groups there may work here." in answer.content
    assert [each.get(HOME).status_code for each in (client, elsewhere)] == [302, 302]
    user = User.objects.get()
    assert rights(user) == ([], False, False)
    assert noted()[-2:] == [
        (f"user {user.pk}", "user.changed", ""),
        (f"user {user.pk}", "login.failed", "None of your groups there may work here."),
    ]


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": ["visitors"]},
        {"groups": []},
        {"groups": None},
        {"groups": {"draw-desk": True}},
        {"groups": [["draw-desk"], 7, "DRAW-DESK", "draw-desk "]},
        {"roles": ["draw-desk"]},
        {"groups": ["Manager", "superuser"], "is_superuser": True, "is_staff": True},
    ],
)
def test_who_is_in_no_group_leaves_no_account(
    client: Client, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.people["vic"] = claims
    assert sign_in(client, "vic").status_code == 403
    assert User.objects.count() == 0
    assert client.get(HOME).status_code == 302


def test_groups_may_be_told_by_userinfo_alone(client: Client, provider: Provider) -> None:
    provider.people["vic"] = {}
    provider.told["vic"] = {"groups": ["draw-desk"]}
    assert sign_in(client, "vic").status_code == 302
    provider.told["vic"] |= {"sub": "id of dana"}
    assert sign_in(client, "vic").status_code == 502


def test_group_that_does_not_exist_gives_nothing(
    client: Client, provider: Provider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OIDC_GROUPS = {"draw-desk": frozenset({"Counter"})}
    assert sign_in(client).status_code == 403
    assert "OIDC_GROUPS names groups that do not exist: Counter" in caplog.text


# --- Whose account it is


def test_names_and_mail_addresses_open_nobodys_account(client: Client, provider: Provider) -> None:
    boss = User.objects.create_superuser("dana", "dana@example.org", "a long and winding phrase")
    provider.people["dana"] |= {"email": "dana@example.org", "email_verified": True}
    sign_in(client)
    boss.refresh_from_db()
    made = User.objects.exclude(pk=boss.pk).get()
    assert re.fullmatch(r"dana-[0-9a-f]{8}", made.username)
    assert (made.is_superuser, boss.is_superuser) == (False, True)
    assert client.session["_auth_user_id"] == str(made.pk)


@pytest.mark.parametrize("name", ["", "dаna", "a b", "x" * 200, None, 7, "\0", "<b>"])
def test_names_that_nobody_could_tell_apart_are_replaced(
    client: Client, provider: Provider, name: Any
) -> None:
    provider.people["dana"] |= {"preferred_username": name, "given_name": name}
    assert sign_in(client).status_code == 302
    assert re.fullmatch(r"staff-[0-9a-f]{8}|x{141}", User.objects.get().username)


def test_another_issuers_dana_is_somebody_else(
    client: Client, provider: Provider, settings: Settings
) -> None:
    sign_in(client)
    with replace(provider, people={"dana": DESK}).up() as other:
        settings.OIDC_ISSUER = other.url
        assert client.get(HOME).status_code == 302  # who came by the first is out
        sign_in(client)
    assert User.objects.count() == SocialAccount.objects.count() == 2


def test_who_was_switched_off_here_stays_out(client: Client, provider: Provider) -> None:
    sign_in(client)
    User.objects.update(is_active=False)
    answer = sign_in(client)
    assert answer.status_code == 403
    assert b"Your account here is switched off." in answer.content


def test_who_belongs_to_the_provider_has_no_password(client: Client, provider: Provider) -> None:
    sign_in(client)
    user = User.objects.get()
    user.set_password("a long and winding phrase")
    user.save()
    answer = Client().post(LOGIN, {"username": "dana", "password": "a long and winding phrase"})
    assert answer.status_code == 200
    assert b"Please enter the correct" in answer.content


def test_passwords_of_all_others_still_work(client: Client, provider: Provider) -> None:
    User.objects.create_superuser("sam", password="a long and winding phrase")
    fields = {"username": "sam", "password": "a long and winding phrase", "next": HOME}
    assert client.post(LOGIN, fields)["Location"] == HOME
    assert client.get(HOME).status_code == 200


# --- A provider, or somebody in its place, that lies


def _public_pem() -> bytes:
    return KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _with_shared_secret(claims: dict[str, Any]) -> str:
    """The oldest of tricks: the public key as the secret of an HMAC."""
    head, body = (
        jwt.utils.base64url_encode(json.dumps(part).encode())
        for part in ({"alg": "HS256", "typ": "JWT", "kid": "one"}, claims)
    )
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    proof = jwt.utils.base64url_encode(mac.sign(head + b"." + body, _public_pem()))
    return (head + b"." + body + b"." + proof).decode()


def _without(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda claims: signed({key: claims[key] for key in claims if key != name})


def _instead(**other: Any) -> Callable[[dict[str, Any]], str]:
    return lambda claims: signed(claims | other)


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another key": lambda claims: jwt.encode(claims, OTHER_KEY, "RS256", headers={"kid": "one"}),
    "a key of its own": lambda claims: jwt.encode(claims, OTHER_KEY, "RS256", headers={"kid": "2"}),
    "an altered claim": lambda claims: _altered(signed(claims)),
    "no signature": lambda claims: jwt.encode(claims, "", "none", headers={"kid": "one"}),
    "a shared secret": _with_shared_secret,
    "another algorithm": lambda claims: jwt.encode(claims, KEY, "PS256", headers={"kid": "one"}),
    "another audience": _instead(aud="somebody else"),
    "two audiences": _instead(aud=[CLIENT, "somebody else"]),
    "made for another": _instead(azp="somebody else"),
    "another issuer": _instead(iss="https://id.example.org"),
    "the issuer with a slash": lambda claims: signed(claims | {"iss": f"{claims['iss']}/"}),
    "another nonce": _instead(nonce="of yesterday"),
    "an old token": lambda claims: signed(claims | {"exp": time.time() - 61}),
    "a token of tomorrow": lambda claims: signed(claims | {"iat": time.time() + 3600}),
    "a number as subject": _instead(sub=7),
    "an empty subject": _instead(sub=""),
    "a subject too long": _instead(sub="x" * 192),
    **{f"no {name}": _without(name) for name in ("iss", "aud", "exp", "iat", "sub", "nonce")},
    "not a token": lambda _: "x.y.z",
    "nothing": lambda _: None,
    "a list": lambda _: [],
}


def _altered(token: str) -> str:
    head, body, proof = token.split(".")
    claims = json.loads(jwt.utils.base64url_decode(body)) | {"groups": ["root"]}
    return f"{head}.{jwt.utils.base64url_encode(json.dumps(claims).encode()).decode()}.{proof}"


@pytest.mark.parametrize("lie", LIES)
def test_token_that_proves_nothing_lets_nobody_in(
    client: Client, provider: Provider, lie: str
) -> None:
    sign_in(Client())  # so that a known identity is asked for
    provider.sign = LIES[lie]
    answer = sign_in(client)
    assert answer.status_code == 502
    assert b"Its answer could not be verified." in answer.content
    assert client.get(HOME).status_code == 302


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://id.example.org"},
        {"authorization_endpoint": "http://id.example.org/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://id.example.org/token"},
        {"jwks_uri": "http://id.example.org/keys"},
        {"jwks_uri": None},
    ],
)
def test_provider_that_describes_another_is_not_asked(
    client: Client, provider: Provider, described: dict[str, Any]
) -> None:
    provider.described = described
    assert client.post(BEGIN).status_code == 502
    assert provider.asked == []


def test_provider_that_is_away_is_a_page_that_says_so(
    client: Client, settings: Settings, provider: Provider
) -> None:
    there = begin(client)
    back = chosen(there, "dana")
    settings.OIDC_ISSUER = "http://127.0.0.1:1"
    assert client.post(BEGIN).status_code == 502
    assert client.get(back).status_code == 403  # that attempt was at another
    assert client.get(LOGIN).status_code == 200


# --- Whose attempt it is


def test_answer_is_good_for_once_and_for_who_asked(client: Client, provider: Provider) -> None:
    back = chosen(begin(client), "dana")
    stranger = Client()
    assert stranger.get(back).status_code == 403
    assert client.get(back).status_code == 302
    again = client.get(back)
    assert again.status_code == 403
    assert b"no longer under way" in again.content
    assert client.get(HOME).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?code=1", "?state=x&code=y", "?error=access_denied", "?%00"]
)
def test_answer_that_nobody_asked_for_is_refused_and_fills_no_record(
    client: Client, provider: Provider, query: str
) -> None:
    assert client.get(BACK + query).status_code in (400, 403)
    assert noted() == []


def test_two_windows_may_be_under_way_at_once(client: Client, provider: Provider) -> None:
    first, second = chosen(begin(client), "dana"), chosen(begin(client), "dana")
    assert (client.get(second).status_code, client.get(first).status_code) == (302, 302)


def test_code_of_somebody_else_is_refused(client: Client, provider: Provider) -> None:
    """Their code in my attempt: PKCE binds it to theirs."""
    mine, theirs = chosen(begin(client), "dana"), chosen(begin(Client()), "vic")
    code = re.search(r"code=([^&]+)", theirs)
    assert code
    assert client.get(re.sub(r"code=[^&]+", code[0], mine)).status_code == 502


def test_who_cancels_is_told_so(client: Client, provider: Provider) -> None:
    answer = sign_in(client, "nobody")
    assert answer.status_code == 403
    assert b"You did not sign in there." in answer.content


def test_whose_user_is_deleted_here_is_somebody_new(client: Client, provider: Provider) -> None:
    sign_in(client)
    dana = User.objects.get()
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    delete = reverse("admin:auth_user_delete", args=[dana.pk])
    assert boss.get(delete).status_code == 200
    assert boss.post(delete, {"post": "yes"}).status_code == 302
    assert client.get(HOME).status_code == 302
    sign_in(client)
    assert SocialAccount.objects.get().user_id != dana.pk


def test_session_key_is_another_afterwards(client: Client, provider: Provider) -> None:
    back = chosen(begin(client), "dana")
    before = client.cookies["sessionid"].value
    client.get(back)
    assert client.cookies["sessionid"].value != before


@pytest.mark.parametrize(
    ("wanted", "to"),
    [
        ("/admin/raffles/raffle/?q=1", "/admin/raffles/raffle/?q=1"),
        ("https://evil.example/", HOME),
        ("//evil.example/", HOME),
        (r"\\evil.example", HOME),
        ("javascript:alert(1)", HOME),
        ("", HOME),
    ],
)
def test_afterwards_it_goes_on_to_addresses_of_ours_alone(
    client: Client, provider: Provider, wanted: str, to: str
) -> None:
    assert sign_in(client, next=wanted)["Location"] == to


# --- How often, from where, and whether at all


def test_failures_count_by_address(client: Client, provider: Provider, settings: Settings) -> None:
    settings.THROTTLE_LOGIN = "3/day"
    settings.SECRET_KEY = "of this test's counters"
    assert [sign_in(client).status_code for _ in range(5)] == [302] * 5
    assert [sign_in(client, "vic").status_code for _ in range(3)] == [403] * 3
    assert client.post(BEGIN).status_code == 429
    assert client.post(LOGIN, {"username": "sam", "password": "wrong"}).status_code == 429


def test_admin_for_managers_stays_theirs(
    client: Client, provider: Provider, settings: Settings
) -> None:
    settings.ADMIN_FOR_MANAGERS = True
    assert client.post(BEGIN).status_code == 403
    assert client.get(BACK).status_code == 403
    assert client.post(BEGIN, REMOTE_ADDR=MANAGER).status_code == 200


def test_beginning_takes_a_form_of_ours(provider: Provider) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get(BEGIN).status_code == 405
    assert client.post(BEGIN).status_code == 403


def test_without_a_provider_there_is_nothing(client: Client) -> None:
    assert client.post(BEGIN).status_code == 404
    assert client.get(BACK).status_code == 404
    assert b"Sign in with" not in client.get(LOGIN).content


def test_login_offers_the_provider(client: Client, provider: Provider) -> None:
    page = client.get(LOGIN, {"next": "/admin/x/"})
    assert "Sign in with The club" in page.content.decode()
    assert "form-action 'self';" in page["Content-Security-Policy"]
