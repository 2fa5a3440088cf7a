"""`/metrics`: who reads it, what is in it, and what no label ever holds."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families
from pytest_django import Settings

from conftest import MANAGER
from events.models import Heartbeat
from raffles.models import RunLease
from raffles.tests.api.test_database_away import database_away
from raffles.tests.factories import RaffleFactory
from raffles.tests.notifications.acting import announced, endpoint
from raffles.web.environment import bearer
from rafflesite.tests.alerting import scraped

pytestmark = pytest.mark.django_db

TOKEN = "7d0f0c9a0d0b4f6e9a51c1b8f2a6e3d4"
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


def told(name: str, **labels: str) -> float:
    """Return the value of a series as `scraped` names it, 0 for one that there is not yet."""
    known = {"job": "raffles", "instance": "site"} | labels
    text = ", ".join(f'{key}="{value}"' for key, value in known.items())
    return scraped().get(f"{name}{{{text}}}", 0)


@pytest.mark.parametrize(
    ("address", "headers", "status", "code"),
    [
        (MANAGER, {}, 200, ""),
        (STRANGER, {}, 403, "managers_only"),
        (PROXY, {}, 403, "managers_only"),  # who calls from the proxy's machine, past it
        (PROXY, {"X-Forwarded-For": MANAGER}, 200, ""),
        (PROXY, {"X-Forwarded-For": f"{MANAGER}, {STRANGER}"}, 403, "managers_only"),
        (PROXY, {"X-Forwarded-For": PROXY}, 403, "managers_only"),
        (STRANGER, {"X-Forwarded-For": MANAGER}, 403, "managers_only"),
        (PROXY, WITH_TOKEN, 200, ""),
        (STRANGER, {"Authorization": f"bearer  {TOKEN} "}, 200, ""),
        (STRANGER, WITH_TOKEN | {"Host": "10.2.3.4:8000"}, 200, ""),  # a machine by its address
        (STRANGER, {"Authorization": f"Bearer {TOKEN}x"}, 401, "bad_token"),
        (STRANGER, {"Authorization": f"Bearer {TOKEN[:-1]}"}, 401, "bad_token"),
        (STRANGER, {"Authorization": "Bearer"}, 401, "bad_token"),
        (STRANGER, {"Authorization": "Bearer é"}, 401, "bad_token"),
        (MANAGER, {"Authorization": "Bearer wrong"}, 401, "bad_token"),
        (STRANGER, {"Authorization": f"Basic {TOKEN}"}, 403, "managers_only"),
        (MANAGER, {"Authorization": "Basic for-the-proxy"}, 200, ""),
        # A page under a name of somebody else's, in a manager's browser.
        (MANAGER, {"Host": "evil.example"}, 400, "bad_request"),
    ],
)
def test_read_by_managers_and_by_the_token(
    settings: Settings, address: str, headers: dict[str, str], status: int, code: str
) -> None:
    settings.METRICS_TOKEN, settings.TRUSTED_PROXIES = TOKEN, [PROXY]
    settings.MANAGER_IPS = [MANAGER, PROXY]
    answer = Client().get("/metrics", headers=headers, REMOTE_ADDR=address)
    assert answer.status_code == status
    assert (answer.json()["code"] if status >= 400 else "") == code
    assert answer.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    assert "Access-Control-Allow-Origin" not in answer  # a page of others may not read it
    assert status == 400 or "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("said", ["Bearer", "Bearer ", "Bearer x"])
def test_without_a_token_in_the_settings_none_is_right(settings: Settings, said: str) -> None:
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": said}).status_code == 401


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("POST", 405), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 405), ("X", 405)],
)
def test_it_is_only_read(method: str, status: int) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.generic(method, "/metrics", REMOTE_ADDR=MANAGER).status_code == status


def test_over_http_too_where_the_site_has_https(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/metrics", REMOTE_ADDR=MANAGER).status_code == 200
    assert Client().get("/metrics/", REMOTE_ADDR=MANAGER).status_code == 301


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", "text/plain;version=0.0.4", "text/plain;version=é"),
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.2,text/plain",
    ],
)
def test_plain_text(accept: str) -> None:
    answer = Client().get("/metrics", headers={"Accept": accept}, REMOTE_ADDR=MANAGER)
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert len(list(plain_families(answer.content.decode()))) > 15


def test_whoever_takes_no_plain_text_gets_the_other() -> None:
    for accept in ("text/plain;q=0", "*/*, text/plain;version=0.0.4;q=0.0"):
        answer = Client().get("/metrics", headers={"Accept": accept}, REMOTE_ADDR=MANAGER)
        assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")


@pytest.mark.parametrize("version", ["1.0.0", "0.0.1", "99", "abc", ""])
def test_open_metrics_for_whoever_asks(version: str) -> None:
    accept = f"application/openmetrics-text;version={version},text/plain;q=0.5"
    answer = Client().get(
        "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"}, REMOTE_ADDR=MANAGER
    )
    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "Content-Encoding" not in answer  # the proxy compresses
    families = text_string_to_metric_families(answer.content.decode())  # type: ignore[no-untyped-call]
    assert len(list(families)) > 15


@pytest.mark.parametrize("text", ["short", "a" * 31, "a" * 32 + " b", "ä" * 32, '"' + "a" * 32])
def test_token_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN is not a token: 32 or more"):
        bearer("METRICS_TOKEN", text)
    assert bearer("METRICS_TOKEN", f" {TOKEN}== ") == f"{TOKEN}=="


# --- What is counted


def test_requests_entries_and_refusals_are_counted(client: Client) -> None:
    path = "/raffles/<UUID:raffle_id>/participate/"
    taken = {"method": "POST", "route": path, "status": "201"}
    gone = taken | {"status": "410"}
    raffle = RaffleFactory.create(total_tickets=1)
    before = [
        told("raffles_entries_total", way="address"),
        told("raffles_refusals_total", code="sold_out"),
        told("raffles_request_seconds_count", **taken),
        told("raffles_request_seconds_count", **gone),
    ]
    for _ in range(2):
        client.generic("POST", f"/raffles/{raffle.uuid}/participate/", content_type="")
    after = [
        told("raffles_entries_total", way="address"),
        told("raffles_refusals_total", code="sold_out"),
        told("raffles_request_seconds_count", **taken),
        told("raffles_request_seconds_count", **gone),
    ]
    # Those of a test are never committed.
    assert [b - a for a, b in zip(before, after, strict=True)][1:] == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_tickets_count_once_they_are_committed(client: Client) -> None:
    path = f"/raffles/{RaffleFactory.create(total_tickets=2).uuid}/participate/"
    before = told("raffles_entries_total", way="address")
    answered = [client.generic("POST", path, content_type="").status_code for _ in range(2)]
    assert answered == [201, 403]
    assert told("raffles_entries_total", way="address") == before + 1


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/nowhere/{}/", "none"),
        ("/%F0%9F%98%80{}", "none"),
        ("/raffles/{}/", "none"),
        ("/static/raffles/{}.css", "none"),
        ("/e/{}/", "/e/<slug:slug>/"),
    ],
)
def test_a_label_holds_the_route_and_nothing_of_a_path(
    client: Client, path: str, route: str
) -> None:
    counted = {"method": "GET", "route": route, "status": "404"}
    before = told("raffles_request_seconds_count", **counted)
    for word in ("alice", "bob"):
        client.get(path.format(word), {"user": "carol"}, REMOTE_ADDR="203.0.113.77")
    client.generic("ALICE", path.format("x"))
    assert told("raffles_request_seconds_count", **counted) == before + 2
    text = Client().get("/metrics", REMOTE_ADDR=MANAGER).content.decode()
    assert not re.search(r"alice|bob|carol|203\.0", text, re.IGNORECASE)
    assert 'method="other"' in text


# --- What is read


def test_state_of_draws_and_announcements() -> None:
    now = timezone.now()
    Heartbeat.objects.create(pk=1, ran_at=now - timedelta(seconds=100))
    due = RaffleFactory.create(now=now - timedelta(hours=1), closes_at=now - timedelta(minutes=4))
    RunLease.objects.create(
        raffle=due, since=now - timedelta(minutes=5), until=now + timedelta(minutes=1)
    )
    endpoint()
    announced(3, at=now - timedelta(seconds=50))

    found = {name.partition("{")[0]: value for name, value in scraped().items()}

    assert found["raffles_database_up"] == 1
    assert found["raffles_run_age_seconds"] == pytest.approx(100, abs=30)
    assert found["raffles_draw_lag_seconds"] == pytest.approx(240, abs=30)
    assert found["raffles_overdue_draws"] == 1
    assert found["raffles_busy_too_long"] == 1
    assert found["raffles_undelivered_seconds"] == pytest.approx(50, abs=30)
    assert found["raffles_statements_total"] == 4
    assert "raffles_worker_age_seconds" not in found
    assert told("raffles_warnings", of="draws") == 2  # the draw, and who is at it


@pytest.mark.parametrize("raffles", [1, 30])
def test_it_takes_the_same_queries_however_many_raffles_there_are(raffles: int) -> None:
    now = timezone.now()
    for n in range(raffles):
        row = RaffleFactory.create(now=now - timedelta(hours=2), closes_at=now - timedelta(hours=1))
        RunLease.objects.create(
            raffle=row, since=now - timedelta(minutes=n), until=now + timedelta(minutes=1)
        )
    scraped()
    with CaptureQueriesContext(connection) as asked:
        scraped()
    assert len(asked) <= 32


@pytest.mark.django_db(transaction=True)
def test_without_the_database_what_was_counted_is_told() -> None:
    with database_away():
        found = scraped()
    assert found['raffles_database_up{job="raffles", instance="site"}'] == 0
    names = {name.partition("{")[0] for name in found}
    assert "raffles_request_seconds_count" in names
    assert "raffles_run_age_seconds" not in names
