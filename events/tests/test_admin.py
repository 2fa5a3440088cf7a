"""The admin of events: scheduling as staff do it, rewards by date, keys that are shown once."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from events.models import Event, Reward
from events.tests.acting import DAY, DRAW, NOW, at, read, run, scheduled, taken
from raffles.domain.drawing import void_raffle
from raffles.models import ApiKey, LogEntry, Raffle
from raffles.web.callers import address_tag

SAM = f"staff sam from {address_tag('127.0.0.1')}"
pytestmark = pytest.mark.django_db
LIST = reverse("admin:events_event_changelist")
ADD = reverse("admin:events_event_add")
PREVIEW = reverse("admin:events_event_preview")
REWARDS = reverse("admin:events_reward_changelist")


@pytest.fixture
def staff(client: Client) -> Client:
    with at(NOW):
        client.force_login(User.objects.create_superuser("sam"))
    return client


def form(*rewards: tuple[str, str, int], **changes: Any) -> dict[str, Any]:
    """Return the fields of the form: a draw at eight every day in Paris, and rewards by date."""
    fields = {
        "name": "Breakfast",
        "slug": "breakfast",
        "start_date": "2026-02-10",
        "draw_time": "08:00",
        "time_zone": "Europe/Paris",
        "frequency": "daily",
        "until": "",
        "max_participants": 3,
        "reward_name": "Coffee",
        "reward_amount": 1,
        "reward_description": "",
        "reward_picture": "",
        "entry": "open",
        "privacy": "full",
        "rest_days": 0,
        "tickets_per_holder": 1,
        "max_wins_per_holder": 0,
        "rewards-TOTAL_FORMS": len(rewards),
        "rewards-INITIAL_FORMS": 0,
    }
    for n, (day, name, amount) in enumerate(rewards):
        fields |= {
            f"rewards-{n}-date": day,
            f"rewards-{n}-reward_name": name,
            f"rewards-{n}-reward_amount": amount,
        }
    return fields | changes


def texts(page: str, pattern: str) -> list[str]:
    """Return what is read in each of those elements, in single spaces."""
    found = re.findall(pattern, page, re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]*>", " ", text)).split()) for text in found]


def cells(page: str) -> list[str]:
    """Return the dates of the calendar."""
    return texts(page, '<td class="on.*?</td>')


def row(page: str) -> list[str]:
    """Return the cells of a list's only row."""
    return texts(page.split("<tbody>")[1].split("</tbody>")[0], '<t[dh] class="field.*?</t[dh]>')


def post(staff: Client, path: str, fields: dict[str, Any], now: Any = NOW) -> str:
    """Send a form; return the page that follows."""
    with at(now):
        answer = staff.post(path, fields, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def change(slug: str = "breakfast") -> str:
    return reverse("admin:events_event_change", args=[Event.objects.get(slug=slug).pk])


ONE_REWARD = {"rewards-TOTAL_FORMS": 1, "rewards-INITIAL_FORMS": 1}
PHONE, WASHER = ("2026-02-10", "Phone", 1), ("2026-02-11", "Washing Machine", 2)


def test_an_event_with_two_dated_rewards(staff: Client) -> None:
    page = post(staff, ADD, form(PHONE, WASHER))

    assert "was added successfully" in page
    event = Event.objects.get()
    assert (event.created_by, event.settled_until) == (SAM, NOW)
    actions = [(act.action, act.by) for act in LogEntry.objects.about(event)]
    assert actions == [("event.scheduled", SAM), ("reward.set", SAM), ("reward.set", SAM)]
    assert [draw["reward"]["name"] for draw in read("/events/upcoming/?days=3")] == [
        *("Phone", "Washing Machine", "Coffee")
    ]
    taken("alice")
    run(DRAW)
    (winner,) = read("/events/winners/", DRAW)
    assert (winner["username"], winner["reward"]) == ("alice", "Phone")


def test_the_preview_shows_the_next_dates_in_the_events_zone(staff: Client) -> None:
    post(staff, ADD, form(WASHER))
    taken("alice")
    with at(NOW):
        page = staff.get(change()).content.decode()
        listed = staff.get(LIST).content.decode()

    assert cells(page)[:3] == [
        "Tue 10 Feb 08:00 CET 1 × Coffee fixed: 1 of 3 tickets taken",
        "Wed 11 Feb 08:00 CET 2 × Washing Machine its own",
        "Thu 12 Feb 08:00 CET 1 × Coffee default",
    ]
    assert len(cells(page)) == 30
    assert "Fixed by their tickets, whatever is changed: Tue 2026-02-10." in page
    assert row(listed) == [
        *("Breakfast", "Tue 2026-02-10 08:00 CET", "1 × Coffee", "1 of 3", "running", "daily")
    ]


def test_the_preview_says_which_days_do_not_exist(staff: Client) -> None:
    post(staff, ADD, form(start_date="2026-03-31", frequency="monthly"))
    with at(NOW):
        page = staff.get(change()).content.decode()
    assert "No such day, so no draw: 31 April 2026, 31 June 2026, 31 September 2026" in page
    assert cells(page)[:2] == [
        "Tue 31 Mar 2026 08:00 CEST 1 × Coffee default",
        "Sun 31 May 2026 08:00 CEST 1 × Coffee default",
    ]


def test_the_preview_shows_what_the_clocks_do(staff: Client) -> None:
    page = post(staff, PREVIEW, form(start_date="2026-03-28", draw_time="02:30"))
    assert cells(page)[:3] == [
        "Sat 28 Mar 02:30 CET 1 × Coffee default",
        (
            "Sun 29 Mar 03:30 CEST 1 × Coffee default"
            " Clocks change: UTC+0200 from here on, UTC+0100 before."
            " There is no 02:30 on this date; it is drawn at 03:30."
        ),
        "Mon 30 Mar 02:30 CEST 1 × Coffee default",
    ]
    page = post(staff, PREVIEW, form(start_date="2026-10-25", draw_time="02:30"))
    assert "02:30 comes twice on this date; the first counts." in cells(page)[0]


def test_the_preview_of_a_form_saves_nothing(staff: Client) -> None:
    page = post(staff, PREVIEW, form(WASHER, PHONE, name="", until="2026-02-12"))
    assert cells(page) == [
        "Tue 10 Feb 08:00 CET 1 × Phone its own",
        "Wed 11 Feb 08:00 CET 2 × Washing Machine its own",
        "Thu 12 Feb 08:00 CET 1 × Coffee default",
    ]
    assert "No date comes after these." in page
    assert not Event.objects.exists()
    page = post(staff, PREVIEW, form(start_date="", draw_time="8:00"))
    assert "once these are filled in: Start date." in page
    assert "no date within five years" in post(
        staff, PREVIEW, form(frequency="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
    )

    post(staff, ADD, form(WASHER))
    taken("alice")
    washer = Reward.objects.get()
    body = form(
        *(("", "Dryer", 1), ("2026-02-15", "Phone", 1)),
        draw_time="20:00",
        frequency="FREQ=DAILY;INTERVAL=2",
        **{"rewards-INITIAL_FORMS": 1, "rewards-0-id": washer.pk},
    )
    page = post(staff, f"{change()[: -len('change/')]}preview/", body)
    assert cells(page)[:2] == [
        "Tue 10 Feb 08:00 CET 1 × Coffee fixed: 1 of 3 tickets taken",
        "Thu 12 Feb 20:00 CET 1 × Coffee default",
    ]
    assert "Rewards on dates that do not come: Wed 2026-02-11, Sun 2026-02-15." in page
    event = Event.objects.get()
    assert (event.frequency, str(event.rewards.get())) == ("daily", "2026-02-11: Washing Machine")


def turned(page: str) -> list[str]:
    """Return the months that the calendar can be turned to."""
    return re.findall(
        r'formaction="[^"?]*(?:\?month=(.*?))?" formtarget="_\w+" formnovalidate', page
    )


def month(staff: Client, which: str, now: Any, **changes: Any) -> str:
    with at(now):
        staff.force_login(User.objects.get(username="sam"))
    address = f"{change()[: -len('change/')]}preview/?month={which}"
    return post(staff, address, form(**changes), now)


def test_dates_say_what_became_of_them(staff: Client) -> None:
    post(staff, ADD, form())
    taken("alice")
    with at(NOW):
        void_raffle(Raffle.objects.get().uuid, reason="Rain", now=NOW, by="test")
        page = staff.get(change()).content.decode()
    assert cells(page)[:2] == [
        "Tue 10 Feb 08:00 CET 1 × Coffee called off",
        "Wed 11 Feb 08:00 CET 1 × Coffee default",
    ]
    assert "The next 30 dates, on the clocks of Europe/Paris" in page
    assert "Fixed by their tickets" not in page
    run(DRAW + DAY)
    taken("alice", now=DRAW + DAY)
    run(DRAW + 2 * DAY)
    taken("alice", now=DRAW + 2 * DAY)

    page = month(staff, "2026-02", DRAW + 2 * DAY)

    assert cells(page)[:5] == [
        "Tue 10 Feb 08:00 CET 1 × Coffee called off",
        "Wed 11 Feb 08:00 CET 1 × Coffee nobody came",
        "Thu 12 Feb 08:00 CET 1 × Coffee drawn, 1 ticket",
        "Fri 13 Feb 08:00 CET 1 × Coffee fixed: 1 of 3 tickets taken",
        "Sat 14 Feb 08:00 CET 1 × Coffee default",
    ]
    assert len(cells(page)) == 19
    assert "February 2026, on the clocks of Europe/Paris" in page


def test_calendar_turns_from_month_to_month_and_ends(staff: Client) -> None:
    post(staff, ADD, form())
    with at(NOW):
        assert turned(staff.get(change()).content.decode()) == ["2026-02", "2026-03"]
    assert turned(month(staff, "2026-02", NOW)) == ["2026-03", ""]
    assert turned(month(staff, "2026-03", NOW)) == ["2026-02", "2026-04", ""]
    page = month(staff, "2026-03", NOW, until="2026-03-02")
    assert turned(page) == ["2026-02", ""]
    assert [cell[:10] for cell in cells(page)] == ["Sun 1 Mar ", "Mon 2 Mar "]
    assert 'name="until" value="2026-03-02"' in page  # where no script runs
    assert month(staff, "1999-01", NOW).count("February 2026") == 1
    assert turned(month(staff, "9999-12", NOW)) == ["2031-01", ""]
    assert turned(month(staff, "2026-13", NOW)) == ["2026-02", "2026-03"]


@pytest.mark.parametrize("count", [1, 3])
def test_queries_do_not_grow(
    staff: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(count):
        scheduled(slug=f"breakfast-{n}")
        taken("alice", slug=f"breakfast-{n}")
    with at(NOW), django_assert_num_queries(6):
        staff.get(LIST)
    rewards = [(f"2026-02-{11 + n}", "Phone", 1) for n in range(count)]
    post(staff, ADD, form(*rewards))
    path = change()
    with at(NOW):
        staff.get(path)  # remembers the content type
        with django_assert_num_queries(8):
            staff.get(path)


def test_a_page_shows_the_next_rewards_and_the_list_all(staff: Client) -> None:
    post(staff, ADD, form())
    event = Event.objects.get()
    days = [NOW.date() + DAY * n for n in range(1, 71)]
    Reward.objects.bulk_create(Reward(event=event, date=day, reward_name="Cup") for day in days)
    with at(NOW):
        page = staff.get(change()).content.decode()
        listed = staff.get(f"{REWARDS}?event__id__exact={event.pk}").content.decode()
    assert 'name="rewards-INITIAL_FORMS" value="60"' in page
    assert "70 rewards" in listed

    last = event.rewards.get(date=days[-1])
    edit = reverse("admin:events_reward_change", args=[last.pk])
    fields = {"reward_name": "Mug", "reward_amount": 1}
    post(staff, edit, fields)
    last.refresh_from_db()
    assert last.reward_name == "Mug"
    post(staff, reverse("admin:events_reward_delete", args=[last.pk]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": event.rewards.get(date=days[-2]).pk}
    post(staff, REWARDS, chosen | {"post": "yes"})
    assert event.rewards.count() == 68
    actions = [act.action for act in LogEntry.objects.about(event)]
    assert actions[1:] == ["reward.set", "reward.removed", "reward.removed"]

    taken("alice", now=DRAW)
    first = event.rewards.get(date=days[0])
    with at(DRAW):
        answer = staff.post(reverse("admin:events_reward_change", args=[first.pk]), fields)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (form(frequency="hourly"), "Write daily, weekly, monthly, yearly"),
        (form(frequency="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "no date within five years"),
        (form(frequency=""), "Write a rule."),
        (form(how_often="weekdays"), "Tick a weekday."),
        (form(how_often="weekdays", weekdays=["MO", "XX"]), "XX is not one of the available"),
        (form(how_often="last", last_weekday=""), "Choose one."),
        (form(how_often="last", last_weekday="FR", frequency="weekly"), "For this to count"),
        (form(how_often="sometimes"), "Select a valid choice"),
        (form(time_zone="Europe/Nowhere"), "Select a valid choice"),
        (form(until="2026-02-01"), "The last date can&#x27;t be before the first."),
        (form(slug="upcoming"), "This word is taken by the site."),
        (form(reward_amount=4), "A reward&#x27;s amount can&#x27;t be larger"),
        (form(name="\u202eabc"), "Control, bidirectional and zero-width"),
        (form(("2026-02-09", "Phone", 1)), "The event has no coming draw on this date"),
        (form(("2026-02-10", "Phone", 4)), "A reward&#x27;s amount can&#x27;t be larger"),
        (form(PHONE, PHONE), "Please correct the duplicate data for date"),
        (form(draw_time=""), "This field is required"),
    ],
)
def test_what_does_not_fit_is_told_in_the_form(
    staff: Client, fields: dict[str, Any], sentence: str
) -> None:
    assert sentence in post(staff, ADD, fields)
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("chosen", "rule"),
    [
        ({"how_often": "daily"}, "daily"),
        ({"how_often": "workdays"}, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ({"how_often": "weekdays", "weekdays": ["SA", "MO"]}, "FREQ=WEEKLY;BYDAY=MO,SA"),
        ({"how_often": "last", "last_weekday": "FR"}, "FREQ=MONTHLY;BYDAY=-1FR"),
        ({"how_often": "own", "frequency": "FREQ=WEEKLY;BYDAY=SA,MO"}, "FREQ=WEEKLY;BYDAY=SA,MO"),
    ],
)
def test_a_chosen_frequency_is_stored_as_its_rule_and_chosen_when_opened(
    staff: Client, chosen: dict[str, Any], rule: str
) -> None:
    post(staff, ADD, form(**chosen))
    event = Event.objects.get()
    assert event.frequency == rule
    with at(NOW):
        opened = staff.get(change()).context["adminform"].form
    assert opened["how_often"].value() == chosen["how_often"]
    assert set(opened["weekdays"].value() or ()) == set(chosen.get("weekdays", ()))
    # From the form as it was opened to another choice, and what is recorded of it.
    fields = form(frequency=rule, how_often="last", last_weekday="SU")
    post(staff, change(), fields)
    event.refresh_from_db()
    assert event.frequency == "FREQ=MONTHLY;BYDAY=-1SU"
    changed = LogEntry.objects.about(event).get(action="event.changed")
    assert changed.details == {"frequency": event.frequency}


def test_an_edit_names_the_dates_that_stay(staff: Client) -> None:
    post(staff, ADD, form())
    taken("alice")

    page = post(staff, change(), form(draw_time="20:00"))
    assert "Dates with tickets are drawn as they stood: 2026-02-10." in page
    assert [draw["draw_at"] for draw in read("/events/upcoming/?days=2")] == [
        "2026-02-10T08:00:00+01:00",
        "2026-02-11T20:00:00+01:00",
    ]


def test_an_edit_on_a_clock_that_is_far_ahead_is_refused_with_all_that_was_typed(
    staff: Client,
) -> None:
    post(staff, ADD, form())
    late = DRAW + 30 * DAY
    with at(late):
        staff.force_login(User.objects.get())
    page = post(staff, change(), form(reward_name="Tea"), late)
    assert "31 dates of breakfast came without tickets, the first 2026-02-10" in page
    assert 'value="Tea"' in page
    assert not Event.objects.get().occurrences.exists()


def test_rewards_change_and_go_until_the_first_ticket(staff: Client) -> None:
    post(staff, ADD, form(PHONE, WASHER))
    phone, washer = Reward.objects.order_by("date")
    existing = {
        "rewards-TOTAL_FORMS": 2,
        "rewards-INITIAL_FORMS": 2,
        "rewards-0-id": phone.pk,
        "rewards-1-id": washer.pk,
    }
    body = form(("", "Tablet", 1), ("", "Washing Machine", 2), **existing)
    post(staff, change(), body | {"rewards-1-DELETE": "on"})
    assert [str(reward) for reward in Reward.objects.all()] == ["2026-02-10: Tablet"]

    taken("alice")  # while the form is open
    page = post(staff, change(), form(("", "Book", 1), **existing | ONE_REWARD))
    assert "errornote" in page or "can&#x27;t be changed" in page
    assert [str(reward) for reward in Reward.objects.all()] == ["2026-02-10: Tablet"]
    with at(NOW):
        page = staff.get(change()).content.decode()
    assert 'name="rewards-0-id" value' not in page  # only the preview shows it
    assert "Tue 10 Feb 08:00 CET 1 × Tablet fixed: 1 of 3 tickets taken" in cells(page)


def test_an_event_with_draws_is_not_deleted(staff: Client) -> None:
    post(staff, ADD, form())
    delete = reverse("admin:events_event_delete", args=[Event.objects.get().pk])
    taken("alice")
    with at(NOW):
        assert staff.post(delete, {"post": "yes"}).status_code == 403
    assert Event.objects.exists()


def test_a_key_is_shown_once(staff: Client) -> None:
    path = reverse("admin:raffles_apikey_add")
    page = post(
        staff, path, {"name": "Shop", "rate": "10/min", "expires_at_0": "", "expires_at_1": ""}
    )
    (text,) = set(re.findall("key_[A-Za-z0-9_-]{43}", page))

    key = ApiKey.objects.get()
    assert (key.name, key.rate, key.created_by) == ("Shop", "10/min", SAM)
    with at(NOW):
        shown = staff.get(reverse("admin:raffles_apikey_change", args=[key.pk])).content.decode()
    assert text not in shown
    assert key.hint in shown
    scheduled(entry="partner")
    taken("alice", HTTP_AUTHORIZATION=f"Bearer {text}")


def test_a_rate_is_a_rate(staff: Client) -> None:
    path = reverse("admin:raffles_apikey_add")
    assert "is not a rate" in post(staff, path, {"name": "Shop", "rate": "often"})
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("model", ["event", "occurrence", "reward", "setback"])
def test_every_list_opens(staff: Client, model: str) -> None:
    post(staff, ADD, form())
    taken("alice")
    run(DRAW)
    with at(DRAW):
        assert staff.get(reverse(f"admin:events_{model}_changelist")).status_code == 200
