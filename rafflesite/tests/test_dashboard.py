"""The first page of the back office: what needs somebody, what is coming, what was done."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from events.models import Event, Heartbeat, Setback
from events.tests.acting import DAY, NOW, at, scheduled, taken
from raffles.domain.announcing import announce_sold_out
from raffles.domain.prizes import hand_over, replace_winner
from raffles.models import Delivery, Endpoint, Raffle, State
from raffles.models.record import record
from raffles.tests.factories import NOW as DRAWN_AT
from raffles.tests.factories import STAFF, RaffleFactory, enter_nth, take_to
from rafflesite.dashboard import Home, home

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss")


def ran(now: datetime = NOW) -> None:
    Heartbeat.objects.update_or_create(pk=1, defaults={"ran_at": now})


def shown(user: User, now: datetime = NOW) -> Home:
    with at(now):
        return home(User.objects.get(pk=user.pk), now)


def page(user: User, now: datetime = NOW) -> str:
    client = Client()
    with at(now):
        client.force_login(user)
        answer = client.get(INDEX)
    assert answer.status_code == 200
    return answer.content.decode()


def tasks(user: User, now: datetime = NOW) -> list[tuple[str, str, bool]]:
    return [(task.what, task.why, task.is_urgent) for task in shown(user, now).tasks]


# --- Where to begin


def steps(user: User) -> list[tuple[str, bool, list[str]]]:
    """Return the first steps, whether each is done, and where it is done."""
    found = shown(user).steps
    return [(str(step.label), step.is_done, [place for _, place in step.ways]) for step in found]


def test_empty_site_shows_the_first_steps(boss: User, settings: Settings) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    scheduling = ["/admin/events/event/add/", "/admin/raffles/raffle/add/"]
    assert steps(boss) == [
        ("Add your staff", False, ["/admin/auth/user/add/"]),
        ("Set the address", False, []),
        ("Schedule the first draw", False, scheduling),
        ("Let draw_winners run", False, []),
        ("Print the poster", False, []),
    ]
    text = page(boss)
    assert "lead to http://localhost:8000." in text
    assert "What needs you" not in text
    for address in scheduling:
        assert f'<a href="{address}">' in text


def test_first_steps_stay_until_each_is_done(boss: User, settings: Settings) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    scheduled()
    event = Event.objects.get()
    assert steps(boss)[2:] == [
        ("Schedule the first draw", True, ANY),
        ("Let draw_winners run", False, []),
        ("Print the poster", False, [f"/admin/events/event/{event.pk}/poster/"]),
    ]
    assert "What needs you" in page(boss)
    taken("alice")
    ran()
    User.objects.create_user("mia", is_staff=True)
    assert [label for label, is_done, _ in steps(boss) if not is_done] == ["Set the address"]
    settings.PUBLIC_URL = "https://draws.example.org"
    assert steps(boss) == []


def test_first_draw_ends_the_first_steps(boss: User) -> None:
    RaffleFactory.create(state=State.DRAWN)
    assert steps(boss) == []
    assert "First steps" not in page(boss)


def test_first_steps_are_for_those_who_can_take_them() -> None:
    mia, otto = (User.objects.create_user(name, is_staff=True) for name in ("mia", "otto"))
    mia.groups.set([Group.objects.get(name="Manager")])
    otto.groups.set([Group.objects.get(name="Operator")])
    assert "Add your staff" not in [label for label, *_ in steps(mia)]
    assert steps(otto) == []
    assert "What needs you" in page(otto)


# --- What needs somebody


def test_nothing_needs_anybody(boss: User) -> None:
    scheduled()
    ran()
    assert tasks(boss) == []
    assert "Nothing at the moment." in page(boss)


def test_runs_that_stand_still(boss: User) -> None:
    scheduled()
    assert tasks(boss) == [("Draws stand still", "draw_winners has never run.", True)]
    ran(NOW - timedelta(minutes=10))
    sentence = "draw_winners has not run since 2026-02-10 05:50 UTC."
    assert tasks(boss) == [("Draws stand still", sentence, True)]


def test_draws_that_are_due_overdue_sold_out_and_waiting_for_the_beacon(boss: User) -> None:
    noon = datetime(2026, 2, 10, 12, tzinfo=UTC)
    ran(noon)
    sold_out = RaffleFactory.create(name="Sold out", tickets=3)
    announce_sold_out(sold_out, at=noon, by=STAFF)
    RaffleFactory.create(name="Selling", tickets=2)
    RaffleFactory.create(name="Beacon", state=State.SEALED, entropy="drand")
    RaffleFactory.create(name="Cut off", state=State.CLOSED)
    RaffleFactory.create(name="Due", closes_at=noon + timedelta(minutes=1))
    found = {what: (why, urgent) for what, why, urgent in tasks(boss, noon + timedelta(minutes=1))}
    assert found == {
        "Sold out": ("Sold out: you can draw it", True),
        "Beacon": ("Waits for the beacon, round 25973832 at Tue 10 Feb, 12:01 UTC", False),
        "Cut off": ("Closed, not drawn yet: the next run goes on", False),
        "Due": ("Draws with the next run, due at Tue 10 Feb, 12:01 UTC", False),
    }
    ran(noon + timedelta(hours=1))
    found = {what: (why, urgent) for what, why, urgent in tasks(boss, noon + timedelta(hours=1))}
    assert found["Due"] == ("Overdue since Tue 10 Feb, 12:01 UTC", True)
    assert found["Beacon"][0].startswith("Waits for the beacon, late: round")


def test_what_failed_and_is_tried_again(boss: User) -> None:
    ran()
    scheduled()
    raffle = RaffleFactory.create(name="Tombola")
    Setback.objects.create(
        raffle=raffle, attempts=3, error="Rain", failed_at=NOW, next_try_at=NOW + DAY
    )
    assert tasks(boss) == [("Tombola", "Failed 3 times, tried again by itself: Rain", True)]
    assert f'href="/admin/raffles/raffle/{raffle.pk}/change/">Tombola' in page(boss)


def test_announcements_that_fail(boss: User) -> None:
    ran()
    scheduled()
    _good, slow, gone, _off = (
        Endpoint.objects.create(address=f"https://{name}.example.org", created_at=NOW, **more)
        for name, more in (
            ("good", {}),
            ("slow", {"failing_since": NOW}),
            ("gone", {"is_enabled": False, "disabled_because": "answered 410 Gone"}),
            ("off", {"is_enabled": False}),
        )
    )
    for endpoint in (slow, gone):
        Delivery.objects.create(
            endpoint=endpoint, created_at=NOW, next_try_at=NOW, state=Delivery.State.DEAD
        )
    assert tasks(boss) == [
        ("https://gone.example.org", "No longer notified: answered 410 Gone", True),
        ("https://slow.example.org", "Failing since Tue 10 Feb, 06:00 UTC", True),
        ("2 messages given up", "To be sent again once it can arrive.", True),
    ]


# --- What is coming, what was won


def test_coming_draws_are_soonest_first_with_reward_and_tickets(boss: User) -> None:
    scheduled()
    taken("alice")
    RaffleFactory.create(name="Tombola", closes_at=NOW + timedelta(minutes=5), now=NOW)
    RaffleFactory.create(name="No time")
    found = [(draw.name, draw.shown, draw.reward, draw.issued) for draw in shown(boss).coming]
    assert found == [
        ("Tombola", "Tue 10 Feb, 06:05 UTC", "1 × Phone", 0),
        ("Breakfast", "Tue 10 Feb, 08:00 CET", "1 × Coffee", 1),
    ]
    assert 'data-countdown="2026-02-10T06:05:00+00:00"' in page(boss)


def drawn(**terms: Any) -> Raffle:
    return RaffleFactory.create(state=State.DRAWN, prizes=[("Phone", 2)], **terms)


def test_unclaimed_prizes_are_shown_until_they_are_claimed_or_passed_on(boss: User) -> None:
    late = drawn(name="Late", claim={"claim_days": 9})
    drawn(name="Soon", claim={"claim_days": 2})
    first, second, third = (winner.ticket_number() for winner in late.winners.all())
    replace_winner(late.uuid, ticket_number=second, reason="Ill", now=DRAWN_AT, by=STAFF)
    found = shown(boss, DRAWN_AT).unclaimed
    assert [(prize.raffle, prize.prize, prize.shown, prize.is_soon) for prize in found] == [
        ("Soon", "Phone", "Thu 12 Feb, 12:00 UTC", True),
        ("Soon", "Phone", "Thu 12 Feb, 12:00 UTC", True),
        ("Late", "Phone", "Thu 19 Feb, 12:00 UTC", False),
        ("Late", "Phone", "Thu 19 Feb, 12:00 UTC", False),
    ]
    assert [prize.ticket_number for prize in found[2:]] == [first, third]
    later = shown(boss, DRAWN_AT + 3 * DAY).unclaimed
    assert [prize.is_over for prize in later] == [True, True, False, False]


def test_prizes_without_a_deadline_are_counted(boss: User) -> None:
    raffle = drawn()
    assert shown(boss, DRAWN_AT).undated == "2"
    assert "2 without a deadline" in page(boss, DRAWN_AT)
    number = raffle.winners.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=DRAWN_AT, by=STAFF)
    assert shown(boss, DRAWN_AT).undated == "2"
    assert shown(boss, DRAWN_AT + 40 * DAY).undated == ""


def test_prize_that_was_handed_over_is_no_longer_counted(boss: User) -> None:
    raffle = RaffleFactory.create()
    entries = [enter_nth(raffle, n) for n in range(3)]
    codes = {entry.ticket_number: entry.verification_code for entry in entries}
    take_to(State.DRAWN, raffle)
    number = raffle.winners.get(rank=1).ticket_number()
    hand_over(raffle.uuid, ticket_number=number, code=codes[number], now=DRAWN_AT, by=STAFF)
    assert shown(boss, DRAWN_AT).undated == ""
    assert "No prize is unclaimed." in page(boss, DRAWN_AT)


# --- Entries


def test_entries_are_a_bar_a_day(boss: User) -> None:
    RaffleFactory.create(tickets=2)
    bars = shown(boss, DRAWN_AT).bars
    assert [bar.entries for bar in bars] == [0] * 13 + [2]
    assert (bars[-1].height, bars[-1].y, bars[0].height) == (80, 0, 0)
    text = page(boss, DRAWN_AT)
    assert len(re.findall("<rect", text)) == 14
    assert "Entries a day, 2 at the most</title>" in text
    assert '<th scope="row">Tue 10 Feb</th><td>2</td>' in text


# --- Who sees what


def test_user_without_rights_sees_no_panel() -> None:
    plain = User.objects.create_user("plain", is_staff=True)
    RaffleFactory.create(state=State.DRAWN)
    assert shown(plain) == Home()
    assert '<section class="panel' not in page(plain)


def test_user_sees_what_they_may_see() -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_winner"))
    drawn()
    found = shown(clerk, DRAWN_AT)
    assert (found.undated, found.coming, found.actions, found.starts) == ("2", [], [], [])


def test_first_page_runs_nothing_inline(boss: User) -> None:
    scheduled()
    RaffleFactory.create(state=State.DRAWN)
    assert re.findall(r'<script>|<style|\sstyle=|\son\w+="', page(boss)) == []


# --- How much it asks


def test_queries_do_not_grow_with_the_rows(boss: User) -> None:
    counts = []
    for rows in (1, 2):
        for n in range(rows):
            slug = f"event-{rows}-{n}"
            scheduled(slug=slug, name=slug)
            taken(slug, slug=slug)
            drawn(claim={"claim_days": 2})
            drawn()
            RaffleFactory.create(state=State.CLOSED)
            RaffleFactory.create(closes_at=DRAWN_AT + DAY)
            endpoint = Endpoint.objects.create(address=slug, created_at=NOW, failing_since=NOW)
            Delivery.objects.create(
                endpoint=endpoint, created_at=NOW, next_try_at=NOW, state=Delivery.State.DEAD
            )
            failed = RaffleFactory.create()
            Setback.objects.create(raffle=failed, error="", failed_at=NOW, next_try_at=NOW)
            record("something", "was.done", at=NOW, by=STAFF)
        with CaptureQueriesContext(connection) as queries:
            found = shown(boss, DRAWN_AT)
        assert all([found.tasks, found.coming, found.unclaimed, found.undated, found.actions])
        counts.append(len(queries))
    assert counts == [19, 19]
    assert Event.objects.count() == 3


def test_chart_has_the_numbers_of_machines_in_any_language(boss: User) -> None:
    RaffleFactory.create(tickets=2)
    client = Client(headers={"Accept-Language": "de"})
    with at(DRAWN_AT):
        client.force_login(boss)
        text = client.get(INDEX).content.decode()
    places = re.findall(r'<rect x="([^"]+)" y="([^"]+)" width="18" height="([^"]+)"', text)
    assert len(places) == 14
    assert all(float(number) >= 0 for place in places for number in place)
