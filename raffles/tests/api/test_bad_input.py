"""Bad input to every endpoint: a 4xx in JSON, within a second, and nothing stored.

One corpus: each fault is put to each route that could take it. What the design ignores is answered
as if it had not been there.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.db.models import Model

from raffles.models import Raffle, State
from raffles.tests.api.acting import (
    ENTERED,
    MANAGER,
    MANAGERS_ONLY,
    PROXY,
    STRANGER,
    Answer,
    caller,
    refused,
    terms,
)
from raffles.tests.factories import RaffleFactory

pytestmark = pytest.mark.django_db

Headers = dict[str, str]


class Request(NamedTuple):
    """A request that must not succeed, and the statuses that say so."""

    fault: str  # its kind, in one word, and what it is
    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    query: str = ""
    headers: Headers = {}
    peer: str = MANAGER
    statuses: frozenset[int] = frozenset({400})


# --- Routes; {id} stands for a raffle

CREATE = "/raffles/"
PARTICIPATE = "/raffles/{id}/participate/"
WINNERS = "/raffles/{id}/winners/"
VERIFY = "/raffles/{id}/verify-ticket/"
VOID = "/raffles/{id}/void/"
REPLACE = "/raffles/{id}/replacements/"
COMMITMENT = "/raffles/{id}/commitment/"
PROOF = "/raffles/{id}/proof/"
POSTS: dict[str, dict[str, Any]] = {
    CREATE: terms(),
    PARTICIPATE: {},
    WINNERS: {},
    VERIFY: {"ticket_number": 1, "verification_code": "0000-0000-0000-0000-0000"},
    VOID: {"reason": "Rain"},
    REPLACE: {"ticket_number": 1, "reason": "Did not come"},
}
READS = (
    CREATE,
    "/raffles/{id}/",
    WINNERS,
    REPLACE,
    COMMITMENT,
    PROOF,
    "/raffles/{id}/leaves/",
    "/raffles/{id}/tickets/1/inclusion/",
)
PAGED = (CREATE, WINNERS, REPLACE)
ROUTES = [("POST", path) for path in POSTS] + [("GET", path) for path in READS]


# --- Bodies that are no JSON object, whatever the endpoint

MALFORMED = {
    "nothing but a word": b"raffle",
    "cut off": b'{"name": "x"',
    "trailing data": b"{} {}",
    "trailing comma": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "comment": b'{"name": "x"} // fair',
    "array": b"[]",
    "array of objects": b'[{"name": "x"}]',
    "string": b'"x"',
    "number": b"5",
    "null": b"null",
    "true": b"true",
    "byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-32": '{"name": "x"}'.encode("utf-32"),
    "Latin-1": '{"name": "é"}'.encode("latin-1"),
    "overlong": b'{"name": "\xc0\xaf"}',
    "cut off sign": b'{"name": "\xe2\x82"}',
    "lone byte": b'{"name": "\xff"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate in a key": b'{"\\udfff": 1}',
    "raw control": b'{"name": "a\x01b"}',
    "raw NUL": b'{"name": "a\x00b"}',
    "NaN": b'{"total_tickets": NaN}',
    "infinity": b'{"total_tickets": Infinity}',
    "minus infinity": b'{"total_tickets": -Infinity}',
    "overflow": b'{"total_tickets": 1e999}',
    "number of many digits": b'{"total_tickets": ' + b"9" * 5_000 + b"}",
    "duplicate key": b'{"name": "x", "name": "y"}',
    "duplicate key, escaped": b'{"name": "x", "n\\u0061me": "y"}',
    "nested duplicate key": b'{"prizes": [{"amount": 1, "amount": 2}]}',
    "nested arrays": b'{"name": ' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    "nested objects": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    "nested a little": b'{"a":' * 9 + b"1" + b"}" * 9,
    "never closed": b"[" * 30_000,
    "blanks alone": b"   ",
}

# --- Content that is not ours to read

FOREIGN = [
    "text/plain",
    "text/html",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "application/json; charset=utf-7",
    "application/json; charset=nonsense",
    "application/vnd.api+json",
    "json",
    "*/*",
    "",
]

# --- Values in place of a whole number, and of a name

NO_INTEGERS: dict[str, Any] = {
    "string": "1",
    "underscores": "1_000",
    "spaces": " 5 ",
    "full-width": "５",
    "Arabic": "٥",
    "fraction": 1.0,
    "half": 1.5,
    "exponent": 1e2,
    "true": True,
    "false": False,
    "null": None,
    "array": [1],
    "object": {"value": 1},
    "empty": "",
    "10^40": 10**40,
    "-10^40": -(10**40),
    "2^63": 2**63,
}
NO_COUNTS = NO_INTEGERS | {"zero": 0, "minus one": -1, "10^19": 10**19}
NO_NAMES: dict[str, Any] = {
    "empty": "",
    "spaces": "   ",
    "NUL": "a\0b",
    "control": "a\x07b",
    "C1 control": "a\x85b",
    "tab": "a\tb",
    "carriage return": "a\r\nBcc: b",
    "line feed at the end": "a\n",
    "line separator": "a\u2028b",
    "right-to-left override": "a\u202eb",
    "isolate": "\u2066a\u2069",
    "zero-width space": "a\u200bb",
    "zero-width space alone": "\u200b",
    "joiners alone": "\u200d\u200c",
    "joiner between letters": "a\u200db",
    "non-joiner between letters": "a\u200cb",
    "joiner at the end": "👩\u200d",
    "joiner at the start": "\u200d👩",
    "two joiners": "👩\u200d\u200d🚀",
    "non-joiner in an emoji": "👩\u200c🚀",
    "non-joiner where nothing joins": "د\u200cم",
    "grapheme joiner": "a\u034fb",
    "no character": "a\ufffe",
    "no character, again": "a\uffff",
    "no character of Arabic": "a\ufdd0",
    "no character beyond": "a\U0010ffff",
    "byte order mark": "\ufeffa",
    "soft hyphen": "a\u00adb",
    "no-break space alone": "\u00a0",
    "ideographic space alone": "\u3000",
    "Hangul filler alone": "\u3164",
    "Braille blank alone": "\u2800",
    "combining alone": "\u0301",
    "tag characters": "a\U000e0041",
    "number": 5,
    "true": True,
    "null": None,
    "array": ["a"],
    "object": {"name": "a"},
}


# What looks like a code, letter by letter, and is none.
NO_CODES: dict[str, Any] = {
    "Cyrillic": "АВС0-0000-0000-0000-0000",
    "Greek": "ΑΒΚ0-0000-0000-0000-0000",
    "circled": "Ⓐ000-0000-0000-0000-0000",
    "bold": "𝐀000-0000-0000-0000-0000",
    "Arabic digits": "٠٠٠٠-0000-0000-0000-0000",
    "dotless": "ı000-0000-0000-0000-0000",
    "underscores": "0000_0000_0000_0000_0000",
    "dots": "0000.0000.0000.0000.0000",
    "nothing but dashes": "–—−",
}
NO_PRIZES: dict[str, Any] = {
    "none": [],
    "null": None,
    "object": {"name": "Bicycle", "amount": 1},
    "string": "Bicycle",
    "of strings": ["Bicycle"],
    "of nulls": [None],
    "unknown key": [{"name": "Bicycle", "amount": 1, "worth": 5}],
    "without amount": [{"name": "Bicycle"}],
    "without name": [{"amount": 1}],
    "sum over the tickets": [{"name": "Bicycle", "amount": 2}] * 2,
    "too many kinds": [{"name": "x", "amount": 1}] * 1_001,
    "far too many kinds": [{}] * 15_000,
}
NO_PRIZES |= {
    f"amount {name}": [{"name": "Bicycle", "amount": value}]
    for name, value in (NO_COUNTS | {"too many": 100_001, "over the tickets": 4}).items()
}
NO_PRIZES |= {
    f"name {name}": [{"name": value, "amount": 1}]
    for name, value in (NO_NAMES | {"too long": "x" * 201}).items()
}
NO_SOURCES: dict[str, Any] = {
    "unknown": "dice",
    "capitals": "SYSTEM",
    "null": None,
    "number": 1,
    "array": [],
    "empty": "",
    "spaces": " system ",
}
NO_TIMES = {
    "date": "2030-01-31",
    "number": 5,
    "no offset": "2030-01-31T08:00",
    "past": "2001-01-01T00:00Z",
    "beyond": "9999-12-31T23:59:59Z",
}
FIELDS: list[tuple[str, str, dict[str, Any]]] = [
    (CREATE, "name", NO_NAMES | {"too long": "x" * 201}),
    (CREATE, "total_tickets", NO_COUNTS | {"too many": 10_000_001}),
    (CREATE, "prizes", NO_PRIZES),
    (CREATE, "alternates", NO_INTEGERS | {"minus one": -1, "too many": 1_001}),
    (CREATE, "entropy", NO_SOURCES),
    (CREATE, "closes_at", NO_TIMES),
    (VERIFY, "ticket_number", NO_INTEGERS),
    (VERIFY, "verification_code", NO_NAMES | NO_CODES | {"too long": "x" * 201}),
    (VERIFY, "raffle_id", NO_NAMES | {"another": "00000000-0000-4000-8000-000000000000"}),
    (VERIFY, "receipt", {"string": "a", "number": 1, "array": [], "null": None}),
    (VERIFY, "draw_at", NO_TIMES),
    (VOID, "reason", NO_NAMES | {"too long": "x" * 201}),
    (REPLACE, "ticket_number", NO_INTEGERS),
    (REPLACE, "reason", NO_NAMES | {"too long": "x" * 201}),
]


def field_faults() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (name, route, body) for each wrong value of each field, and each wrong set of keys."""
    for route, field, values in FIELDS:
        for name, value in values.items():
            yield f"{field} {name}", route, POSTS[route] | {field: value}
    for route, body in POSTS.items():
        for key in ("colour", "", "__proto__"):
            yield f"unknown {key}", route, body | {key: {"is_manager": True}}
        for field in body:
            rest = {key: value for key, value in body.items() if key != field}
            yield f"without {field}", route, rest
            yield f"{field} in capitals", route, rest | {field.upper(): body[field]}


# --- Queries

BAD_QUERIES = ["page=-1", "ordering=password", "colour=red", "format=json", "__proto__=1", "=", "a"]
BAD_PAGES = [
    "limit=-1",
    "limit=0",
    "limit=1001",
    f"limit={10**40}",
    "limit=1e2",
    "limit=%EF%BC%95",
    "limit=+5",
    "limit=",
    "limit=5&limit=6",
    "cursor=",
    "cursor=5",
    "cursor=after-",
    "cursor=after--1",
    f"cursor=after-{10**40}",
    "cursor=%27%20OR%201=1",
    "cursor=cD0yMDMw",
    "cursor=before-1&cursor=after-1",
]
BAD_FILTERS = [
    "drawn=maybe",
    "drawn=",
    "drawn=1",
    "sold_out=True",
    "created_after=yesterday",
    "created_after=",
    f"created_before={10**40}",
    "created_after=0001-01-01T00:00:00%2B14:00",
    "created_before=2030-01-31T08:00:00",
    "name=" + "x" * 201,
    "name=a&name=b",
    "name__contains=a",
    "ordering=name",
]
NUL_QUERIES = ["name=a%00b", "%00=1", "cursor=%00", "alternates=true%00"]
BAD_IDS = [
    "1",
    "0",
    "-1",
    "null",
    "00000000-0000-0000-0000-00000000000",
    "00000000-0000-0000-0000-0000000000000",
    "00000000-0000-0000-0000-00000000000g",
    "{00000000-0000-0000-0000-000000000000}",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
    "..",
    "%2e%2e",
    "%27",
    "%0a",
    "%F0%9F%8E%B2",
    "%ff",
    "x" * 2_000,
    "00000000-0000-4000-8000-000000000000",  # well formed, and nobody's
]
BAD_FORWARDING = [
    "nonsense",
    "203.0.113.1, nonsense",
    "203.0.113.256",
    "203.0.113.01",
    "203.0.113.1:",
    "203.0.113.1:http",
    "203.0.113.1:999999",
    "203.0.113.1:٨٠",
    "203.0.113.1 80",
    "[2001:db8::1",
    "2001:db8::1]",
    "[2001:db8::1]:",
    "[2001:db8::1]80",
    "[[2001:db8::1]]",
    "[203.0.113.1]:80:80",
    "[]",
    "2001:db8::1::2",
    "unknown",
    "unix",
    "unix:",
    "nonsense,",
    "<script>",
    "localhost",
    "３.3.3.3",
]
ODD_METHODS = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "QUERY", "X"]
BAD_TICKETS = ["0", "4", "-1", "1.0", "x", str(2**63), str(10**40), "%EF%BC%91", "%00"]
BAD_NUMBERS = ["", "0", "-1", "1.0", "x", str(10**40), "%EF%BC%91"]
FOREIGN_SITES = [
    {"HTTP_SEC_FETCH_SITE": "cross-site"},
    {"HTTP_SEC_FETCH_SITE": "same-site"},
    {"HTTP_SEC_FETCH_SITE": ""},
    {"HTTP_SEC_FETCH_SITE": "none, same-origin"},
    {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "http://testserver"},
    {"HTTP_ORIGIN": "null"},
    {"HTTP_ORIGIN": ""},
    {"HTTP_ORIGIN": "https://testserver"},
    {"HTTP_ORIGIN": "http://testserver@evil.example"},
    {"HTTP_ORIGIN": "http://testserver, http://evil.example"},
    {"HTTP_ORIGIN": "\0"},
]
BAD_KEYS = ["", "a b", "x" * 256, "é", "a\x00b", "a\tb"]


def body_requests() -> Iterator[Request]:
    """Yield bodies that cannot be read, or say what they must not."""
    for (name, body), path in product(MALFORMED.items(), POSTS):
        yield Request(f"body {name}", "POST", path, body)
    for name, path, fields in field_faults():
        yield Request(f"field {name}", "POST", path, json.dumps(fields).encode())
    for kind, path in product(FOREIGN, POSTS):
        body = json.dumps(POSTS[path] or {"a": 1}).encode()
        yield Request(f"type {kind}", "POST", path, body, kind, statuses=frozenset({415}))


def large_requests() -> Iterator[Request]:
    """Yield bodies beyond the limits, and such as do not say how long they are."""
    too_large = frozenset({413})
    for path in POSTS:
        for peer, size in ((STRANGER, 64 * 1024), (MANAGER, 2 * 1024 * 1024)):
            body = b'{"name": "' + b"x" * size + b'"}'
            yield Request("large", "POST", path, body, peer=peer, statuses=too_large)
        claimed = {"CONTENT_LENGTH": str(10**12)}
        yield Request("claimed large", "POST", path, b"{}", headers=claimed, statuses=too_large)
        unknown = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
        yield Request("no length", "POST", path, headers=unknown, statuses=frozenset({411}))


def query_requests() -> Iterator[Request]:
    """Yield queries that no endpoint reads, or that are not what it reads."""
    for (method, path), query in product(ROUTES, BAD_QUERIES + NUL_QUERIES):
        yield Request("query", method, path, query=query)
    for path, query in product(PAGED, BAD_PAGES):
        yield Request("page", "GET", path, query=query)
    for query in BAD_FILTERS:
        yield Request("filter", "GET", CREATE, query=query)
    for word in ("", "1", "TRUE", "yes", "true&alternates=true"):
        yield Request("alternates", "GET", WINNERS, query=f"alternates={word}")
    for number in BAD_NUMBERS:
        yield Request("limit", "GET", PROOF, query=f"limit={number}")


def path_requests() -> Iterator[Request]:
    """Yield addresses of nothing."""
    for (method, path), wrong in product(ROUTES, BAD_IDS):
        if "{id}" in path:
            wrong_path = path.replace("{id}", wrong)
            yield Request("id", method, wrong_path, statuses=frozenset({404}))
    for number in BAD_TICKETS:
        path = f"/raffles/{{id}}/tickets/{number}/inclusion/"
        yield Request("ticket", "GET", path, statuses=frozenset({400, 404}))


def foreign_requests() -> Iterator[Request]:
    """Yield what another site's page sends, and what is sent to an address cut short."""
    for (path, fields), headers in product(POSTS.items(), FOREIGN_SITES):
        body = json.dumps(fields).encode()
        forbidden = frozenset({403})
        yield Request("site", "POST", path, body, headers=headers, statuses=forbidden)
        yield Request("site", "POST", path, headers=headers, peer=STRANGER, statuses=forbidden)
    for path, method in product(POSTS, ("POST", "PUT", "PATCH", "DELETE")):
        yield Request("slash", method, path.removesuffix("/"), statuses=frozenset({404}))


def header_requests() -> Iterator[Request]:
    """Yield headers that nobody can obey, and methods that no route has."""
    for (method, path), chain in product(ROUTES, BAD_FORWARDING):
        headers = {"HTTP_X_FORWARDED_FOR": chain}
        yield Request(f"forwarded {chain}", method, path, headers=headers, peer=PROXY)
    for (method, path), host in product(ROUTES, ("evil.example", "testserver@evil.example", "a b")):
        yield Request(f"host {host}", method, path, headers={"HTTP_HOST": host})
    for method, path in ROUTES:
        yield Request("socket", method, path, peer="")
    for path, method in product(sorted({*POSTS, *READS}), ODD_METHODS):
        yield Request("method", method, path, statuses=frozenset({405}))
    for path, key in product((CREATE, PARTICIPATE), BAD_KEYS):
        body = json.dumps(POSTS[path]).encode()
        yield Request("key", "POST", path, body, headers={"HTTP_IDEMPOTENCY_KEY": key})


CORPUS = [
    *body_requests(),
    *large_requests(),
    *query_requests(),
    *path_requests(),
    *foreign_requests(),
    *header_requests(),
]


def sent(request: Request, raffle_id: str) -> Answer:
    """Send a request to the raffle of that id."""
    path = request.path.replace("{id}", raffle_id)
    headers: dict[str, Any] = dict(request.headers)
    return caller(request.peer).generic(
        request.method,
        f"{path}?{request.query}" if request.query else path,
        request.body,  # type: ignore[arg-type]  # bytes are sent as they are
        content_type=request.content_type if request.body or not request.content_type else "",
        **headers,
    )


def stored() -> dict[str, int]:
    """Return how many rows each table has, and how many raffles are in each state."""
    models: Iterable[type[Model]] = apps.get_app_config("raffles").get_models()
    rows = {model.__name__: model._default_manager.count() for model in models}
    states = Counter(Raffle.objects.values_list("state", flat=True))
    return rows | states


def raffle_of_each_kind() -> Callable[[Request], Raffle]:
    """Return what gives a request a raffle in the state in which its route would do something."""
    still_open = RaffleFactory.create()
    sold_out = RaffleFactory.create(tickets=3)
    drawn = RaffleFactory.create(state=State.DRAWN)

    def choose(request: Request) -> Raffle:
        if request.path in (PARTICIPATE, VOID):
            return still_open
        return sold_out if (request.method, request.path) == ("POST", WINNERS) else drawn

    return choose


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 600


@pytest.mark.parametrize("kind", dict.fromkeys(request.fault.split()[0] for request in CORPUS))
def test_bad_input_is_refused_and_nothing_stored(kind: str) -> None:
    raffle_for = raffle_of_each_kind()
    before, wrong = stored(), []
    for request in CORPUS:
        if request.fault.split()[0] != kind:
            continue
        started = time.process_time()  # other work on the machine is no fault of the answer
        response = sent(request, str(raffle_for(request).uuid))
        seconds = time.process_time() - started
        if not is_refused(response, request) or seconds > 1:
            wrong.append((request, response.status_code, response.getvalue()[:200], seconds))
    assert wrong == []
    assert stored() == before


def is_refused(response: Answer, request: Request) -> bool:
    """Say whether an answer is a problem with the expected status and a sentence."""
    if response["Content-Type"] != "application/problem+json":
        return False
    problem = json.loads(response.getvalue())
    is_whole = problem["status"] == response.status_code and problem["detail"]
    return bool(is_whole) and response.status_code in request.statuses


@pytest.mark.parametrize(
    "header",
    ["HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_X_CLIENT_IP", "HTTP_CLIENT_IP", "HTTP_X_FORWARDED"],
)
@pytest.mark.parametrize("peer", [STRANGER, PROXY])
def test_other_headers_make_nobody_a_manager(header: str, peer: str) -> None:
    for value in (MANAGER, f"for={MANAGER}", "nonsense"):
        response = caller(peer, **{header: value}).post("/raffles/", terms())
        assert response.status_code == 403


@pytest.mark.parametrize("chain", [MANAGER, "nonsense", "", f"{MANAGER}, {MANAGER}", "x" * 5_000])
def test_forwarding_by_strangers_is_ignored(chain: str) -> None:
    raffle = RaffleFactory.create()
    path = f"/raffles/{raffle.uuid}/participate/"
    headers = {"HTTP_X_FORWARDED_FOR": chain, "HTTP_FORWARDED": f"for={MANAGER}"}
    assert caller(STRANGER, **headers).post(path).status_code == 201
    # The same address again, whatever it claims to forward.
    assert refused(caller(STRANGER, HTTP_X_FORWARDED_FOR="203.0.113.99").post(path)) == ENTERED
    assert refused(caller(STRANGER, **headers).post("/raffles/", terms())) == MANAGERS_ONLY


@pytest.mark.parametrize("accept", ["image/png", "text/html", "nonsense", "*", ""])
def test_what_a_client_accepts_is_ignored(accept: str) -> None:
    raffle = RaffleFactory.create()
    response = caller(HTTP_ACCEPT=accept).get(f"/raffles/{raffle.uuid}/")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_pages_of_html_are_given_to_nobody() -> None:
    for path in ("/nowhere/", "/raffles", "/raffles/1/", "/wp-login.php", "/%2e%2e/etc/passwd"):
        response = caller().get(path)
        assert (response.status_code, response["Content-Type"]) in {
            (404, "application/problem+json"),
            (301, "text/html; charset=utf-8"),
        }
