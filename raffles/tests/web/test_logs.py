"""Logs: who did what, without saying from where."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from raffles.web.callers import address_tag
from raffles.web.logs import JSONFormatter

pytestmark = pytest.mark.urls("raffles.tests.web.urls")

ADDRESS = "203.0.113.9"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Return what every logger writes during the test, formatted as in production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_one_line_a_request(client: Client, written: io.StringIO) -> None:
    response = client.get("/livez?code=SECRET", REMOTE_ADDR=ADDRESS)
    (line,) = lines(written)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert 0 < line.pop("ms") < 60_000
    assert line == {
        "level": "INFO",
        "logger": "raffles.access",
        "message": "request",
        "request_id": response["X-Request-ID"],
        "method": "GET",
        "path": "/livez",
        "status": 200,
        "caller": address_tag(ADDRESS),
    }


@pytest.mark.parametrize("path", ["/livez", "/nowhere/", "/managed/", "/broken/", "/a%0a{b}/"])
def test_no_line_holds_an_address(written: io.StringIO, path: str) -> None:
    client = Client(raise_request_exception=False)
    client.get(path, REMOTE_ADDR=ADDRESS, headers={"X-Forwarded-For": "198.51.100.7"})
    client.get(path, REMOTE_ADDR=ADDRESS, headers={"Host": "evil.example"})
    text = written.getvalue()
    assert text.count('"logger": "raffles.access"') == 2
    assert lines(written)
    if path != "/broken/":  # the exception of this view quotes the address itself
        assert ADDRESS not in text
    assert "198.51.100.7" not in text


def test_foreign_host_is_one_line(client: Client, written: io.StringIO) -> None:
    client.get("/groups/", headers={"Host": "evil.example"})
    assert [line["status"] for line in lines(written)] == [400]


def test_other_lines_of_a_request_hold_its_id(written: io.StringIO) -> None:
    response = Client(raise_request_exception=False).get("/broken/")
    error, access = lines(written)
    assert error["level"] == "ERROR"
    assert "RuntimeError" in error["exception"]
    assert error["request_id"] == access["request_id"] == response["X-Request-ID"]
    logging.getLogger("outside").warning("after")
    assert "request_id" not in lines(written)[-1]


@pytest.mark.parametrize(
    ("peer", "given", "is_kept"),
    [
        ("10.0.0.1", "0123456789abcdef", True),
        ("10.0.0.1", "b7ad6b71-6920-3331", True),
        ("10.0.0.1", "short", False),
        ("10.0.0.1", "x" * 65, False),
        ("10.0.0.1", "with space and more", False),
        ("10.0.0.1", "übergroßeKennung", False),
        (ADDRESS, "0123456789abcdef", False),
    ],
)
def test_request_id_of_a_proxy_is_kept(
    client: Client, settings: Settings, peer: str, given: str, is_kept: bool
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    response = client.get("/livez", REMOTE_ADDR=peer, headers={"X-Request-ID": given})
    assert (response["X-Request-ID"] == given) is is_kept
    assert re.fullmatch(r"[\w.-]{8,64}", response["X-Request-ID"], re.ASCII)


@pytest.mark.parametrize(("peer", "status"), [("10.0.0.1", 200), (ADDRESS, 301)])
def test_scheme_is_a_trusted_proxys_to_say(
    client: Client, settings: Settings, peer: str, status: int
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    settings.SECURE_SSL_REDIRECT = True
    response = client.get(
        "/groups/?limit=0", REMOTE_ADDR=peer, headers={"X-Forwarded-Proto": "https"}
    )
    assert response.status_code == (400 if status == 200 else status)
    assert client.get("/livez", REMOTE_ADDR=peer).status_code == 200


def test_unknown_caller_is_logged_as_such(client: Client, written: io.StringIO) -> None:
    client.get("/livez", REMOTE_ADDR="")
    reason, line = lines(written)
    assert (reason["level"], reason["message"][-28:]) == ("WARNING", "add unix to TRUSTED_PROXIES.")
    assert (line["status"], line["caller"]) == (400, "unknown")


@pytest.mark.filterwarnings("ignore:Overriding setting")
def test_page_of_a_fault_shows_no_secret(settings: Settings) -> None:
    secret = "sesame-in-the-clear"
    url = f"redis://:{secret}@127.0.0.1"
    # Some servers copy the environment into every request.
    environment = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "RECEIPT_KEY", "TICKET_KEY")
    client = Client(raise_request_exception=False)
    client.defaults.update(dict.fromkeys(environment, url))
    settings.DEBUG = True
    settings.RECEIPT_SEEDS = settings.TICKET_KEYS = [secret.encode()]
    settings.SECRET_KEY = settings.REDIS_URL = settings.EMAIL_HOST_PASSWORD = secret
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": url}}
    settings.DATABASES = {"default": settings.DATABASES["default"] | {"PASSWORD": secret}}

    page = client.get("/broken/", headers={"Accept": "text/html"})

    assert page.status_code == 500
    for name in (*environment, "RECEIPT_SEEDS", "TICKET_KEYS", "LOCATION", "PASSWORD"):
        assert name in page.text
    assert secret not in page.text
    assert "PUBLIC_URL" in page.text
    assert settings.PUBLIC_URL in page.text
