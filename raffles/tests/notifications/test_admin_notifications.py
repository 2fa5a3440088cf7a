"""The staff's side: endpoints, secrets shown once, tests, and dead messages sent again."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db.models import F
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from standardwebhooks import Webhook

from raffles.models import Delivery, Endpoint, LogEntry
from raffles.notifications.webhooks import OVERLAP, make_secret
from raffles.tests.factories import NOW
from raffles.tests.notifications.acting import announced, delivered_at, endpoint
from raffles.tests.notifications.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
ADD = reverse("admin:raffles_endpoint_add")
HOOK = "https://example.org/hook"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


def asked(**fields: Any) -> dict[str, Any]:
    return {"channel": "webhook", "address": HOOK, "is_enabled": "on", "topic": ""} | fields


def page_of(told: Endpoint, act: str = "change") -> str:
    return reverse(f"admin:raffles_endpoint_{act}", args=[told.pk])


def shown_secrets(response: Any) -> list[str]:
    return re.findall(r"whsec_[A-Za-z0-9+/=]+", response.content.decode())


def test_secret_is_shown_once_and_signs(staff: Client, receiver: Receiver) -> None:
    first = staff.post(
        ADD, asked(address=receiver.url("ok"), kinds=["winner.replaced"]), follow=True
    )
    told = Endpoint.objects.get()
    again = staff.get(page_of(told))
    announced()
    delivered_at(NOW)

    (secret,) = shown_secrets(first)
    assert shown_secrets(again) == []
    (received,) = receiver.ledger
    with time_machine.travel(NOW, tick=False):
        assert Webhook(secret).verify(received.body, received.headers)
    assert told.kinds == ["winner.replaced"]


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("webhook", "ftp://example.org/"),
        ("webhook", "https://"),
        ("webhook", "https://user:secret@example.org/"),
        ("webhook", "https://example.org/a b"),
        ("webhook", "https://example.org:0/"),
        ("webhook", "https://example.org:99999/"),
        ("webhook", "https://[::1/"),
        ("webhook", "https://example.org/\u202e"),
        ("webhook", "staff@example.org"),
        ("mail", HOOK),
        ("mail", "staff@example.org\r\nBcc: all@example.org"),
        ("winners", ""),
    ],
)
def test_address_that_can_not_be_told_is_refused(channel: str, address: str, staff: Client) -> None:
    response = staff.post(ADD, asked(channel=channel, address=address))

    assert response.status_code == 200
    assert not Endpoint.objects.exists()


def test_new_secret_is_shown_and_the_endpoint_is_kept(staff: Client) -> None:
    told = endpoint(HOOK)

    response = staff.post(page_of(told, "rotate"), follow=True)

    assert len(shown_secrets(response)) == 1
    told.refresh_from_db()
    assert told.secret_version == 2


def test_new_secret_twice_leaves_the_one_that_the_receiver_knows(
    staff: Client, receiver: Receiver
) -> None:
    told = endpoint(receiver.url("ok"))
    known = make_secret(told.key_id, told, 1)
    shown = [shown_secrets(staff.post(page_of(told, "rotate"), follow=True)) for _ in range(2)]
    assert shown[0] == shown[1] != []
    announced()
    delivered_at(NOW)
    (received,) = receiver.ledger
    with time_machine.travel(NOW, tick=False):
        for secret in (known, *shown[0]):
            assert Webhook(secret).verify(received.body, received.headers)
    Endpoint.objects.update(rotated_at=F("rotated_at") - OVERLAP)
    third = shown_secrets(staff.post(page_of(told, "rotate"), follow=True))
    assert third not in ([], shown[0])
    record = LogEntry.objects.about(told).values_list("action", flat=True)
    assert list(record) == ["endpoint.rotated", "endpoint.secret.shown", "endpoint.rotated"]


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/hook",
        "https://10.0.0.1/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://localhost/hook",
        "http://93.184.215.14/",
    ],
)
def test_address_that_delivery_refuses_is_refused_beside_the_field(
    address: str, staff: Client, settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = []
    response = staff.post(ADD, asked(address=address))
    assert list(response.context["adminform"].form.errors) == ["address"]
    settings.WEBHOOK_NETWORKS = ["10.0.0.0/8", "127.0.0.0/8", "93.184.215.14"]
    assert staff.post(ADD, asked(address=address)).status_code == 302


def test_event_that_is_not_there_is_refused_beside_the_field(staff: Client) -> None:
    response = staff.post(ADD, asked(topic="no-such-event"))
    assert list(response.context["adminform"].form.errors) == ["topic"]


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [("ok", "Delivered, in "), ("broken", "Not delivered: 500.")],
)
def test_test_message_says_what_came_back(
    behaviour: str, says: str, staff: Client, receiver: Receiver
) -> None:
    told = endpoint(receiver.url(behaviour))

    response = staff.post(page_of(told, "test"), follow=True)

    assert says in response.content.decode()
    assert len(receiver.ledger) == 1


def test_test_into_a_private_network_is_refused(
    staff: Client, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = []
    response = staff.post(page_of(endpoint(receiver.url("ok")), "test"), follow=True)

    assert "Not delivered: Forbidden" in response.content.decode()
    assert receiver.ledger == []


def test_editing_touches_neither_fence_nor_lease(staff: Client) -> None:
    told = endpoint(HOOK, is_enabled=False, disabled_because="answered 410 Gone")
    form = staff.get(page_of(told)).context["adminform"].form
    Endpoint.objects.filter(pk=told.pk).update(fence=7, leased_until=NOW)

    staff.post(page_of(told), form.initial | {"is_enabled": "on", "kinds": []})

    told.refresh_from_db()
    assert (told.fence, told.leased_until) == (7, NOW)
    assert (told.is_enabled, told.disabled_because) == (True, "")


def test_dead_messages_are_sent_again_from_the_log(staff: Client, receiver: Receiver) -> None:
    endpoint(receiver.url("gone"))
    announced(2)
    delivered_at(NOW)
    log = reverse("admin:raffles_delivery_changelist")
    chosen = [delivery.pk for delivery in Delivery.objects.all()]

    assert (
        "410"
        in staff.get(reverse("admin:raffles_delivery_change", args=[chosen[1]])).content.decode()
    )
    action = {"action": "send_again", "_selected_action": chosen}
    refused = staff.post(log, action, follow=True).content.decode()

    assert "2 of a disabled endpoint stay as they are: enable it first." in refused
    assert "to be sent again" not in refused
    assert {delivery.state for delivery in Delivery.objects.all()} == {"dead"}

    Endpoint.objects.update(is_enabled=True)
    assert "2 to be sent again." in staff.post(log, action, follow=True).content.decode()
    assert {delivery.state for delivery in Delivery.objects.all()} == {"pending"}


def test_who_may_only_look_changes_nothing(client: Client, receiver: Receiver) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_endpoint", "view_delivery"])
    )
    client.force_login(viewer)
    told = endpoint(receiver.url("ok"))
    Delivery.objects.create(endpoint=told, state="dead", created_at=NOW, next_try_at=NOW)

    assert client.post(page_of(told, "test")).status_code == 403
    assert client.post(page_of(told, "rotate")).status_code == 403
    assert client.get(page_of(told, "rotate")).status_code == 405
    client.post(
        reverse("admin:raffles_delivery_changelist"),
        {"action": "send_again", "_selected_action": [Delivery.objects.get().pk]},
    )
    assert Delivery.objects.get().state == "dead"
    assert receiver.ledger == []
