"""The record in the admin: nothing done there is missing in it, and every object shows its part."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from raffles.admin.base import FirstRows, LogEntryAdmin, Recorded
from raffles.models import Delivery, Endpoint, LogEntry, State
from raffles.models.record import actions, record
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.web.callers import address_tag

SAM = f"staff sam from {address_tag('127.0.0.1')}"
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("sam"))
    return client


def page(kind: str, *args: Any) -> str:
    return reverse(f"admin:{kind}", args=args)


def acts(subject: Any) -> list[tuple[str, str]]:
    return [(act.action, act.by) for act in LogEntry.objects.about(subject)]


def test_every_model_of_the_admin_is_recorded() -> None:
    unrecorded = {model for model, page in site._registry.items() if not isinstance(page, Recorded)}
    assert unrecorded == set()


def test_staff_and_what_they_may_is_on_record(staff: Client) -> None:
    ann = User.objects.create_user("ann")
    auditor = Group.objects.get_or_create(name="Auditor")[0]
    fields = {"username": "ann", "is_active": "on", "is_staff": "on", "groups": auditor.pk}
    dates = {"date_joined_0": "2026-02-10", "date_joined_1": "12:00:00"}
    assert staff.post(page("auth_user_change", ann.pk), fields | dates).status_code == 302
    (act,) = LogEntry.objects.about(ann)
    assert (act.action, act.by) == ("user.changed", SAM)
    assert {name: act.details[name] for name in ("active", "staff", "superuser", "groups")} == {
        "active": True,
        "staff": True,
        "superuser": False,
        "groups": ["Auditor"],
    }


def test_new_and_deleted_staff_are_on_record(staff: Client) -> None:
    secret = "a long and winding phrase"
    fields = {"username": "ann", "usable_password": "true", "password1": secret}
    staff.post(page("auth_user_add"), fields | {"password2": secret})
    ann = User.objects.get(username="ann")
    staff.post(page("auth_user_password_change", ann.pk), fields | {"password2": secret})
    staff.post(page("auth_user_delete", ann.pk), {"post": "yes"})
    assert acts(ann) == [("user.added", SAM), ("user.changed", SAM), ("user.deleted", SAM)]
    assert secret not in json.dumps([act.details for act in LogEntry.objects.all()])


def test_what_is_deleted_in_bulk_is_on_record_one_by_one(staff: Client) -> None:
    groups = [Group.objects.create(name=name) for name in ("one", "two")]
    choice = {"action": "delete_selected", "_selected_action": [group.pk for group in groups]}
    staff.post(page("auth_group_changelist"), choice | {"post": "yes"})
    assert [acts(group) for group in groups] == [[("group.deleted", SAM)]] * 2


def test_saving_without_a_change_is_no_act(staff: Client) -> None:
    group = Group.objects.create(name="one")
    staff.post(page("auth_group_change", group.pk), {"name": "one", "initial-name": "one"})
    assert acts(group) == []


def test_who_is_told_and_what_is_sent_again_is_on_record(staff: Client) -> None:
    fields = {"channel": "webhook", "address": "https://hook.example.org/hook?key=secret"}
    staff.post(page("raffles_endpoint_add"), fields | {"is_enabled": "on"})
    endpoint = Endpoint.objects.get(channel="webhook")
    staff.post(page("raffles_endpoint_rotate", endpoint.pk))
    dead = Delivery.objects.create(
        endpoint=endpoint, created_at=NOW, next_try_at=NOW, state=Delivery.State.DEAD
    )
    again = {"action": "send_again", "_selected_action": [dead.pk]}
    staff.post(page("raffles_delivery_changelist"), again)
    assert acts(endpoint) == [
        ("endpoint.added", SAM),
        ("endpoint.rotated", SAM),
        ("endpoint.sent_again", SAM),
    ]
    assert LogEntry.objects.about(endpoint)[2].details == {"messages": [str(dead.message_id)]}
    assert "secret" not in json.dumps([act.details for act in LogEntry.objects.all()])
    assert "endpoint.sent_again" in read(staff, page("raffles_delivery_history", dead.pk))


def test_act_that_fails_leaves_no_line(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group.objects.create(name="one")

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("django.contrib.auth.admin.GroupAdmin.delete_model", fail)
    staff.raise_request_exception = False
    answer = staff.post(page("auth_group_delete", group.pk), {"post": "yes"})
    assert (answer.status_code, acts(group)) == (500, [])


def read(staff: Client, address: str, language: str = "en") -> str:
    answer = staff.get(address, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return answer.content.decode()


def test_history_of_what_belongs_to_a_raffle_is_the_raffles(staff: Client) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    rows = {"raffle": raffle, "draw": raffle.draw, "winner": raffle.winners.get(rank=1)}
    for kind, row in rows.items():
        shown = read(staff, page(f"raffles_{kind}_history", row.pk))
        assert [
            action
            for action in ("raffle.created", "raffle.closed", "draw.drawn")
            if action in shown
        ]
        assert shown.count('<th scope="row" data-label') == LogEntry.objects.about(raffle).count()


def test_history_tells_the_details_in_words(staff: Client) -> None:
    raffle = RaffleFactory.create(time_zone="Europe/Berlin", name="Hats")
    changes = [{"changed": {"fields": ["Name", "Tickets per holder"]}}]
    record(raffle, "raffle.changed", at=NOW, by=STAFF, changes=changes, terms=raffle.terms())
    record(raffle, "prize.extended", at=NOW, by=STAFF, until=NOW, was=None, ticket_number=1_234)
    record(raffle, "x", at=NOW, by=STAFF, channel="postal", full_names=True, people={"new": 2})
    for entry in LogEntry.objects.about(raffle).filter(action="raffle.changed"):
        shown = read(staff, page("raffles_logentry_change", entry.pk))
        assert "{" not in shown.split('class="told"')[1].split("</dl>")[0]
    told = re.sub(r"(<[^>]*>)+", "|", read(staff, page("raffles_raffle_history", raffle.pk), "de"))
    said = {
        "|Im Formular geändert|Name und Lose je Person geändert.|",
        *("|Bedingungen|", "|Name|Hats|", "|Preise|1 × Phone|"),
        *("|Bis|2026-02-10 13:00:00 CET|", "|Vorher|—|", "|Losnummer|1.234|"),
        *("|Kanal|per Post|", "|Volle Namen|Ja|", "|Personen|Neu ausgeschlossen|2|"),
    }
    assert {words for words in said if words not in told} == set()


def test_history_of_nothing_says_so(staff: Client) -> None:
    group = Group.objects.create(name="one")
    assert "Nothing is on record of it." in read(staff, page("auth_group_history", group.pk))
    assert staff.get(page("auth_group_history", 0)).status_code == 404


def test_queries_do_not_grow_with_the_record(staff: Client) -> None:
    raffle = RaffleFactory.create()
    addresses = (page("raffles_logentry_changelist"), page("raffles_raffle_history", raffle.pk))
    counts = []
    for _ in range(2):
        record(raffle, "raffle.seen", at=NOW, by=STAFF)
        record(raffle, "raffle.heard", at=NOW, by=STAFF)
        found = []
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                read(staff, address)
            found.append(len(queries))
        counts.append(found)
    assert counts == [[5, 5], [5, 5]]


@pytest.mark.parametrize(
    ("query", "deeds_found"),
    [
        ("?action=event.changed", ["event.changed"]),
        ("?action=nothing", []),
        ("?q=ann", ["event.changed"]),
        ("?q=Called+off", ["draw.voided"]),
        ("?q=event+daily", ["event.changed"]),
        ("?at__gte=2026-03-01+00%3A00%3A00%2B00%3A00", ["event.changed"]),
        ("?at__lt=2026-03-01+00%3A00%3A00%2B00%3A00", ["draw.voided", "raffle.created"]),
    ],
)
def test_record_is_found_by_deed_date_subject_person_and_reason(
    staff: Client, query: str, deeds_found: list[str]
) -> None:
    RaffleFactory.create(state=State.VOID)
    record("event daily", "event.changed", at=NOW + timedelta(days=40), by="staff ann")
    found = staff.get(page("raffles_logentry_changelist") + query).context["cl"].result_list
    assert [act.action for act in found] == deeds_found


def test_search_of_the_record_reads_the_latest_lines_or_those_of_a_time(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogEntryAdmin, "searched", 2)
    for number in range(3):
        record("something", f"deed.{number}", at=NOW, by="ann")

    def found(query: str) -> list[str]:
        shown = staff.get(page("raffles_logentry_changelist") + query).context["cl"].result_list
        return [act.action for act in shown]

    assert found("?q=ann") == ["deed.2", "deed.1"]
    assert found("?q=ann&at__gte=2026-02-01+00%3A00%3A00%2B00%3A00") == [
        "deed.2",
        "deed.1",
        "deed.0",
    ]


def test_deeds_are_listed_once_each_in_order() -> None:
    assert actions() == []
    for action in ("b", "a", "b", "c", "a"):
        record("something", action, at=NOW, by=STAFF)
    assert actions() == ["a", "b", "c"]


def test_pages_count_no_further_than_they_go() -> None:
    LogEntry.objects.bulk_create(
        LogEntry(subject="something", action="a", at=NOW, by=STAFF) for _ in range(10_500)
    )
    pages = FirstRows(LogEntry.objects.all(), 100)
    assert (pages.count, pages.is_cut) == (10_000, True)


def test_nobody_writes_the_record_by_hand(staff: Client) -> None:
    act = record("something", "a", at=NOW, by=STAFF)
    assert staff.get(page("raffles_logentry_add")).status_code == 403
    assert (
        staff.post(page("raffles_logentry_change", act.pk), {"why": "Because"}).status_code == 403
    )
    assert staff.post(page("raffles_logentry_delete", act.pk), {"post": "yes"}).status_code == 403
