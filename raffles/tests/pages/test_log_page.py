"""The operator's log as people read it: in order, with names beside it, to be searched."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from raffles.domain.drawing import void_raffle
from raffles.domain.log import size
from raffles.domain.prizes import replace_winner
from raffles.models import Announcement, State, Winner, Witness
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.pages.visiting import text_of, visitor
from raffles.web.witness_lists import Cosigner

pytestmark = pytest.mark.django_db


def numbers(path: str) -> list[int]:
    """The statements on a page, in its order."""
    page = visitor().get(path)
    assert page.status_code == 200, text_of(page)
    return [int(n) for n in re.findall(r'<li id="n-(\d+)">', page.content.decode())]


def link(path: str, rel: str) -> str | None:
    page = visitor().get(path).content.decode()
    found = re.search(rf'<a href="(\?[^"]*)" rel="{rel}">', page)
    return "/log/" + found[1].replace("&amp;", "&") if found else None


def test_every_statement_is_told_latest_first_with_its_raffle() -> None:
    raffle = RaffleFactory.create(name="Choir <trip>", state=State.DRAWN)
    first = Winner.objects.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=first, reason="Did not come", now=NOW, by=STAFF)
    RaffleFactory.create(name="Egg hunt", state=State.VOID)

    text = text_of(visitor().get("/log/"))

    told = ["Called off Egg hunt", "A winner replaced Choir <trip>", "Winners drawn Choir <trip>"]
    told += ["Tickets sealed Choir <trip>", "A key begins to sign"]
    places = [text.index(words) for words in told]
    assert places == sorted(places)
    assert numbers("/log/") == list(reversed(range(size())))
    assert "Rank 1 passed on to rank 2. The reason given: Did not come" in text
    assert "The random number is vouched for by the operator only." in text


def test_witness_that_holds_another_list_is_named(settings: Settings) -> None:
    settings.COSIGNERS = [Cosigner("club.example/witness", "ab" * 32, "https://club.example")]
    row = Witness.objects.create(url="https://club.example")
    assert "holds another list" not in text_of(visitor().get("/log/"))
    row.disagrees_since = NOW
    row.save()
    told = "A witness holds another list. club.example/witness : By its answer it signed lines"
    assert told in text_of(visitor().get("/log/"))


def test_log_without_a_statement_says_so() -> None:
    Announcement.objects.all().delete()

    assert "Nothing was found." in text_of(visitor().get("/log/"))


def test_pages_join_without_a_gap_in_both_directions() -> None:
    for _ in range(60):
        RaffleFactory.create(state=State.VOID)
    all_of_them = list(reversed(range(size())))

    older = link("/log/", "next")
    assert older is not None
    newer = link(older, "prev")

    assert numbers("/log/") + numbers(older) == all_of_them
    assert newer is not None
    assert numbers(newer) == numbers("/log/")
    assert link("/log/", "prev") is None
    assert link(older, "next") is None
    assert numbers("/log/?after=1000000") == []


def test_names_are_found_in_any_case() -> None:
    RaffleFactory.create(name="Dorffest in Öhringen", state=State.VOID)
    other = RaffleFactory.create(name="Choir 100%", state=State.VOID)
    n = Announcement.objects.get(raffle=other).sequence - 1

    assert numbers("/log/?name=CHOIR") == [n]
    assert numbers("/log/?name=100%25") == [n]
    assert numbers("/log/?name=nobody") == []
    assert "Those that were found" in text_of(visitor().get("/log/?name=choir"))


def call_off_on(days: int) -> int:
    """Calls a raffle off so many days after `NOW`; returns the statement's number."""
    raffle = RaffleFactory.create()
    void_raffle(raffle.uuid, reason="Rain", now=NOW + timedelta(days=days), by=STAFF)
    return Announcement.objects.get(raffle=raffle).sequence - 1


def test_day_finds_what_was_stated_until_its_end() -> None:
    last = {days: call_off_on(days) for days in (0, 0, 1, 3, 3, 4)}

    for days, found in {0: 0, 1: 1, 2: 1, 3: 3, 4: 4, 9: 4}.items():
        day = (NOW + timedelta(days=days)).date()
        assert numbers(f"/log/?until={day}")[0] == last[found], day
    before = (NOW - timedelta(days=1)).date()
    assert numbers(f"/log/?until={before}") == []


def test_day_is_found_with_few_queries_among_many(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    kept = [call_off_on(days) for days in range(200)]
    day = (NOW + timedelta(days=77)).date()

    with django_assert_max_num_queries(14):
        found = visitor().get(f"/log/?until={day}&name=spring")

    assert f'<li id="n-{kept[77]}">' in found.content.decode()
    assert f'<li id="n-{kept[78]}">' not in found.content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_page_costs_the_same_for_any_number_of_draws(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        RaffleFactory.create(state=State.DRAWN)

    with django_assert_num_queries(7):
        visitor().get("/log/")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("until=yesterday", "We cannot read that date."),
        ("until=9999-12-31", "We cannot read that date."),
        ("until=0001-01-01", "We cannot read that date."),
        ("name=" + 201 * "a", "at most 200 characters"),
        ("name=%00", "The address holds a NUL character."),
        ("name=%E2%80%AE", "visible characters"),
        ("before=-1", "There is no such place in the log."),
        ("before=1e9", "There is no such place in the log."),
        ("after=99999999999999999999999", "There is no such place in the log."),
        ("after=%D9%A1x", "There is no such place in the log."),
    ],
)
def test_what_cannot_be_looked_for_is_said(query: str, said: str) -> None:
    answer = visitor().get(f"/log/?{query}")

    assert answer.status_code == 400
    assert said in text_of(answer)


def test_log_speaks_german() -> None:
    RaffleFactory.create(state=State.DRAWN)

    text = text_of(visitor(**{"Accept-Language": "de"}).get("/log/"))

    assert "Das Protokoll des Betreibers" in text
    assert "Gewinner gezogen Spring raffle" in text


def test_frame_and_result_lead_to_the_log() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    n = Announcement.objects.get(kind=Announcement.Kind.SEALED).sequence - 1

    result = visitor().get(f"/r/{raffle.uuid}/result/").content.decode()

    assert f'href="/log/?before={n + 1}#n-{n}"' in result
    assert 'href="/log/"' in visitor().get("/").content.decode()
    assert numbers(f"/log/?before={n + 1}")[0] == n
