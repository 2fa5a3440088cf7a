"""Everything works behind a pooler that gives each transaction another connection."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from raffles.domain.due import run_due
from raffles.domain.entering_lists import enter_list
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_entries, export_record, export_winners
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import BadLines
from raffles.models import EntryMode, Raffle, State, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to
from raffles.tests.nothing_lost.harness import flaws, race, tally
from raffles.tests.serving import free_port, running

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("pgbouncer"), reason="pgbouncer is not installed"),
]
_CONFIGURATION = """
[databases]
* = host={HOST} port={PORT}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
server_round_robin = 1
server_idle_timeout = 60
"""


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have PgBouncer in transaction mode between this process and the database."""
    facts: dict[str, Any] = connection.settings_dict
    port = free_port()
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users").write_text(f'"{facts["USER"]}" "{facts["PASSWORD"]}"\n')
        host = {"HOST": facts["HOST"] or "127.0.0.1", "PORT": facts["PORT"] or 5432}
        (folder / "pooler.ini").write_text(_CONFIGURATION.format(**host, port=port, folder=folder))
        folder.chmod(0o755)
        account = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
        with running(["pgbouncer", str(folder / "pooler.ini")], port, user=account):
            connection.close()
            with monkeypatch.context() as patch:
                patch.setitem(facts, "HOST", "127.0.0.1")
                patch.setitem(facts, "PORT", port)
                yield
                connection.close()


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


@pytest.mark.usefixtures("pooled")
def test_the_pooler_changes_connections_between_transactions() -> None:
    race(*[backend] * 8)  # so that it has several
    assert len({backend() for _ in range(9)}) > 1
    raffle = RaffleFactory.create()
    kept = connection.connection.cursor("kept", withhold=True)
    kept.execute("SELECT 1")
    with pytest.raises(import_module("psycopg2").OperationalError):
        kept.fetchall()  # by another connection, which does not know it
    assert list(Raffle.objects.iterator()) == [raffle]


@pytest.mark.usefixtures("pooled")
def test_a_raffle_from_its_first_ticket_to_its_last_file(client: Client) -> None:
    raffle = RaffleFactory.create(total_tickets=40, prizes=[("Phone", 9)], alternates=9)
    outcomes = race(*(partial(enter_nth, raffle, n) for n in range(40)))
    assert tally(outcomes) == {"Entry": 40}
    runs = race(*[lambda: [*run_due([raffle], now=NOW, clock=lambda: NOW, by=STAFF)]] * 4)
    assert {run.outcome for (run,) in runs} <= {"drawn", "busy"}
    take_to(State.DRAWN, raffle)
    assert flaws(raffle) == []
    assert Ticket.objects.filter(raffle=raffle).count() == 40

    files: tuple[Iterator[str | bytes], ...] = (
        export_entries(raffle.uuid, full_names=True, now=NOW, by=STAFF),
        export_winners(raffle.uuid, full_names=True, now=NOW, by=STAFF),
        export_record(raffle.uuid, now=NOW, by=STAFF),
        export_evidence(raffle.uuid, now=NOW, by=STAFF),
    )
    for file in files:
        next(file)
        race(*[backend] * 8)  # others are given the connections meanwhile
        assert list(file)
    for path in ("proof/", "leaves/", "winners/", "commitment/"):
        assert client.get(f"/raffles/{raffle.uuid}/{path}").status_code == 200
    assert len(client.get("/log/statements").getvalue().splitlines()) > 2
    for command in (["verify_draw", str(raffle.uuid)], ["verify_log"]):
        call_command(*command, stdout=StringIO())


@pytest.mark.usefixtures("pooled")
def test_nothing_stays_behind_with_a_connection() -> None:
    for _ in range(4):
        raffle = RaffleFactory.create(tickets=3)
        list(run_due([raffle], now=NOW, clock=lambda: NOW + timedelta(seconds=1), by=STAFF))
        assert Raffle.objects.get(pk=raffle.pk).state == State.DRAWN
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,)


@pytest.mark.usefixtures("pooled")
def test_every_list_and_form_of_the_admin_is_shown(admin_client: Client) -> None:
    RaffleFactory.create(tickets=2)
    Group.objects.create(name="Friends")
    race(*[backend] * 8)
    urls = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")
        for model in admin.site._registry
        for page in ("changelist", "add")
    ]
    seen = {url: admin_client.get(url).status_code for url in urls}
    assert set(seen.values()) <= {200, 403}, seen
    assert seen["/admin/auth/user/add/"] == 200


@pytest.mark.usefixtures("pooled")
def test_lists_enter_at_once_and_nothing_stays_staged() -> None:
    def bring(number: int) -> int:
        lines = [Line(n, f"person {number} {n}") for n in range(30)]
        entered = enter_list(raffle.uuid, lines, now=NOW, by=STAFF)
        return len(entered)

    raffle = RaffleFactory.create(total_tickets=200, entry=EntryMode.LIST)
    bad = [Line(1, "same"), Line(2, "same")]
    race(*[backend] * 8)
    outcomes = race(*(partial(bring, number) for number in range(6)))
    assert outcomes == [30] * 6
    for _ in range(4):
        with pytest.raises(BadLines):
            enter_list(raffle.uuid, bad, now=NOW, by=STAFF)
    assert Ticket.objects.filter(raffle=raffle).count() == 180
    assert flaws(raffle) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname = 'raffles_staged'")
        assert cursor.fetchone() == (0,)
