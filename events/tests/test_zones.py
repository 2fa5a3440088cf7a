"""Time zones: real ones alone, and an event of one that this machine lacks stops nothing else."""

from __future__ import annotations

import json
import shutil
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from events.domain.calendar import forget_events
from events.models import Event, Setback
from events.tests.acting import (
    DAY,
    DRAW,
    NO_DRAW,
    NOW,
    manage,
    participate,
    refused,
    run,
    scheduled,
    taken,
    terms,
)
from events.tests.acting import read as read_api
from raffles.models import Raffle, State
from raffles.web.zones import zones

pytestmark = pytest.mark.django_db
ELSEWHERE = "Mars/Olympus_Mons"


@pytest.fixture
def strand(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Yield a zone that this machine knows until it is called: its file is gone then."""
    real = zoneinfo.TZPATH
    (paris,) = (file for path in real if (file := Path(path, "Europe/Paris")).exists())
    (tmp_path / "Mars").mkdir()
    shutil.copy(paris, tmp_path / ELSEWHERE)

    def look_in(*paths: str) -> None:
        zoneinfo.reset_tzpath(paths)
        ZoneInfo.clear_cache()
        zones.cache_clear()
        forget_events()

    look_in(str(tmp_path), *real)
    yield lambda: look_in(*real)
    look_in(*real)


@pytest.mark.parametrize(
    "zone",
    [
        *("localtime", "Factory", "posixrules", "posix/Europe/Paris", "right/UTC", "leapseconds"),
        *("Europe", "europe/paris", "../etc/passwd", "/etc/localtime", "UTC+1"),
        *("tzdata.zi", "zone.tab", "Mars/Olympus_Mons", "CEST", "+01:00", "."),
    ],
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    answer = manage("post", "/events/", terms(time_zone=zone))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["time_zone"])
    assert zone not in zones()


def test_the_admin_offers_real_zones_alone(admin_client: Client) -> None:
    page = admin_client.get("/admin/events/event/add/").text
    assert 'value="Europe/Paris"' in page
    for zone in ("localtime", "Factory"):
        assert f'value="{zone}"' not in page


def test_an_event_of_an_unknown_zone_stops_nothing_else(
    client: Client, strand: Callable[[], None]
) -> None:
    scheduled(time_zone=ELSEWHERE)
    scheduled(slug="lunch", name="Lunch", draw_time="09:00")
    stranded, other = taken("alice"), taken("bob", slug="lunch")
    strand()

    assert [draw["event"] for draw in read_api("/events/upcoming/")][:2] == ["breakfast", "lunch"]
    assert read_api("/events/breakfast/")["next_draw"]["draw_at"] == "2026-02-10T07:00:00Z"
    for address in (
        *("/events/", "/events/breakfast/draws/", "/events/breakfast/draws/2026-02-10/"),
        *("/", "/e/breakfast/", "/e/lunch/", "/e/breakfast/state/", "/events.ics"),
    ):
        with time_machine.travel(NOW, tick=False):
            assert client.get(address).status_code == 200, address
    assert taken("carol")["raffle_id"] == stranded["raffle_id"]  # its date is open

    with time_machine.travel(DRAW + timedelta(hours=2), tick=False):
        with pytest.raises(SystemExit) as ended:
            call_command("draw_winners")
        assert ended.value.code == 1
        warnings = client.get("/readyz").json()["warnings"]
    # Its open date has an instant and is drawn; only what nobody can tell here has failed.
    for ticket in (stranded, other):
        assert Raffle.objects.get(uuid=ticket["raffle_id"]).state == State.DRAWN
    (setback,) = Setback.objects.all()
    assert (setback.event, setback.error) == (
        Event.objects.get(slug="breakfast"),
        f"This machine does not know {ELSEWHERE}.",
    )
    assert f"This machine does not know the time zone {ELSEWHERE} of an event." in warnings

    later = DRAW + timedelta(hours=3)
    assert refused(participate("dora", now=later)) == NO_DRAW
    taken("dora", slug="lunch", now=later)
    assert {row["event"] for row in read_api("/events/winners/", later)} == {"breakfast", "lunch"}
    assert [draw["event"] for draw in read_api("/events/upcoming/?days=1", later)] == ["lunch"]
    for address in ("/", "/e/breakfast/", "/e/breakfast/2026-02-10/", "/winners.atom"):
        with time_machine.travel(later, tick=False):
            assert client.get(address).status_code == 200, address


def test_an_event_whose_zone_is_known_again_goes_on(strand: Callable[[], None]) -> None:
    scheduled(time_zone=ELSEWHERE)
    strand()
    with time_machine.travel(DRAW + DAY, tick=False), pytest.raises(SystemExit):
        call_command("draw_winners")
    Event.objects.update(time_zone="Europe/Paris")

    assert len(run(DRAW + DAY + timedelta(minutes=2))) == 2  # both dates, to which nobody came
    assert not Setback.objects.exists()


def test_a_change_of_a_stranded_event_names_a_zone(strand: Callable[[], None]) -> None:
    scheduled(time_zone=ELSEWHERE)
    strand()
    answer = manage("patch", "/events/breakfast/", {"max_participants": 5})
    assert list(answer.json()["errors"]) == ["time_zone"]
    answer = manage("patch", "/events/breakfast/", {"time_zone": "Europe/Paris"})
    assert answer.status_code == 200
    assert json.loads(answer.getvalue())["next_draw"]["time_zone"] == "Europe/Paris"


def test_dry_run_names_a_stranded_event(
    capsys: pytest.CaptureFixture[str], strand: Callable[[], None]
) -> None:
    scheduled(time_zone=ELSEWHERE)
    strand()
    with time_machine.travel(NOW, tick=False):
        call_command("draw_winners", "--dry-run")
    assert "Breakfast" in capsys.readouterr().out
