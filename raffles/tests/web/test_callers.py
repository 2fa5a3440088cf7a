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
    caller_of,
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
        # As proxies write them.
        ("10.0.0.1", "203.0.113.7:51234", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:51234", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "[fe80::7%eth0]:51234", "fe80::7"),
        ("10.0.0.1", "[::ffff:203.0.113.7]:1", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:51234, 10.2.3.4:80", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7,", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, ,", "203.0.113.7"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("203.0.113.9:443", None, "203.0.113.9"),
    ],
)
def test_address_is_canonical(
    settings: Settings, peer: str, forwarded: str | None, expected: str
) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    assert caller_of(call(peer, forwarded)).address == expected


@pytest.mark.parametrize(
    "forwarded",
    [
        *("garbage", "1.2.3.4, unknown", "1.2.3", "010.1.1.1", "\0", "unix", "unix:"),
        *("1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456", "[::1", "::1]", "[::1]x", "[]", "[[::1]]"),
        *("[::1]:", "[::1]:1:2", "2001:db8::7]:1", "1.2.3.4:٣", "１.2.3.4"),
    ],
)
def test_garbage_from_a_proxy_is_bad_forwarding(settings: Settings, forwarded: str) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    with pytest.raises(BadForwarding):
        caller_of(call("10.0.0.1", forwarded))


def test_garbage_from_a_proxy_is_400_on_every_route(settings: Settings, client: Client) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    for path in ("/livez", "/nowhere/", "/managed/"):
        response = client.get(path, REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "junk"})
        assert (response.status_code, response.json()["code"]) == (400, "bad_forwarding")


def test_other_headers_say_nothing(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    claims = {"X-Real-IP": MANAGER, "Forwarded": f"for={MANAGER}"}
    assert caller_of(call("10.0.0.1", "198.51.100.7", claims)).address == "198.51.100.7"
    assert caller_of(call("203.0.113.9", None, claims)).address == "203.0.113.9"


def test_no_proxies_by_default() -> None:
    assert caller_of(call("127.0.0.1", MANAGER)).address == "127.0.0.1"


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
    assert caller_of(call(peer, forwarded)).is_manager is expected


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


def test_socket_says_what_to_set(
    settings: Settings, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get("/livez", REMOTE_ADDR="")
    assert (response.status_code, response.json()["code"]) == (400, "bad_forwarding")
    assert response.json()["detail"] == (
        "The request came through a UNIX socket, whose peer has no address: "
        "add unix to TRUSTED_PROXIES."
    )
    assert response.json()["detail"] in caplog.messages
    settings.TRUSTED_PROXIES = ["unix"]
    assert client.get("/livez", REMOTE_ADDR="").status_code == 200


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [("203.0.113.7", "203.0.113.7"), ("203.0.113.7, 10.0.0.2", "203.0.113.7"), (None, "unix")],
)
def test_socket_is_a_proxy(settings: Settings, forwarded: str | None, expected: str) -> None:
    settings.TRUSTED_PROXIES = ["unix", "10.0.0.0/8"]
    settings.MANAGER_IPS = ["127.0.0.1"]
    caller = caller_of(call("", forwarded))
    assert (caller.address, caller.is_manager) == (expected, False)
    assert caller.is_proxy is (forwarded is None)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Sec-Fetch-Site": "Same-Origin"}, 403),
        ({"Sec-Fetch-Site": "same-origin, cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "https://testserver"}, 403),
        ({"Origin": "http://testserver:8000"}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "http://TESTSERVER"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "https://draws.example.org"}, 200),
        ({"Origin": "http://draws.example.org"}, 403),
        ({"Origin": "https://shop.example.com"}, 200),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "https://evilexample.com"}, 403),
        ({"Referer": "https://evil.example/"}, 200),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/readable/", "/entering/"])
def test_other_sites_write_nothing(
    settings: Settings, client: Client, headers: dict[str, str], status: int, path: str
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://draws.example.org", "https://*.example.com"]
    response = client.post(path, headers=headers, REMOTE_ADDR=MANAGER)
    assert response.status_code == status
    if status == 403:
        assert (response["Content-Type"], response.json()["code"]) == (
            "application/problem+json",
            "foreign_origin",
        )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "X"])
@pytest.mark.parametrize("path", ["/nowhere/", "/readable/", "/admin/login/", "/livez"])
def test_other_sites_are_refused_on_every_route(client: Client, method: str, path: str) -> None:
    response = client.generic(method, path, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    if not path.startswith("/admin/"):
        assert response.json()["code"] == "foreign_origin"
    response = client.generic(
        method, path, headers={"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
    )
    assert response.status_code == 403
    assert "That did not come from this page." in response.text


def test_other_sites_may_read(client: Client) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.get("/readable/", headers=headers).status_code == 200
