"""The ways into a raffle over the API: from a time on, by e-mail, by invitation, by a list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from pytest_django import Settings

from raffles.domain.inviting import withdraw
from raffles.models import Invitation, LogEntry, Raffle, SentMail, Ticket
from raffles.tests.api.acting import (
    CLOSED,
    MANAGER,
    NOT_FOUND,
    NOWHERE,
    PROXY,
    SOLD_OUT,
    Answer,
    caller,
    created,
    draw,
    faults,
    holder,
    manager,
    participate,
    refused,
    terms,
)

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2030-01-31T08:00:00+00:00")
HOUR = timedelta(hours=1)
ALICE = "alice@example.org"
NOT_VALID = "This link is no longer valid"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def enter(raffle_id: str, address: str = holder(1), **body: Any) -> Answer:
    key = {"HTTP_IDEMPOTENCY_KEY": body.pop("key")} if "key" in body else {}
    return caller(address, **key).post(f"/raffles/{raffle_id}/participate/", body)


def problem(response: Answer) -> tuple[int, str, str, dict[str, list[str]]]:
    """Return status, code, sentence and the errors by field."""
    body = response.json()
    return response.status_code, body["code"], body["detail"], body.get("errors", {})


# --- From a time on


def test_before_the_opening_nobody_takes_part(clock: time_machine.Traveller) -> None:
    raffle_id = created(opens_at="2030-01-31T09:00:00Z")["id"]
    clock.move_to(NOW + HOUR - timedelta(microseconds=1))
    response = participate(raffle_id, holder(1))
    assert response.json() == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "Entries are not open yet",
        "code": "not_open_yet",
        "opens_at": "2030-01-31T09:00:00Z",
    }
    assert not Ticket.objects.exists()
    clock.move_to(NOW + HOUR)
    assert participate(raffle_id, holder(1)).status_code == 201
    assert Raffle.objects.get(uuid=raffle_id).terms()["opens_at"] == 1_896_080_400


def test_sold_out_comes_before_the_opening() -> None:
    raffle_id = created(opens_at="2030-01-31T09:00:00Z", total_tickets=1)["id"]
    manager().post(f"/raffles/{raffle_id}/entries/", [{"holder": "A"}], format="json")
    assert refused(participate(raffle_id, holder(1))) == SOLD_OUT


def test_raffle_tells_when_it_opens_and_how_it_is_entered() -> None:
    raffle = created(opens_at="2030-01-31T10:00:00.5+01:00", entry="email")
    assert (raffle["opens_at"], raffle["entry"]) == ("2030-01-31T09:00:00Z", "email")
    assert created()["opens_at"] is None


@pytest.mark.parametrize(
    ("asked", "field", "sentence"),
    [
        ({"opens_at": "2030-01-31T08:00:00Z"}, "opens_at", "opens_at must be in the future"),
        ({"opens_at": "2030-01-31T08:00:00.9Z"}, "opens_at", "opens_at must be in the future"),
        (
            {"opens_at": "2030-01-31T10:00:00Z", "closes_at": "2030-01-31T10:00:00Z"},
            "opens_at",
            "opens_at must be before closes_at",
        ),
        (
            {"opens_at": "2030-01-31T09:00:00"},
            "opens_at",
            "Write the time with its offset, such as 2030-01-31T08:00Z.",
        ),
        ({"entry": "username"}, "entry", '"username" is not a valid choice.'),
    ],
)
def test_wrong_terms_are_refused_beside_their_field(
    asked: dict[str, str], field: str, sentence: str
) -> None:
    response = manager().post("/raffles/", terms(**asked))
    assert (response.status_code, response.json()["errors"]) == (400, {field: [sentence]})
    assert not Raffle.objects.exists()


# --- By e-mail


def made(*, tickets_per_holder: int = 1, **changes: Any) -> str:
    """Create a raffle and return its id."""
    raffle_id = str(created(**changes)["id"])
    Raffle.objects.filter(uuid=raffle_id).update(tickets_per_holder=tickets_per_holder)
    return raffle_id


def by_mail(**changes: Any) -> str:
    return made(entry="email", **changes)


def confirmation(number: int = -1) -> str:
    """Return what stands in the link of a mail."""
    found = re.search(r"\?confirmation=([\w-]+)", str(mail.outbox[number].body))
    assert found, mail.outbox[number].body
    return found[1]


def sent(raffle_id: str, email: str = ALICE) -> str:
    """Ask for a link and return what stands in it."""
    assert enter(raffle_id, email=email).status_code == 202
    return confirmation()


def test_email_is_answered_with_a_link_that_takes_the_ticket() -> None:
    raffle_id = by_mail()
    response = enter(raffle_id, email="Alice@Example.ORG")
    assert (response.status_code, response.json()) == (202, {"sent_to": ALICE})
    assert response["Cache-Control"] == "no-store"
    (message,) = mail.outbox
    assert (message.to, message.subject) == ([ALICE], "Confirm your entry: Spring fair")
    link = f"http://testserver/r/{raffle_id}/?confirmation={confirmation()}"
    assert link in str(message.body)
    assert not Ticket.objects.exists()

    ticket = enter(raffle_id, confirmation=confirmation())
    assert ticket.status_code == 201
    assert list(ticket.json()) == ["raffle_id", "ticket_number", "verification_code", "receipt"]


def test_no_row_names_the_address() -> None:
    raffle_id = by_mail()
    enter(raffle_id, confirmation=sent(raffle_id))
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert "alice" not in repr(
                [[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in cursor]
            )
    assert ALICE not in confirmation()


def test_the_same_link_is_the_same_ticket_within_its_hour(clock: time_machine.Traveller) -> None:
    raffle_id = by_mail(tickets_per_holder=2)
    link = sent(raffle_id)
    clock.move_to(NOW + HOUR)
    first = enter(raffle_id, confirmation=link)
    assert first.json() == enter(raffle_id, address=holder(2), confirmation=link).json()
    assert Ticket.objects.count() == 1
    clock.move_to(NOW + HOUR + timedelta(seconds=1))
    assert problem(enter(raffle_id, confirmation=link))[:3] == (400, "link_not_valid", NOT_VALID)


def test_link_of_a_sold_out_raffle_still_shows_its_ticket() -> None:
    raffle_id = by_mail(total_tickets=1)
    link, other = sent(raffle_id), sent(raffle_id, "bea@example.org")
    ticket = enter(raffle_id, confirmation=link).json()
    assert refused(enter(raffle_id, confirmation=other)) == SOLD_OUT
    assert refused(enter(raffle_id, email="cid@example.org")) == SOLD_OUT
    assert enter(raffle_id, confirmation=link).json() == ticket
    assert len(mail.outbox) == 2


def test_links_of_one_address_bring_as_many_tickets_as_a_holder_may_have() -> None:
    raffle_id = by_mail(tickets_per_holder=2, total_tickets=5)
    links = [sent(raffle_id) for _ in range(3)]
    tickets = [enter(raffle_id, confirmation=link) for link in links]
    assert [ticket.status_code for ticket in tickets] == [201, 201, 403]
    assert Ticket.objects.count() == 2


def test_link_is_of_its_raffle_alone_and_in_one_writing() -> None:
    raffle_id, other = by_mail(), by_mail()
    link = sent(raffle_id)
    turned = link[:-1] + ("A" if link[-1] != "A" else "B")
    wrong = [turned, link + "=", link + "A", link[:-4], "x", "…", "0" * 1000]
    for each in wrong:
        assert problem(enter(raffle_id, confirmation=each))[:3] == (
            400,
            "link_not_valid",
            NOT_VALID,
        ), each
    assert problem(enter(other, confirmation=link))[2] == NOT_VALID
    assert problem(enter(created()["id"], confirmation=link))[2] == NOT_VALID
    assert not Ticket.objects.exists()


def test_who_holds_a_ticket_is_told_by_mail_alone() -> None:
    raffle_id = by_mail()
    first = enter(raffle_id, email=ALICE)
    number = enter(raffle_id, confirmation=confirmation()).json()["ticket_number"]
    again = enter(raffle_id, email="ALICE@example.org")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    message = mail.outbox[-1]
    assert message.subject == "Your entry: Spring fair"
    assert f"It has its ticket already: no. {number}." in str(message.body)
    assert "confirmation" not in str(message.body)


def test_an_address_gets_three_mails_an_hour(clock: time_machine.Traveller) -> None:
    raffle_id, other = by_mail(), by_mail()
    answers = [enter(each, email=ALICE) for each in (raffle_id, other) * 3]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (202, b'{"sent_to": "alice@example.org"}')
    }
    assert len(mail.outbox) == 3
    enter(raffle_id, email="bea@example.org")
    assert len(mail.outbox) == 4
    clock.move_to(NOW + HOUR)
    enter(raffle_id, email=ALICE)
    assert (len(mail.outbox), SentMail.objects.count()) == (5, 1)


def test_mail_speaks_the_language_of_who_asks() -> None:
    raffle_id = by_mail()
    path = f"/raffles/{raffle_id}/participate/"
    response = caller(HTTP_ACCEPT_LANGUAGE="de-AT, en;q=0.5").post(path, {"email": ALICE})
    assert (response.status_code, mail.outbox[0].subject) == (
        202,
        "Teilnahme bestätigen: Spring fair",
    )
    assert "innerhalb einer Stunde" in str(mail.outbox[0].body)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "alice",
        "a@example.org\r\nBcc: b@example.org",
        "a@b",
        f"{'a' * 300}@example.org",
        7,
        None,
    ],
)
def test_absurd_addresses_are_refused_beside_the_field(email: object) -> None:
    response = enter(by_mail(), email=email)
    assert list(faults(response)) == ["email"]
    assert not mail.outbox


def test_more_than_one_way_at_once_is_refused() -> None:
    both = ["At most 1 of these."]
    response = enter(by_mail(), email=ALICE, confirmation="x")
    assert faults(response) == {"email": both, "confirmation": both}


def test_line_breaks_in_the_name_end_no_header() -> None:
    raffle_id = by_mail(name="Spring\u2009fair: 100 %")
    sent(raffle_id)
    assert mail.outbox[0].subject == "Confirm your entry: Spring fair: 100 %"


def test_mail_server_that_is_away_loses_nothing(settings: Settings) -> None:
    raffle_id = by_mail()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # where nobody listens
    for _ in range(4):
        response = enter(raffle_id, email=ALICE)
        assert (response.status_code, response["Retry-After"]) == (503, "60")
        assert refused(response) == (
            503,
            "mail_away",
            "The mail cannot be sent at the moment. Try again in a minute.",
        )
    assert not SentMail.objects.exists()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    sent(raffle_id)


def test_link_that_would_only_be_printed_is_refused_but_for_a_first_look(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    raffle_id = by_mail()
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert refused(enter(raffle_id, email=ALICE))[:2] == (503, "mail_away")
    assert "confirmation=" not in capsys.readouterr().out
    settings.DEBUG = True
    assert enter(raffle_id, email=ALICE).status_code == 202
    assert "confirmation=" in capsys.readouterr().out


def test_email_raffle_asks_for_the_address() -> None:
    assert problem(enter(by_mail())) == (
        400,
        "email_needed",
        "Give your e-mail address to take part",
        {"email": ["Give your e-mail address to take part"]},
    )


def test_email_raffle_keeps_to_its_times(clock: time_machine.Traveller) -> None:
    raffle_id = by_mail(opens_at="2030-01-31T09:00:00Z", closes_at="2030-01-31T10:00:00Z")
    assert enter(raffle_id, email=ALICE).json()["code"] == "not_open_yet"
    clock.move_to(NOW + HOUR)
    link = sent(raffle_id)
    clock.move_to(NOW + 2 * HOUR)
    assert refused(enter(raffle_id, email="bea@example.org")) == CLOSED
    assert refused(enter(raffle_id, confirmation=link)) == CLOSED
    assert not Ticket.objects.exists()


def test_email_raffle_knows_no_proxy_and_no_unknown_raffle() -> None:
    body = {"email": ALICE}
    response = caller(PROXY).post(f"/raffles/{by_mail()}/participate/", body)
    assert response.status_code == 403
    assert refused(caller().post(f"/raffles/{NOWHERE}/participate/", body)) == NOT_FOUND
    assert not mail.outbox


# --- By invitation


def invited(**changes: Any) -> str:
    return made(entry="invitation", total_tickets=5, **changes)


def codes(raffle_id: str, amount: int = 1, **asked: Any) -> list[str]:
    """Make invitations and return their codes."""
    response = manager().post(f"/raffles/{raffle_id}/invitations/", {"amount": amount, **asked})
    assert response.status_code == 201, response.json()
    return [each["code"] for each in response.json()["invitations"]]


def test_invitation_brings_its_ticket_once() -> None:
    raffle_id = invited()
    (code,) = codes(raffle_id, channel="postal")
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){4}", code)
    response = enter(raffle_id, invitation=code.lower().replace("-", " "))
    assert response.status_code == 201
    assert list(response.json()) == ["raffle_id", "ticket_number", "verification_code", "receipt"]
    assert refused(enter(raffle_id, invitation=code)) == (
        403,
        "invitation_used",
        "This invitation has been used",
    )
    assert [ticket.channel for ticket in Ticket.objects.all()] == ["postal"]


def test_invitation_for_several_brings_them_all_or_none() -> None:
    raffle_id = invited(tickets_per_holder=3)
    first, second = codes(raffle_id, 2, tickets=3)
    tickets = enter(raffle_id, invitation=first, key="one").json()["tickets"]
    assert len({ticket["ticket_number"] for ticket in tickets}) == 3
    assert len({ticket["verification_code"] for ticket in tickets}) == 3
    fewer = (410, "too_few_left", "Fewer tickets are left than are asked for")
    assert refused(enter(raffle_id, invitation=second)) == fewer
    assert Invitation.objects.unused().count() == 1
    assert caller().get(f"/raffles/{raffle_id}/").json()["available_tickets"] == 2
    (single,) = codes(raffle_id)
    assert enter(raffle_id, invitation=single).status_code == 201
    assert enter(raffle_id, invitation=first, key="one").json() == {"tickets": tickets}
    assert enter(raffle_id, invitation=first, key="two").status_code == 403


def test_repeated_request_gets_the_same_ticket_even_when_sold_out() -> None:
    raffle_id = str(created(entry="invitation", total_tickets=1)["id"])
    one, other = codes(raffle_id, 2)
    ticket = enter(raffle_id, invitation=one, key="k").json()
    assert enter(raffle_id, invitation=one, key="k").json() == ticket
    assert refused(enter(raffle_id, invitation=one)) == SOLD_OUT
    assert refused(enter(raffle_id, invitation=other)) == SOLD_OUT
    assert draw(raffle_id).status_code == 201
    assert refused(enter(raffle_id, invitation=other)) == SOLD_OUT


@pytest.mark.parametrize("code", ["", "0000-0000-0000-0000-0000", "x", "\u202e", "9" * 200])
def test_unknown_invitation_is_invalid(code: str) -> None:
    raffle_id = invited()
    codes(raffle_id)
    codes(other := invited())
    assert problem(enter(raffle_id, invitation=code))[:3] == (
        400,
        "invalid_invitation",
        "Invalid invitation",
    )
    (elsewhere,) = codes(other)
    assert enter(raffle_id, invitation=elsewhere).status_code == 400
    assert not Ticket.objects.exists()


def test_withdrawn_invitation_is_invalid_and_a_used_one_stays() -> None:
    raffle_id = invited()
    used, unused = codes(raffle_id, 2)
    enter(raffle_id, invitation=used)
    raffle = Raffle.objects.get(uuid=raffle_id)
    batch = bytes(Invitation.objects.values_list("batch", flat=True)[0])
    assert withdraw(raffle.uuid, batch=batch, now=NOW, by="staff") == 1
    assert withdraw(raffle.uuid, batch=batch, now=NOW, by="staff") == 0
    assert problem(enter(raffle_id, invitation=unused))[2] == "Invalid invitation"
    assert enter(raffle_id, invitation=used).status_code == 403
    acts = LogEntry.objects.about(raffle).values_list("action", "details")
    assert [*acts][1:] == [
        ("invitations.made", {"amount": 2, "tickets": 1, "channel": None}),
        ("invitations.withdrawn", {"amount": 1}),
    ]


def test_one_invitation_is_withdrawn_by_its_code_until_it_is_used() -> None:
    raffle_id = invited()
    lost, used, kept = codes(raffle_id, 3)
    enter(raffle_id, invitation=used)
    path = f"/raffles/{raffle_id}/invitations/withdraw/"
    for code in (lost.lower().replace("-", " "), lost):  # again is the same
        answer = manager().post(path, {"invitation": code})
        assert (answer.status_code, answer.content) == (204, b"")
    assert refused(manager().post(path, {"invitation": used}))[:2] == (403, "invitation_used")
    (elsewhere,) = codes(invited())
    for code in ("0" * 20, "x", "", elsewhere):
        assert problem(manager().post(path, {"invitation": code}))[:2] == (
            400,
            "invalid_invitation",
        )
    assert list(faults(manager().post(path, {}))) == ["invitation"]
    assert refused(manager().post(f"/raffles/{NOWHERE}/invitations/withdraw/")) == NOT_FOUND
    assert problem(enter(raffle_id, invitation=lost))[2] == "Invalid invitation"
    assert enter(raffle_id, invitation=kept).status_code == 201
    acts = LogEntry.objects.about(Raffle.objects.get(uuid=raffle_id))
    assert [*acts.filter(action="invitations.withdrawn").values_list("details", flat=True)] == [
        {"amount": 1}
    ]


def test_invitations_are_stored_without_their_codes() -> None:
    raffle_id = invited()
    (code,) = codes(raffle_id)
    row = Invitation.objects.values().get()
    stored = b"|".join(bytes(v) for v in row.values() if isinstance(v, bytes | memoryview))
    assert code.replace("-", "").encode() not in stored


def test_the_same_request_makes_the_same_invitations() -> None:
    raffle_id = invited()
    path, client = f"/raffles/{raffle_id}/invitations/", caller(MANAGER, HTTP_IDEMPOTENCY_KEY="k")
    first = client.post(path, {"amount": 3})
    assert first.json() == client.post(path, {"amount": 3}).json()
    assert first.json()["invitations"][0]["link"] == (
        f"http://testserver/r/{raffle_id}/#invitation={first.json()['invitations'][0]['code']}"
    )
    assert client.post(path, {"amount": 2}).status_code == 422
    assert manager().post(path, {"amount": 3}).json() != first.json()
    assert Invitation.objects.count() == 6


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"amount": 0}, 400, "amount"),
        ({"amount": 1001}, 400, "amount"),
        ({"amount": True}, 400, "amount"),
        ({}, 400, "amount"),
        ({"amount": 1, "tickets": 2}, 400, "tickets"),
        ({"amount": 1, "tickets": 0}, 400, "tickets"),
        ({"amount": 1, "channel": "pigeon"}, 400, "channel"),
    ],
)
def test_wrong_invitations_are_refused_beside_their_field(
    asked: dict[str, Any], status: int, field: str
) -> None:
    response = manager().post(f"/raffles/{invited()}/invitations/", asked)
    assert (response.status_code, list(response.json()["errors"])) == (status, [field])
    assert not Invitation.objects.exists()


def test_invitations_are_of_raffles_entered_by_them() -> None:
    assert refused(manager().post(f"/raffles/{created()['id']}/invitations/", {"amount": 1})) == (
        400,
        "other_way_in",
        "This raffle is not entered that way",
    )
    assert problem(enter(invited()))[1] == "invitation_needed"
    assert problem(enter(invited(), email=ALICE))[1] == "invitation_needed"
    assert problem(enter(created()["id"], invitation="0" * 20))[1] == "other_way_in"
    assert problem(enter(by_mail(), invitation="0" * 20))[1] == "email_needed"


def test_invitation_waits_for_the_opening(clock: time_machine.Traveller) -> None:
    raffle_id = invited(opens_at="2030-01-31T09:00:00Z")
    (code,) = codes(raffle_id)
    assert enter(raffle_id, invitation=code).json()["code"] == "not_open_yet"
    clock.move_to(NOW + HOUR)
    assert enter(raffle_id, invitation=code).status_code == 201


# --- By the organiser


@pytest.mark.parametrize("body", [{}, {"email": ALICE}, {"invitation": "0" * 20}])
def test_list_raffle_is_entered_by_its_organiser(body: dict[str, str]) -> None:
    raffle_id = created(entry="list")["id"]
    assert refused(enter(raffle_id, **body)) == (
        403,
        "by_organiser",
        "Entries are made by the organiser",
    )
    assert not mail.outbox


@pytest.mark.parametrize("entry", ["address", "email", "invitation", "list"])
def test_staff_enter_beside_each_way(entry: str) -> None:
    raffle_id = created(entry=entry, opens_at="2030-01-31T09:00:00Z")["id"]
    response = manager().post(f"/raffles/{raffle_id}/entries/", [{"holder": "A"}], format="json")
    assert response.status_code == 201
