"""Whoever's clock is off from the database's refuses to act, reads on, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from raffles.domain.clock import ClockOff, acting_time, command_clock, database_time
from raffles.models import Raffle
from raffles.tests.api.acting import MANAGER, caller, draw, participate, refused, terms
from raffles.tests.factories import RaffleFactory
from raffles.tests.serving import SITE, database_url

OFF = (
    503,
    "clock_off",
    "This server's clock is wrong, so nothing can be changed here. Try again later.",
)


@pytest.fixture
def _by_database(settings: Settings) -> None:
    settings.CLOCK = "database"


by_database = pytest.mark.usefixtures("_by_database")


def apart(seconds: float) -> time_machine.travel:
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@by_database
@pytest.mark.parametrize("seconds", [90, -90, 30 * 86_400])
def test_clock_that_is_off_keeps_from_acts_and_not_from_reading(seconds: int) -> None:
    raffle = RaffleFactory.create(total_tickets=2, prizes=[("Phone", 1)], tickets=1)
    path = f"/raffles/{raffle.uuid}/"
    with apart(seconds):
        for response in (
            participate(str(raffle.uuid), "203.0.113.9"),
            draw(str(raffle.uuid)),
            caller(MANAGER).post("/raffles/", terms()),
            caller(MANAGER).post(f"{path}void/", {"reason": "No"}),
            caller().get("/readyz"),
        ):
            assert refused(response) == OFF
            assert response["Retry-After"] == "5"
        assert caller().get(path).json()["available_tickets"] == 1
    assert (Raffle.objects.count(), raffle.tickets.count()) == (1, 1)
    assert caller().get("/readyz").status_code == 200
    assert participate(str(raffle.uuid), "203.0.113.9").status_code == 201


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@by_database
def test_people_read_why_in_their_language(client: Client) -> None:
    raffle = RaffleFactory.create()
    with apart(90):
        page = client.post(f"/r/{raffle.uuid}/", headers={"accept": "text/html"})
        german = client.post(f"/de/r/{raffle.uuid}/", headers={"accept": "text/html"})
    assert (page.status_code, german.status_code) == (503, 503)
    assert "clock is wrong" in page.text
    assert "geht falsch" in german.text
    assert "out of reach" not in page.text


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@by_database
def test_comparing_takes_a_query_when_a_connection_opens_and_none_later(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    connection.close()
    with apart(50):
        assert acting_time() > database_time() + timedelta(seconds=40)
    with apart(90), django_assert_num_queries(1), pytest.raises(ClockOff):
        acting_time()  # it seems so, so the database is asked
    with django_assert_num_queries(0):
        assert timezone.now() - acting_time() < timedelta(seconds=1)


@pytest.mark.django_db
def test_clock_of_a_command_is_read_once_and_goes_on(
    django_assert_num_queries: DjangoAssertNumQueries, settings: Settings
) -> None:
    settings.CLOCK = "database"
    with apart(50):
        clock = command_clock()
        with django_assert_num_queries(0):
            first, second = clock(), clock()
    assert first < second
    if connection.vendor == "postgresql":
        assert second < datetime.now(UTC) + timedelta(seconds=10)  # the database's


@pytest.mark.postgres
@pytest.mark.django_db
@by_database
@pytest.mark.parametrize("command", [["draw_winners"], ["purge_personal_data", "--older-than=30d"]])
def test_command_of_a_machine_whose_clock_is_off_refuses(command: list[str]) -> None:
    with apart(90), pytest.raises(ClockOff, match="clock is wrong"):
        call_command(*command)


_AHEAD = """
import runpy, sys
from datetime import UTC, datetime, timedelta
import time_machine
sys.argv = ["manage.py", "draw_winners"]
with time_machine.travel(datetime.now(UTC) + timedelta(days=30)):
    runpy.run_path("manage.py", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_command_of_a_machine_whose_clock_is_off_says_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AHEAD],
        cwd=SITE,
        env=os.environ | {"ENV_FILE": "", "DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("This machine's clock is 25")  # 2,592,000 s, less its start
    assert done.stderr.endswith(" s ahead of the database's; set it (NTP).\n")
    assert done.stderr.count("\n") == 1
