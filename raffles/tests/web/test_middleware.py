"""What holds for every answer."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.urls.converters import UUIDConverter
from django.urls.resolvers import RoutePattern
from pytest_django import Settings

from raffles.web.converters import AnyCaseUUIDConverter

pytestmark = pytest.mark.urls("raffles.tests.web.urls")


@pytest.mark.parametrize("path", ["/livez", "/nowhere/", "/managed/", "/api/docs/"])
def test_any_origin_may_read_what_is_public(client: Client, path: str) -> None:
    for response in (client.get(path), client.head(path)):
        assert response["Access-Control-Allow-Origin"] == "*"
        assert "Link" in response["Access-Control-Expose-Headers"]


def test_no_other_origin_may_write_or_see_the_admin(client: Client) -> None:
    assert "Access-Control-Allow-Origin" not in client.post("/echo/")
    assert "Access-Control-Allow-Origin" not in client.get("/admin/login/")


@pytest.mark.django_db
def test_unchanged_reads_are_304(client: Client) -> None:
    Group.objects.create(name="one")
    first = client.get("/groups/")
    again = client.get("/groups/", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["Access-Control-Allow-Origin"] == "*"
    Group.objects.create(name="two")
    assert client.get("/groups/", headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_writes_have_no_etag(client: Client) -> None:
    response = client.post("/echo/", {"number": 1}, content_type="application/json")
    assert (response.status_code, "ETag" in response) == (200, False)


@pytest.mark.django_db
def test_only_the_admin_is_translated(client: Client) -> None:
    german = {"Accept-Language": "de"}
    answer = client.post("/echo/", {"number": "1"}, "application/json", headers=german).json()
    assert answer["errors"] == {"number": ["A valid integer is required."]}
    assert "Anmelden" in client.get("/admin/login/", headers=german).text
    answer = client.post("/echo/", {"number": "1"}, "application/json", headers=german).json()
    assert answer["errors"] == {"number": ["A valid integer is required."]}


@pytest.mark.django_db
def test_staff_can_log_in(client: Client) -> None:
    User.objects.create_superuser("ada", password="lovelace")
    login = {"username": "ada", "password": "lovelace", "next": "/admin/"}
    assert client.post("/admin/login/", login)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/"])
def test_pages_keep_their_own_policy(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # Nothing of the page is what the policy forbids.
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=", response.text)
    for url in re.findall(r'(?:src|href)="([^"#]+)"', response.text):
        assert url.startswith("/")


def test_docs_bring_their_script(client: Client) -> None:
    page = client.get("/api/docs/").text
    (script,) = re.findall(r'<script src="(/api/docs/[^"]+)"', page)
    response = client.get(script.replace("&amp;", "&"))
    assert response["Content-Type"].startswith("application/javascript")
    assert '"/api/schema/"' in response.text


def test_schema_in_both_forms(client: Client) -> None:
    assert client.get("/api/schema/").text.startswith("openapi: 3.")
    assert client.get("/api/schema/?format=json").json()["openapi"].startswith("3.")


def test_json_needs_no_policy(client: Client) -> None:
    assert "Content-Security-Policy" not in client.get("/livez")
    assert client.get("/livez")["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*"])
def test_json_is_answered_whatever_is_accepted(client: Client, accept: str) -> None:
    response = client.post("/entering/", headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "X"])
@pytest.mark.parametrize("is_debug", [True, False])
def test_write_without_the_final_slash_says_where_to(
    client: Client, settings: Settings, method: str, is_debug: bool
) -> None:
    settings.DEBUG = is_debug
    response = client.generic(method, "/entering?a=%C3%A9", headers={"Accept": "text/html"})
    assert (response.status_code, response.json()["code"]) == (404, "missing_slash")
    assert response.json()["detail"] == "The address ends in a slash: /entering/?a=%C3%A9"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/managed", 301),
        ("HEAD", "/managed", 301),
        ("POST", "/nowhere", 404),
        ("POST", "/livez", 405),
        ("POST", "//entering", 404),
    ],
)
def test_other_addresses_answer_as_ever(
    client: Client, method: str, path: str, status: int
) -> None:
    response = client.generic(method, path, PATH_INFO=path)
    assert response.status_code == status
    if status == 404:
        assert response.json()["code"] == "not_found"


@pytest.mark.django_db
@pytest.mark.urls("rafflesite.urls")
def test_what_is_only_read_asks_no_post_for_a_token() -> None:
    browser = Client(enforce_csrf_checks=True)
    for path in ("/", "/winners/", "/log/checkpoint", "/verify.py", "/livez", "/events.ics"):
        answer = browser.post(path)
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD"), path
    assert browser.post("/admin/login/").status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["10.2.3.4:8000", "[fd00::1]:8000", "evil.example", "a b", ""])
def test_probes_answer_to_any_host_and_nothing_else_does(client: Client, host: str) -> None:
    for path in ("/livez", "/readyz"):
        assert client.get(path, headers={"Host": host}).status_code == 200
    for path in ("/groups/", "/nowhere/", "/livez/"):
        assert client.get(path, headers={"Host": host}).status_code == 400


def test_every_id_is_read_in_capitals_too() -> None:
    converters = {
        type(converter)
        for pattern in _patterns(get_resolver("rafflesite.urls"))
        if isinstance(pattern, RoutePattern)
        for converter in pattern.converters.values()
    }
    assert AnyCaseUUIDConverter in converters
    assert UUIDConverter not in converters


def _patterns(resolver: URLResolver) -> Iterator[object]:
    yield resolver.pattern
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _patterns(entry)
        else:
            yield entry.pattern
