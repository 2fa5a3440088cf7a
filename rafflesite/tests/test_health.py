"""Health: alive, ready, and what should be looked at."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from events.models import Heartbeat
from raffles.domain import lineage
from raffles.models import Witness
from raffles.notifications import outbox
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.serving import SITE, database_url
from raffles.web.witness_lists import Authority, Cosigner
from rafflesite.health import clock_warnings, warnings


def broken_warnings() -> list[str]:
    raise RuntimeError


def test_alive_without_the_database(client: Client) -> None:
    response = client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_ready(client: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    Heartbeat.objects.create(pk=1, ran_at=timezone.now())
    with django_assert_max_num_queries(20):
        response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "warnings": []})


@pytest.mark.django_db
def test_unapplied_migration_is_503(client: Client) -> None:
    last = MigrationRecorder(connection).migration_qs.filter(app="auth").latest("name")
    last.delete()
    response = client.get("/readyz")
    assert (response.status_code, response.json()["detail"]) == (
        503,
        f"Migrations are not applied: auth.{last.name}.",
    )


@pytest.mark.django_db
def test_tables_of_a_newer_version_are_served_meanwhile(client: Client) -> None:
    """While servers are upgraded one by one, the database is a version ahead of most of them."""
    raffle = RaffleFactory.create()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raffles_newer (id integer PRIMARY KEY)")
        cursor.execute("ALTER TABLE raffles_raffle ADD COLUMN newer integer NOT NULL DEFAULT 7")
        cursor.execute("ALTER TABLE raffles_ticket ADD COLUMN newer integer NOT NULL DEFAULT 7")
    for app in ("raffles", "events", "an_app_of_its_own"):
        MigrationRecorder(connection).record_applied(app, "9999_newer")

    assert client.get("/readyz").status_code == 200
    path = f"/raffles/{raffle.uuid}/participate/"
    assert client.post(path, content_type="application/json").status_code == 201
    assert client.get(f"/r/{raffle.uuid}/").status_code == 200


@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")
@pytest.mark.parametrize(
    ("path", "method"),
    [("/readyz", "GET"), ("/raffles/{}/participate/", "POST"), ("/r/{}/", "POST")],
)
def test_database_that_can_only_be_read_is_503_and_left(
    client: Client, path: str, method: str
) -> None:
    path = path.format(RaffleFactory.create().uuid)
    with connection.cursor() as cursor:  # as this connection has it, once the primary is another
        cursor.execute("SET default_transaction_read_only = on")
    try:
        kind = "application/x-www-form-urlencoded" if path.startswith("/r/") else ""
        refused, again = (client.generic(method, path, content_type=kind) for _ in range(2))
    finally:
        connection.close()
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert again.status_code in (200, 201)


@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")
@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_role_that_lacks_a_right_is_not_ready(
    right: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP ROLE IF EXISTS raffles_reader; CREATE ROLE raffles_reader;"
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO raffles_reader;"
            "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO raffles_reader;"
            f"REVOKE {right} ON raffles_ticket FROM raffles_reader; SET ROLE raffles_reader"
        )
    try:
        assert client.get("/readyz").status_code == 503
        assert "may not write to raffles_ticket" in caplog.text
        assert client.get("/readyz").status_code == 200  # by another connection, as the owner
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP OWNED BY raffles_reader; DROP ROLE raffles_reader")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_table_that_is_not_made_yet_is_a_missing_migration(client: Client) -> None:
    last = MigrationRecorder(connection).migration_qs.filter(app="raffles").latest("name")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE raffles_runlease RENAME TO elsewhere")
    try:
        last.delete()
        assert f"raffles.{last.name}" in client.get("/readyz").json()["detail"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO raffles_runlease")
        MigrationRecorder(connection).record_applied("raffles", last.name)


@pytest.mark.django_db(transaction=True)
def test_no_database_is_503(client: Client) -> None:
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "/nowhere/database"
    try:
        response = client.get("/readyz")
    finally:
        connection.settings_dict["NAME"] = name
        connection.close()
    assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.django_db
def test_warnings_are_200_and_a_broken_one_hides_no_other(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "warnings", broken_warnings)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["warnings"]) == (
        200,
        ["draw_winners has never run.", f"{__name__}.broken_warnings failed; see the log."],
    )


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, []),
        (10, ["This machine's clock is 600 s ahead of the database's."]),
        (-10, ["This machine's clock is 600 s behind the database's."]),
    ],
)
def test_clock_is_compared_with_the_database(
    minutes: int, expected: list[str], settings: Settings
) -> None:
    settings.CLOCK = "database"
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=minutes)):
        assert clock_warnings() == expected


@pytest.mark.django_db
def test_a_listed_witness_that_no_raffle_names_is_a_warning(settings: Settings) -> None:
    before = warnings()
    settings.TIMESTAMP_AUTHORITIES = [Authority("Some TSA", "https://tsa.example.org")]
    (sentence,) = set(warnings()) - set(before)
    assert sentence == (
        "No raffle names the timestamp authority 'Some TSA': its keys are not known, or are"
        " another's. Run `manage.py witnesses`."
    )


@pytest.mark.django_db
def test_a_witness_that_has_signed_another_log_is_a_warning(settings: Settings) -> None:
    settings.COSIGNERS = [Cosigner("club.example/witness", "ab" * 32, "https://club.example")]
    before = warnings()
    Witness.objects.create(url="https://club.example", disagrees_since=timezone.now())
    Witness.objects.create(url="https://no-longer-listed.example", disagrees_since=timezone.now())
    (sentence,) = set(warnings()) - set(before)
    assert sentence.startswith("The witness club.example/witness has signed statements that this")


def test_command_without_its_database_says_one_line() -> None:
    status, said = command("check_draws", DATABASE_URL="postgres://nobody@127.0.0.1:9/none")
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("The database is not available: ")


@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")
@pytest.mark.parametrize("words", ["draw_winners", "erase_participant user:Alice", "before_move"])
def test_command_on_a_database_that_can_only_be_read_says_one_line(words: str) -> None:
    lineage.begin()
    RaffleFactory.create(closes_at=NOW + timedelta(hours=1), tickets=1)
    only_reads = {"PGOPTIONS": "-c default_transaction_read_only=on"}
    status, said = command(*words.split(), DATABASE_URL=database_url(), **only_reads)
    assert (status, said.count("\n")) == (1, 1), said


def command(*words: str, **environment: str) -> tuple[int, str]:
    """Run a command as an operator does; return its status and what it said of errors."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=SITE,
        env=os.environ | {"ENV_FILE": ""} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr
