"""Errors: one form, whatever raised them."""

import json
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from raffles.tests.web.urls import query
from raffles.web.problems import problem

pytestmark = pytest.mark.urls("raffles.tests.web.urls")


@pytest.fixture
def client() -> Client:
    """Answer 500 as a server does, instead of raising in the test."""
    return Client(raise_request_exception=False)


def test_unrouted_address_is_a_problem(client: Client) -> None:
    response = client.get("/nowhere/")
    assert response["Content-Type"] == "application/problem+json"
    assert (response.status_code, response.json()) == (
        404,
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "There is nothing at this address.",
            "code": "not_found",
        },
    )


@pytest.mark.parametrize("path", ["/nowhere/", "/forbidden/", "/broken/"])
def test_browsers_get_pages(client: Client, path: str) -> None:
    response = client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert response["Content-Type"].startswith("text/html")
    response = client.get(path, headers={"Accept": "application/json, text/html;q=0"})
    assert response["Content-Type"] == "application/problem+json"


def test_admin_stays_djangos(client: Client) -> None:
    response = client.get("/admin/nowhere/")
    assert (response.status_code, response["Location"]) == (
        302,
        "/admin/login/?next=/admin/nowhere/",
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize(
    ("path", "allowed"), [("/managed/", "GET, POST, HEAD"), ("/livez", "GET, HEAD")]
)
def test_odd_methods_are_405(client: Client, method: str, path: str, allowed: str) -> None:
    response = client.generic(method, path, REMOTE_ADDR="127.0.0.2")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": f'Method "{method}" not allowed.',
        "code": "method_not_allowed",
    }
    assert response["Allow"] == allowed


def test_head_answers_like_get_without_body(client: Client) -> None:
    response = client.head("/livez")
    assert (response.status_code, response.content) == (200, b"")


def test_fault_of_ours_says_nothing_of_itself(client: Client) -> None:
    response = client.get("/broken/")
    assert (response.status_code, response.json()["code"]) == (500, "server_error")
    assert b"203.0.113.9" not in response.content


def test_permission_denied_outside_of_drf(client: Client) -> None:
    response = client.get("/forbidden/")
    assert (response.status_code, response.json()["detail"]) == (403, "Not here.")


def test_foreign_host_is_400_and_not_quoted(client: Client) -> None:
    response = client.get("/groups/", headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert b"evil" not in response.content


def test_errors_by_field_are_lists_of_sentences(client: Client) -> None:
    body = {"number": "1", "parts": [{"amount": 1}, {}, {"amount": 0}]}
    response = client.post("/echo/", body, content_type="application/json")
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The request is not valid; errors says why, by field.",
        "code": "invalid",
        "errors": {
            "number": ["A valid integer is required."],
            "parts.1.amount": ["This field is required."],
            "parts.2.amount": ["Ensure this value is greater than or equal to 1."],
        },
    }


def test_sentence_of_no_field_is_the_detail(client: Client) -> None:
    response = client.post("/echo/", {"name": "refused"}, content_type="application/json")
    answer = response.json()
    assert answer["detail"] == "Not this one"
    assert answer["errors"] == {"non_field_errors": ["Not this one"]}


def test_list_in_place_of_objects_is_400(client: Client) -> None:
    faults: list[object] = [{}, "x", 1, None, [[]], ["x"], [None]]
    for parts in faults:
        response = client.post("/echo/", {"parts": parts}, content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (400, "invalid")


@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")
@pytest.mark.parametrize("path", ["/query/", "/query-page/"])
def test_lost_connection_is_503_once(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200
    end_session(connection.connection.info.backend_pid)
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response["Retry-After"] == "5"
    # The test client keeps connections; a server drops what has failed when a request ends.
    connection.close_if_unusable_or_obsolete()
    assert client.get(path).status_code == 200


def end_session(pid: int) -> None:
    """Take a connection away as a crash of the database does."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()


class QueryingMiddleware:
    """Need the database outside of any view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query()
        return self.get_response(request)


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """Point the connection to a database that is not there."""
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "/nowhere/database"
    yield
    connection.settings_dict["NAME"] = name
    connection.close()


@pytest.mark.usefixtures("no_database")
@pytest.mark.parametrize("path", ["/query/", "/query-page/", "/admin/"])
def test_no_database_is_503(client: Client, path: str) -> None:
    client.cookies["sessionid"] = "0123456789abcdef0123456789abcdef"
    response = client.get(path, headers={"Accept": "text/html"})
    assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.usefixtures("no_database")
def test_no_database_for_middleware_is_503_on_every_address(
    client: Client, settings: Settings
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.QueryingMiddleware"]
    for path in ("/nowhere/", "/livez", "/echo/"):
        response = client.get(path)
        assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (400, "Bad Request"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (503, "Service Unavailable"),
    ],
)
def test_titles_are_those_of_the_standard_under_every_python(status: int, title: str) -> None:
    answer = problem(status, "word", "A sentence.")
    assert json.loads(answer.content)["title"] == title
