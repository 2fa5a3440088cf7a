"""The ways into a raffle on its page: later, by a mailed link, by invitation, by its organiser."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from raffles.domain.drawing import advance, void_raffle
from raffles.domain.excluding import Scope, exclude
from raffles.domain.identities import of_mail
from raffles.domain.inviting import make_invitations
from raffles.domain.reading_exclusions import Kind, Person
from raffles.models import Raffle, State, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory, take_to
from raffles.tests.pages.visiting import (
    PAGES,
    notice,
    press,
    take_part,
    text_of,
    ticket_on,
    visitor,
)
from raffles.web.fields import read_moment

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
ALICE = "alice@example.org"


def look(raffle: Raffle, after: timedelta = timedelta(0), page: str = "", **query: str) -> Any:
    with time_machine.travel(NOW + after, tick=False):
        return visitor().get(f"/r/{raffle.uuid}/{page}", query)


# --- From a time on


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_last_of_all_times_can_be_told_on_every_clock(
    settings: Settings, admin_client: Client, zone: str
) -> None:
    settings.RAFFLE_ZONE = zone
    last = read_moment("9000-12-31T23:59:59Z")
    raffles = [
        RaffleFactory.create(closes_at=last),
        RaffleFactory.create(opens_at=last),
        RaffleFactory.create(opens_at=NOW + HOUR, closes_at=last),
    ]
    exclude([Person(Kind.MAIL, of_mail(ALICE), "Staff", last)], Scope(), now=NOW, by=STAFF)

    for page in PAGES[:2]:
        assert [look(raffle, page=page).status_code for raffle in raffles] == [200] * 3
    calendars = [visitor().get(f"/r/{raffle.uuid}/draw.ics").status_code for raffle in raffles]
    assert calendars == [200, 404, 200]
    assert visitor().get("/").status_code == 200
    lists = (reverse(f"admin:raffles_{name}_changelist") for name in ("raffle", "exclusion"))
    changes = (reverse("admin:raffles_raffle_change", args=[raffle.pk]) for raffle in raffles)
    for address in (reverse("admin:index"), *lists, *changes):
        assert admin_client.get(address).status_code == 200


def test_page_says_when_entries_open_and_holds_the_button_back() -> None:
    raffle = RaffleFactory.create(opens_at=NOW + HOUR, closes_at=NOW + 2 * HOUR)

    early, then = look(raffle), look(raffle, HOUR)

    assert "Entries are not open yet." in text_of(early)
    assert "Entries open Tuesday, Feb. 10, 2026, 13:00 UTC" in text_of(early)
    form = f'<form id="take-part" hidden data-from="{(NOW + HOUR).isoformat()}"'
    assert form in early.content.decode()
    assert "Entries are not open yet." not in text_of(then)
    assert "Entries close" in text_of(then)
    assert '<form id="take-part" data-until=' in then.content.decode()


def test_press_before_the_opening_takes_nothing() -> None:
    raffle = RaffleFactory.create(opens_at=NOW + HOUR)

    with time_machine.travel(NOW, tick=False):
        response = take_part(raffle.uuid)

    assert (response.status_code, notice(response)) == (
        403,
        "Entries are not open yet. Come back when they open: this page counts down to it.",
    )
    assert not Ticket.objects.exists()


def test_home_and_frame_tell_when_entries_open(settings: Settings) -> None:
    settings.EMBED_ORIGINS = ["https://shop.example"]
    raffle = RaffleFactory.create(opens_at=NOW + HOUR, closes_at=NOW + 2 * HOUR)
    RaffleFactory.create(name="By list", entry="list", closes_at=NOW + 3 * HOUR)

    with time_machine.travel(NOW, tick=False):
        home, frame = visitor().get("/"), visitor().get(f"/embed/r/{raffle.uuid}/")
        by_list = text_of(home).partition("By list")[2]

    for page in (home, frame):
        assert "Entries open" in text_of(page)
        assert "3 of 3 tickets left" in text_of(page)
    assert "Entries are not open yet." in text_of(frame)
    assert "Take part" not in text_of(frame)
    assert "Entries are made by the organiser." in by_list
    assert "about to begin" not in by_list


# --- By e-mail


def by_mail(**terms: Any) -> Raffle:
    return RaffleFactory.create(entry="email", **terms)


def link_in_mail() -> str:
    found = re.search(r"http://testserver(/r/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def test_mailed_link_leads_to_a_button_that_takes_the_ticket() -> None:
    raffle = by_mail()
    assert "One ticket for each e-mail address." in text_of(look(raffle))

    asked = take_part(raffle.uuid, email=" Alice@Example.org ")
    assert asked.status_code == 202
    assert f"We have written to {ALICE}." in text_of(asked)
    assert 'id="take-part"' not in asked.content.decode()

    asked = take_part(raffle.uuid, email="alice@xn--exmple-cua.org")  # as browsers send it
    assert "We have written to alice@exämple.org." in text_of(asked)
    assert mail.outbox[-1].to == ["alice@xn--exmple-cua.org"]
    assert "alice@exämple.org is confirmed" in text_of(visitor().get(link_in_mail()))
    del mail.outbox[-1]

    for _ in range(2):  # scanners of mail open links, too
        opened = visitor().get(link_in_mail())
        assert (opened.status_code, Ticket.objects.count()) == (200, 0)
    assert f"{ALICE} is confirmed with your ticket." in text_of(opened)
    assert (opened["Cache-Control"], opened["Referrer-Policy"]) == ("no-store", "strict-origin")
    token = link_in_mail().partition("confirmation=")[2]

    taken = press(f"/r/{raffle.uuid}/", confirmation=token)
    again = press(f"/r/{raffle.uuid}/", confirmation=token, address="203.0.113.9")

    assert (taken.status_code, again.status_code, ticket_on(taken)) == (201, 201, ticket_on(again))
    assert Ticket.objects.count() == 1


def test_who_has_all_tickets_of_several_is_told_so_in_the_plural() -> None:
    raffle = RaffleFactory.create(entry="email", tickets_per_holder=2, total_tickets=5)
    with time_machine.travel(NOW, tick=False):
        links = []
        for _ in range(3):
            take_part(raffle.uuid, email=ALICE)
            (link,) = re.findall(r"confirmation=([\w-]+)", str(mail.outbox[-1].body))
            links.append(link)
            mail.outbox.clear()
        answers = [take_part(raffle.uuid, confirmation=link) for link in links]
    assert [answer.status_code for answer in answers] == [201, 201, 403]
    assert notice(answers[-1]).startswith(
        "This e-mail address has all its tickets. They are in the browser that took them"
    )


def hidden_in(page: Any) -> dict[str, str]:
    """Return what the form to confirm sends along, in the words of the page."""
    (form,) = re.findall('<form class="confirm".*?</form>', page.content.decode(), re.DOTALL)
    return dict(re.findall('type="hidden" name="([^"]+)" value="([^"]+)"', form))


@pytest.mark.parametrize("is_called_off", [True, False])
def test_link_into_a_raffle_that_is_over_shows_what_it_took_and_promises_nothing(
    is_called_off: bool,
) -> None:
    raffle = RaffleFactory.create(entry="email", total_tickets=2)
    with time_machine.travel(NOW, tick=False):
        links = []
        for address in (ALICE, "bob@example.org", "carol@example.org"):
            take_part(raffle.uuid, email=address)
            links.append(re.findall(r"confirmation=([\w-]+)", str(mail.outbox[-1].body))[0])
        held = [ticket_on(press(f"/r/{raffle.uuid}/", confirmation=link)) for link in links[:2]]
        if is_called_off:
            void_raffle(raffle.uuid, reason="Over", now=NOW, by=STAFF)
        else:
            advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF)
        for link, ticket in zip(links, [*held, None], strict=True):
            opened = visitor().get(f"/r/{raffle.uuid}/", {"confirmation": link})
            assert "is confirmed with your ticket" not in text_of(opened)
            assert "has taken a ticket by this link, it is shown again." in text_of(opened)
            pressed = press(f"/r/{raffle.uuid}/", **hidden_in(opened))
            if ticket:
                assert (pressed.status_code, ticket_on(pressed)) == (201, ticket)
            else:
                assert (pressed.status_code, notice(pressed).strip()) == (410, "Tickets are gone.")


def test_link_that_is_too_old_offers_another() -> None:
    raffle = by_mail()
    with time_machine.travel(NOW, tick=False):
        take_part(raffle.uuid, email=ALICE)
    token = link_in_mail().partition("confirmation=")[2]

    with time_machine.travel(NOW + HOUR + timedelta(seconds=1), tick=False):
        opened = visitor().get(f"/r/{raffle.uuid}/", {"confirmation": token})
        pressed = press(f"/r/{raffle.uuid}/", confirmation=token)

    for response in (opened, pressed):
        assert (response.status_code, notice(response)) == (
            400,
            "This link is no longer valid. It holds for an hour. Ask for a new one.",
        )
        assert "Send me the link" in text_of(response)
    assert "This field is required." not in text_of(pressed)


def test_link_that_was_pressed_too_often_or_behind_a_proxy_can_be_pressed_again(
    settings: Settings,
) -> None:
    raffle = by_mail()
    page = f"/r/{raffle.uuid}/"
    with time_machine.travel(NOW, tick=False):
        take_part(raffle.uuid, email=ALICE)
        token = link_in_mail().partition("confirmation=")[2]
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        hidden = press(page, address="10.0.0.1", confirmation=token)
        settings.THROTTLE_ENTRY = "1/min"
        press(page, confirmation="made up")
        often, wrong = (press(page, confirmation=each) for each in (token, "made up"))

    for answer, status in (hidden, 403), (often, 429):
        assert (answer.status_code, hidden_in(answer).get("confirmation")) == (status, token)
        assert ALICE in text_of(answer)
    assert (wrong.status_code, 'class="confirm"' in wrong.content.decode()) == (429, False)


def test_link_of_who_is_excluded_blames_no_field_that_was_not_sent() -> None:
    raffle = by_mail()
    with time_machine.travel(NOW, tick=False):
        take_part(raffle.uuid, email=ALICE)
        token = link_in_mail().partition("confirmation=")[2]
        person = Person(Kind.MAIL, of_mail(ALICE), "Asked for it")
        exclude([person], Scope(), now=NOW, by=STAFF)
        response = press(f"/r/{raffle.uuid}/", confirmation=token)
    assert (response.status_code, notice(response)) == (403, "Taking part is not possible for you")
    assert "This field is required." not in text_of(response)


@pytest.mark.parametrize("tickets", [0, 3])
def test_press_after_the_raffle_was_called_off_promises_no_draw(tickets: int) -> None:
    raffle = RaffleFactory.create(state=State.VOID, tickets=tickets)
    response = take_part(raffle.uuid)
    said = "Tickets are gone." if tickets else "Entries are closed."
    assert (response.status_code, notice(response).strip()) == (410, said)
    assert "This raffle was called off." in text_of(response)


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "This field is required."),
        ("alice", "Enter a valid email address."),
        ("a@b.org\nBcc: c@d.org", "Control, bidirectional and zero-width characters"),
    ],
)
def test_wrong_address_is_answered_beside_its_field(typed: str, fault: str) -> None:
    response = take_part(by_mail().uuid, email=typed)

    assert response.status_code == 400
    assert fault in text_of(response)
    assert f'value="{typed}"' in response.content.decode() or not typed
    assert not mail.outbox


def test_mail_server_that_is_away_is_told(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # where nobody listens

    response = take_part(by_mail().uuid, email=ALICE)

    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert notice(response).startswith("We could not send the mail.")
    assert f'value="{ALICE}"' in response.content.decode()


def test_link_is_in_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    raffle = by_mail()
    take_part(raffle.uuid, email=ALICE)
    token = link_in_mail().partition("confirmation=")[2]
    with caplog.at_level("INFO", "raffles.access"):
        visitor().get(link_in_mail())
        press(f"/r/{raffle.uuid}/", confirmation=token)
    said = repr([record.__dict__ for record in caplog.records])
    assert "/r/" in said
    assert token[:20] not in said
    assert ALICE not in said


# --- By invitation


def invited(count: int = 1, **terms: Any) -> tuple[Raffle, list[str]]:
    raffle = RaffleFactory.create(entry="invitation", **terms)
    asked: dict[str, Any] = {"amount": count, "tickets": raffle.tickets_per_holder}
    made = make_invitations(raffle.uuid, batch="b", **asked, now=NOW, by=STAFF)
    return raffle, made


def test_code_of_an_invitation_takes_its_ticket_once() -> None:
    raffle, (code,) = invited()
    assert "The code of your invitation" in text_of(look(raffle))

    taken = take_part(raffle.uuid, invitation=code.lower(), request_key="one")
    again = take_part(raffle.uuid, invitation=code, request_key="one")
    other = take_part(raffle.uuid, invitation=code, request_key="two")

    assert (taken.status_code, ticket_on(taken)) == (201, ticket_on(again))
    assert other.status_code == 403
    assert notice(other).startswith("This invitation has been used. Each counts once.")
    assert Ticket.objects.count() == 1


def test_invitation_for_several_shows_a_card_for_each() -> None:
    raffle, (code,) = invited(tickets_per_holder=2)

    response = take_part(raffle.uuid, invitation=code)

    body = response.content.decode()
    assert (response.status_code, body.count("data-ticket=")) == (201, 2)
    assert len(set(re.findall(r"data-number>(\d+)<", body))) == 2
    identifiers = re.findall(r' id="([^"]+)"', body)
    assert len(identifiers) == len(set(identifiers))


def test_invitation_for_more_than_are_left_stays_good_and_in_its_field() -> None:
    raffle, (first, second) = invited(2, tickets_per_holder=3, total_tickets=4)
    take_part(raffle.uuid, invitation=first)

    response = take_part(raffle.uuid, invitation=second)

    assert response.status_code == 410
    assert notice(response) == (
        "Fewer tickets are left than your invitation is for. None was given out, and it stays "
        "unused. Ask whoever sent it to you."
    )
    assert f'value="{second}"' in response.content.decode()


def test_wrong_code_is_answered_beside_its_field() -> None:
    raffle, _ = invited()

    response = take_part(raffle.uuid, invitation="8TQX")

    assert response.status_code == 400
    assert "There is no such invitation. Compare the code" in text_of(response)
    assert 'value="8TQX"' in response.content.decode()


# --- By the organiser, and in another language


def test_list_raffle_has_no_button() -> None:
    raffle = RaffleFactory.create(entry="list")

    response = take_part(raffle.uuid)

    assert "Entries are made by the organiser." in text_of(look(raffle))
    assert (response.status_code, notice(response)) == (403, "Entries are made by the organiser")


def test_ways_speak_german() -> None:
    raffle = by_mail(opens_at=NOW + HOUR)
    with time_machine.travel(NOW, tick=False):
        early = visitor(**{"Accept-Language": "de"}).get(f"/r/{raffle.uuid}/")
    assert "Die Teilnahme ist noch nicht eröffnet." in text_of(early)
    assert "Ihre E-Mail-Adresse" in text_of(early)

    with time_machine.travel(NOW + HOUR, tick=False):
        visitor(**{"Accept-Language": "de"}).post(f"/de/r/{raffle.uuid}/", {"email": ALICE})
    assert mail.outbox[0].subject == "Teilnahme bestätigen: Spring raffle"


def test_every_way_has_its_name_on_the_certificate() -> None:
    raffle, (code,) = invited(total_tickets=1)
    take_part(raffle.uuid, invitation=code)
    take_to(State.DRAWN, raffle)
    page = visitor().get(reverse("pages:certificate", args=[raffle.uuid]))
    assert "One ticket was frozen, entered by invitation:" in text_of(page)
