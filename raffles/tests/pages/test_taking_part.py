"""Taking part on a raffle's page: one button, one ticket, and words for every no."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import unquote
from uuid import uuid4
from zipfile import ZipFile

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test import Client
from django.utils.translation import override
from icalendar import Calendar
from pytest_django import Settings

from raffles.domain.entering_lists import enter_list
from raffles.domain.evidence import export_evidence
from raffles.domain.inviting import make_invitations
from raffles.domain.prizes import check_ticket
from raffles.domain.reading_lists import Line
from raffles.fairness.tickets import read_code
from raffles.models import State, Ticket
from raffles.pages.notices import WORDS
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to
from raffles.tests.pages.visiting import (
    VISITOR,
    notice,
    press,
    take_part,
    text_of,
    ticket_on,
    visitor,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)

ENTERED = (
    "This address has its ticket. Somebody at your internet address has taken part, and each "
    "address gets one ticket."
)
GONE = "Tickets are gone. Every ticket has been given out. You can still watch the draw here."
CLOSED = "Entries are closed. No more tickets are given out. You can still watch the draw here."


MISSING = "A key is missing here. Try again once whoever runs this has put it back."


@pytest.mark.parametrize("way", ["address", "email", "invitation"])
def test_press_without_the_key_of_the_raffle_says_so(settings: Settings, way: str) -> None:
    raffle = RaffleFactory.create(entry=way)
    fields = {"email": "alice@example.org"}
    if way == "invitation":
        how: dict[str, Any] = {"batch": "b", "amount": 1, "now": NOW, "by": STAFF}
        (fields["invitation"],) = make_invitations(raffle.uuid, **how)
    field = {name: typed for name, typed in fields.items() if name == way}
    settings.TICKET_KEYS = [b"another" * 5]

    page = take_part(raffle.uuid, **field)
    path = f"/raffles/{raffle.uuid}/participate/"
    answer = visitor().post(path, field, content_type="application/json")

    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert MISSING in text_of(page)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["detail"] == MISSING


def test_button_gives_a_ticket_to_keep() -> None:
    raffle = RaffleFactory.create()

    response = take_part(raffle.uuid)

    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    number, code = ticket_on(response)
    assert read_code(code) == code.replace("-", "")
    assert Ticket.objects.filter(raffle=raffle).count() == 1
    assert "2 of 3 tickets left" in text_of(response)
    assert "Take part" not in text_of(response)
    kept = json.loads(saved_on(response, "application/json"))
    assert {key: kept[key] for key in ("raffle_id", "ticket_number", "verification_code")} == {
        "raffle_id": str(raffle.uuid),
        "ticket_number": number,
        "verification_code": code,
    }
    assert kept["receipt"].keys() == {"leaf", "terms_hash", "issued_at", "public_key", "signature"}


def saved_on(response: Any, kind: str) -> str:
    """Return the text of the file of that type which a page offers, as its `data:` URL holds it."""
    address = response.content.decode().partition(f'href="data:{kind},')[2]
    return unquote(address.partition('"')[0])


def test_saved_page_holds_the_ticket_and_asks_nobody() -> None:
    name = "</script><b>Spring & Sons"
    raffle = RaffleFactory.create(name=name, prizes=(("Phone", 1),), closes_at=NOW + HOUR)

    with time_machine.travel(NOW, tick=False):
        response = take_part(raffle.uuid)

    page = saved_on(response, "text/html;charset=utf-8")
    number, code = ticket_on(response)
    kept = re.findall(r'<script type="application/json" id="ticket">([^<]+)</script>', page)
    assert [json.loads(text) for text in kept] == [
        json.loads(saved_on(response, "application/json"))
    ]
    text = " ".join(unescape(re.sub("(?s)<(style|script).*?</\\1>|<[^>]*>", " ", page)).split())
    assert f"{name} Ticket {number} Code {code} Draw Tuesday, Feb. 10, 2026, 13:00 UTC" in text
    assert "What can be won Phone" in text
    place = f"http://testserver/r/{raffle.uuid}/ticket/"
    assert re.findall(r'(?:href|src|action)="([^"]*)"', page) == [f"{place}#{number}.{code}"]
    assert "@@" not in page
    assert "<svg" in page


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_refusal_has_words_in_both_languages(language: str) -> None:
    """What happened, then what to do; German says something else than English."""
    with override(language):
        for refusal, (title, text) in WORDS.items():
            words = f"{title} {text}"
            assert words.count(".") >= 2, refusal
            with override("en"):
                assert (f"{title} {text}" == words) == (language == "en"), refusal


def test_code_of_the_card_opens_the_ticket() -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    number, code = ticket_on(take_part(raffle.uuid))

    take_to(State.DRAWN, raffle)

    prize = check_ticket(raffle.uuid, ticket_number=number, code=code)
    assert str(prize) == "1 × Phone"


def test_code_is_in_no_address() -> None:
    raffle = RaffleFactory.create()

    response = take_part(raffle.uuid)

    assert "Location" not in response
    assert response.status_code == 201


def test_reload_gives_the_same_ticket_and_another_try_does_not() -> None:
    raffle = RaffleFactory.create()
    first = take_part(raffle.uuid, request_key="one")

    again = take_part(raffle.uuid, request_key="one")
    other = take_part(raffle.uuid, request_key="two")

    assert (again.status_code, ticket_on(again)) == (201, ticket_on(first))
    assert (other.status_code, notice(other)) == (403, ENTERED)


def test_page_offers_a_request_key_of_its_own() -> None:
    raffle = RaffleFactory.create()
    keys = {
        visitor().get(f"/r/{raffle.uuid}/").context["request_key"],
        visitor().get(f"/r/{raffle.uuid}/").context["request_key"],
    }

    assert len(keys) == 2


def test_sold_out_says_so() -> None:
    raffle = RaffleFactory.create(tickets=3)

    response = take_part(raffle.uuid)

    assert (response.status_code, notice(response)) == (410, GONE)


def test_closed_raffle_says_so() -> None:
    raffle = RaffleFactory.create(closes_at=NOW + HOUR, tickets=1)

    with time_machine.travel(NOW + HOUR, tick=False):
        response = take_part(raffle.uuid)

    assert (response.status_code, notice(response)) == (410, CLOSED)
    assert "The draw is about to begin." in text_of(response)


def test_raffle_of_an_event_is_entered_there() -> None:
    raffle = RaffleFactory.create(event_slug="daily")

    response = take_part(raffle.uuid)

    assert response.status_code == 403
    assert notice(response) == (
        "Tickets come with the event. This draw belongs to an event. Take part there."
    )
    assert not Ticket.objects.exists()


def test_too_many_tries_say_when_to_come_back(settings: Settings) -> None:
    settings.THROTTLE_ENTRY = "1/min"
    raffle = RaffleFactory.create()

    with time_machine.travel(NOW + timedelta(seconds=20), tick=False):
        take_part(raffle.uuid, address="203.0.113.77")
        response = take_part(raffle.uuid, address="203.0.113.77")

    assert (response.status_code, response["Retry-After"]) == (429, "40")
    assert notice(response) == "That was too many tries. Wait 40 seconds, then try again."


def test_proxy_without_a_visitor_takes_no_part(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    raffle = RaffleFactory.create()

    response = take_part(raffle.uuid, address="10.0.0.1")

    assert response.status_code == 403
    assert notice(response) == (
        "We cannot tell who is calling. A proxy between us hides your address. Tell whoever runs "
        "this site."
    )
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_takes_part_for_nobody(headers: dict[str, str]) -> None:
    raffle = RaffleFactory.create()

    response = visitor(Accept="text/html", **headers).post(f"/r/{raffle.uuid}/")

    assert response.status_code == 403
    assert (
        "That did not come from this page. Another site sent the form. Press the button here "
        "instead."
    ) in text_of(response)
    assert not Ticket.objects.exists()


def test_origin_is_enough_where_the_browser_names_no_site() -> None:
    raffle = RaffleFactory.create()

    response = visitor(Origin="http://testserver").post(f"/r/{raffle.uuid}/")

    assert response.status_code == 201


def test_taking_part_needs_no_cookie_and_sets_none() -> None:
    raffle = RaffleFactory.create()
    client = Client(enforce_csrf_checks=True, REMOTE_ADDR=VISITOR)

    response = client.post(f"/r/{raffle.uuid}/", headers={"Sec-Fetch-Site": "same-origin"})

    assert (response.status_code, len(response.cookies)) == (201, 0)


def test_unknown_raffle_is_a_page_of_its_own() -> None:
    response = press(f"/r/{uuid4()}/")

    assert response.status_code == 404
    assert "There is nothing at this address." in text_of(response)


def test_database_away_says_so() -> None:
    raffle = RaffleFactory.create()

    def fail(*_: object) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(fail):
        response = take_part(raffle.uuid)

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Our records are out of reach." in text_of(response)


def test_calendar_holds_the_draw() -> None:
    raffle = RaffleFactory.create(closes_at=NOW + HOUR)

    response = visitor().get(f"/r/{raffle.uuid}/draw.ics")

    (draw,) = Calendar.from_ical(response.content).walk("VEVENT")
    assert str(draw["SUMMARY"]) == "Draw: Spring raffle"
    assert draw.decoded("DTSTART") == NOW + HOUR
    assert draw["URL"] == f"http://testserver/r/{raffle.uuid}/ticket/"


def test_calendar_without_a_time_is_404() -> None:
    raffle = RaffleFactory.create()

    assert visitor().get(f"/r/{raffle.uuid}/draw.ics").status_code == 404


# --- Several tickets


def test_who_may_have_another_ticket_is_offered_it_without_scripts() -> None:
    raffle = RaffleFactory.create(total_tickets=9, tickets_per_holder=2, max_wins_per_holder=1)
    client = visitor()
    page = client.get(f"/r/{raffle.uuid}/")
    limits = "Up to 2 tickets for each holder; every ticket has the same odds."
    assert f"{limits} Nobody is drawn more than once." in text_of(page)
    first = take_part(raffle.uuid)
    assert "You hold 1 of 2 tickets." in text_of(first)
    assert "Take another ticket" in text_of(first)
    assert f"/r/{raffle.uuid}/state/?held=1" in first.content.decode()
    assert "Take another" in text_of(client.get(f"/r/{raffle.uuid}/state/?held=1"))
    for held in "2", "", "x", "-1", "9" * 40:
        state = client.get(f"/r/{raffle.uuid}/state/?held={held}")
        assert (state.status_code, "Take" in text_of(state)) == (200, False)
    second = take_part(raffle.uuid)
    assert "Take another ticket" not in text_of(second)
    assert ticket_on(first) != ticket_on(second)
    third = take_part(raffle.uuid)
    assert third.status_code == 403
    assert "This address has all its tickets." in text_of(third)


def test_channels_are_counted_where_the_draw_is_shown() -> None:
    raffle = RaffleFactory.create(total_tickets=7)
    ways = ["paid"] * 3 + ["postal"] * 2 + [""]
    lines = [Line(n, f"user {n}", channel=way) for n, way in enumerate(ways)]
    enter_list(raffle.uuid, lines, now=NOW, by=STAFF)
    enter_nth(raffle, 1)
    assert "How the tickets came" not in text_of(visitor().get(f"/r/{raffle.uuid}/"))
    take_to(State.DRAWN, raffle)
    counted = "1 online, 3 paid, 2 by post, 1 from a list. All of them have the same odds."
    for page in "", "result/", "certificate/":
        assert counted in text_of(visitor().get(f"/r/{raffle.uuid}/{page}"))
    evidence = BytesIO(b"".join(export_evidence(raffle.uuid, now=NOW, by=STAFF)))
    with ZipFile(evidence) as archive:
        said = json.loads(archive.read("raffle.json"))["channels"]
    assert said == {"online": 1, "paid": 3, "postal": 2, "list": 1}


def test_where_all_came_by_one_way_nothing_is_said() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    page = text_of(visitor().get(f"/r/{raffle.uuid}/certificate/"))
    assert not {"How they came", "One holder"} & set(page.split("  "))
    assert "same odds" not in page
