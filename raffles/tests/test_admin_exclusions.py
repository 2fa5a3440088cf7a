"""Exclusions in the admin: one by one and from a table, found, changed and ended."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.models import Event
from events.tests.acting import scheduled
from raffles.domain.excluding import Scope, exclude, excluded_among
from raffles.domain.reading_exclusions import Person
from raffles.models import Exclusion, LogEntry
from raffles.tests.factories import STAFF, RaffleFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]
ADD, PEOPLE, FIND = (
    reverse(f"admin:raffles_exclusion_{name}") for name in ("add", "people", "find")
)
LIST = reverse("admin:raffles_exclusion_changelist")
PERSON = {"kind": "user", "identity": "Mallory", "scope": "", "reason": "Family of the staff"}
TABLE = {"kind": "user", "scope": "", "reason": "Family of the staff"}


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def text(response: Any) -> str:
    return str(response.content.decode())


def is_out(identity: str = "user:mallory") -> bool:
    return identity in excluded_among({identity: ""}, None, now=timezone.now())


def made(**terms: object) -> Exclusion:
    person = Person(Exclusion.Kind.USER, "user:mallory", "Family", **terms)  # type: ignore[arg-type]
    return exclude([person], Scope(), now=timezone.now(), by=STAFF)[0]


def test_one_person_is_excluded_and_named_nowhere(ada: Client) -> None:
    response = ada.post(ADD, PERSON, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert is_out()
    row = Exclusion.objects.get()
    pages = [LIST, reverse("admin:raffles_exclusion_change", args=[row.pk])]
    assert all("allory" not in text(ada.get(page)) for page in pages)
    entry = LogEntry.objects.get(action="exclusions.made")
    assert (entry.subject, entry.details) == ("exclusions", {"people": {"new": 1}})
    assert entry.by.startswith("staff ada from ")


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("identity", "", "This field is required."),
        ("identity", "a\u202eb", "Control, bidirectional and zero-width"),
        ("identity", "\0", "Null characters are not allowed."),
        ("kind", "postman", "Select a valid choice."),
        ("kind", "address", "Write an address such as 203.0.113.7 or 2001:db8::7."),
        ("kind", "mail", "Enter a valid email address."),
        ("scope", "raffle:7", "Select a valid choice."),
        ("scope", "event:nowhere", "Select a valid choice."),
        ("reason", "", "This field is required."),
        ("reason", "x" * 201, "Ensure this value has at most 200 characters"),
        ("ends_at_0", "2020-01-31", "Choose a time to come, or none."),
        ("ends_at_0", "soon", "Enter a valid date."),
        ("ends_at_0", "9999-12-31", "There is no such time, in UTC, in the years 1970 to 9000."),
    ],
)
def test_error_stands_beside_its_field_and_nothing_typed_is_lost(
    ada: Client, field: str, value: str, fault: str
) -> None:
    time = {"ends_at_1": "10:00:00"} if field == "ends_at_0" else {}
    response = ada.post(ADD, PERSON | time | {field: value})
    assert response.status_code == 400
    name = field.removesuffix("_0")
    form = response.context["form"]
    assert list(form.errors) == ["identity" if value in ("address", "mail") else name]
    assert fault in " ".join(form.errors.as_text().split("*"))
    if field != "identity":
        assert 'value="Mallory"' in text(response)
    assert not Exclusion.objects.exists()


def test_who_is_excluded_already_is_said_beside_the_name(ada: Client) -> None:
    made()
    response = ada.post(ADD, PERSON | {"ends_at_0": "2035-01-31", "ends_at_1": "10:00:00"})
    assert response.status_code == 400
    assert list(response.context["form"].errors) == ["identity"]
    assert Exclusion.objects.get().ends_at is None


def test_raffle_and_event_offer_it_from_themselves_alone(ada: Client) -> None:
    raffle = RaffleFactory.create()
    scheduled()
    event = Event.objects.get()
    for page, scope in (
        (reverse("admin:raffles_raffle_exclude", args=[raffle.pk]), f"raffle:{raffle.pk}"),
        (reverse("admin:events_event_exclude", args=[event.pk]), f"event:{event.slug}"),
    ):
        form = ada.get(page, follow=True).context["form"]
        assert form["scope"].value() == scope
        assert ada.post(ADD, PERSON | {"scope": scope}).status_code == 302
    found = Exclusion.objects.order_by("pk").values_list("raffle", "event_slug")
    assert list(found) == [(raffle.pk, None), (None, event.slug)]
    subjects = LogEntry.objects.filter(action="exclusions.made").values_list("subject", flat=True)
    assert set(subjects) == {f"raffle {raffle.uuid}", f"event {event.slug}"}


def test_somebody_is_found_by_any_of_their_names(ada: Client) -> None:
    row = made()
    page = reverse("admin:raffles_exclusion_change", args=[row.pk])
    assert ada.post(FIND, {"text": "MALLORY"}).headers["Location"] == page
    assert "Nobody is excluded by that name" in text(ada.post(FIND, {"text": "alice"}))
    assert "Nobody is excluded by that name" in text(ada.post(FIND, {"text": "\0"}))
    exclude(
        [Person(Exclusion.Kind.LIST, "list:mallory", "Asked for it")],
        Scope(event_slug="daily"),
        now=timezone.now(),
        by=STAFF,
    )
    found = ada.post(FIND, {"text": "mallory"}).context["found"]
    assert [(exclusion.kind, is_in_force) for exclusion, is_in_force in found] == [
        ("list", True),
        ("user", True),
    ]


def test_reason_and_end_can_be_changed_and_the_record_has_no_reason(ada: Client) -> None:
    row = made()
    page = reverse("admin:raffles_exclusion_change", args=[row.pk])
    sent = {"reason": "Mallory's brother", "ends_at_0": "2035-01-31", "ends_at_1": "10:00:00"}
    assert ada.post(page, sent).status_code == 302
    row.refresh_from_db()
    assert (row.reason, row.ends_at.year if row.ends_at else 0) == ("Mallory's brother", 2035)
    assert "brother" not in repr(list(LogEntry.objects.values()))


def test_ending_lets_in_and_is_said_once(ada: Client) -> None:
    row = made()
    page = reverse("admin:raffles_exclusion_end", args=[row.pk])
    assert "may enter again" in text(ada.get(page))
    said = [text(ada.post(page, follow=True)) for _ in range(2)]
    assert ["Ended: the person may enter again." in page for page in said] == [True, False]
    assert "It had ended already." in said[1]
    assert not is_out()
    assert LogEntry.objects.filter(action="exclusion.ended").count() == 1


def test_list_is_filtered_by_state(ada: Client) -> None:
    made()
    ended = exclude(
        [Person(Exclusion.Kind.USER, "user:old", "Gone", timezone.now() + timedelta(days=1))],
        Scope(),
        now=timezone.now(),
        by=STAFF,
    )[0]
    Exclusion.objects.filter(pk=ended.pk).update(ends_at=timezone.now())
    for state, reasons in (("force", ["Family"]), ("ended", ["Gone"]), ("", ["Gone", "Family"])):
        rows = ada.get(LIST, {"state": state} if state else {}).context["cl"].result_list
        assert [row.reason for row in rows] == reasons


@pytest.mark.parametrize("scope", ["raffle:", "raffle:x", "raffle:7", "raffle:" + "9" * 30])
def test_page_for_a_raffle_that_is_none_offers_the_others(ada: Client, scope: str) -> None:
    assert ada.get(ADD, {"scope": scope}).status_code == 200


# --- From a table


def test_table_is_shown_first_and_excludes_when_confirmed(ada: Client) -> None:
    table = "identity,kind,until\nMallory,,\nm@example.org,mail,2035-01-31\n"
    response = ada.post(PEOPLE, TABLE | {"text": table})
    assert response.status_code == 200
    assert "2 people will be." in text(response)
    assert not Exclusion.objects.exists()
    again = dict(response.context["again"]) | {"text": table, "step": "exclude"}
    assert ada.post(PEOPLE, again, follow=True).redirect_chain == [(LIST, 302)]
    assert ada.post(PEOPLE, again).status_code == 200  # and nothing happens
    assert Exclusion.objects.count() == 2
    assert (is_out(), is_out("mail:m@example.org")) == (True, True)
    entry = LogEntry.objects.get()
    assert entry.details == {"people": {"new": 2}}


def test_every_bad_line_is_named_and_nobody_excluded(ada: Client) -> None:
    table = "identity;kind\nMallory;\n203.0.113.0/24;address\nMALLORY;\n<b>;nobody\n"
    response = ada.post(PEOPLE, TABLE | {"text": table, "step": "exclude"})
    assert response.status_code == 400
    assert [(line.number, line.fault) for line in response.context["bad"]] == [
        (3, "identity: write each address by itself"),
        (4, "the same as line 2"),
        (5, "kind: write address, user, mail, list"),
    ]
    assert "<b>" not in text(response)
    assert "3 lines can&#x27;t be read" in text(response) or "3 lines can't be read" in text(
        response
    )
    assert not Exclusion.objects.exists()


def test_file_becomes_text_that_can_be_mended(ada: Client) -> None:
    file = BytesIO("identity;reason\nMéta;\n".encode("cp1252"))
    file.name = "people.csv"
    response = ada.post(PEOPLE, TABLE | {"file": file})
    assert response.context["encoding"] == "Windows-1252"
    assert "Méta" in response.context["form"]["text"].value()


@pytest.mark.parametrize(
    "table", ["", "name\nMallory\n", "identity\n", 'identity\n"Mallory\n', "identity,what\na,b\n"]
)
def test_table_that_says_nothing_excludes_nobody(ada: Client, table: str) -> None:
    response = ada.post(PEOPLE, TABLE | {"text": table, "step": "exclude"})
    assert response.status_code in (200, 400)
    assert not Exclusion.objects.exists()
