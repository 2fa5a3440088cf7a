"""Pausing, resuming and duplicating an event in the admin."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from events.domain.scheduling import set_reward
from events.models import Event, Occurrence
from events.tests.acting import (
    DAY,
    DRAW,
    NO_DRAW,
    NOW,
    at,
    participate,
    read,
    refused,
    run,
    scheduled,
    taken,
)
from events.tests.test_admin import texts
from raffles.models import LogEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    with at(NOW):
        client.force_login(User.objects.create_superuser("sam"))
    return client


def previewed(staff: Client, act: str, now: Any = NOW) -> list[str]:
    """Return what the page says will happen."""
    with at(now):
        page = staff.get(address(act)).content.decode()
    return texts(page.split('class="preview"')[1].split("</ul>")[0], "<li>.*?</li>")


def confirm(staff: Client, act: str, **fields: Any) -> str:
    with at(NOW):
        answer = staff.post(address(act), fields, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def address(act: str) -> str:
    return reverse(f"admin:events_event_{act}", args=[Event.objects.get(slug="breakfast").pk])


def actions(slug: str = "breakfast") -> list[str]:
    return [act.action for act in LogEntry.objects.about(Event.objects.get(slug=slug))]


def test_pausing_says_what_is_drawn_all_the_same(staff: Client) -> None:
    scheduled()
    taken("alice")
    assert previewed(staff, "pause") == [
        "No new date comes until you resume it, and those in between are not made up for.",
        "It has tickets, so it goes on: Tue 2026-02-10 08:00 CET. 2 tickets are left until then.",
        "Who asks for a ticket after that is told that there is none to be had.",
    ]
    page = confirm(staff, "pause")
    assert "Dates with tickets are drawn as they stood: 2026-02-10." in page
    assert "Resume</a>" in page
    assert "Pause</a>" not in page
    assert [draw["draw_at"] for draw in read("/events/upcoming/")] == ["2026-02-10T08:00:00+01:00"]
    taken("bob")
    assert refused(participate("carl", now=DRAW)) == NO_DRAW
    confirm(staff, "pause")  # a second tab
    assert actions() == ["event.scheduled", "event.changed"]


def test_an_act_on_a_clock_that_is_far_ahead_says_why_it_is_refused(staff: Client) -> None:
    scheduled()
    with at(NOW + 30 * DAY):
        staff.force_login(User.objects.get())
        for act in ("pause", "end"):
            page = staff.post(address(act), {"confirmed": "on"}, follow=True).content.decode()
            assert "30 dates of breakfast came without tickets" in page
    assert actions() == ["event.scheduled"]


def test_resuming_begins_with_the_next_date(staff: Client) -> None:
    scheduled()
    confirm(staff, "pause")
    assert previewed(staff, "resume", NOW + DAY / 4) == [
        "The next draw: Wed 2026-02-11 08:00 CET, Coffee.",
        "The dates of the pause do not come back.",
    ]
    assert "Breakfast is resumed." in confirm(staff, "resume")
    assert read("/events/breakfast/")["next_draw"]["date"] == "2026-02-10"
    assert actions() == ["event.scheduled", "event.changed", "event.changed"]


def test_the_form_neither_pauses_nor_resumes(staff: Client) -> None:
    scheduled()
    with at(NOW):
        page = staff.get(address("change")).content.decode()
    assert 'name="paused"' not in page


def test_ending_says_what_is_drawn_all_the_same(staff: Client) -> None:
    scheduled(start_date="2026-02-09")
    taken("alice")
    assert previewed(staff, "end") == [
        "No date comes after the last one: nobody gets a ticket for it, and nothing is drawn.",
        (
            "Tue 2026-02-10 08:00 CET is drawn all the same, whatever you choose: it has 1 "
            "ticket, and 2 are left until then."
        ),
        "To call such a date off, void its raffle, with a public reason.",
        (
            "Past draws, winners and the page of the event stay. Rewards of later dates are kept, "
            "should you choose a later last date in the form."
        ),
    ]
    page = confirm(staff, "end")
    assert "Breakfast ends: 2026-02-10 is its last day." in page
    assert "Dates with tickets are drawn as they stood: 2026-02-10." in page
    assert "End</a>" not in page
    taken("bob")
    assert refused(participate("carl", now=DRAW)) == NO_DRAW
    assert run(DRAW) != []
    confirm(staff, "end")  # a second tab
    assert actions() == ["event.scheduled", "event.changed"]


def test_form_with_a_refused_rule_still_offers_to_end(staff: Client) -> None:
    scheduled()
    fields = {"name": "Breakfast", "frequency": "every now and then", "start_date": "2026-02-10"}
    with at(NOW):
        answer = staff.post(address("change"), fields)
    assert answer.status_code == 200
    assert "End</a>" in answer.content.decode()


def test_ending_after_a_date(staff: Client) -> None:
    scheduled()
    confirm(staff, "end", last="2026-02-11")
    days = [draw["draw_at"][:10] for draw in read("/events/upcoming/?days=30")]
    assert days == ["2026-02-10", "2026-02-11"]
    page = confirm(staff, "end", last="2026-02-20")
    assert "It ends on 2026-02-11 already." in page
    assert 'value="2026-02-20"' in page
    assert Event.objects.get().until == date(2026, 2, 11)


@pytest.mark.parametrize(
    ("start", "last", "sentence"),
    [
        ("2026-02-01", "2026-02-09", "Choose today or a later date, or none to end it now."),
        ("2026-03-01", "2026-02-20", "The last date can&#x27;t be before the first."),
        ("2026-03-01", "", "Its first date is still to come: delete it, or choose a date."),
        ("2026-03-01", "soon", "Enter a valid date."),
    ],
)
def test_last_date_is_today_or_later_and_not_before_the_first(
    staff: Client, start: str, last: str, sentence: str
) -> None:
    scheduled(start_date=start)
    assert sentence in confirm(staff, "end", last=last)
    assert Event.objects.get().until is None


@pytest.mark.parametrize(
    ("changes", "now", "last"),
    [
        ({}, NOW + DAY, date(2026, 2, 10)),  # before the draw of the 11th
        ({}, DRAW + DAY, date(2026, 2, 11)),  # after it
        ({"frequency": "weekly"}, NOW + 3 * DAY, date(2026, 2, 13)),
    ],
)
def test_ending_at_once_keeps_what_is_past(
    staff: Client, changes: dict[str, Any], now: Any, last: date
) -> None:
    scheduled(**changes)
    with at(now):
        staff.force_login(User.objects.get(username="sam"))
        staff.post(address("end"), {"last": ""})
    assert Event.objects.get().until == last
    assert read("/events/upcoming/?days=30", now) == []


def test_a_duplicate_has_all_terms_and_the_coming_rewards(staff: Client) -> None:
    scheduled(rest_days=3, privacy="initials", claim_days=9)
    source = Event.objects.get()
    for n, name in enumerate(("Phone", "Cup", "Book")):
        reward = {"reward_name": name, "reward_amount": n + 1}
        set_reward(source.pk, (NOW + DAY * n).date(), reward, now=NOW, by="test")
    taken("alice")
    with at(NOW):
        page = staff.get(address("duplicate")).content.decode()
    assert 'value="Copy of Breakfast"' in page
    assert 'value="breakfast-2"' in page

    fields = {"name": "Copy of Breakfast", "slug": "breakfast-2"}
    page = confirm(staff, "duplicate", **fields, has_rewards="on", is_paused="on")
    assert "Copy of Breakfast is made. 3 rewards came with it. It is paused." in page
    copy = Event.objects.get(slug="breakfast-2")
    assert (copy.name, copy.paused_at, copy.settled_until) == (fields["name"], NOW, NOW)
    same = ("draw_time", "time_zone", "frequency", "max_participants", "reward_name", "privacy")
    for name in (*same, "rest_days", "claim_days", "tickets_per_holder"):
        assert getattr(copy, name) == getattr(source, name)
    assert [f"{r} {r.reward_amount}" for r in copy.rewards.all()] == [
        "2026-02-10: Phone 1",
        "2026-02-11: Cup 2",
        "2026-02-12: Book 3",
    ]
    assert actions("breakfast-2") == ["event.scheduled", "event.copied", *["reward.set"] * 3]
    assert Occurrence.objects.filter(event=copy).count() == 0

    confirm(staff, "duplicate", name="Bare", slug="bare")
    bare = Event.objects.get(slug="bare")
    assert (bare.paused_at, bare.rewards.count()) == (None, 0)


@pytest.mark.parametrize(
    ("slug", "sentence"),
    [
        ("breakfast", "Another event has this slug"),
        ("upcoming", "This word is taken by the site."),
        ("a b", "Enter a valid “slug”"),
    ],
)
def test_a_duplicate_needs_a_slug_of_its_own(staff: Client, slug: str, sentence: str) -> None:
    scheduled()
    assert sentence in confirm(staff, "duplicate", name="Copy", slug=slug)
    assert "Control, bidirectional" in confirm(staff, "duplicate", name="\u202eabc", slug="b")
    assert Event.objects.count() == 1
