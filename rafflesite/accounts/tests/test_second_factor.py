"""The second factor: nothing of the admin for a password alone, codes that work once, ways back."""

from __future__ import annotations

import io
import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils import timezone
from pytest_django import Settings

from conftest import MANAGER
from raffles.web.callers import address_tag
from raffles.web.throttles import AddressThrottle
from rafflesite.accounts.second_factor import make_recovery_codes, take_code

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LOGIN, HOME, FACTOR = (reverse(f"admin:{name}") for name in ("login", "index", "second_factor"))
PASSWORD = "a long and winding phrase"
Clock = time_machine.Traveller


@pytest.fixture(autouse=True)
def clock(settings: Settings) -> Iterator[Clock]:
    """Require a second factor, on this test's own counters, at a time that stands still."""
    settings.SECOND_FACTOR = "required"
    settings.SECRET_KEY = secrets.token_hex()
    with time_machine.travel("2026-02-10T08:05:00Z", tick=False) as clock:
        yield clock


@pytest.fixture
def sam() -> User:
    return User.objects.create_superuser("sam", password=PASSWORD)


def password(client: Client, **fields: str) -> Any:
    return client.post(LOGIN, {"username": "sam", "password": PASSWORD, "next": HOME, **fields})


def shown(client: Client) -> str:
    """Return the secret on the page that sets a factor up."""
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", client.get(FACTOR).content.decode())
    assert found
    return found[1].replace(" ", "")


def code_of(secret: str, *, later: int = 0) -> str:
    """Return what an app shows now, or in some steps of thirty seconds."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later)))


def give(client: Client, code: str, **fields: str) -> Any:
    return client.post(FACTOR, {"code": code, **fields})


def enrolled(client: Client, clock: Clock) -> tuple[str, list[str]]:
    """Set a factor up as Sam, an hour ago; return its secret and the recovery codes."""
    password(client)
    secret = shown(client)
    page = give(client, code_of(secret)).content.decode()
    clock.shift(3600)
    return secret, re.findall(r"<code>(\d{4} \d{4})</code>", page)


def noted() -> list[tuple[str, str]]:
    acts = apps.get_model("raffles", "LogEntry").objects.order_by("pk")
    return list(acts.values_list("action", "by"))


def addresses(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """Yield every address of the admin, of the first row where it is about one."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns)
        elif pattern.name:
            try:
                yield reverse(f"admin:{pattern.name}")
            except NoReverseMatch:
                names = pattern.pattern.converters
                values = dict.fromkeys(names, "1") if names else {"app_label": "raffles"}
                yield reverse(f"admin:{pattern.name}", kwargs=values)


# --- A password alone


def test_password_alone_reaches_nothing(client: Client, sam: User, clock: Clock) -> None:
    """Neither with a factor to be set up, nor with one that was not shown."""
    enrolled(Client(), clock)
    User.objects.create_superuser("ann", password=PASSWORD)
    outside = {
        LOGIN,
        FACTOR,
        *map(reverse, ("admin:oidc", "admin:oidc_callback", "admin:language")),
    }
    inside = [url for url in addresses(site.get_urls()) if url not in outside]
    assert len(inside) > 80
    for name, method in (("sam", "POST"), ("ann", "GET")):
        assert password(client, username=name).status_code == 302
        answers = [client.generic(method, url) for url in inside]
        reached = [each for each in answers if each.status_code != 302]
        assert reached == []
        assert {each["Location"].partition("?")[0] for each in answers} <= {LOGIN, HOME}


def test_password_leads_to_the_code_and_on(client: Client, sam: User, clock: Clock) -> None:
    secret, _ = enrolled(Client(), clock)
    wanted = "/admin/raffles/raffle/?q=1"
    to = password(client, next=wanted)["Location"]
    assert (urlsplit(to).path, parse_qs(urlsplit(to).query)) == (FACTOR, {"next": [wanted]})
    assert client.get(LOGIN, {"next": wanted})["Location"] == to  # however one comes back
    answer = client.post(to, {"code": code_of(secret), "next": wanted})
    assert (answer.status_code, answer["Location"]) == (302, wanted)
    assert client.get(wanted).status_code == 200
    by = f"staff sam from {address_tag('127.0.0.1')}"
    assert noted()[-2:] == [("login.password", by), ("login", by)]


def test_code_goes_on_to_addresses_of_ours_alone(client: Client, sam: User, clock: Clock) -> None:
    secret, _ = enrolled(Client(), clock)
    password(client)
    assert give(client, code_of(secret), next="//evil.example/")["Location"] == HOME


def test_who_is_half_in_may_leave(client: Client, sam: User) -> None:
    password(client)
    assert client.post(FACTOR, {"leave": ""})["Location"].startswith(LOGIN)
    assert client.get(FACTOR)["Location"].startswith(LOGIN)
    assert client.get(LOGIN).status_code == 200


def test_each_password_asks_for_a_code_again(client: Client, sam: User, clock: Clock) -> None:
    enrolled(client, clock)
    assert client.get(HOME).status_code == 200
    password(client)
    assert client.get(HOME).status_code == 302


# --- Setting up


def test_setting_up_takes_a_code_of_the_secret(client: Client, sam: User) -> None:
    password(client)
    secret = shown(client)
    assert give(client, "000000").status_code == 200
    assert shown(client) == secret  # in another window, too
    assert client.get(HOME).status_code == 302
    page = give(client, code_of(secret))
    assert len(set(re.findall(r"<code>\d{4} \d{4}</code>", page.content.decode()))) == 10
    assert "no-store" in page["Cache-Control"]
    assert client.get(HOME).status_code == 200
    assert [act for act, _ in noted()] == [
        *("login.password", "second_factor.added", "login", "recovery_codes.made")
    ]
    sessions = apps.get_model("sessions", "Session").objects.all()
    assert [row for row in sessions if secret in str(row.get_decoded())] == []


def test_stored_secrets_open_nothing(client: Client, sam: User, clock: Clock) -> None:
    secret, codes = enrolled(client, clock)
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert [
        text for text in (secret, *(code.replace(" ", "") for code in codes)) if text in kept
    ] == []


def test_code_that_set_it_up_signs_nobody_in(client: Client, sam: User) -> None:
    password(client)
    secret = shown(client)
    give(client, code_of(secret))
    other = Client()
    password(other)
    assert give(other, code_of(secret)).status_code == 200
    assert give(other, code_of(secret, later=1)).status_code == 302


def test_optional_asks_those_who_have_one(
    client: Client, sam: User, clock: Clock, settings: Settings
) -> None:
    settings.SECOND_FACTOR = "optional"
    assert password(client)["Location"] == HOME
    assert f'href="{FACTOR}"' in client.get(HOME).content.decode()
    other = Client()
    password(other)
    give(client, code_of(shown(client)))
    assert [each.get(HOME).status_code for each in (client, other)] == [200, 302]
    assert [act for act, _ in noted()] == [
        *("login", "login", "second_factor.added", "recovery_codes.made")
    ]


def test_off_asks_nobody(client: Client, sam: User, clock: Clock, settings: Settings) -> None:
    enrolled(Client(), clock)
    settings.SECOND_FACTOR = ""
    assert password(client)["Location"] == HOME
    assert (client.get(HOME).status_code, client.get(FACTOR).status_code) == (200, 404)
    assert FACTOR not in client.get(HOME).content.decode()


# --- Codes


@pytest.mark.parametrize(("later", "status"), [(-2, 200), (-1, 302), (0, 302), (1, 302), (2, 200)])
def test_code_is_good_for_thirty_seconds_and_slow_fingers(
    client: Client, sam: User, clock: Clock, later: int, status: int
) -> None:
    secret, _ = enrolled(Client(), clock)
    password(client)
    assert give(client, code_of(secret, later=later)).status_code == status


@pytest.mark.parametrize("code", ["", "0", "000000", "０" * 6, "x" * 10_000, "\0", "-1", "'; --"])
def test_wrong_codes_are_refused_beside_their_field(
    client: Client, sam: User, clock: Clock, code: str
) -> None:
    enrolled(Client(), clock)
    password(client)
    answer = give(client, code)
    assert answer.status_code == 200
    assert b"errorlist" in answer.content
    assert client.get(HOME).status_code == 302


def test_spaces_in_codes_do_not_matter(client: Client, sam: User, clock: Clock) -> None:
    secret, codes = enrolled(Client(), clock)
    code = code_of(secret)
    password(client)
    assert give(client, f" {code[:3]} {code[3:]} ").status_code == 302
    password(client)
    assert give(client, codes[3].replace(" ", "-")).status_code == 302


def test_recovery_code_is_good_for_once(client: Client, sam: User, clock: Clock) -> None:
    _, codes = enrolled(Client(), clock)
    for code, status in ((codes[0], 302), (codes[0], 200), (codes[9], 302)):
        password(client)
        assert give(client, code).status_code == status
    assert "You have 8 recovery codes left." in client.get(FACTOR).content.decode()


def test_of_many_who_give_one_code_one_comes_in(
    transactional_db: None, sam: User, clock: Clock, client: Client
) -> None:
    secret, codes = enrolled(client, clock)
    together = Barrier(4)

    def try_it(code: str) -> str:
        together.wait(10)
        try:
            return take_code(sam, code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        for code, kind in ((code_of(secret), "totp"), (codes[0], "recovery_codes")):
            assert sorted(threads.map(try_it, [code] * 4)) == ["", "", "", kind]


def test_codes_are_counted_by_account_and_by_address(
    client: Client, sam: User, clock: Clock, settings: Settings
) -> None:
    secret, _ = enrolled(Client(), clock)
    settings.THROTTLE_LOGIN = "3/day"
    password(client)
    tries = [
        client.post(FACTOR, {"code": "000000"}, REMOTE_ADDR=f"203.0.113.{n}") for n in range(4)
    ]
    assert [answer.status_code for answer in tries] == [200, 200, 200, 429]
    late = client.post(FACTOR, {"code": code_of(secret)}, REMOTE_ADDR=MANAGER)
    assert late.status_code == 429  # not even for managers: who types codes has the password
    assert [act for act, _ in noted()].count("login.failed") == 3


def test_who_signs_in_is_not_counted(
    client: Client, sam: User, clock: Clock, settings: Settings
) -> None:
    secret, _ = enrolled(Client(), clock)
    settings.THROTTLE_LOGIN = "3/day"
    for _ in range(5):
        clock.shift(30)
        password(client)
        assert give(client, code_of(secret)).status_code == 302


def test_without_redis_codes_still_work_once(
    client: Client,
    sam: User,
    clock: Clock,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AddressThrottle, "_pause_until", 0.0)
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1"}}
    secret, _ = enrolled(Client(), clock)
    for status in (302, 200):
        password(client)
        assert give(client, code_of(secret)).status_code == status


def test_another_secret_key_lets_nobody_in(
    client: Client, sam: User, clock: Clock, settings: Settings
) -> None:
    secret, codes = enrolled(Client(), clock)
    settings.SECRET_KEY = secrets.token_hex()
    for code in (code_of(secret), codes[0]):
        password(client)
        assert give(client, code).status_code == 200
    assert client.get(HOME).status_code == 302


# --- One's own factor, and another's


def test_new_recovery_codes_void_the_old(client: Client, sam: User, clock: Clock) -> None:
    secret, old = enrolled(client, clock)
    assert give(client, "000000", renew="").status_code == 200
    page = give(client, code_of(secret), renew="").content.decode()
    new = re.findall(r"<code>(\d{4} \d{4})</code>", page)
    assert set(old) & set(new) == set()
    assert [take_code(sam, code) for code in (old[1], new[1])] == ["", "recovery_codes"]


def test_removing_takes_a_code_and_ends_other_sessions(
    client: Client, sam: User, clock: Clock
) -> None:
    secret, codes = enrolled(client, clock)
    other = Client()
    password(other)
    give(other, codes[0])
    assert other.get(HOME).status_code == 200
    give(client, "000000", remove="")
    assert other.get(HOME).status_code == 200
    assert give(client, code_of(secret), remove="")["Location"] == FACTOR
    assert client.get(HOME).status_code == 302
    assert shown(client) != secret  # it is required: another one comes next
    assert other.get(FACTOR)["Location"].startswith(LOGIN)  # and not from there


@pytest.fixture
def boss(clock: Clock, settings: Settings) -> Client:
    """Return a superuser's client, signed in with a factor."""
    User.objects.create_superuser("boss", password=PASSWORD)
    client = Client()
    password(client, username="boss")
    give(client, code_of(shown(client)))
    return client


def test_administrator_resets_a_factor_on_the_record(
    client: Client, boss: Client, sam: User, clock: Clock
) -> None:
    enrolled(client, clock)
    page = reverse("admin:auth_user_change", args=[sam.pk])
    reset = reverse("admin:auth_user_reset_second_factor", args=[sam.pk])
    text = boss.get(page).content.decode()
    assert "password; second factor since 2026-02-10" in text
    assert "Reset the second factor" in text
    assert b"is signed out everywhere" in boss.get(reset).content
    assert client.get(HOME).status_code == 200
    assert boss.post(reset)["Location"] == page
    by = f"staff boss from {address_tag('127.0.0.1')}"
    assert noted()[-1] == ("second_factor.removed", by)
    assert client.get(HOME).status_code == 302
    assert client.get(LOGIN).status_code == 200  # that session is over
    assert "Reset the second factor" not in boss.get(page).content.decode()
    assert Authenticator.objects.filter(user=sam).count() == 0


def test_only_who_may_change_users_resets(boss: Client, sam: User, clock: Clock) -> None:
    sam.is_superuser = False
    sam.save()
    sam.groups.set(Group.objects.all())
    client = Client()
    enrolled(client, clock)
    boss_pk = User.objects.get(username="boss").pk
    reset = reverse("admin:auth_user_reset_second_factor", args=[boss_pk])
    assert (client.get(reset).status_code, client.post(reset).status_code) == (403, 403)


def test_command_resets_for_the_last_administrator(client: Client, sam: User, clock: Clock) -> None:
    enrolled(client, clock)
    call_command("reset_second_factor", "sam", stdout=io.StringIO())
    assert client.get(HOME).status_code == 302
    assert noted()[-1] == ("second_factor.removed", "reset_second_factor")
    for name in ("sam", "nobody"):
        with pytest.raises(CommandError):
            call_command("reset_second_factor", name)
    enrolled(client, clock)
    call_command("reset_second_factor", "--all", stdout=io.StringIO())
    assert Authenticator.objects.count() == 0


def test_whose_user_is_deleted_leaves_nothing(client: Client, sam: User, clock: Clock) -> None:
    enrolled(client, clock)
    make_recovery_codes(sam, now=timezone.now(), by="Sam")
    sam.delete()
    assert Authenticator.objects.count() == 0


def test_what_allauth_would_show_is_not_in_the_admin(boss: Client) -> None:
    for model in ("mfa_authenticator", "socialaccount_socialapp", "account_emailaddress"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{model}_changelist")
    for path in ("/accounts/signup/", "/accounts/login/", "/accounts/password/reset/"):
        assert boss.get(path).status_code == 404
