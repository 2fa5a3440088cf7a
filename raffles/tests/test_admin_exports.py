"""The back office's exports and tickets on paper, as the staff ask for them."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.tests.acting import DRAW, run, scheduled, taken
from raffles.models import LogEntry, Raffle, State
from raffles.tests.factories import NOW, RaffleFactory, enter_nth
from raffles.web.callers import address_tag

pytestmark = pytest.mark.django_db

SAM = f"staff sam from {address_tag('127.0.0.1')}"
EVERYTHING = reverse("admin:raffles_raffle_exports")


@pytest.fixture
def staff(client: Client) -> Client:
    return logged_in(client, "Manager")


def logged_in(client: Client, role: str) -> Client:
    user = User.objects.create_user("sam", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def page(raffle: Raffle, name: str = "export") -> str:
    return reverse(f"admin:raffles_raffle_{name}", args=[raffle.pk])


def export(staff: Client, raffle: Raffle, what: str) -> Any:
    return staff.post(page(raffle), {"what": what})


def rows(answer: Any) -> list[list[str]]:
    text = answer.getvalue().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def told(answer: Any) -> list[str]:
    """Return the messages on the page that the answer leads to."""
    return [str(message) for message in answer.context["messages"]]


# --- Exports


@pytest.mark.parametrize("what", ["winners", "entries", "record"])
def test_table_is_streamed_as_a_file_that_nobody_keeps(staff: Client, what: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, name='Fête; "x" ../=1')
    answer = export(staff, raffle, what)
    assert (answer.status_code, answer.streaming) == (200, True)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    name = f"fete-x-1-{str(raffle.uuid)[:8]}-{what}.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "no-store" in answer["Cache-Control"]
    assert len(rows(answer)) > 1
    assert LogEntry.objects.about(raffle).last().by == SAM  # type: ignore[union-attr]


def test_evidence_is_an_archive(staff: Client) -> None:
    raffle = RaffleFactory.create(state=State.VOID, name="秋")
    answer = export(staff, raffle, "evidence")
    assert answer["Content-Type"] == "application/zip"
    name = f"raffle-{str(raffle.uuid)[:8]}-evidence.zip"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert ZipFile(io.BytesIO(answer.getvalue())).testzip() is None


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (State.OPEN, ["entries", "record"]),
        (State.SEALED, ["entries", "record"]),
        (State.DRAWN, ["winners", "entries", "record", "evidence"]),
        (State.VOID, ["entries", "record", "evidence"]),
    ],
)
def test_page_offers_what_there_is(staff: Client, state: State, offered: list[str]) -> None:
    raffle = RaffleFactory.create(state=state)
    text = staff.get(page(raffle)).content.decode()
    assert re.findall(r'name="what" value="(\w+)"', text) == offered
    assert not LogEntry.objects.filter(action__endswith="exported").exists()
    for what in {"winners", "entries", "record", "evidence", "codes"} - set(offered):
        answer = staff.post(page(raffle), {"what": what}, follow=True)
        assert told(answer) == ["There is no such file of this raffle."]


@pytest.mark.parametrize(("may_see_tickets", "name"), [(True, "Ann Archer"), (False, "A. A.")])
def test_names_follow_the_permission_to_see_tickets(
    client: Client, may_see_tickets: bool, name: str
) -> None:
    scheduled(privacy="initials")
    taken("Ann Archer")
    run(DRAW)
    staff = logged_in(client, "Auditor")
    if not may_see_tickets:
        auditors = Group.objects.get(name="Auditor").permissions
        auditors.remove(auditors.get(codename="view_ticket"))
    raffle = Raffle.objects.get()
    assert [row[2] for row in rows(export(staff, raffle, "entries"))[1:]] == [name]
    assert [row[4] for row in rows(export(staff, raffle, "winners"))[1:]] == [name]
    period = {"what": "winners", "event": "breakfast", "since": "2026-02-10"}
    answer = staff.post(EVERYTHING, period | {"until": "2026-02-10"})
    assert [row[4] for row in rows(answer)[1:]] == [name]
    name = 'filename="breakfast-winners-2026-02-10-2026-02-10.csv"'
    assert answer["Content-Disposition"] == f"attachment; {name}"


@pytest.mark.parametrize(
    ("terms", "is_said"),
    [({}, False), ({"privacy": "initials"}, True), ({"event_slug": "breakfast"}, True)],
)
def test_page_says_how_names_stand_in_the_files_where_any_are_kept(
    staff: Client, terms: dict[str, str], is_said: bool
) -> None:
    text = staff.get(page(RaffleFactory.create(**terms))).content.decode()
    assert ("Names are as they were entered." in text) == is_said


@pytest.mark.parametrize(
    ("event", "since", "until", "sentence"),
    [
        ("breakfast", "2026-02-11", "2026-02-12", "This event drew nothing in that time."),
        ("dinner", "2026-02-10", "2026-02-10", "This event drew nothing in that time."),
        ("breakfast", "2026-02-11", "2026-02-10", "The last day comes before the first."),
        ("breakfast", "0001-01-01", "9999-12-31", ""),
        ("breakfast", "x", "", "Enter a valid date."),
        ("../x", "2026-02-10", "2026-02-10", "Enter a valid “slug”"),
    ],
)
def test_period_without_winners_is_said(
    staff: Client, event: str, since: str, until: str, sentence: str
) -> None:
    scheduled()
    taken("alice")
    run(DRAW)
    values = {"what": "winners", "event": event, "since": since, "until": until}
    answer = staff.post(EVERYTHING, values)
    assert answer.status_code == (400 if sentence else 200)
    if sentence:
        assert sentence in answer.content.decode()
    else:
        assert len(rows(answer)) == 2


def test_whole_record_is_exported(staff: Client) -> None:
    raffle = RaffleFactory.create()
    answer = staff.post(EVERYTHING, {"what": "record"})
    assert answer["Content-Disposition"] == 'attachment; filename="record.csv"'
    assert [row[1] for row in rows(answer)[1:]] == [f"raffle {raffle.uuid}", "the whole record"]


@pytest.mark.parametrize("name", ["export", "tickets"])
def test_no_such_raffle_is_404_and_other_methods_405(staff: Client, name: str) -> None:
    for key in (0, 10**40):
        address = reverse(f"admin:raffles_raffle_{name}", args=[key])
        assert (staff.get(address).status_code, staff.post(address).status_code) == (404, 404)
    assert staff.put(page(RaffleFactory.create(), name)).status_code == 405


def test_raffle_leads_to_what_the_role_may(client: Client) -> None:
    raffles = [RaffleFactory.create(), RaffleFactory.create(state=State.DRAWN)]
    found = {}
    for role in ("Manager", "Operator", "Auditor"):
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        texts = [client.get(page(raffle, "change")).content.decode() for raffle in raffles]
        lists = [reverse(f"admin:raffles_{kind}_changelist") for kind in ("raffle", "logentry")]
        listed = [EVERYTHING in client.get(url).content.decode() for url in lists]
        links = [re.findall(r'href="\.\./(export|tickets)/"', text) for text in texts]
        found[role] = (*links, *listed)
    assert found == {
        "Manager": (["export", "tickets"], ["export"], True, True),
        "Operator": (["tickets"], [], False, False),
        "Auditor": (["export"], ["export"], True, True),
    }


def test_pages_cost_as_many_queries_with_three_rows_as_with_one(staff: Client) -> None:
    counts = []
    for batches in (1, 3):
        raffle = RaffleFactory.create(total_tickets=9)
        for n in range(batches):
            hand_out(staff, raffle, batches, batch=f"{n:032x}")
        found = []
        for name in ("export", "tickets"):
            with CaptureQueriesContext(connection) as queries:
                staff.get(page(raffle, name))
            found.append(len(queries))
        with CaptureQueriesContext(connection) as queries:
            hand_out(staff, raffle, batches, batch="0" * 32)
        counts.append([*found, len(queries)])
    assert counts[0] == counts[1]


# --- Tickets on paper


def hand_out(staff: Client, raffle: Raffle, amount: object, batch: str = "a" * 32) -> Any:
    values = {"amount": amount, "batch": batch}
    return staff.post(page(raffle, "tickets"), values, follow=True)


def codes(answer: Any) -> list[str]:
    return re.findall(r"<b>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){4})</b>", answer.content.decode())


def test_sheets_hold_number_code_and_a_way_to_check(staff: Client) -> None:
    raffle = RaffleFactory.create(
        total_tickets=30,
        name="Summer <fair>",
        closes_at=NOW + timedelta(days=36_500),
        time_zone="Europe/Paris",
        claim={"claim_place": "Town hall"},
    )
    answer = hand_out(staff, raffle, 21)
    text = unescape(answer.content.decode())
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert "21 tickets, 3 sheets of A4." in text
    assert [sheet.count("<article") for sheet in text.split('class="sheet"')[1:]] == [10, 10, 1]
    assert len(set(codes(answer))) == 21
    assert f"testserver/r/{raffle.uuid}/ticket/" in text
    assert text.count("Draw on 17 January 2126, 13:00 CET") == 21
    assert text.count("Prizes at: Town hall") == 21
    assert "<fair>" not in answer.content.decode()
    numbers = [int(number) for number in re.findall(r"</span> <b>(\d+)</b>", text)]
    assert numbers == sorted(set(numbers))
    assert raffle.tickets.count() == 21


def test_paper_speaks_the_language_of_who_prints_it(staff: Client) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    found = {}
    for language in ("en", "de", "fr"):
        values = {"amount": 2, "batch": "a" * 32}
        answer = staff.post(page(raffle, "tickets"), values, headers={"Accept-Language": language})
        text = answer.content.decode()
        drawn = re.findall(r'class="when">([^<]*)<', text)
        found[language] = (text.split('lang="')[1][:2], set(drawn))
    english, german = (
        "Drawn when all tickets are gone",
        "Gezogen wird, wenn alle Lose vergeben sind",
    )
    assert found == {"en": ("en", {english}), "de": ("de", {german}), "fr": ("en", {english})}


def test_paper_writes_dates_in_the_language_of_who_prints_it(staff: Client) -> None:
    closes_at = datetime(2126, 1, 17, 12, tzinfo=UTC)
    raffle = RaffleFactory.create(closes_at=closes_at, time_zone="Europe/Berlin")
    values = {"amount": 2, "batch": "a" * 32}
    answer = staff.post(page(raffle, "tickets"), values, headers={"Accept-Language": "de"})
    assert answer.content.decode().count("Ziehung am 17. Januar 2126, 13:00 CET") == 2


def test_receipts_are_a_file_without_codes(staff: Client) -> None:
    answer = hand_out(staff, RaffleFactory.create(), 2)
    (link,) = re.findall(
        r'href="data:application/json,([^"]*)" download="receipts-aaaaaaaa.json"',
        answer.content.decode(),
    )
    receipts = json.loads(unquote(unescape(link)))
    assert [list(row) for row in receipts] == [["raffle_id", "ticket_number", "receipt"]] * 2
    assert not [code for code in codes(answer) if code in unquote(link)]


def test_form_sent_twice_is_one_batch_and_the_next_form_another(staff: Client) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    forms = [staff.get(page(raffle, "tickets")).context["form"].initial["batch"] for _ in "ab"]
    first, again, other = (
        codes(hand_out(staff, raffle, 2, batch)) for batch in (*forms[:1], *forms)
    )
    assert first == again
    assert len({*first, *other}) == 4
    assert raffle.tickets.count() == 4


def test_batch_is_shown_again_by_its_line(staff: Client) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    first = codes(hand_out(staff, raffle, 2))
    text = staff.get(page(raffle, "tickets")).content.decode()
    (batch,) = re.findall(r'name="batch" value="(\w+)">', text.split("Printed before")[1])
    assert codes(hand_out(staff, raffle, 2, batch)) == first
    assert not [code for code in first if code in text]
    acts = LogEntry.objects.about(raffle).exclude(action="raffle.created")
    assert [(act.action, act.by) for act in acts] == [
        ("tickets.printed", SAM),
        ("tickets.printed_again", SAM),
    ]


def test_fewer_tickets_than_asked_for_are_said(staff: Client) -> None:
    raffle = RaffleFactory.create(total_tickets=4)
    enter_nth(raffle, 0)
    answer = hand_out(staff, raffle, 9)
    assert "<strong>3 of 9 tickets: no more were left.</strong>" in answer.content.decode()
    answer = hand_out(staff, raffle, 9, batch="b" * 32)
    assert told(answer) == ["Tickets to this raffle are no longer available"]


@pytest.mark.parametrize(
    ("amount", "batch"),
    [(0, "a" * 32), (1_001, "a" * 32), ("", "a" * 32), ("1e2", "a" * 32), (1, ""), (1, "x\n")],
)
def test_bad_form_hands_out_nothing(staff: Client, amount: object, batch: str) -> None:
    raffle = RaffleFactory.create()
    assert hand_out(staff, raffle, amount, batch).status_code == 400
    assert not raffle.tickets.exists()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (State.CLOSED, "Tickets to this raffle are no longer available"),
        (State.DRAWN, "Winners for the raffle have already been drawn"),
        (State.VOID, "The raffle has been voided"),
    ],
)
def test_raffle_that_is_over_is_refused_in_words(
    staff: Client, state: State, sentence: str
) -> None:
    raffle = RaffleFactory.create(state=state)
    assert told(hand_out(staff, raffle, 1)) == [sentence]
    assert "Hand out" not in staff.get(page(raffle, "tickets")).content.decode()


def test_event_says_that_its_tickets_go_through_it(staff: Client) -> None:
    scheduled()
    taken("alice")
    raffle = Raffle.objects.get()
    assert told(hand_out(staff, raffle, 1)) == ["Take part through the event"]
    text = staff.get(page(raffle, "tickets")).content.decode()
    assert "handed out through the event alone" in text
