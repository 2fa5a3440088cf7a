"""The admin of raffles: creating, terms that freeze, records that stay, counts that do not grow."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from raffles.admin.raffles import RaffleAdmin
from raffles.domain.entering import enter
from raffles.domain.entering_lists import enter_list
from raffles.domain.prizes import replace_winner
from raffles.domain.reading_lists import Line
from raffles.fairness.verify import check_shape, terms_shape
from raffles.models import Draw, LogEntry, Prize, Raffle, Replacement, State
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, enter_nth
from raffles.web.callers import address_tag
from raffles.web.witness_lists import Cosigner

SAM = f"staff sam from {address_tag('127.0.0.1')}"
pytestmark = pytest.mark.django_db

LIST = reverse("admin:raffles_raffle_changelist")
ADD = reverse("admin:raffles_raffle_add")


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("sam"))
    return client


def form(*prizes: tuple[str, int], **terms: Any) -> dict[str, Any]:
    fields = {
        "name": "Tombola",
        "total_tickets": 10,
        "alternates": 2,
        "entropy": "system",
        "closes_at_0": "",
        "closes_at_1": "",
        "time_zone": "UTC",
        "tickets_per_holder": 1,
        "max_wins_per_holder": 0,
        "prizes-TOTAL_FORMS": len(prizes),
        "prizes-INITIAL_FORMS": 0,
    }
    for n, (name, amount) in enumerate(prizes):
        fields |= {f"prizes-{n}-name": name, f"prizes-{n}-amount": amount}
    return fields | terms


def change(raffle: Raffle) -> str:
    return reverse("admin:raffles_raffle_change", args=[raffle.pk])


def errors(response: Any) -> str:
    return str(response.content.decode())


def test_raffle_created_by_staff_can_be_entered(staff: Client) -> None:
    response = staff.post(ADD, form(("Cake", 1), ("Jam", 2)))
    assert response.status_code == 302
    raffle = Raffle.objects.get()
    assert [(prize.position, prize.name, prize.amount) for prize in raffle.prizes.all()] == [
        (1, "Cake", 1),
        (2, "Jam", 2),
    ]
    assert raffle.created_by == SAM
    entries = LogEntry.objects.about(raffle)
    assert [(entry.action, entry.by) for entry in entries] == [("raffle.created", SAM)]
    numbers = {
        enter(raffle.uuid, identity=f"ip:{address(n)}", now=NOW).ticket_number for n in range(10)
    }
    assert numbers == set(range(1, 11))


@pytest.mark.parametrize("changed_to", [None, "drand"])
def test_terms_by_staff_name_the_log_and_who_witnesses(
    staff: Client, settings: Settings, changed_to: str | None
) -> None:
    """Also of a raffle that is to be drawn by the beacon only after it was made."""
    settings.COSIGNERS = [Cosigner("one", "11" * 32, "https://witness.example.org")]
    made_for = "system" if changed_to else "drand"
    staff.post(ADD, form(("Bicycle", 1), entropy=made_for))
    raffle = Raffle.objects.get()
    if changed_to:
        fields = edited(raffle, raffle.prizes.get(), raffle.name) | {"entropy": changed_to}
        assert staff.post(change(raffle), fields).status_code == 302
        raffle.refresh_from_db()
    terms = raffle.terms()
    check_shape(terms, terms_shape("drand"), "terms")
    assert terms["operator"] == "testserver/log"
    assert terms["cosigners"] == [{"name": "one", "key": "11" * 32}]


def test_raffle_closes_on_the_clocks_of_its_zone(staff: Client) -> None:
    typed = {"closes_at_0": "2026-07-01", "closes_at_1": "08:00", "time_zone": "Europe/Paris"}
    with time_machine.travel(NOW, tick=False):
        assert staff.post(ADD, form(("Cake", 1), **typed)).status_code == 302
        raffle = Raffle.objects.get()
        assert raffle.closes_at == datetime(2026, 7, 1, 6, tzinfo=UTC)
        assert raffle.operator == "testserver/log"
        page = errors(staff.get(change(raffle)))
        for seen in ('value="08:00:00"', 'UTC">Europe/Paris</span>', "08:00:00 CEST"):
            assert seen in page
        # The time stays as it is typed, and so is another one.
        kept = edited(raffle, raffle.prizes.get(), "Tombola") | typed
        staff.post(change(raffle), kept | {"time_zone": "Asia/Tokyo"})
        raffle.refresh_from_db()
        assert raffle.closes_at == datetime(2026, 6, 30, 23, tzinfo=UTC)
        leapt = {"closes_at_0": "2027-03-28", "closes_at_1": "02:30", "time_zone": "Europe/Paris"}
        assert "couldn’t be interpreted in time zone Europe/Paris" in errors(
            staff.post(change(raffle), kept | leapt)
        )


def test_raffle_opens_on_the_clocks_of_its_zone_and_is_entered_as_chosen(staff: Client) -> None:
    typed = {"opens_at_0": "2026-07-01", "opens_at_1": "08:00", "time_zone": "Europe/Paris"}
    with time_machine.travel(NOW, tick=False):
        staff.post(ADD, form(("Cake", 1), **typed, entry="email"))
        raffle = Raffle.objects.get()
        opens_at = datetime(2026, 7, 1, 6, tzinfo=UTC)
        assert (raffle.opens_at, raffle.entry) == (opens_at, "email")
        assert next_steps(staff) == {"Tombola": "opens 2026-07-01 08:00:00 CEST"}
    with time_machine.travel(opens_at + timedelta(days=1), tick=False):
        # A time that has come is no fault while it stays as it is.
        page = staff.get(change(raffle)).content.decode()
        seen = dict(re.findall(r'name="(initial-[^"]+)" value="([^"]*)"', page))
        fields = edited(raffle, raffle.prizes.get(), "Renamed") | typed | {"entry": "list"}
        assert staff.post(change(raffle), seen | fields).status_code == 302
    raffle.refresh_from_db()
    assert (raffle.name, raffle.entry) == ("Renamed", "list")
    enter_list(raffle.uuid, [Line(1, "A")], now=NOW, by=STAFF)
    assert 'name="entry"' not in errors(staff.get(change(raffle)))


def test_zone_of_a_raffle_is_the_sites_at_first(staff: Client, settings: LazySettings) -> None:
    settings.RAFFLE_ZONE = "Europe/Paris"
    assert '<option value="Europe/Paris" selected>' in errors(staff.get(ADD))
    raffle = RaffleFactory.create(closes_at=NOW + timedelta(days=1))
    assert "draws 2026-02-11 13:00:00 CET" in errors(staff.get(change(raffle)))


@pytest.mark.parametrize(
    ("prizes", "terms", "sentence"),
    [
        ([], {}, "A raffle needs at least one prize."),
        ([("Cake", 11)], {}, "Too many prizes"),
        ([("Cake", 1)], {"name": "\u202eevil"}, "bidirectional"),
        ([("\u200b", 1)], {}, "zero-width"),
        ([("Cake", 1)], {"total_tickets": 10_000_001}, "less than or equal to 10000000"),
        (
            [("Cake", 1)],
            {"closes_at_0": "2020-01-01", "closes_at_1": "08:00:00"},
            "closes_at must be in the future",
        ),
        (
            [("Cake", 1)],
            {"opens_at_0": "2020-01-01", "opens_at_1": "08:00:00"},
            "opens_at must be in the future",
        ),
        (
            [("Cake", 1)],
            {
                "opens_at_0": "2099-01-01",
                "opens_at_1": "08:00:00",
                "closes_at_0": "2099-01-01",
                "closes_at_1": "08:00:00",
            },
            "opens_at must be before closes_at",
        ),
        (
            [("Cake", 1)],
            {"closes_at_0": "9999-12-31", "closes_at_1": "23:59:59"},
            "There is no such time, in UTC, in the years 1970 to 9000.",
        ),
        ([("Cake", 1)], {"entry": "username"}, "Select a valid choice."),
    ],
)
def test_bad_raffle_is_refused_with_a_sentence(
    staff: Client, prizes: list[tuple[str, int]], terms: dict[str, Any], sentence: str
) -> None:
    response = staff.post(ADD, form(*prizes, **terms))
    assert sentence in errors(response)
    assert not Raffle.objects.exists()


def edited(raffle: Raffle, prize: Prize, name: str) -> dict[str, Any]:
    return form(("Bicycle", 1), name=name) | {
        "prizes-INITIAL_FORMS": 1,
        "prizes-0-id": prize.pk,
        "prizes-0-raffle": raffle.pk,
    }


def test_terms_can_be_changed_until_the_first_ticket(staff: Client) -> None:
    raffle = RaffleFactory.create()
    prize = raffle.prizes.get()
    staff.post(change(raffle), edited(raffle, prize, "Renamed"))
    raffle.refresh_from_db()
    assert (raffle.name, raffle.prizes.get().name) == ("Renamed", "Bicycle")
    enter_nth(raffle, 0)
    staff.post(change(raffle), edited(raffle, prize, "Again"))
    raffle.refresh_from_db()
    assert (raffle.name, raffle.prizes.get().name) == ("Renamed", "Bicycle")


def test_prize_has_a_picture_until_the_first_ticket(staff: Client) -> None:
    raffle = RaffleFactory.create()
    prize = raffle.prizes.get()
    wrong = edited(raffle, prize, "Tombola") | {"prizes-0-picture": "no address"}
    page = errors(staff.post(change(raffle), wrong))
    assert (
        '<ul class="errorlist" id="id_prizes-0-picture_error"><li>Enter a valid URL.</li>' in page
    )
    assert 'value="no address"' in page
    assert not raffle.prizes.get().picture

    staff.post(change(raffle), wrong | {"prizes-0-picture": "draws.example.org/bicycle.jpg"})
    assert raffle.prizes.get().picture == "https://draws.example.org/bicycle.jpg"
    enter_nth(raffle, 0)
    page = errors(staff.get(change(raffle)))
    assert "https://draws.example.org/bicycle.jpg" in page
    assert 'name="prizes-0-picture"' not in page


@pytest.mark.parametrize("sent", [{"entry": ""}, {}])
def test_form_without_a_way_in_leaves_the_raffles(staff: Client, sent: dict[str, str]) -> None:
    raffle = RaffleFactory.create(entry="email")
    rows = {"prizes-INITIAL_FORMS": 1, "prizes-0-id": raffle.prizes.get().pk}
    assert staff.post(change(raffle), form(("Phone", 1)) | rows | sent).status_code == 302
    assert staff.post(ADD, form(("Phone", 1), name="New") | sent).status_code == 302
    entries = Raffle.objects.order_by("pk").values_list("name", "entry")
    assert list(entries) == [("Tombola", "email"), ("New", "address")]


def test_ticket_between_form_and_save_keeps_the_terms(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    raffle = RaffleFactory.create()
    prize = raffle.prizes.get()
    monkeypatch.setattr("raffles.admin.raffles.terms_open", lambda _raffle: True)
    enter_nth(raffle, 0)
    response = staff.post(change(raffle), edited(raffle, prize, "Late"), follow=True)
    assert "The raffle has tickets, so its terms can&#x27;t be changed" in errors(response)
    raffle.refresh_from_db()
    assert raffle.name == "Spring raffle"


def test_untouched_raffle_can_be_deleted_and_one_with_tickets_not(staff: Client) -> None:
    untouched, entered = RaffleFactory.create(), RaffleFactory.create(tickets=1)
    for raffle in (untouched, entered):
        staff.post(reverse("admin:raffles_raffle_delete", args=[raffle.pk]), {"post": "yes"})
    assert list(Raffle.objects.all()) == [entered]


@pytest.mark.parametrize("state", [State.DRAWN, State.VOID])
def test_finished_raffle_is_read_only(staff: Client, state: State) -> None:
    raffle = RaffleFactory.create(state=state)
    page = errors(staff.get(change(raffle)))
    assert 'name="name"' not in page
    assert 'name="prizes-0-name"' not in page
    assert f"/raffles/{raffle.uuid}/" in page


def test_query_counts_do_not_grow_with_the_rows(staff: Client) -> None:
    lists = [
        reverse(f"admin:raffles_{name}_changelist")
        for name in ("raffle", "draw", "winner", "replacement", "announcement")
    ]
    counts = []
    for rows in (1, 2):
        for _ in range(rows):
            raffle = RaffleFactory.create(state=State.DRAWN)
            number = raffle.winners.get(rank=1).ticket_number()
            replace_winner(raffle.uuid, ticket_number=number, reason="Away", now=NOW, by=STAFF)
        found = []
        for url in lists:
            with CaptureQueriesContext(connection) as queries:
                assert staff.get(url).status_code == 200
            found.append(len(queries))
        counts.append(found)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["draw", "winner", "replacement", "announcement"])
def test_records_are_shown_and_never_touched(staff: Client, name: str) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    number = raffle.winners.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Away", now=NOW, by=STAFF)
    record = raffle.draw if name == "draw" else getattr(raffle, f"{name}s").first()
    url = reverse(f"admin:raffles_{name}_change", args=[record.pk])
    assert staff.get(url).status_code == 200
    assert staff.post(url, {}).status_code == 403
    assert staff.get(reverse(f"admin:raffles_{name}_add")).status_code == 403
    delete = reverse(f"admin:raffles_{name}_delete", args=[record.pk])
    assert staff.post(delete, {"post": "yes"}).status_code == 403


def test_every_time_names_its_zone_and_has_utc_in_its_tooltip(staff: Client) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, time_zone="Europe/Paris")
    number = raffle.winners.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Away", now=NOW, by=STAFF)
    of_it = (Raffle, raffle), (Draw, raffle.draw), (Replacement, raffle.replacements.get())
    tip = f'title="{NOW:%Y-%m-%d %H:%M:%S} UTC">{NOW + timedelta(hours=1):%Y-%m-%d %H:%M}'
    for model, row in of_it:
        kind = f"admin:raffles_{model._meta.model_name}"
        places = [reverse(f"{kind}_{page}", args=[row.pk]) for page in ("change", "history")]
        for place in (reverse(f"{kind}_changelist"), *places):
            page = staff.get(place).content.decode()
            assert tip in page, place
            without = re.sub(r"<time .*?</time>", "", page)
            assert not re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", without), place


def next_steps(staff: Client) -> dict[str, str]:
    """Return the last column of the list, by raffle."""
    rows = staff.get(LIST).context["cl"].result_list
    return {raffle.name: RaffleAdmin(Raffle, site).next_step(raffle) for raffle in rows}


def test_list_says_what_comes_next_and_what_is_late(staff: Client) -> None:
    RaffleFactory.create(name="open")
    RaffleFactory.create(name="full", tickets=3)
    RaffleFactory.create(name="timed", closes_at=NOW + timedelta(hours=1))
    RaffleFactory.create(name="cut off", state=State.CLOSED)
    RaffleFactory.create(name="beacon", state=State.SEALED, entropy="drand")
    RaffleFactory.create(name="drawn", state=State.DRAWN)
    with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
        assert next_steps(staff) == {
            "open": "hands out tickets until all are gone",
            "full": "sold out: a manager draws",
            "timed": "draws 2026-02-10 13:00:00 UTC",
            "cut off": "draws with the next run",
            "beacon": "beacon round 25,973,832, 2026-02-10 12:01:00 UTC",
            "drawn": "—",
        }
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        later = next_steps(staff)
    assert [name for name, step in later.items() if "late" in step or "overdue" in step] == [
        "beacon",
        "timed",
    ]


def test_strangers_see_the_login(client: Client) -> None:
    assert client.get(LIST).status_code == 302
