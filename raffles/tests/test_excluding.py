"""Excluding: whom it means, how long it holds, and what is known of it afterwards."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from raffles.domain.excluding import (
    Scope,
    end_exclusion,
    exclude,
    excluded_among,
    foresee,
    keys_still_needed,
)
from raffles.domain.reading_exclusions import Person, read_identity, read_people
from raffles.models import Exclusion, LogEntry
from raffles.tests.api.acting import caller
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
EVERYWHERE = Scope()
Kind = Exclusion.Kind


def person(name: str = "user:eve", ends_at: datetime | None = None) -> Person:
    return Person(Kind.USER, name, "On our staff", ends_at)


def made(name: str = "user:eve", scope: Scope = EVERYWHERE, **terms: datetime | None) -> Exclusion:
    return exclude([person(name, **terms)], scope, now=NOW, by=STAFF)[0]


def is_out(name: str, raffle: object = None, now: datetime = NOW) -> bool:
    return name in excluded_among({name: ""}, raffle, now=now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "text", "identity"),
    [
        ("address", "203.0.113.7", "ip:203.0.113.7"),
        ("address", " 2001:DB8::7 ", "ip:2001:db8::/64"),
        ("address", "2001:db8::/64", "ip:2001:db8::/64"),
        ("address", "::ffff:203.0.113.7", "ip:203.0.113.7"),
        ("address", "203.0.113.7/32", "ip:203.0.113.7"),
        ("user", "EVE", "user:eve"),
        ("mail", "Eve@Example.ORG", "mail:eve@example.org"),
        ("list", "A-17", "list:a-17"),
    ],
)
def test_identity_is_read_as_that_of_a_ticket(kind: str, text: str, identity: str) -> None:
    assert read_identity(kind, text) == identity


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        ("address", "eve", "write an address such as 203.0.113.7 or 2001:db8::7"),
        ("address", "203.0.113.0/24", "write each address by itself"),
        ("address", "2001:db8::/48", "an address counts by 2001:db8::/64; write that, or each"),
        ("address", "2001:db8::7/64", "write an address such as"),
        ("address", "10.9.8.7", "this is one of our own proxies"),
        ("mail", "eve", "Enter a valid email address."),
        ("user", " ", "it is empty"),
        ("user", "e\u202eve", "Control, bidirectional"),
        ("list", "x" * 201, "at most 200 characters"),
    ],
)
def test_what_names_nobody_is_refused(kind: str, text: str, fault: str, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.9.8.7"]
    with pytest.raises(ValueError, match=fault.replace(".", r"\.")):
        read_identity(kind, text)


def test_identity_is_stored_nowhere() -> None:
    made("user:mallory")
    said = repr([*Exclusion.objects.values(), *LogEntry.objects.values()])
    assert "mallory" not in said
    assert "On our staff" not in repr(list(LogEntry.objects.values()))


def test_scope_is_everything_one_raffle_or_one_event() -> None:
    here, there = RaffleFactory.create(), RaffleFactory.create()
    date, other = (RaffleFactory.create(event_slug=slug) for slug in ("daily", "weekly"))
    made("user:all")
    made("user:here", Scope(raffle=here))
    made("user:daily", Scope(event_slug="daily"))
    names = ("user:all", "user:here", "user:daily", "user:nobody")
    raffles = {"here": here, "there": there, "daily": date, "weekly": other}
    assert {
        name: excluded_among(dict.fromkeys(names, ""), raffle, now=NOW)
        for name, raffle in raffles.items()
    } == {
        "here": {"user:all", "user:here"},
        "there": {"user:all"},
        "daily": {"user:all", "user:daily"},
        "weekly": {"user:all"},
    }


def test_end_is_the_first_moment_at_which_it_does_not_hold() -> None:
    made(ends_at=NOW + DAY)
    moments = (NOW, NOW + DAY - timedelta(microseconds=1), NOW + DAY)
    assert [is_out("user:eve", now=at) for at in moments] == [True, True, False]


def test_making_it_again_never_shortens_it() -> None:
    ends = [NOW + 2 * DAY, NOW + DAY, NOW + 3 * DAY, None, NOW + 9 * DAY]
    outcomes = []
    for ends_at in ends:
        outcomes += foresee([person(ends_at=ends_at)], EVERYWHERE, now=NOW)
        made(ends_at=ends_at)
    assert outcomes == ["new", "same", "longer", "longer", "same"]
    assert Exclusion.objects.get().ends_at is None
    assert LogEntry.objects.filter(action="exclusions.made").count() == 3


def test_ended_one_lets_in_and_can_be_made_again() -> None:
    row = made()
    assert [end_exclusion(row, now=NOW, by=STAFF) for _ in range(2)] == [True, False]
    assert not is_out("user:eve")
    again = exclude([person()], EVERYWHERE, now=NOW + DAY, by="ada")[0]
    assert (again.pk, again.created_at, again.created_by) == (row.pk, NOW + DAY, "ada")
    assert is_out("user:eve", now=NOW + DAY)
    actions = LogEntry.objects.order_by("pk").values_list("subject", "action")
    assert list(actions) == [
        ("exclusions", "exclusions.made"),
        ("exclusions", "exclusion.ended"),
        ("exclusions", "exclusions.made"),
    ]


def test_mail_address_used_as_a_name_counts_as_the_address() -> None:
    exclude(
        [Person(Kind.MAIL, "mail:eve@example.org", "Asked for it")], EVERYWHERE, now=NOW, by=STAFF
    )
    names = ["list:Eve@example.org", "user:eve@EXAMPLE.org", "list:eve@example.com", "list:@"]
    assert excluded_among(dict.fromkeys(names, ""), None, now=NOW) == {*names[:2]}


def test_key_that_is_kept_behind_a_new_one_still_holds(settings: Settings) -> None:
    made()
    old = settings.TICKET_KEYS
    settings.TICKET_KEYS = [secrets.token_bytes(32), *old]
    assert is_out("user:eve")
    assert foresee([person()], EVERYWHERE, now=NOW) == ["same"]
    assert keys_still_needed(NOW) == {}
    settings.TICKET_KEYS = settings.TICKET_KEYS[:1]
    assert not is_out("user:eve")
    key = Exclusion.objects.get().key_id
    assert keys_still_needed(NOW) == {key: 1}
    said = caller().get("/readyz").json()["warnings"]
    assert [key in each for each in said if "exclusions in force" in each] == [True]
    Exclusion.objects.update(ends_at=NOW)
    assert keys_still_needed(NOW) == {}


def test_every_bad_line_of_a_table_is_named() -> None:
    table = [
        "identity;kind;until;reason\n",
        "Eve;user;;\n",
        "EVE;;;\n",
        "203.0.113.7;address;2030-01-31;\n",
        "nobody;postman;;\n",
        ";;;\n",
        "mallory;;yesterday;\n",
        "trent;;2020-01-31;\n",
        "walter;;9001-01-01;\n",
        "peggy;;;a\u200bb\n",
        "victor\n",
    ]
    lines = list(read_people(table, kind="user", reason="Staff", ends_at=None, now=NOW))
    assert [(line.number, line.fault) for line in lines if line.fault] == [
        (3, "the same as line 2"),
        (5, "kind: write address, user, mail, list"),
        (7, "until: write a date such as 2030-01-31"),
        (8, "until: this day is over"),
        (9, "until: there is no such day; write a date such as 2030-01-31"),
        (10, "reason: Control, bidirectional and zero-width characters are not allowed."),
        (11, "4 values are needed"),
    ]
    assert [line.person for line in lines if line.person] == [
        Person(Kind.USER, "user:eve", "Staff"),
        Person(Kind.ADDRESS, "ip:203.0.113.7", "Staff", datetime(2030, 2, 1, tzinfo=UTC)),
    ]
