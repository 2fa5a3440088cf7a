"""Bodies: what is read, and what is refused with which status."""

import json
from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory

from conftest import MANAGER
from raffles.web.middleware import UTF8WSGIHandler

pytestmark = pytest.mark.urls("raffles.tests.web.urls")

KIB = 1024


def send(
    client: Client, body: bytes, content_type: str = "application/json", peer: str = "127.0.0.1"
) -> tuple[int, dict[str, object]]:
    response = client.generic("POST", "/echo/", body, content_type, REMOTE_ADDR=peer)
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"", ""),
        (b"", "text/plain"),
        (b"{}", "application/json"),
        (b" {}\r\n\t", "application/json"),
        (b"{}", "application/json; charset=utf-8"),
        (b"{}", 'application/json; charset="UTF8"'),
        (b"{}", "APPLICATION/JSON"),
    ],
)
def test_plain_bodies_are_read(client: Client, body: bytes, content_type: str) -> None:
    assert send(client, body, content_type) == (200, {})


def test_unicode_is_read(client: Client) -> None:
    body = '{"name": "Größe \\u00e9 抽選 \\ud83c\\udf81 🎁"}'.encode()
    assert send(client, body) == (200, {"name": "Größe é 抽選 🎁 🎁"})


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf{}",
        b'{"name": "\xff"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        '{"name": "x"}'.encode("utf-16"),
        b"{",
        b"nonsense",
        b"{} {}",
        b"{}x",
        b"{'name': 'x'}",
        b'{"name": "x",}',
        b'{"name": "a\nb"}',
        b'// comment\n{"name": "x"}',
        b'{"number": NaN}',
        b'{"number": Infinity}',
        b'{"number": -Infinity}',
        b'{"number": 1e999}',
        b'{"number": -1e999}',
        b'{"number": ' + b"9" * 5000 + b"}",
        b'{"number": 01}',
        b'{"number": 1, "number": 2}',
        b'{"parts": [{"amount": 1, "amount": 1}]}',
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b'{"a":' * 9 + b"1" + b"}" * 9,
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_malformed_is_400(client: Client, body: bytes) -> None:
    status, answer = send(client, body)
    assert (status, answer["code"]) == (400, "malformed_body")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"name": "\xed\xa0\x80"}', "The body is not valid UTF-8."),
        (b'{"name": "\\ud800"}', r"\ud800 alone is a surrogate and no character."),
        (b'{"\\uDFFFx": 1}', r"\udfff alone is a surrogate and no character."),
    ],
)
def test_what_is_no_text_is_told_from_what_is_no_character(
    client: Client, body: bytes, said: str
) -> None:
    assert send(client, body)[1]["detail"] == said


def test_depth_of_eight_is_read(client: Client) -> None:
    status, answer = send(client, b'{"a":' * 8 + b"1" + b"}" * 8)
    assert (status, answer["errors"]) == (400, {"a": ["Unknown field."]})


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", ""),
        (b"{}", "text/plain"),
        (b"{}", "text/json"),
        (b"{}", "application/jsonp"),
        (b"{}", "application/problem+json"),
        (b"a=1", "application/x-www-form-urlencoded"),
        (b"--x--", "multipart/form-data; boundary=x"),
        (b"{}", "application/json; charset=latin-1"),
        (b"{}", "application/json; charset=utf-16"),
        (b"{}", "application/json; charset=utf-8-sig"),
        (b"{}", "application/json; charset=bz2"),
        (b"{}", "application/json; charset=nonsense"),
        (b"{}", "application/json; charset=" + "x" * 20_000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_media_types_are_415(client: Client, body: bytes, content_type: str) -> None:
    status, answer = send(client, body, content_type)
    assert (status, answer["code"]) == (415, "unsupported_media_type")


@pytest.mark.django_db  # the handler looks after connections, which other tests have opened
@pytest.mark.django_db  # the handler looks after connections before it looks at the request
@pytest.mark.parametrize("charset", ["bz2", "rot13", "utf-16", "nonsense", "x" * 20_000])
def test_foreign_charset_reaches_the_answer(charset: str) -> None:
    # As a server calls it: Django's own handler raises here, before any middleware.
    environ = RequestFactory().get("/groups/?limit=%31").environ
    started: list[str] = []

    def start(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], None]:
        started.append(status)
        return lambda _: None

    body = UTF8WSGIHandler()(environ | {"CONTENT_TYPE": f"x/y; charset={charset}"}, start)
    assert started == ["415 Unsupported Media Type"]
    assert json.loads(b"".join(body))["code"] == "unsupported_media_type"


def body_of(size: int) -> bytes:
    return b'{"name": "x"' + b" " * (size - 13) + b"}"


@pytest.mark.parametrize(
    ("size", "peer", "status"),
    [
        (64 * KIB, "127.0.0.1", 200),
        (64 * KIB + 1, "127.0.0.1", 413),
        (64 * KIB + 1, MANAGER, 200),
        (2048 * KIB, MANAGER, 200),
        (2048 * KIB + 1, MANAGER, 413),
    ],
)
def test_size_is_limited(client: Client, size: int, peer: str, status: int) -> None:
    assert send(client, body_of(size), peer=peer)[0] == status


@pytest.mark.parametrize("length", ["30000000", f"{'0' * 40}30000000", "9" * 5000])
def test_large_body_is_refused_unread_everywhere(client: Client, length: str) -> None:
    for path in ("/echo/", "/nowhere/", "/livez"):
        response = client.post(path, b"", content_type="application/json", CONTENT_LENGTH=length)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("path", "peer", "most"),
    [
        ("/echo/", "127.0.0.1", "65.536"),
        ("/echo/", MANAGER, "2.097.152"),
        ("/admin/login/", "127.0.0.1", "20.971.520"),
    ],
)
def test_what_is_too_large_is_told_with_the_limit(
    client: Client, path: str, peer: str, most: str
) -> None:
    german = {"Accept": "text/html", "Accept-Language": "de"}
    body = b" " * (int(most.replace(".", "")) + 1)
    page = client.generic("POST", path, body, headers=german, REMOTE_ADDR=peer)
    assert (page.status_code, page["Content-Language"]) == (413, "de")
    assert f"Höchstens {most} Bytes werden angenommen." in page.content.decode()
    if path == "/echo/":
        said = client.generic("POST", path, body, REMOTE_ADDR=peer).json()["detail"]
        assert said == f"The body of the request has more than {most.replace('.', ',')} bytes."


def test_a_form_whose_fields_are_too_large_says_so(client: Client) -> None:
    german = {"Accept-Language": "de"}
    page = client.post("/admin/login/", {"username": "x" * 9_000_000}, headers=german)
    assert page.status_code == 413
    assert "Höchstens 8.388.608 Bytes werden angenommen." in page.content.decode()


def test_body_without_length_is_411(client: Client) -> None:
    # The server hands over no length when a body comes in chunks.
    response = client.post("/echo/", CONTENT_LENGTH="", headers={"Transfer-Encoding": "chunked"})
    assert (response.status_code, response.json()["code"]) == (411, "length_required")


@pytest.mark.parametrize("address", ["/groups/?limit=%00", "/a%00b/", "/echo/?x=1&%00=2"])
def test_nul_in_the_address_is_400(client: Client, address: str) -> None:
    response = client.get(address)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    page = client.get(address, headers={"Accept": "text/html"})
    assert page.status_code == 400
    assert "We did not understand that request." in page.content.decode()


def test_unknown_keys_are_refused(client: Client) -> None:
    status, answer = send(client, b'{"name": "x", "naem": 1, "parts": [{"amount": 1, "q": 1}]}')
    assert (status, answer["errors"]) == (400, {"naem": ["Unknown field."]})
    status, answer = send(client, b'{"parts": [{"amount": 1}, {"amount": 1, "q": 1}]}')
    assert (status, answer["errors"]) == (400, {"parts.1.q": ["Unknown field."]})


def test_long_lists_are_read(client: Client) -> None:
    body = json.dumps({"parts": [{"amount": 1}] * 4000}).encode()
    assert len(body) > 58 * KIB
    assert send(client, body, peer=MANAGER)[0] == 200
