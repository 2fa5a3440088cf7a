"""Two people at one form: the second sees what the first has done, and loses nothing they typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from events.models import Event, Reward
from events.tests.acting import DAY, DRAW, NOW, at, scheduled
from raffles.models import ApiKey, Endpoint, Raffle
from raffles.tests.factories import RaffleFactory
from rafflesite.tests.forms import Form, forms_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

FIRST = DRAW.date() + DAY


@pytest.fixture(autouse=True)
def now() -> Iterator[None]:
    with at(NOW):
        yield


class Tab:
    """A form that somebody has open."""

    def __init__(self, name: str, row: Model) -> None:
        self.client = Client()
        self.client.force_login(User.objects.get(username=name))
        opts = row._meta
        self.address = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
        self.form = self._read(self.client.get(self.address))

    def type(self, **fields: str | list[str]) -> None:
        """Fill in fields; ``__`` stands for the hyphen of a row."""
        for name, value in fields.items():
            control = self.form.controls[name.replace("__", "-")]
            control.values = value if isinstance(value, list) else [value]

    def save(self) -> int:
        """Press "Save", and return the status of the answer."""
        answer = self.client.post(self.address, self.form.data())
        if answer.status_code != 302:
            self.form, self.page = self._read(answer), answer.content.decode()
        return answer.status_code

    def says(self, *names: str) -> list[str]:
        return [self.form.controls[name].values[0] for name in names]

    def wrong(self) -> list[str]:
        return [one.name for one in self.form.controls.values() if one.is_wrong]

    @staticmethod
    def _read(answer: Any) -> Form:
        return next(form for form in forms_of(answer.content.decode()) if "_save" in form.sends)


@pytest.fixture
def tabs() -> Any:
    for name in ("ann", "bob"):
        User.objects.create_superuser(name)
    return lambda row: (Tab("ann", row), Tab("bob", row))


def event() -> Event:
    scheduled()
    found = Event.objects.get()
    for n in range(2):
        Reward.objects.create(event=found, date=FIRST + DAY * n, reward_name=f"Cup {n}")
    return found


def rewards() -> dict[str, str]:
    return {str(reward.date): reward.reward_name for reward in Reward.objects.all()}


def test_second_to_save_an_event_puts_nothing_back(tabs: Any) -> None:
    ann, bob = tabs(event())
    ann.type(draw_time="09:30", reward_name="Tea", rewards__0__reward_name="Phone")
    assert ann.save() == 302
    bob.type(reward_name="Cocoa", claim_place="Desk 3", rewards__1__reward_name="Bicycle")
    assert bob.save() == 409
    assert bob.wrong() == ["reward_name"]
    assert "Now it is “Tea”, last by staff ann" in bob.page
    assert "Draw time" in bob.page
    names = ("reward_name", "draw_time", "claim_place", "rewards-0-reward_name")
    assert bob.says(*names) == ["Cocoa", "09:30:00", "Desk 3", "Phone"]
    assert bob.says("rewards-1-reward_name") == ["Bicycle"]
    found = Event.objects.get()
    assert (f"{found.draw_time}", found.reward_name, found.claim_place) == ("09:30:00", "Tea", None)
    assert bob.save() == 302
    found.refresh_from_db()
    assert (f"{found.draw_time}", found.reward_name) == ("09:30:00", "Cocoa")
    assert found.claim_place == "Desk 3"
    assert list(rewards().values()) == ["Phone", "Bicycle"]


def test_rows_that_came_and_went_are_seen_first(tabs: Any) -> None:
    ann, bob = tabs(event())
    ann.type(rewards__0__DELETE="on", rewards__2__date=f"{FIRST + DAY * 5}")
    ann.type(rewards__2__reward_name="Kettle")
    assert ann.save() == 302
    bob.type(rewards__0__reward_name="Phone", rewards__2__date=f"{FIRST + DAY * 7}")
    bob.type(rewards__2__reward_name="Bicycle")
    assert bob.save() == 409
    assert "Somebody has taken this row away, last by staff ann" in bob.page
    rows = [f"rewards-{n}-reward_name" for n in range(4)]
    assert bob.says(*rows) == ["Cup 1", "Kettle", "Phone", "Bicycle"]
    assert bob.save() == 302
    assert sorted(rewards().values()) == ["Bicycle", "Cup 1", "Kettle", "Phone"]


def test_both_who_typed_the_same_are_only_told(tabs: Any) -> None:
    ann, bob = tabs(event())
    for tab in (ann, bob):
        tab.type(reward_name="Tea")
    assert (ann.save(), bob.save(), bob.wrong(), bob.save()) == (302, 409, [], 302)


def test_prizes_of_a_raffle(tabs: Any) -> None:
    raffle = RaffleFactory.create(prizes=(("Phone", 1), ("Cup", 1)))
    ann, bob = tabs(raffle)
    ann.type(prizes__0__name="Bicycle", alternates="0")
    assert ann.save() == 302
    bob.type(prizes__0__name="Kettle", name="Summer raffle")
    assert bob.save() == 409
    assert bob.wrong() == ["prizes-0-name"]
    assert bob.says("alternates") == ["0"]
    assert bob.save() == 302
    found = Raffle.objects.get()
    assert (found.name, found.alternates) == ("Summer raffle", 0)
    assert [prize.name for prize in found.prizes.all()] == ["Kettle", "Cup"]


@pytest.mark.parametrize(
    ("make", "theirs", "mine"),
    [
        (
            lambda: Endpoint.objects.create(address="https://example.org/a", created_at=NOW),
            {"address": "https://example.org/b"},
            {"kinds": ["draw.drawn", "draw.voided"]},
        ),
        (
            lambda: ApiKey.objects.create(name="Shop", created_at=NOW, key_hash=b"hash"),
            {"rate": "6/min"},
            {"name": "Store"},
        ),
        (
            lambda: User.objects.create_user("somebody"),
            {"email": "some@body.example"},
            {"first_name": "Some"},
        ),
        (
            lambda: Group.objects.create(name="Helpers"),
            {"permissions": ["1", "2"]},
            {"name": "Volunteers"},
        ),
    ],
    ids=("endpoint", "key", "user", "group"),
)
def test_every_shared_thing_keeps_what_both_changed(
    tabs: Any, make: Any, theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    row = make()
    ann, bob = tabs(row)
    ann.type(**theirs)
    assert ann.save() == 302
    bob.type(**mine)
    assert (bob.save(), bob.wrong(), bob.save()) == (409, [], 302)
    again = Tab("ann", row).form.controls
    for name, value in (theirs | mine).items():
        assert sorted(again[name].values) == sorted(value if isinstance(value, list) else [value])


def test_a_form_alone_meets_no_conflict(tabs: Any) -> None:
    ann, _ = tabs(event())
    ann.type(draw_time="09:30", rewards__1__reward_amount="2")
    assert ann.save() == 302


def test_a_form_that_is_mended_meets_no_conflict(tabs: Any) -> None:
    ann, _ = tabs(RaffleFactory.create())
    ann.type(name="", closes_at_0=f"{FIRST}", closes_at_1="09:30")
    assert (ann.save(), ann.wrong()) == (200, ["name"])
    ann.type(name="Summer raffle")
    assert ann.save() == 302


def test_what_was_typed_into_the_form_of_a_deleted_row_is_shown_with_who_deleted_it(
    tabs: Any,
) -> None:
    row = event()
    ann, bob = tabs(row)
    bob.type(reward_name="Cocoa <b>", claim_place="Desk 3", rewards__1__reward_name="Bicycle")
    ann.client.post(ann.address.replace("/change/", "/delete/"), {"post": "yes"})
    assert not Event.objects.exists()

    answer = bob.client.post(bob.address, bob.form.data())

    page = answer.content.decode()
    assert answer.status_code == 409
    assert f"{row.name} was deleted by staff ann from" in page
    assert "2026-02-10 06:00:00 UTC" in page
    for words in ("Cocoa &lt;b&gt;", "Desk 3", "Bicycle"):
        assert words in page
    assert "csrf" not in page.split("What you had typed")[1].split("</table>")[0]
    assert not Event.objects.exists()


@pytest.mark.parametrize("key", ["x", "0", "9" * 30, "1_3B"])
def test_form_of_what_never_was_keeps_what_was_typed(tabs: Any, key: str) -> None:
    ann, _ = tabs(event())
    address = reverse("admin:events_event_change", args=[key])

    answer = ann.client.post(address, ann.form.data())

    assert answer.status_code == 409
    assert "There is no such object" in answer.content.decode()
    assert ann.client.get(address).status_code == 302


def test_auditor_is_shown_nothing_of_a_deleted_row(tabs: Any) -> None:
    ann, _ = tabs(event())
    ann.client.post(ann.address.replace("/change/", "/delete/"), {"post": "yes"})
    auditor = User.objects.create_user("eve", is_staff=True)
    auditor.groups.set([Group.objects.get(name="Auditor")])
    client = Client()
    client.force_login(auditor)

    assert client.post(ann.address, ann.form.data()).status_code in (302, 403)
