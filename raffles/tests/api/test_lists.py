"""Reading raffles: the list, its pages and filters, and what clients may keep."""

from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from raffles.tests.api.acting import (
    NOT_FOUND,
    NOWHERE,
    caller,
    created,
    drawn,
    faults,
    holder,
    links,
    participate,
    refused,
    sold_out,
)
from raffles.tests.factories import RaffleFactory

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2030-01-31T08:00:00+00:00")


def named(*names: str) -> None:
    """Create a raffle of each name, in that order."""
    for name in names:
        RaffleFactory.create(name=name)


def listed(query: str = "") -> list[str]:
    """Return the names of the raffles on the first page."""
    response = caller().get(f"/raffles/{query}")
    assert response.status_code == 200, response.json()
    return [raffle["name"] for raffle in response.json()]


def test_list_is_a_bare_array_latest_first() -> None:
    raffles = [created(name=name) for name in "abc"]
    response = caller().get("/raffles/")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == raffles[::-1]
    assert "Link" not in response


def test_list_of_nothing() -> None:
    response = caller().get("/raffles/")
    assert (response.status_code, response.json()) == (200, [])


def test_detail_is_what_the_list_shows() -> None:
    raffle_id, _, _ = drawn()
    assert [caller().get(f"/raffles/{raffle_id}/").json()] == caller().get("/raffles/").json()


def test_detail_of_an_unknown_raffle() -> None:
    assert refused(caller().get(f"/raffles/{NOWHERE}/")) == NOT_FOUND
    assert refused(caller().get("/raffles/1/")) == NOT_FOUND


def test_pages_lead_through_the_list_and_back() -> None:
    named(*"abcdefg")
    first = caller().get("/raffles/?limit=3")
    second = caller().get(links(first)["next"])
    third = caller().get(links(second)["next"])
    back = caller().get(links(third)["prev"])
    names = [[raffle["name"] for raffle in page.json()] for page in (first, second, third, back)]
    assert names == [["g", "f", "e"], ["d", "c", "b"], ["a"], ["d", "c", "b"]]
    assert [set(links(page)) for page in (first, second, third)] == [
        {"next"},
        {"next", "prev"},
        {"prev"},
    ]
    assert "limit=3" in links(first)["next"]


def test_pages_hold_a_hundred_and_at_most_a_thousand() -> None:
    named(*(f"{number}" for number in range(101)))
    assert len(listed()) == 100
    assert len(listed("?limit=1000")) == 101
    assert faults(caller().get("/raffles/?limit=1001")) == {
        "limit": ["Write a number from 1 to 1000."]
    }


def test_pages_keep_their_place_while_raffles_come() -> None:
    named(*"abcd")
    first = caller().get("/raffles/?limit=2")
    named("e")
    names = [raffle["name"] for raffle in caller().get(links(first)["next"]).json()]
    assert names == ["b", "a"]


def test_pages_keep_their_filter() -> None:
    named("fair 1", "other", "fair 2", "fair 3")
    first = caller().get("/raffles/?name=fair&limit=2")
    names = [raffle["name"] for raffle in caller().get(links(first)["next"]).json()]
    assert names == ["fair 1"]


def test_filter_by_name() -> None:
    named("Spring fair", "Autumn FAIR", "Concert", "100 % off")
    assert listed("?name=fair") == ["Autumn FAIR", "Spring fair"]
    assert listed("?name=%25") == ["100 % off"]
    assert listed("?name=nothing") == []


def test_filter_by_drawn_and_sold_out() -> None:
    created(name="open")
    half = created(name="half")["id"]
    participate(half, holder(1))
    sold_out(name="sold out")
    drawn(name="drawn")
    assert listed("?drawn=true") == ["drawn"]
    assert listed("?drawn=false") == ["sold out", "half", "open"]
    assert listed("?sold_out=true") == ["drawn", "sold out"]
    assert listed("?sold_out=false") == ["half", "open"]
    assert listed("?sold_out=true&drawn=false") == ["sold out"]


def test_filter_by_the_time_of_creation() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for name in "abc":
            created(name=name)
            clock.shift(3_600)
    assert listed("?created_after=2030-01-31T09:00:00Z") == ["c", "b"]
    assert listed("?created_before=2030-01-31T09:00:00Z") == ["a"]
    between = "?created_after=2030-01-31T10:00:00%2B01:00&created_before=2030-01-31T10:00:00Z"
    assert listed(between) == ["b"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("drawn=maybe", "drawn"),
        ("drawn=2", "drawn"),
        ("sold_out=yes", "sold_out"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2030-13-01T00:00:00Z", "created_before"),
        ("created_after=2030-01-31", "created_after"),
        ("created_after=2030-01-31T08:00:00", "created_after"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
        ("created_before=9999-12-31T23:59:59Z", "created_before"),
        ("name=" + "x" * 201, "name"),
        ("colour=red", "colour"),
        ("ordering=name", "ordering"),
        ("page=2", "page"),
        ("limit=0", "limit"),
        ("limit=", "limit"),
        ("cursor=", "cursor"),
        ("cursor=after-x", "cursor"),
        ("name=a&name=b", "name"),
        ("name=", "name"),
        ("drawn=", "drawn"),
    ],
)
def test_list_refuses_what_it_cannot_answer(query: str, field: str) -> None:
    assert list(faults(caller().get(f"/raffles/?{query}"))) == [field]


def test_reads_may_be_kept_until_they_change() -> None:
    raffle_id = created()["id"]
    for path in ("/raffles/", f"/raffles/{raffle_id}/", f"/raffles/{raffle_id}/winners/"):
        etag = caller().get(path)["ETag"]
        unchanged = caller(HTTP_IF_NONE_MATCH=etag).get(path)
        assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", etag)
    path = f"/raffles/{raffle_id}/"
    etag = caller().get(path)["ETag"]
    participate(raffle_id, holder(1))
    changed = caller(HTTP_IF_NONE_MATCH=etag).get(path)
    assert (changed.status_code, changed.json()["available_tickets"]) == (200, 2)


def test_reads_are_for_pages_of_any_origin() -> None:
    raffle_id = created()["id"]
    response = caller(HTTP_ORIGIN="https://example.org").get(f"/raffles/{raffle_id}/")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in participate(raffle_id, holder(1))


def test_head_is_get_without_its_body() -> None:
    path = f"/raffles/{created()['id']}/"
    whole, head = caller().get(path), caller().head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == whole["Content-Length"]


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_list_queries(rows: int) -> None:
    RaffleFactory.create_batch(rows, tickets=1, prizes=(("Car", 1), ("Bicycle", 2)))
    assert _answered_with("/raffles/", 2) == rows


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_detail_queries(rows: int) -> None:
    prizes = [{"name": f"Prize {number}", "amount": 1} for number in range(rows)]
    raffle_id = created(total_tickets=1_000, prizes=prizes)["id"]
    assert _answered_with(f"/raffles/{raffle_id}/", 2)["prizes"] == prizes


def _answered_with(path: str, expected: int) -> Any:
    with CaptureQueriesContext(connection) as queries:
        body = caller().get(path).json()
    assert len(queries) == expected, [query["sql"] for query in queries.captured_queries]
    return len(body) if isinstance(body, list) else body
