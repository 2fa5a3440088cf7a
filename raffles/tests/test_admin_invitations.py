"""Invitations in the admin: made, shown once as letters and as a table, withdrawn."""

from __future__ import annotations

import csv
import re
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from raffles.domain.drawing import void_raffle
from raffles.domain.inviting import enter_by_invitation
from raffles.models import Invitation, Raffle, Ticket
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.pages.visiting import text_of

pytestmark = pytest.mark.django_db

BATCH = "0" * 32


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("sam"))
    return client


@pytest.fixture
def raffle() -> Raffle:
    return RaffleFactory.create(
        name="=1+1 gala", entry="invitation", total_tickets=40, tickets_per_holder=2
    )


def page_of(raffle: Raffle) -> str:
    return reverse("admin:raffles_raffle_invitations", args=[raffle.pk])


def ask(staff: Client, raffle: Raffle, **fields: Any) -> Any:
    asked = {"amount": 12, "tickets": 2, "channel": "postal", "batch": BATCH}
    return staff.post(page_of(raffle), asked | fields)


def table_on(response: Any) -> list[list[str]]:
    """Return the rows of the table that can be saved."""
    found = re.search(r'href="data:text/csv;charset=utf-8,([^"]+)"', response.content.decode())
    assert found
    return list(csv.reader(unquote(found[1]).removeprefix("\ufeff").splitlines()))


def test_letters_and_table_hold_codes_that_bring_tickets(staff: Client, raffle: Raffle) -> None:
    response = ask(staff, raffle)
    assert response.status_code == 200
    assert response["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    shown = re.findall(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}(?=</b>)", response.content.decode())
    heading, *rows = table_on(response)
    assert heading == ["n", "code", "link", "tickets", "channel"]
    assert [row[1] for row in rows] == shown
    assert rows[0] == [
        *("1", shown[0], f"http://testserver/r/{raffle.uuid}/#invitation={shown[0]}"),
        *("2", "postal"),
    ]
    assert "12 invitations, 2 sheets of A4." in text_of(response)
    assert response.content.count(b"<svg") == 12
    assert not Ticket.objects.exists()
    entries = enter_by_invitation(raffle.uuid, code=shown[0], now=NOW)
    assert len(entries) == 2


def test_form_sent_twice_is_one_batch(staff: Client, raffle: Raffle) -> None:
    first, again = ask(staff, raffle), ask(staff, raffle)
    assert table_on(first) == table_on(again)
    assert Invitation.objects.count() == 12


def test_unused_codes_of_a_batch_are_withdrawn(staff: Client, raffle: Raffle) -> None:
    _, first, *_rest = table_on(ask(staff, raffle))
    enter_by_invitation(raffle.uuid, code=first[1], now=NOW)
    page = staff.get(page_of(raffle))
    assert "by post 1 0 staff sam from" in text_of(page)
    (tag,) = re.findall(r'name="withdraw" value="([0-9a-f]+)"', page.content.decode())
    response = staff.post(page_of(raffle), {"withdraw": tag}, follow=True)
    assert "11 invitations were withdrawn." in text_of(response)
    assert Invitation.objects.unused().count() == 0
    for nothing in (tag, "x", ""):
        again = staff.post(page_of(raffle), {"withdraw": nothing}, follow=True)
        assert "There is nothing to withdraw." in text_of(again)


def test_one_is_withdrawn_by_its_code(staff: Client, raffle: Raffle) -> None:
    _, first, used, other, *_rest = table_on(ask(staff, raffle))
    enter_by_invitation(raffle.uuid, code=used[1], now=NOW)
    assert 'name="code"' in staff.get(page_of(raffle)).content.decode()
    response = staff.post(page_of(raffle), {"code": f" {first[1].lower()} "}, follow=True)
    assert "The invitation is withdrawn." in text_of(response)
    assert "by post 1 1 staff sam from" in text_of(response)
    for code, sentence in (
        ("", "This field is required."),
        ("x" * 501, "Ensure this value has at most 500 characters"),
        ("\0", "Null characters are not allowed."),
        ("0" * 20, "Invalid invitation."),
        (used[2], "This invitation has been used."),
    ):
        refusal = staff.post(page_of(raffle), {"code": code})
        assert refusal.status_code == 400
        assert sentence in " ".join(refusal.context["one"].errors.get("code", []))
        assert not refusal.context["form"].errors
        assert "Please correct the errors below." in text_of(refusal)
    assert Invitation.objects.unused().count() == 10
    staff.post(page_of(raffle), {"code": other[2]})  # its link, as it stands in the table
    assert Invitation.objects.unused().count() == 9


def test_what_stands_in_the_other_form_comes_back(staff: Client, raffle: Raffle) -> None:
    _, first, *_rest = table_on(ask(staff, raffle))
    make = {"amount": "7", "tickets": "2", "channel": "free", "batch": BATCH}
    for code, status in ((first[1], 200), ("nonsense", 400)):
        response = staff.post(page_of(raffle), make | {"code": code})
        assert response.status_code == status
        assert not response.context["form"].is_bound
        page = response.content.decode()
        assert re.search(r'name="amount" value="7"', page)
        assert 'value="free" selected' in page
        assert BATCH not in page  # or the next would be the same codes again
    response = staff.post(page_of(raffle), make | {"code": first[1], "withdraw": "x"})
    assert f'value="{first[1]}"' in response.content.decode()
    response = staff.post(page_of(raffle), make | {"amount": "x", "code": first[1], "make": "Make"})
    assert f'value="{first[1]}"' in response.content.decode()
    assert list(response.context["form"].errors) == ["amount"]


def test_of_a_raffle_that_is_over_nothing_is_withdrawn(staff: Client, raffle: Raffle) -> None:
    _, first, *_rest = table_on(ask(staff, raffle))
    void_raffle(raffle.uuid, reason="Over", now=NOW, by="tests")
    for code in (first[1], "nonsense"):
        response = staff.post(page_of(raffle), {"code": code}, follow=True)
        assert "The raffle takes no more entries." in text_of(response)
    assert Invitation.objects.unused().count() == 12


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"amount": "0"}, "greater than or equal to 1"),
        ({"amount": "1001"}, "less than or equal to 1000"),
        ({"tickets": "3"}, "A holder may not have as many tickets in this raffle"),
        ({"channel": "pigeon"}, "Select a valid choice"),
        ({"batch": "x"}, "Enter a valid value"),
    ],
)
def test_wrong_input_is_answered_beside_its_field(
    staff: Client, raffle: Raffle, fields: dict[str, str], sentence: str
) -> None:
    response = ask(staff, raffle, **fields)
    assert (response.status_code, Invitation.objects.count()) == (400, 0)
    assert sentence in text_of(response)
    assert 'value="postal" selected' in response.content.decode() or "channel" in fields


def test_only_a_raffle_by_invitation_offers_them(staff: Client, raffle: Raffle) -> None:
    other = RaffleFactory.create()
    offered = {
        each.pk: "/invitations/"
        in staff.get(reverse("admin:raffles_raffle_change", args=[each.pk])).content.decode()
        for each in (raffle, other)
    }
    assert offered == {raffle.pk: True, other.pk: False}
    response = staff.post(page_of(other), {"amount": 1, "tickets": 1, "batch": BATCH}, follow=True)
    assert "This raffle is not entered that way" in text_of(response)
