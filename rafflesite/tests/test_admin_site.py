"""The door of the admin: who may come in, how often and for how long, and what is noted of it."""

import re
import secrets
from collections.abc import Iterator
from http.cookies import Morsel
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from conftest import MANAGER
from raffles.web.callers import address_tag
from raffles.web.throttles import AddressThrottle
from rafflesite.admin_site import BackOffice

pytestmark = pytest.mark.django_db

LOGIN, HOME = reverse("admin:login"), reverse("admin:index")
PASSWORD = "a long and winding phrase"
HERE, ELSEWHERE = "203.0.113.9", "198.51.100.7"


@pytest.fixture(autouse=True)
def three_a_quarter(settings: Settings) -> Iterator[time_machine.Traveller]:
    """Set three failures in fifteen minutes, five minutes in, on this test's own counters."""
    settings.SECRET_KEY = secrets.token_hex()
    settings.THROTTLE_LOGIN = "3/15min"
    with time_machine.travel("2026-02-10T08:05:00Z", tick=False) as clock:
        yield clock


@pytest.fixture
def sam() -> User:
    return User.objects.create_superuser("sam", password=PASSWORD)


def log_in(
    name: str, password: str = "wrong", *, address: str = HERE, client: Client | None = None
) -> Any:
    fields = {"username": name, "password": password}
    return (client or Client()).post(LOGIN, fields, REMOTE_ADDR=address)


def statuses(count: int, name: str, **how: Any) -> list[int]:
    return [log_in(name, **how).status_code for _ in range(count)]


def noted() -> list[tuple[str, str, str]]:
    acts = apps.get_model("raffles", "LogEntry").objects.order_by("pk")
    return list(acts.values_list("subject", "action", "by"))


def test_the_admin_is_our_site() -> None:
    assert isinstance(site._wrapped, BackOffice)  # type: ignore[attr-defined]


# --- How often


def test_too_many_failures_of_an_address_are_429(sam: User) -> None:
    assert statuses(3, "nobody") == [200] * 3
    answer = log_in("sam", PASSWORD)
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert b"Try again in 10 minutes." in answer.content
    assert log_in("sam", PASSWORD, address=ELSEWHERE).status_code == 302


def test_too_many_failures_under_a_name_are_429_from_everywhere(sam: User) -> None:
    for n in range(3):
        assert log_in(" SAM", address=f"203.0.113.{n}").status_code == 200
    assert log_in("sam", PASSWORD, address=ELSEWHERE).status_code == 429


@pytest.mark.parametrize("name", ["ｓａｍ", "𝐬𝐚𝐦", "ＳAm", " " * 150 + "sam", "sam\u3000"])
def test_other_writings_of_a_name_are_that_name(sam: User, name: str) -> None:
    for n in range(3):
        assert log_in(name, address=f"203.0.113.{n}").status_code == 200
    assert log_in("sam", PASSWORD, address=ELSEWHERE).status_code == 429


def test_addresses_of_one_holder_fail_together(sam: User) -> None:
    peers = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8::4"]
    tries = [log_in(f"user{n}", address=peer).status_code for n, peer in enumerate(peers)]
    assert tries == [200, 200, 200, 429]


def test_nobody_locks_the_staff_out_of_a_managers_address(sam: User) -> None:
    assert statuses(4, "sam") == [200, 200, 200, 429]
    assert log_in("sam", PASSWORD, address=MANAGER).status_code == 302


def test_managers_addresses_may_not_guess_for_ever() -> None:
    assert statuses(4, "sam", address=MANAGER) == [200, 200, 200, 429]


def test_after_the_wait_it_passes(sam: User, three_a_quarter: time_machine.Traveller) -> None:
    statuses(4, "sam")
    three_a_quarter.shift(600)
    assert log_in("sam", PASSWORD).status_code == 302


def test_who_logs_in_is_not_counted(sam: User) -> None:
    assert statuses(2, "sam") == [200] * 2
    assert statuses(9, "sam", password=PASSWORD) == [302] * 9
    assert statuses(2, "sam") == [200, 429]


@pytest.mark.parametrize("name", ["", "\0", "sam\0", "x" * 100_000, "\u202esam", "'; --"])
def test_odd_names_are_names_like_any_other(sam: User, name: str) -> None:
    assert statuses(4, name) == [200, 200, 200, 429]


def test_looking_at_the_form_is_free(client: Client) -> None:
    assert [client.get(LOGIN).status_code for _ in range(9)] == [200] * 9


def test_known_and_unknown_names_get_the_same_answer(sam: User) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_staff=True, is_active=False)
    User.objects.create_user("visitor", password=PASSWORD)
    answers = [
        log_in("sam", address="203.0.113.1"),
        log_in("nobody", address="203.0.113.2"),
        log_in("gone", PASSWORD, address="203.0.113.3"),
        log_in("visitor", PASSWORD, address="203.0.113.4"),
    ]
    pages = {re.sub(r'value="[^"]*"', "", answer.content.decode()) for answer in answers}
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(pages) == 1


def test_without_redis_the_staff_can_log_in(
    sam: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AddressThrottle, "_pause_until", 0.0)
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1"}}
    assert statuses(4, "sam") == [200] * 4
    assert log_in("sam", PASSWORD).status_code == 302


def test_empty_rate_is_no_limit(settings: Settings) -> None:
    settings.THROTTLE_LOGIN = ""
    assert statuses(9, "sam") == [200] * 9


# --- What is noted


def test_logins_and_failures_are_on_record(sam: User) -> None:
    log_in("sam")
    log_in("nobody at all")
    log_in("sam", PASSWORD)
    tag = address_tag(HERE)
    assert noted() == [
        (f"user {sam.pk}", "login.failed", f"somebody from {tag}"),
        ("login", "login.failed", f"somebody from {tag}"),
        (f"user {sam.pk}", "login", f"staff sam from {tag}"),
    ]


def test_who_is_sent_away_fills_no_record() -> None:
    statuses(9, "nobody")
    assert len(noted()) == 3


def test_own_new_password_is_on_record_and_ends_other_sessions(sam: User) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        log_in("sam", PASSWORD, client=client)
    fields = {"old_password": PASSWORD, "new_password1": "another winding phrase"}
    change = reverse("admin:password_change")
    assert here.post(change, fields | {"new_password2": "not the same"}).status_code == 200
    assert (
        here.post(change, fields | {"new_password2": "another winding phrase"}).status_code == 302
    )
    assert (here.get(HOME).status_code, there.get(HOME).status_code) == (200, 302)
    assert [action for _, action, _ in noted()] == ["login", "login", "password.changed"]


# --- For how long


def cookie_of(answer: Any) -> Morsel[str]:
    found: Morsel[str] = answer.cookies["sessionid"]
    return found


def test_session_is_the_admins_and_ends_with_the_browser(sam: User) -> None:
    cookie = cookie_of(log_in("sam", PASSWORD))
    flags = {name: cookie[name] for name in ("path", "httponly", "samesite", "max-age", "expires")}
    assert flags == {
        "path": "/admin/",
        "httponly": True,
        "samesite": "Lax",
        "max-age": "",
        "expires": "",
    }


def test_form_without_an_address_leads_to_the_back_office(sam: User, client: Client) -> None:
    answer = client.post("/admin/login/", {"username": "sam", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, HOME)


def test_session_is_secure_over_https(sam: User, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    assert cookie_of(log_in("sam", PASSWORD))["secure"]


def test_session_key_is_another_after_the_login(sam: User, client: Client) -> None:
    User.objects.create_superuser("ann", password=PASSWORD)
    before = cookie_of(log_in("ann", PASSWORD, client=client)).value
    after = cookie_of(log_in("sam", PASSWORD, client=client)).value
    client.cookies["sessionid"] = before
    assert before != after
    assert client.get(HOME).status_code == 302


def test_session_lasts_half_a_day(
    sam: User, client: Client, three_a_quarter: time_machine.Traveller
) -> None:
    log_in("sam", PASSWORD, client=client)
    three_a_quarter.shift(12 * 3600 - 1)
    assert client.get(HOME).status_code == 200
    three_a_quarter.shift(2)
    assert client.get(HOME).status_code == 302


def test_who_may_no_longer_log_in_is_out_at_once(sam: User, client: Client) -> None:
    log_in("sam", PASSWORD, client=client)
    User.objects.update(is_active=False)
    assert client.get(HOME).status_code == 302


# --- From where

STAGE = "/admin/raffles/raffle/5f0c8c4a-34ac-4c2f-8e38-3a4fb1a4a8a2/stage/"


@pytest.mark.parametrize("path", [LOGIN, HOME, STAGE, "/admin/nothing/", "/admin/jsi18n/"])
def test_admin_for_managers_is_403_to_all_others(sam: User, settings: Settings, path: str) -> None:
    settings.ADMIN_FOR_MANAGERS = True
    client = Client()
    client.force_login(sam)
    claimed = {"REMOTE_ADDR": HERE, "HTTP_X_FORWARDED_FOR": MANAGER}
    assert client.get(path, **claimed).status_code == 403  # type: ignore[arg-type]
    assert client.post(path, **claimed).status_code == 403  # type: ignore[arg-type]
    assert client.get(path, REMOTE_ADDR=MANAGER).status_code != 403


def test_admin_for_managers_leaves_the_pages_to_everybody(
    client: Client, settings: Settings
) -> None:
    settings.ADMIN_FOR_MANAGERS = True
    assert client.get("/", REMOTE_ADDR=HERE).status_code == 200


def test_admin_is_for_everybody_by_default(client: Client) -> None:
    assert client.get(LOGIN, REMOTE_ADDR=HERE).status_code == 200


# --- What browsers are told


def test_refused_form_says_so_in_a_page_of_ours(sam: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = log_in("sam", PASSWORD, client=client)
    assert answer.status_code == 403
    assert b"<style" not in answer.content
    assert b"load the page anew" in answer.content


def test_login_has_an_icon_and_nothing_inline(client: Client) -> None:
    page = client.get(LOGIN).content.decode()
    assert 'rel="icon" href="/static/raffles/icon.svg"' in page
    assert re.findall(r'<script>|<style|\sstyle=|\son\w+="', page) == []
