"""Lists of the admin: what an empty one says, and what a row says of itself as a card."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin, ShowFacets, site
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from events.models import Event
from events.tests.acting import scheduled, taken
from raffles.admin.base import FirstRows
from raffles.models import Announcement, Delivery, LogEntry

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HIDDEN = "Nothing fits your search and filters; everything else is hidden."
NAMES = sorted(f"{model._meta.app_label}_{model._meta.model_name}" for model in site._registry)
EVENTS = reverse("admin:events_event_changelist")


def list_of(name: str, user: User, **asked: str) -> str:
    """Return the list of a model."""
    client = Client()
    client.force_login(user)
    answer = client.get(reverse(f"admin:{name}_changelist"), asked)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def said(page: str) -> list[str]:
    """Return what stands in place of the rows."""
    return re.findall(r'<div class="empty-list"><p>(.*?)</p>', page)


def buttons(page: str) -> list[tuple[str, str]]:
    """Return the addresses and labels of the buttons there."""
    return re.findall(r'<p><a class="button" href="(.*?)">(.*?)</a></p>', page)


def test_no_list_counts_or_sorts_all_there_is() -> None:
    for model, admin in site._registry.items():
        assert issubclass(admin.paginator, FirstRows), model
        assert (admin.show_full_result_count, admin.show_facets) == (False, ShowFacets.NEVER), model
    for model in (Announcement, Delivery, LogEntry):  # which nothing limits
        assert site._registry[model].sortable_by == (), model
        assert site._registry[model].date_hierarchy is None, model


def test_list_longer_than_its_pages_says_so_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    boss = User.objects.create_superuser("boss")
    monkeypatch.setattr(FirstRows, "most", 2)
    more = "more than 2; search or filter for those beyond"
    for n in range(3):
        page = list_of("events_event", boss)
        assert (more in page, f"{n} events" in page) == (False, n != 1)
        scheduled(slug=f"breakfast-{n}")
    assert more in list_of("events_event", boss)


def test_dates_are_searched_by_event_and_not_filtered_by_each(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    scheduled()
    taken("alice")
    address = reverse("admin:events_occurrence_changelist")

    found = [client.get(address, {"q": text}).context["cl"] for text in ("Breakfast", "Dinner")]

    assert [len(each.result_list) for each in found] == [1, 0]
    assert not found[0].has_filters


@pytest.mark.parametrize("name", NAMES)
def test_empty_list_says_what_it_is_for_and_where_to_begin(name: str) -> None:
    boss = User.objects.create_superuser("boss")
    model = next(one for one in site._registry if one._meta.label_lower == name.replace("_", "."))
    admin: ModelAdmin[Any] = site._registry[model]
    if model in (User, LogEntry):  # never empty for who looks at it
        assert admin.purpose  # type: ignore[attr-defined]
        return
    model._default_manager.all().delete()

    page = list_of(name, boss)

    (sentence,) = said(page)
    assert 40 < len(sentence) < 200
    assert 'id="changelist-filter"' not in page
    for address, _label in buttons(page):
        client = Client()
        client.force_login(boss)
        assert client.get(address).status_code == 200


def test_empty_list_offers_nothing_that_is_refused() -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.groups.set([Group.objects.get(name="Operator")])
    assert said(list_of("events_event", clerk))
    assert buttons(list_of("events_event", clerk)) == []


@pytest.mark.parametrize("asked", [{"q": "tea"}, {"paused": "yes"}])
def test_list_that_a_filter_empties_says_so(asked: dict[str, str]) -> None:
    boss = User.objects.create_superuser("boss")
    scheduled()
    page = list_of("events_event", boss, **asked)
    assert said(page) == [HIDDEN]
    assert buttons(page) == [(EVENTS, "Show the whole list")]
    assert said(list_of("events_event", boss, q="break")) == []


def test_each_value_has_the_name_of_its_column() -> None:
    boss = User.objects.create_superuser("boss")
    scheduled()
    Event.objects.update(name='Tea & "biscuits"')
    row = list_of("events_event", boss).split("<tbody>")[1].split("</tbody>")[0]
    assert re.findall(r'class="field-(.*?)" data-label="(.*?)"', row) == [
        ("name", "Name"),
        ("next_draw", "Next draw"),
        ("reward", "Reward"),
        ("participants", "Participants"),
        ("state", "State"),
        ("frequency", "Frequency"),
    ]
    users = list_of("auth_user", boss).split("<tbody>")[1]
    assert '<td class="action-checkbox"><input' in users
