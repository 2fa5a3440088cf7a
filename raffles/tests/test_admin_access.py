"""Who of the staff may do what: one table of the admin's addresses, and none outside of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils import timezone

from events.models import Event, Occurrence, Reward, Setback
from events.tests.acting import DAY, DRAW, scheduled, taken
from raffles.domain.prizes import note_notified, replace_winner
from raffles.models import (
    Announcement,
    ApiKey,
    Contact,
    Delivery,
    Draw,
    Endpoint,
    Exclusion,
    Handover,
    LogEntry,
    Raffle,
    Replacement,
    State,
    Winner,
)
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ROLES = {"M": "Manager", "O": "Operator", "A": "Auditor"}
EVERYBODY, NOBODY = "MOA", ""

# Of a model's pages: who may see, add, change and delete. Of a drawn raffle and an event with
# tickets nothing can be changed or deleted whoever asks.
MODELS: dict[str, tuple[str, str, str, str]] = {
    "raffles_raffle": (EVERYBODY, "M", "M", NOBODY),
    "raffles_draw": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "raffles_winner": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "raffles_replacement": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "raffles_announcement": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "raffles_logentry": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "raffles_endpoint": (EVERYBODY, "M", "M", "M"),
    "raffles_delivery": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "events_event": (EVERYBODY, "M", "M", NOBODY),
    "events_reward": (EVERYBODY, NOBODY, "M", "M"),
    "events_occurrence": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "events_setback": (EVERYBODY, NOBODY, NOBODY, NOBODY),
    "raffles_apikey": (EVERYBODY, "M", "M", "M"),
    "raffles_exclusion": (EVERYBODY, "M", "M", "M"),
    "auth_user": ("A", NOBODY, NOBODY, NOBODY),
    "auth_group": ("A", NOBODY, NOBODY, NOBODY),
}
# Of every other address under /admin/: who may GET it and who may POST to it.
PAGES: dict[str, tuple[str, str]] = {
    "raffles_raffle_exports": ("MA", "MA"),
    "raffles_raffle_export": ("MA", "MA"),
    "raffles_raffle_own_list": ("M", "M"),
    "raffles_raffle_tickets": ("MO", "MO"),
    "raffles_raffle_invitations": ("MO", "MO"),
    "raffles_raffle_draw": ("MO", "MO"),
    "raffles_raffle_void": ("M", "M"),
    "raffles_raffle_replace": ("MO", "MO"),
    "raffles_raffle_told": ("MO", "MO"),
    "raffles_raffle_call_sheet": (EVERYBODY, NOBODY),
    "raffles_raffle_poster": (EVERYBODY, NOBODY),
    "raffles_winner_told": ("MO", "MO"),
    "raffles_winner_without_code": ("M", "M"),
    "raffles_winner_replace": ("MO", "MO"),
    "raffles_winner_forfeit": ("MO", "MO"),
    "raffles_winner_find": (NOBODY, EVERYBODY),
    "raffles_winner_counter": ("MO", "MO"),
    "events_event_preview": (NOBODY, "M"),
    "events_event_preview_change": (NOBODY, "M"),
    "events_event_import": ("M", "M"),
    "events_event_copy_week": ("M", "M"),
    "events_event_pause": ("M", "M"),
    "events_event_resume": ("M", "M"),
    "events_event_end": ("M", "M"),
    "events_event_poster": (EVERYBODY, NOBODY),
    "events_event_duplicate": ("M", "M"),
    "raffles_raffle_exclude": ("M", NOBODY),
    "events_event_exclude": ("M", NOBODY),
    "raffles_exclusion_people": ("M", "M"),
    "raffles_exclusion_find": (NOBODY, EVERYBODY),
    "raffles_exclusion_end": ("M", "M"),
    "raffles_endpoint_test": (NOBODY, "M"),
    "raffles_endpoint_rotate": (NOBODY, "M"),
}
# What Django's admin shows to everybody who is logged in, or to nobody in particular.
DJANGOS_OWN = {
    *("index", "login", "logout", "password_change", "password_change_done", "autocomplete"),
    *("jsi18n", "language", "view_on_site", "app_list", "auth_user_password_change"),
}
# Of signing in, where django-allauth is installed; `rafflesite.accounts` tests who may what there.
ACCOUNTS = {"second_factor", "oidc", "oidc_callback", "auth_user_reset_second_factor"}
KINDS = ("changelist", "add", "change", "delete", "history")


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """Yield the names of all addresses."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def test_every_address_is_in_the_table() -> None:
    of_models = {f"{model}_{kind}" for model in MODELS for kind in KINDS}
    assert set(names(site.get_urls())) - ACCOUNTS == of_models | set(PAGES) | DJANGOS_OWN


@pytest.fixture
def rows() -> dict[str, Model]:
    """Return a row of every model: an event with a ticket, a drawn raffle with a replacement."""
    scheduled()
    taken("alice")
    Reward.objects.create(event=Event.objects.get(), date=DRAW.date() + DAY, reward_name="Cup")
    raffle = RaffleFactory.create(state=State.DRAWN)
    note_notified(raffle.winners.all()[:1], now=NOW, by=STAFF)
    number = raffle.winners.all()[0].ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)
    now = timezone.now()
    endpoint = Endpoint.objects.create(address="https://example.org", created_at=NOW)
    Delivery.objects.create(endpoint=endpoint, created_at=now, next_try_at=now)
    Exclusion.objects.create(tag=b"tag", kind="user", reason="Rain", created_at=NOW)
    ApiKey.objects.create(name="Shop", created_at=now, key_hash=b"hash")
    Setback.objects.create(raffle=raffle, error="Rain", failed_at=now, next_try_at=now)
    User.objects.create_user("somebody")
    kinds = (
        *(LogEntry, Announcement, Contact, Delivery, Draw, Endpoint, Handover, Replacement, Winner),
        *(ApiKey, Exclusion, Event, Occurrence, Reward, Setback, User, Group),
    )
    found = {kind: kind._default_manager.first() for kind in kinds} | {Raffle: raffle}
    return {kind._meta.label_lower.replace(".", "_"): row for kind, row in found.items() if row}


def test_roles_may_what_the_table_says_and_nobody_else(rows: dict[str, Model]) -> None:
    staff = {role: User.objects.create_user(role, is_staff=True) for role in ROLES}
    for role, user in staff.items():
        user.groups.set([Group.objects.get(name=ROLES[role])])
    staff["plain"] = User.objects.create_user("plain", is_staff=True)
    staff["visitor"] = User.objects.create_user("visitor")
    clients = {role: Client() for role in staff}
    for role, user in staff.items():
        clients[role].force_login(user)
    wanted, found = {}, {}
    for name, method, allowed in requests():
        address = address_of(name, rows)
        wanted[name, method] = (allowed, False, 302)
        statuses = {
            role: client.generic(method, address).status_code for role, client in clients.items()
        }
        let_in = {role for role, status in statuses.items() if status not in (403, 405)}
        may = "".join(role for role in ROLES if role in let_in)
        found[name, method] = (may, "plain" in let_in, statuses["visitor"])
    assert found == wanted


def requests() -> Iterator[tuple[str, str, str]]:
    """Yield name and method of each request in the tables, and who may make it."""
    for model, (see, add, change, delete) in MODELS.items():
        yield f"{model}_changelist", "GET", see
        yield f"{model}_history", "GET", see
        yield f"{model}_change", "GET", see
        yield f"{model}_add", "GET", add
        yield f"{model}_change", "POST", change
        yield f"{model}_delete", "GET", delete
    for name, (read, act) in PAGES.items():
        yield name, "GET", read
        yield name, "POST", act


def address_of(name: str, rows: dict[str, Model]) -> str:
    """Return the address of that name, of the row of its model where it is about one."""
    owner = "_".join(name.split("_")[:2])
    try:
        return reverse(f"admin:{name}")
    except NoReverseMatch:  # it is about an object
        return reverse(f"admin:{name}", args=[rows[owner].pk])
