"""Who is calling, from what peers and proxies say."""

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from conftest import MANAGER
from raffles.web.callers import (
    BadForwarding,
    NoHolder,
    address_tag,
    caller_address,
    is_manager,
    require_holder,
)

pytestmark = pytest.mark.urls("raffles.tests.web.urls")

PROXIES = ["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"]


def call(
    peer: str, forwarded: str | None = None, claims: dict[str, str] | None = None
) -> HttpRequest:
    headers = dict(claims or {})
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    return RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),  # not our proxy: ignored
        ("203.0.113.9", "garbage", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # the client wrote the first
        ("10.0.0.1", "garbage, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7,10.2.3.4 , 127.0.0.1", "198.51.100.7"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.9.9.9", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8:ffff::1", "2001:DB8:0:0::7", "2001:db8::7"),
        ("::ffff:203.0.113.9", None, "203.0.113.9"),
        ("10.0.0.1", "::FFFF:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("10.0.0.1", "fe80::2%1", "fe80::2"),
    ],
)
def test_address_is_canonical(
    settings: Settings, peer: str, forwarded: str | None, expected: str
) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    assert caller_address(call(peer, forwarded)) == expected


@pytest.mark.parametrize(
    "forwarded",
    ["garbage", "1.2.3.4, unknown", "1.2.3.4,", "1.2.3.4:80", "[::1]", "1.2.3", "010.1.1.1", "\0"],
)
def test_garbage_from_a_proxy_is_bad_forwarding(settings: Settings, forwarded: str) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    with pytest.raises(BadForwarding):
        caller_address(call("10.0.0.1", forwarded))


def test_garbage_from_a_proxy_is_400_on_every_route(settings: Settings, client: Client) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    for path in ("/livez", "/nowhere/", "/managed/"):
        response = client.get(path, REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "junk"})
        assert (response.status_code, response.json()["code"]) == (400, "bad_forwarding")


def test_other_headers_say_nothing(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    claims = {"X-Real-IP": MANAGER, "Forwarded": f"for={MANAGER}"}
    assert caller_address(call("10.0.0.1", "198.51.100.7", claims)) == "198.51.100.7"
    assert caller_address(call("203.0.113.9", None, claims)) == "203.0.113.9"


def test_no_proxies_by_default() -> None:
    assert caller_address(call("127.0.0.1", MANAGER)) == "127.0.0.1"


@pytest.mark.parametrize(
    ("managers", "peer", "forwarded", "expected"),
    [
        ([], "127.0.0.1", None, False),
        (["203.0.113.9"], "203.0.113.9", None, True),
        (["203.0.113.9"], "203.0.113.90", None, False),
        (["203.0.113.0/24"], "::ffff:203.0.113.9", None, True),
        (["::ffff:203.0.113.0/120"], "203.0.113.9", None, True),
        (["2001:db8::/32"], "2001:db8:1::1", None, True),
        (["2001:db8::/32"], "203.0.113.9", None, False),
        (["203.0.113.9"], "10.0.0.1", "203.0.113.9", True),
        (["203.0.113.9"], "198.51.100.7", "203.0.113.9", False),
        (["127.0.0.1"], "127.0.0.1", None, False),  # our proxy itself
        (["127.0.0.1"], "127.0.0.1", "198.51.100.7", False),
        (["127.0.0.1"], "10.0.0.1", "127.0.0.1", False),
    ],
)
def test_managers(
    settings: Settings,
    managers: list[str],
    peer: str,
    forwarded: str | None,
    expected: bool,
) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    settings.MANAGER_IPS = managers
    assert is_manager(call(peer, forwarded)) is expected


@pytest.mark.parametrize(
    ("path", "method", "peer", "status"),
    [
        ("/managed/", "get", MANAGER, 200),
        ("/managed/", "get", "203.0.113.9", 403),
        ("/managed/", "post", "203.0.113.9", 403),
        ("/readable/", "get", "203.0.113.9", 200),
        ("/readable/", "head", "203.0.113.9", 200),
        ("/readable/", "post", "203.0.113.9", 403),
        ("/readable/", "post", MANAGER, 200),
    ],
)
def test_permissions(client: Client, path: str, method: str, peer: str, status: int) -> None:
    response = client.generic(method.upper(), path, REMOTE_ADDR=peer)
    assert response.status_code == status
    if status == 403:
        assert response.json()["detail"] == "Only managers may do this."
        assert response.json()["code"] == "managers_only"


@pytest.mark.parametrize(
    ("prefix", "peer", "expected"),
    [
        (128, "2001:db8::1", "2001:db8::1"),
        (64, "2001:db8::1", "2001:db8::/64"),
        (64, "2001:db8::ffff:1:2:3", "2001:db8::/64"),
        (64, "2001:db8:0:1::1", "2001:db8:0:1::/64"),
        (64, "::ffff:203.0.113.9", "203.0.113.9"),
        (64, "203.0.113.9", "203.0.113.9"),
    ],
)
def test_holder(settings: Settings, prefix: int, peer: str, expected: str) -> None:
    settings.IPV6_PREFIX = prefix
    assert require_holder(call(peer)) == expected


def test_proxy_is_no_holder(settings: Settings, client: Client) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    with pytest.raises(NoHolder):
        require_holder(call("10.0.0.1"))
    response = client.post("/entering/", REMOTE_ADDR="127.0.0.1")
    assert response.status_code == 403
    assert response.json() == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "Taking part is not possible from the address of a proxy.",
        "code": "permission_denied",
    }


def test_tag_is_keyed_and_stable(settings: Settings) -> None:
    settings.SECRET_KEY = "one"
    first = address_tag("203.0.113.9")
    assert len(first) == 12
    assert first == address_tag("203.0.113.9")
    assert first != address_tag("203.0.113.10")
    settings.SECRET_KEY = "two"
    assert first != address_tag("203.0.113.9")
