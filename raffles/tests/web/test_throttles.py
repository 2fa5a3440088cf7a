"""How often one caller may ask."""

import secrets
from collections.abc import Iterator

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from conftest import MANAGER
from raffles.web.throttles import AddressThrottle

pytestmark = pytest.mark.urls("raffles.tests.web.urls")


@pytest.fixture(autouse=True)
def two_a_minute(settings: Settings) -> Iterator[time_machine.Traveller]:
    """Set two requests a minute, ten seconds into a minute, on this test's own counters."""
    settings.SECRET_KEY = secrets.token_hex()
    settings.THROTTLE_ENTRY = "2/min"
    settings.THROTTLE_VERIFY = "2/min"
    with time_machine.travel("2026-02-10T08:00:10Z", tick=False) as clock:
        yield clock


def statuses(client: Client, count: int, path: str = "/entering/", **headers: str) -> list[int]:
    return [client.post(path, **headers).status_code for _ in range(count)]  # type: ignore[arg-type]


def test_beyond_the_rate_is_429(client: Client) -> None:
    assert statuses(client, 2) == [200, 200]
    response = client.post("/entering/")
    assert (response.status_code, response.json()["code"]) == (429, "throttled")
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == "50"


def test_after_the_wait_it_passes(client: Client, two_a_minute: time_machine.Traveller) -> None:
    assert statuses(client, 3) == [200, 200, 429]
    two_a_minute.shift(49)
    assert statuses(client, 1) == [429]
    two_a_minute.shift(1)
    assert statuses(client, 3) == [200, 200, 429]


def test_each_address_and_each_act_for_itself(client: Client) -> None:
    assert statuses(client, 3) == [200, 200, 429]
    assert statuses(client, 1, REMOTE_ADDR="203.0.113.9") == [200]
    assert statuses(client, 3, path="/verifying/") == [200, 200, 429]


def test_other_spellings_and_claims_are_the_same_address(client: Client) -> None:
    peers = ["203.0.113.9", "::ffff:203.0.113.9", "::FFFF:cb00:7109"]
    assert [statuses(client, 1, REMOTE_ADDR=peer)[0] for peer in peers] == [200, 200, 429]
    for number in range(5):
        claim = f"198.51.100.{number}"
        assert statuses(client, 1, REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR=claim) == [429]


def test_addresses_of_one_holder_are_counted_together(client: Client, settings: Settings) -> None:
    peers = [f"2001:db8::{number:x}" for number in (1, 0xFFFF, 3)]
    assert [statuses(client, 1, REMOTE_ADDR=peer)[0] for peer in peers] == [200, 200, 429]
    assert statuses(client, 1, REMOTE_ADDR="2001:db8:0:1::1") == [200]
    settings.IPV6_PREFIX = 128
    assert statuses(client, 1, REMOTE_ADDR="2001:db8::3") == [200]


def test_managers_are_not_limited(client: Client) -> None:
    assert statuses(client, 5, REMOTE_ADDR=MANAGER) == [200] * 5


def test_empty_rate_is_no_limit(client: Client, settings: Settings) -> None:
    settings.THROTTLE_ENTRY = ""
    assert statuses(client, 5) == [200] * 5


def test_addresses_are_not_kept(client: Client, settings: Settings) -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "addresses"}}
    statuses(client, 1, REMOTE_ADDR="203.0.113.9")
    assert not [key for key in cache._cache if "203.0.113.9" in key]  # type: ignore[attr-defined]
    assert len(cache._cache) == 1  # type: ignore[attr-defined]


def test_without_redis_everybody_passes(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AddressThrottle, "_pause_until", 0.0)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        }
    }
    assert statuses(client, 5) == [200] * 5
