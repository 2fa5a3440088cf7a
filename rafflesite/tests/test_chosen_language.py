"""A language that a visitor has chosen goes along from page to page, without a cookie."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from events.domain.calendar import forget_events
from events.tests.acting import at, scheduled
from raffles.models import State
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.pages.visiting import PAGES, press, text_of, visitor

pytestmark = pytest.mark.django_db
GERMAN = {"Accept-Language": "de"}
LINK = re.compile(r'(?:href|src|action|data-[a-z]+)="(/[^"]*)"')
PAGE = (
    r"/((r|e|embed)/.*|(log/|winners/|my-tickets/|offline/)?([?].*)?"
    r"|(events/[\w-]+/)?winners\.atom|events\.ics)"
)
SWITCH = re.compile(r'<a href="([^"]+)" lang="(\w+)" hreflang="\w+" rel="alternate">([^<]+)</a>')


@pytest.mark.parametrize("path", PAGES)
def test_chosen_language_wins_over_the_browsers(path: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    english = visitor(**GERMAN).get(f"/en/r/{raffle.uuid}/{path}")
    german = visitor().get(f"/de/r/{raffle.uuid}/{path}")

    assert [page.status_code for page in (english, german)] == [200, 200]
    assert [page["Content-Language"] for page in (english, german)] == ["en", "de"]
    assert '<html lang="de">' in german.content.decode()
    assert "Accept-Language" not in german.get("Vary", "")
    assert not german.cookies


def test_all_links_to_pages_keep_it_and_no_other_changes() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    forget_events()
    slug = scheduled()["slug"]
    pages = ["/", "/log/", f"/e/{slug}/", *(f"/r/{raffle.uuid}/{page}" for page in PAGES)]

    for page in pages:
        with at(NOW):
            chosen, asked = visitor().get(f"/de{page}"), visitor(**GERMAN).get(page)

        for there, unchosen in zip(_links(chosen), _links(asked), strict=True):
            is_page = re.fullmatch(PAGE, unchosen)
            assert there == (f"/de{unchosen}" if is_page else unchosen)
    forget_events()


def _links(page: Any) -> list[str]:
    return LINK.findall(page.content.decode())


def test_switch_leads_to_the_same_page_with_its_query() -> None:
    chosen = visitor().get("/de/log/?name=%22%3E&before=3")
    asked = visitor().get("/log/?name=%22%3E&before=3")

    assert SWITCH.findall(chosen.content.decode()) == [
        ("/en/log/?name=%22%3E&amp;before=3", "en", "English")
    ]
    assert SWITCH.findall(asked.content.decode()) == [
        ("/de/log/?name=%22%3E&amp;before=3", "de", "Deutsch")
    ]


def test_answer_to_a_form_has_no_switch_that_would_lose_it() -> None:
    raffle = RaffleFactory.create()

    taken = press(f"/de/r/{raffle.uuid}/")

    assert (taken.status_code, taken["Content-Language"]) == (201, "de")
    assert "Das ist Ihr Los" in text_of(taken)
    assert SWITCH.findall(taken.content.decode()) == []


def test_search_engines_are_told_of_both(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://draws.example.org"

    body = visitor().get("/de/log/?name=x").content.decode()

    assert '<link rel="canonical" href="https://draws.example.org/de/log/">' in body
    assert re.findall(r'rel="alternate" hreflang="(\w+)" href="([^"]+)"', body) == [
        ("en", "https://draws.example.org/en/log/"),
        ("de", "https://draws.example.org/de/log/"),
    ]


@pytest.mark.parametrize(
    "path", ["/fr/", "/de/raffles/", "/de/admin/", "/de/api/docs/", "/de/de/", "/de//example.org/"]
)
def test_under_a_language_are_pages_alone(path: str) -> None:
    answer = visitor(Accept="text/html").get(path)

    assert answer.status_code == 404
    assert not [there for there, *_ in SWITCH.findall(answer.text) if there.startswith("//")]


def test_stage_of_the_staff_is_not_under_a_language() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    answer = visitor().get(f"/de/admin/raffles/raffle/{raffle.uuid}/stage/")

    assert answer.status_code == 404


def test_nothing_there_is_said_in_the_chosen_language() -> None:
    answer = visitor(Accept="text/html").get("/de/nothing/")

    assert answer["Content-Language"] == "de"
    assert "Unter dieser Adresse gibt es nichts." in text_of(answer)
    assert 'href="/de/"' in answer.content.decode()


def test_missing_slash_is_put_there() -> None:
    raffle = RaffleFactory.create()

    assert visitor().get(f"/de/r/{raffle.uuid}")["Location"] == f"/de/r/{raffle.uuid}/"


class TestStaff:
    """Staff, who have a cookie anyway, choose once."""

    def test_choice_stays(self) -> None:
        client = Client()

        chosen = client.post("/admin/language/", {"language": "de", "next": "/admin/login/"})

        assert (chosen.status_code, chosen["Location"]) == (302, "/admin/login/")
        assert client.cookies["django_language"]["path"] == "/admin/"
        assert "Anmelden" in client.get("/admin/login/").text

    def test_stage_that_they_operate_speaks_it_too(self) -> None:
        raffle = RaffleFactory.create(state=State.DRAWN)
        client = Client(headers={"Accept-Language": "en"})
        client.force_login(User.objects.create_superuser("ada"))
        client.post("/admin/language/", {"language": "de", "next": "/admin/"})

        stage = client.get(f"/admin/raffles/raffle/{raffle.uuid}/stage/")

        assert (stage.status_code, stage["Content-Language"]) == (200, "de")

    @pytest.mark.parametrize("there", ["https://example.org/", "//example.org/", "javascript:x"])
    def test_choice_leads_to_no_other_site(self, there: str) -> None:
        chosen = Client().post("/admin/language/", {"language": "de", "next": there})

        assert chosen["Location"] == "/"

    def test_unknown_language_changes_nothing(self) -> None:
        client = Client()

        client.post("/admin/language/", {"language": "fr", "next": "/admin/login/"})

        assert "Log in" in client.get("/admin/login/", headers={"Accept-Language": "fr"}).text
