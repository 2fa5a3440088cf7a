"""Mail through a real mail server: to staff, and to winners who gave an address."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from raffles.domain.contacts import keep_contact
from raffles.domain.erasing import erase_holder
from raffles.domain.prizes import replace_winner
from raffles.models import Attempt, Contact, Delivery, Endpoint, Raffle, State
from raffles.notifications.attempts import Tally
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, enter_nth, take_to
from raffles.tests.notifications.acting import (
    Kind,
    after,
    announced,
    delivered_at,
    endpoint,
    raffle_with_contacts,
    states,
)
from raffles.tests.notifications.mailserver import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


def staff(**fields: Any) -> Endpoint:
    return endpoint("staff@example.org", channel=Endpoint.Channel.MAIL, **fields)


def test_staff_are_told_of_a_draw(server: MailServer) -> None:
    staff(kinds=[Kind.DRAWN])
    raffle = RaffleFactory.create(state=State.DRAWN, name="Spring <b>raffle</b>")
    number = raffle.winners.get(rank=1).ticket_number()

    assert delivered_at() == Tally(delivered=1)

    (mail,) = server.mails
    delivery = Delivery.objects.get()
    assert mail.to == ["staff@example.org"]
    assert mail.message["From"] == "draws@example.org"
    assert mail.message["Message-ID"] == f"<{delivery.message_id.hex}@draws.example.org>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Subject"] == "Drawn: Spring <b>raffle</b>"
    assert f"1. ticket {number}: Phone" in mail.part("text/plain")
    assert f"https://draws.example.org/r/{raffle.uuid}/" in mail.part("text/plain")
    assert "Spring &lt;b&gt;raffle&lt;/b&gt;" in mail.part("text/html")
    assert "<b>" not in mail.part("text/html")


def test_winner_who_gave_an_address_is_told_and_the_address_goes(server: MailServer) -> None:
    raffle = raffle_with_contacts(alternates=1)
    number = raffle.winners.get(rank=1).ticket_number()
    alternate = raffle.winners.get(rank=2)

    delivered_at()

    (mail,) = server.mails
    assert mail.to == [f"holder{number}@example.org"]
    assert mail.message["Subject"] == "You have won: Phone"
    assert f"Your ticket {number} of “Spring raffle” has won: Phone" in mail.part("text/plain")
    assert [contact.slot for contact in Contact.objects.all()] == [alternate.slot]


def test_alternate_is_told_when_it_is_drawn_in(server: MailServer) -> None:
    raffle = raffle_with_contacts(alternates=1)
    delivered_at()
    winner, alternate = raffle.winners.order_by("rank")
    replace_winner(
        raffle.uuid, ticket_number=winner.ticket_number(), reason="Away", now=NOW, by=STAFF
    )

    delivered_at()

    assert server.mails[1].to == [f"holder{alternate.ticket_number()}@example.org"]
    assert server.mails[1].message["Subject"] == "You have won: Phone"
    assert not Contact.objects.exists()


def test_addresses_go_with_a_void_raffle() -> None:
    raffle: Raffle = RaffleFactory.create()
    keep_contact(enter_nth(raffle, 0), "holder@example.org", now=NOW)
    take_to(State.VOID, raffle)

    delivered_at()

    assert not Contact.objects.exists()


def test_address_goes_with_an_erasure_and_no_mail_is_sent(server: MailServer) -> None:
    raffle = raffle_with_contacts()
    erase_holder(f"ip:{address(0)}", now=NOW, raffles=[raffle])
    assert Contact.objects.count() == 2
    for n in (1, 2):
        erase_holder(f"ip:{address(n)}", now=NOW, raffles=[raffle])

    delivered_at()

    assert server.mails == []
    assert not Contact.objects.exists()


def test_address_that_was_erased_meanwhile_is_not_written_to(server: MailServer) -> None:
    raffle_with_contacts()
    delivered_at(is_over=lambda: True)  # spread, not sent
    Contact.objects.all().delete()

    assert delivered_at() == Tally(delivered=1)
    assert server.mails == []
    assert Delivery.objects.get().last_detail == "the address was erased"


def test_refused_recipient_is_tried_again_and_not_quoted(server: MailServer) -> None:
    staff()
    announced()
    server.refusal = "550 staff@example.org is unknown here"

    assert delivered_at() == Tally(failed=1)
    tried = Attempt.objects.get()
    assert (tried.status, tried.detail) == (550, "the recipient was refused")

    server.refusal = ""
    assert delivered_at(after(seconds=5)) == Tally(delivered=1)
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1


def test_mail_server_that_is_silent_or_away_is_tried_again(
    server: MailServer, settings: Settings
) -> None:
    staff()
    announced()
    settings.EMAIL_TIMEOUT, server.stalls = 0.5, 1.5
    assert delivered_at() == Tally(failed=1)
    settings.EMAIL_PORT = 1
    assert delivered_at(after(seconds=5)) == Tally(failed=1)

    assert [(tried.status, tried.detail) for tried in Attempt.objects.all()] == [
        (None, "SMTPServerDisconnected"),
        (None, "ConnectionRefusedError"),
    ]
    assert states() == ["pending"]


def test_line_break_in_a_name_adds_no_header(server: MailServer) -> None:
    staff()
    announced(name="Spring\r\nBcc: everybody@example.org")

    delivered_at()

    (mail,) = server.mails
    assert mail.message["Subject"] == "Replaced: Spring Bcc: everybody@example.org"
    assert mail.message["Bcc"] is None


def test_entry_may_give_an_address(client: Client) -> None:
    raffle: Raffle = RaffleFactory.create()
    url = f"/raffles/{raffle.uuid}/participate/"
    asked = {"content_type": "application/json", "REMOTE_ADDR": "198.51.100.1"}

    bad = client.post(url, {"email": "nobody"}, **asked)  # type: ignore[arg-type]
    good = client.post(url, {"email": "me@example.org"}, **asked)  # type: ignore[arg-type]

    assert (bad.status_code, bad.json()["errors"]) == (
        400,
        {"email": ["Enter a valid email address."]},
    )
    assert good.status_code == 201
    assert good.json().keys() == {"raffle_id", "ticket_number", "verification_code", "receipt"}
    assert Contact.objects.get().email == "me@example.org"
    assert Endpoint.objects.get().channel == "winners"
