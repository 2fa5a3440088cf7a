"""Every form of the admin with each of its fields spoilt: a sentence beside it, and nothing lost.

What is sent is made of the forms as they are on the pages, so a new field, row, form or model is
tried as soon as it is there. Of the ways to spoil a form every third is sent, from a random one
on, so that some runs see all of them; `SPOIL_EVERY=1` sees all in one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import cycle, islice
from random import randrange
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin, site
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import NoReverseMatch, reverse

from events.models import Event, Reward
from events.tests.acting import DAY, DRAW, NOW, at, scheduled
from raffles.models import ApiKey, Endpoint, Raffle, State, Winner
from raffles.tests.factories import RaffleFactory
from rafflesite.tests.forms import Control, Form, forms_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

SPOIL_EVERY = int(os.environ.get("SPOIL_EVERY", "3"))
LONG, UNFIT = "x" * 2001, "a\0b\u202e"
GERMAN, WORD = "01.12.2026", "Daily"
FAR, LONG_AGO = "9999-12-31", "0001-01-01"
FIRST = DRAW.date() + DAY * 2
# What is typed where a field says nothing, by the end of its name: a form of these is saved.
TYPED = {
    "name": "Thing",
    "slug": "thing",
    "date": f"{FIRST}",
    "time": "08:00",
    "participants": "9",
    "tickets": "9",
    "amount": "1",
    "address": "https://example.org/hook",
    "password1": "a long and winding phrase",
    "password2": "a long and winding phrase",
    "reason": "Nobody came",
    "text": f"date,name,amount\n{FIRST},Cup,1",
}
# Both passwords are looked at together, and the error is beside the second.
BESIDE = {"password1": "password2", "new_password1": "new_password2"}


@pytest.fixture
def rows(client: Client) -> dict[type[Model], list[Model]]:
    """Objects of the admin that can still be changed, and some that cannot."""
    scheduled()
    event = Event.objects.get()
    for n in (1, 2):
        Reward.objects.create(event=event, date=FIRST + DAY * n, reward_name=f"Cup {n}")
    drawn = RaffleFactory.create(state=State.DRAWN)
    client.force_login(User.objects.create_superuser("sam"))
    client.raise_request_exception = False
    return {
        Event: [event],
        Reward: [event.rewards.all()[0]],
        Raffle: [RaffleFactory.create(), RaffleFactory.create(tickets=1), drawn],
        Winner: [drawn.winners.all()[0]],
        Endpoint: [Endpoint.objects.create(address="https://example.org/", created_at=NOW)],
        ApiKey: [ApiKey.objects.create(name="Shop", rate="9/min", created_at=NOW, key_hash=b"h")],
        User: [User.objects.create_user("somebody")],
        Group: [Group.objects.all()[0]],
    }


@pytest.mark.parametrize("model", site._registry, ids=lambda model: model._meta.label)
def test_form_with_a_field_spoilt_says_so_beside_it(
    client: Client,
    rows: dict[type[Model], list[Model]],
    model: type[Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A choice of six hundred zones would be what this test spends its time on.
    for module in ("events.admin.forms", "raffles.admin.raffle_form"):
        monkeypatch.setattr(f"{module}.zones", lambda: {"UTC", "Europe/Paris"})
    admin = site.get_model_admin(model)
    faults: list[str] = []
    elsewhere = {reverse("admin:logout"), reverse("admin:language")}  # in the head of every page
    with at(NOW):
        for title, address in pages(admin, rows.get(model, [])):
            answer = client.get(address)
            for form in forms_of(answer.content.decode()) if answer.status_code == 200 else []:
                if form.action not in elsewhere:
                    faults += [f"{title}: {fault}" for fault in tried(client, address, form)]
    assert "\n".join(faults) == ""


def pages(admin: ModelAdmin[Any], rows: list[Model]) -> Iterator[tuple[str, str]]:
    """Yield the name and address of each page that may have a form."""
    for pattern in admin.get_urls():
        name = str(getattr(pattern, "name", "") or "")
        if not name or name.endswith(("_history", "_changelist")):
            continue
        try:
            yield name, reverse(f"admin:{name}")
        except NoReverseMatch:  # it is about an object
            for row in rows:
                yield f"{name} of {row.pk}", reverse(f"admin:{name}", args=[row.pk])


def tried(client: Client, address: str, form: Form) -> Iterator[str]:
    """Yield what is wrong about the answers to a form: as it came, whole, and spoilt."""
    address = form.action or address
    as_it_came = form.data()
    kinds = [name.removesuffix("-TOTAL_FORMS") for name in form.controls if "-TOTAL_" in name]
    fill(form)
    whole = form.data()
    answer = post(client, address, whole)
    if "_save" in whole and not is_saved(answer):
        yield f"whole: {answer.status_code} {wrong(answer)}"
    more = with_rows(form, kinds).data()
    for said, data in (("as it came", as_it_came), ("with half a row", more)):
        if (answer := post(client, address, data)).status_code >= 500:
            yield f"{said}: {answer.status_code}"
    spoilt = enumerate(all_spoilt(form))
    for n, (control, value) in islice(spoilt, randrange(SPOIL_EVERY), None, SPOIL_EVERY):
        base = more if kinds and n % 2 else whole
        answer = post(client, address, base | {control.name: value})
        said = f"{control.name} = {[text[:20] for text in value]}"
        if answer.status_code >= 500:
            yield f"{said}: {answer.status_code}"
        elif not is_saved(answer):
            # A day that there is may be refused with its row.
            is_alone = base is whole and value not in ([FAR], [LONG_AGO])
            found = faults_of(answer, control, base | {control.name: value}, is_alone)
            yield from (f"{said}: {fault}" for fault in found)


def fill(form: Form) -> None:
    """Type what is missing, also in the rows that are empty."""
    for control in form.controls.values():
        end = control.name.split("-")[-1]
        if control.values == [""] and control.kind != "hidden" and "__prefix__" not in control.name:
            is_asked = (value for name, value in TYPED.items() if f"_{end}".endswith(f"_{name}"))
            control.values = [next(is_asked, "")]


def with_rows(form: Form, kinds: list[str]) -> Form:
    """Return the form with the first row of each kind taken away, another twice, and half a one."""
    more = deepcopy(form)
    for kind in kinds:
        if f"{kind}-0-DELETE" in more.controls:
            more.controls[f"{kind}-0-DELETE"].values = ["on"]
        if f"{kind}-__prefix__-id" not in more.controls:
            continue
        for row in (more.take_row(kind), more.take_row(kind)):
            for name in (name for name in more.controls if name.startswith(f"{row}-")):
                if name.endswith("name"):
                    more.controls[name].values = ["Half a row"]
    return more


def post(client: Client, address: str, data: dict[str, list[str]]) -> Any:
    """Send it, and take back what it changed."""
    with transaction.atomic():
        answer = client.post(address, data)
        transaction.set_rollback(True)
    return answer


def is_saved(answer: Any) -> bool:
    """Return whether it was done, or is a file or another page."""
    return answer.status_code == 302 or "text/html" not in answer["Content-Type"]


def wrong(answer: Any) -> list[str]:
    """Return the names of the fields that the page says to be wrong."""
    found = forms_of(answer.content.decode())
    return [one.name for form in found for one in form.controls.values() if one.is_wrong]


def all_spoilt(form: Form) -> Iterator[tuple[Control, list[str]]]:
    """Yield each control with what may be sent in place of what it should send.

    Of rows of a kind it is the first: the others are the same forms.
    """
    unfit = cycle(([LONG], [UNFIT]))
    for control in form.controls.values():
        is_same = "-" in control.name and not re.search(r"-(0|[A-Z]+_FORMS)(-|$)", control.name)
        is_locked = control.is_locked or control.kind in ("checkbox", "file")
        if control.name == "csrfmiddlewaretoken" or is_same or is_locked:
            continue
        if control.kind == "hidden":
            values = [[], [WORD]]
        elif control.kind.startswith(("select", "radio")):
            values = [[WORD]]
        elif control.kind in ("date", "time"):
            values = [[""], [GERMAN], [FAR], [LONG_AGO]]
        elif control.kind == "number":
            values = [[""], ["-1"], [WORD]]
        else:
            values = [[""], next(unfit), [WORD]]
        yield from ((control, value) for value in values)


def faults_of(
    answer: Any, control: Control, data: dict[str, list[str]], is_alone: bool
) -> Iterator[str]:
    """Yield what the page that refuses a form lacks: the error beside its field, what was typed."""
    found = forms_of(answer.content.decode())
    shown = next((form.controls for form in found if control.name in form.controls), None)
    if shown is None or control.kind == "hidden":
        return
    if is_alone and "_save" in data and not shown[BESIDE.get(control.name, control.name)].is_wrong:
        yield f"no error beside it but at {wrong(answer)}"
    for name, one in shown.items():
        is_unseen = one.kind in ("password", "hidden", "file") or "__prefix__" in name
        is_unseen |= one.is_locked
        is_no_choice = name == control.name and one.kind.startswith(("select", "radio"))
        if not is_unseen and not is_no_choice and one.values != data.get(name, []):
            yield f"{name} is {one.values} and was {data.get(name)}"
