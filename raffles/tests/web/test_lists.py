"""Lists in pages."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import DjangoAssertNumQueries

pytestmark = [pytest.mark.urls("raffles.tests.web.urls"), pytest.mark.django_db]


def fill(count: int) -> list[str]:
    """Make `count` rows and return their names as the list should have them."""
    Group.objects.all().delete()  # the staff's
    names = [f"group {number:04}" for number in range(count)]
    Group.objects.bulk_create(Group(name=name) for name in names)
    return names[::-1]


def links_of(header: str) -> dict[str, str]:
    return {name: url for url, name in re.findall(r'<([^>]+)>; rel="([a-z]+)"', header)}


def read(client: Client, url: str) -> tuple[list[str], dict[str, str]]:
    response = client.get(url)
    assert response.status_code == 200
    return [row["name"] for row in response.json()], links_of(response.get("Link", ""))


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_one_page_is_the_whole_list_without_links(
    client: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = fill(count)
    with django_assert_num_queries(1):
        assert read(client, "/groups/") == (names, {})


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_walk_down_and_up_meets_every_row_once(client: Client, limit: int) -> None:
    names = fill(7)
    pages = []
    url: str | None = f"/groups/?limit={limit}"
    last = ""
    while url:
        page, links = read(client, url)
        pages.append(page)
        last, url = url, links.get("next")
    assert [name for page in pages for name in page] == names
    assert all(len(page) == limit for page in pages[:-1])
    upwards = []
    url = last
    while url:
        page, links = read(client, url)
        upwards.append(page)
        url = links.get("prev")
    assert upwards == pages[::-1]


def test_rows_that_come_later_move_nothing(client: Client) -> None:
    names = fill(4)
    _, links = read(client, "/groups/?limit=2")
    Group.objects.create(name="late")
    assert read(client, links["next"])[0] == names[2:]


def test_page_far_down_is_one_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = fill(30)
    first = Group.objects.get(name=names[20])
    with django_assert_num_queries(1) as queries:
        assert read(client, f"/groups/?limit=5&cursor=after-{first.pk}")[0] == names[21:26]
    assert "OFFSET" not in queries[0]["sql"]


def test_default_and_largest_page(client: Client) -> None:
    names = fill(1001)
    assert read(client, "/groups/")[0] == names[:100]
    page, links = read(client, "/groups/?limit=1000")
    assert page == names[:1000]
    assert set(links) == {"next"}


def test_links_keep_other_parameters(client: Client) -> None:
    fill(3)
    _, links = read(client, "/groups/?limit=1&x=%C3%A9")
    assert re.fullmatch(
        r"http://testserver/groups/\?cursor=after-\d+&limit=1&x=%C3%A9", links["next"]
    )


@pytest.mark.parametrize("limit", ["", "0", "-1", "1001", "ten", "1.0", "１", "+1", "9" * 5000])
def test_bad_limit_is_400(client: Client, limit: str) -> None:
    response = client.get("/groups/", {"limit": limit})
    assert (response.status_code, response.json()["errors"]) == (
        400,
        {"limit": ["Write a number from 1 to 1000."]},
    )


@pytest.mark.parametrize(
    "cursor",
    ["", "after-", "5", "after-x", "before--1", "beyond-1", "after-１", f"after-{2**63}"],
)
def test_bad_cursor_is_400(client: Client, cursor: str) -> None:
    response = client.get("/groups/", {"cursor": cursor})
    assert (response.status_code, response.json()["errors"]) == (
        400,
        {"cursor": ["Take the cursor from a Link header."]},
    )


def test_cursor_beyond_the_list_is_an_empty_page(client: Client) -> None:
    fill(2)
    assert read(client, "/groups/?cursor=after-0") == ([], {})
    assert read(client, f"/groups/?cursor=before-{10**18 - 1}") == ([], {})
