"""What goes wrong alarms within three minutes, and nothing does while all is well.

Each fault is made, the site is scraped as Prometheus would, and promtool judges what was scraped.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from raffles.models import Delivery, RunLease, State, Witness
from raffles.notifications.outbox import note_watching, watched_at
from raffles.tests.api.test_database_away import database_away
from raffles.tests.factories import RaffleFactory
from raffles.tests.fairness.relay import Relay, hang
from raffles.tests.notifications.acting import announced, endpoint
from raffles.tests.notifications.receiver import Receiver
from raffles.tests.notifications.test_delivery_watch import wait_for, watching
from raffles.tests.test_beacon_draws import ROUND_42, SEALED_AT, at, sealed, sold_out
from raffles.web.witness_lists import Cosigner
from rafflesite.tests.alerting import RULES, alarms, rules, scraped, silent, watched
from rafflesite.tests.documents import ROOT, blocks

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.once,
    pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed"),
]
NOTHING = timedelta(0)
DOCUMENT = ROOT / "docs/watching.md"
CLOSES = datetime(2026, 2, 10, 13, tzinfo=UTC)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with Receiver() as receiver:
        yield receiver


def draw_winners() -> None:
    with suppress(SystemExit):  # something failed, or waits
        call_command("draw_winners", verbosity=0)


def each_minute(after: timedelta) -> None:
    """Do what cron does."""
    if after % timedelta(minutes=1) == NOTHING:
        draw_winners()


def once(after: timedelta) -> None:
    """Do what cron did before it was killed."""
    if after == NOTHING:
        draw_winners()


def test_promtool_takes_the_rules() -> None:
    said = subprocess.run(
        ["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert f"SUCCESS: {len(rules())} rules found" in said.stdout


def test_nothing_alarms_while_draws_are_made_and_told(receiver: Receiver, tmp_path: Path) -> None:
    endpoint(receiver.url("ok"))
    raffle = RaffleFactory.create(closes_at=CLOSES, tickets=2)

    series = watched(CLOSES, meanwhile=each_minute)

    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN
    assert len(receiver.ledger) == 2
    assert alarms(series, tmp_path) == set()


def test_cron_that_is_killed(tmp_path: Path) -> None:
    for seconds in (0, 20):
        RaffleFactory.create(closes_at=CLOSES + timedelta(seconds=seconds), tickets=2)

    series = watched(CLOSES, meanwhile=once)

    assert alarms(series, tmp_path) == {"RafflesDrawsStandStill", "RafflesDrawLate"}


def test_cron_that_never_ran(tmp_path: Path) -> None:
    assert alarms(watched(CLOSES), tmp_path) == {"RafflesDrawsStandStill"}


def test_draw_that_fails_each_minute(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(closes_at=CLOSES, tickets=2)
    tags = {"holder_tag": bytes(16), "code_tag": bytes(16)}
    (free,) = {0, 1, 2} - {ticket.slot for ticket in raffle.tickets.all()}
    raffle.tickets.create(slot=free, issued_at=CLOSES, **tags)  # so that it cannot be sealed

    series = watched(CLOSES, meanwhile=each_minute)

    assert alarms(series, tmp_path) == {"RafflesDrawLate"}


@pytest.mark.slow
def test_relay_that_hangs(settings: Settings, tmp_path: Path) -> None:
    def after_a_minute(after: timedelta) -> None:
        if after == timedelta(minutes=1):  # each such run takes ten seconds
            draw_winners()

    with Relay({42: hang}) as relay:
        settings.DRAND_RELAYS = [relay.url]
        raffle = sold_out(closes_at=at(ROUND_42 - 60))
        with time_machine.travel(at(ROUND_42 - 60), tick=False):
            draw_winners()
        series = watched(at(ROUND_42), meanwhile=after_a_minute)

    raffle.refresh_from_db()
    assert (raffle.state, len(relay.requests)) == (State.SEALED, 1)
    assert alarms(series, tmp_path) == {"RafflesBeaconLate"}


@pytest.mark.slow
def test_worker_that_is_killed(tmp_path: Path) -> None:
    connections.close_all()
    with watching() as worker:
        wait_for(lambda: watched_at() is not None)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    series = watched(timezone.now(), meanwhile=each_minute)

    assert alarms(series, tmp_path) == {"RafflesWorkerDead"}


@pytest.mark.parametrize("behaviour", ["reset", "broken"])
def test_outbox_that_fills_since_its_receiver_is_down(
    receiver: Receiver, tmp_path: Path, behaviour: str
) -> None:
    endpoint(receiver.url(behaviour))
    with time_machine.travel(CLOSES, tick=False):
        announced(100, at=CLOSES)

    series = watched(CLOSES, meanwhile=each_minute)

    assert alarms(series, tmp_path) == {"RafflesOutboxFull"}
    assert list(series['raffles_undelivered{job="raffles", instance="site"}'])[-1] == "100.0"


def test_outbox_that_nobody_empties(receiver: Receiver, tmp_path: Path) -> None:
    endpoint(receiver.url("ok"))
    announced(at=CLOSES)

    series = watched(CLOSES)

    assert alarms(series, tmp_path) == {"RafflesDrawsStandStill", "RafflesOutboxFull"}


def test_messages_given_up(receiver: Receiver, tmp_path: Path) -> None:
    endpoint(receiver.url("ok"))
    announced(at=CLOSES)
    with time_machine.travel(CLOSES, tick=False):
        draw_winners()
    Delivery.objects.update(state=Delivery.State.DEAD)

    series = watched(CLOSES, meanwhile=each_minute)

    assert alarms(series, tmp_path) == {"RafflesMessagesGivenUp"}


def test_run_that_is_at_a_raffle_for_too_long(tmp_path: Path) -> None:
    raffle = RaffleFactory.create()
    since, until = CLOSES - timedelta(minutes=1), CLOSES + timedelta(hours=1)
    RunLease.objects.create(raffle=raffle, since=since, until=until)

    series = watched(CLOSES, meanwhile=each_minute)

    assert alarms(series, tmp_path) == {"RafflesBusyTooLong"}


def test_witness_that_does_not_answer_alarms_before_the_round(
    settings: Settings, tmp_path: Path
) -> None:
    settings.COSIGNERS = [Cosigner("club.example/witness", "ab" * 32, "https://club.example")]
    with time_machine.travel(SEALED_AT, tick=False):
        draw_winners()
        sealed()

    series = watched(SEALED_AT)

    assert alarms(series, tmp_path, after=timedelta(seconds=45)) == {"RafflesWitnessesMissing"}


def test_witness_that_has_another_log(settings: Settings, tmp_path: Path) -> None:
    settings.COSIGNERS = [Cosigner("club.example/witness", "ab" * 32, "https://club.example")]
    Witness.objects.create(url="https://club.example", disagrees_since=CLOSES)

    series = watched(CLOSES, meanwhile=each_minute)

    assert alarms(series, tmp_path) == {"RafflesLogForked"}


def test_site_of_which_nobody_answers(tmp_path: Path) -> None:
    assert alarms(silent(), tmp_path) == {"RafflesSiteDown"}


def test_proof_that_somebody_else_has_made_meanwhile(settings: Settings, tmp_path: Path) -> None:
    """On a site that is asked for nothing else."""
    raffle = RaffleFactory.create(state=State.DRAWN)
    leaves = f"/raffles/{raffle.uuid}/leaves/"
    assert Client().get(leaves).status_code == 200
    (file,) = Path(settings.STATE_DIR, "files").glob("*.leaves")
    file.unlink()

    def ask(after: timedelta) -> None:
        each_minute(after)
        if after in (NOTHING, timedelta(seconds=90)):
            assert Client().get(leaves).status_code == 503

    with file.with_name(f"{file.name}.part").open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        series = watched(CLOSES, meanwhile=ask)

    assert alarms(series, tmp_path) == set()


def test_database_that_is_away(tmp_path: Path) -> None:
    def ask(_after: timedelta) -> None:
        assert Client().get("/raffles/").status_code == 503

    with database_away():
        series = watched(CLOSES, meanwhile=ask)

    assert alarms(series, tmp_path) == {"RafflesDatabaseAway", "RafflesFaults"}


# --- What the document says


def test_each_alert_and_each_metric_has_its_line() -> None:
    said = set(re.findall(r"^\| `(\w+)", DOCUMENT.read_text(), re.MULTILINE))
    Client().get("/metrics")
    note_watching(now=CLOSES)
    found = {re.sub(r"\{.*|(?<=request_seconds)_.*", "", name) for name in scraped()}
    assert {rule["alert"] for rule in rules()} <= said
    assert found - said == set()
    assert {name for name in said if name.startswith("raffles_")} - found <= {
        "raffles_refusals_total",  # where nobody was refused yet
        "raffles_entries_total",
    }


def test_rules_ask_for_what_there_is() -> None:
    said = set(re.findall(r"raffles_\w+", DOCUMENT.read_text()))
    asked = " ".join(rule["expr"] for rule in rules())
    named = set(re.findall(r"raffles_\w+", asked))
    assert {re.sub("(?<=request_seconds)_.*", "", name) for name in named} <= said


def test_prometheus_takes_the_document_s_settings(tmp_path: Path) -> None:
    (block,) = [each for each in blocks() if each.kind == "prometheus"]
    (tmp_path / "raffles.token").write_text("a token\n")
    text = block.text.replace("/etc/prometheus", str(tmp_path)).replace("/srv/raffles", str(ROOT))
    (tmp_path / "prometheus.yml").write_text(text)
    said = subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert f"SUCCESS: {len(rules())} rules found" in said.stdout
