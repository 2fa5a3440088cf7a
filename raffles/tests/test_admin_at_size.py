"""The lists of the admin with 100,000 rows: as many queries as with three."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from raffles.domain.creating import create_raffle
from raffles.domain.pool import build_tree
from raffles.domain.sealing import close, seal
from raffles.models import Delivery, Endpoint, LogEntry, State, Stripe, Ticket, Winner
from raffles.tests.factories import NOW, STAFF, RaffleFactory, clock

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
MANY = 100_000

_UP_TO = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %s - 1)"
_TAG = {
    "postgresql": "convert_to(lpad(i::text, 16, '0'), 'UTF8')",
    "sqlite": "CAST(printf('%%016d', i) AS BLOB)",
}

_UUID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}


def insert(table: str, columns: str, values: str, *arguments: Any) -> None:
    """Insert that many rows in one statement; `i` is the number of each."""
    with connection.cursor() as cursor:
        statement = f"INSERT INTO {table} ({columns}) {_UP_TO} SELECT {values} FROM n"
        cursor.execute(statement, [MANY, *arguments])


def seed() -> None:
    """Create a raffle of 100,000 winners, as many log entries, and as many deliveries."""
    raffle = create_raffle(
        name="Everybody wins", total_tickets=MANY, prizes=[("Cake", MANY)], now=NOW, by=STAFF
    )
    tag, at = _TAG[connection.vendor], connection.ops.adapt_datetimefield_value(NOW)
    columns = "raffle_id, slot, holder_tag, code_tag, issued_at, nth"
    insert("raffles_ticket", columns, f"%s, i, {tag}, {tag}, %s, 0", raffle.pk, at)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # or the checks of keys go on as planned for a handful of rows
    Stripe.objects.filter(raffle=raffle).update(issued=F("cap"))
    close(raffle.pk, now=NOW, by=STAFF)
    seal(raffle.pk, build_tree(raffle), clock=clock, by=STAFF)
    columns = 'raffle_id, rank, slot, "index", prize_id, leaf'
    leaf = Ticket.objects.filter(raffle=raffle).values_list("code_tag", flat=True)[0]
    prize = raffle.prizes.get().pk
    insert("raffles_winner", columns, "%s, i + 1, i, i, %s, %s", raffle.pk, prize, leaf)
    details = "%s" if connection.vendor == "sqlite" else "%s::jsonb"
    columns = "subject, action, at, by, why, details"
    insert("raffles_act", columns, f"'event x', 'reward.set', %s, 'x', '', {details}", at, "{}")
    endpoint = Endpoint.objects.create(address="https://example.org", created_at=NOW)
    columns = "message_id, endpoint_id, state, attempts, next_try_at, created_at, last_detail"
    insert(
        "raffles_delivery",
        columns,
        f"{_UUID[connection.vendor]}, %s, 'delivered', 1, %s, %s, ''",
        endpoint.pk,
        at,
        at,
    )


def queries(client: Client) -> dict[str, int]:
    """Return how many queries each list, and the home page, makes."""
    made = {}
    for name in ("index", *(f"{model._meta.label_lower}" for model in site._registry)):
        address = name if name == "index" else f"{name.replace('.', '_')}_changelist"
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(reverse(f"admin:{address}")).status_code == 200
        made[name] = len(captured)
    return made


def test_lists_make_as_many_queries_with_100_000_rows(client: Client) -> None:
    client.force_login(User.objects.create_superuser("sam"))
    for _ in range(3):
        RaffleFactory.create(state=State.DRAWN)
    endpoint = Endpoint.objects.create(address="https://example.com", created_at=NOW)
    for _ in range(3):
        Delivery.objects.create(
            endpoint=endpoint, created_at=NOW, next_try_at=NOW, state="delivered"
        )
    few = queries(client)
    seed()
    assert (Winner.objects.count(), LogEntry.objects.count()) > (MANY, MANY)
    more = {name: made - few[name] for name, made in queries(client).items()}
    assert max(more.values()) <= 1, more  # one, where a list has more than one page
