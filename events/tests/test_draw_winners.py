"""`manage.py draw_winners` and `check_draws`: what they do, say, remember and return."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command, load_command_class
from django.test import Client
from pytest_django import Settings

from events.models import Heartbeat, Setback
from raffles.domain.entering import enter
from raffles.models import (
    Announcement,
    Raffle,
    RunLease,
    SentMail,
    State,
    Ticket,
    Winner,
    WitnessAnswer,
)
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.test_beacon_draws import BEFORE, ROUND_42, SEALED_AT
from raffles.tests.witnesses import witnessing
from raffles.tests.witnesses.witnessing import Exchange, LogWitness

pytestmark = pytest.mark.django_db
DUE = NOW + timedelta(hours=1)


def draw_winners(at: datetime, *arguments: str, **options: Any) -> tuple[int, str]:
    """Run the command at `at`; return its exit status and what it wrote."""
    written = StringIO()
    with time_machine.travel(at, tick=False):
        try:
            call_command("draw_winners", *arguments, stdout=written, **options)
        except SystemExit as stop:
            return int(stop.code or 0), written.getvalue()
    return 0, written.getvalue()


def due_raffle(**terms: Any) -> Raffle:
    return RaffleFactory.create(**{"closes_at": DUE, "tickets": 2} | terms)


def spoiled_raffle() -> Raffle:
    """Return a due raffle with a ticket that nobody was handed: it can't be sealed."""
    raffle = due_raffle(name="Spoiled")
    tags = {"holder_tag": bytes(16), "code_tag": bytes(16)}
    (free,) = {0, 1, 2} - {ticket.slot for ticket in raffle.tickets.all()}
    Ticket.objects.create(raffle=raffle, slot=free, issued_at=NOW, **tags)
    return raffle


def test_nothing_is_due() -> None:
    RaffleFactory.create(closes_at=DUE + timedelta(seconds=1), tickets=1)
    RaffleFactory.create(tickets=3)  # sold out, which is said, but a manager draws it

    assert draw_winners(DUE) == (0, "")
    assert draw_winners(DUE) == (0, "")
    assert [row.kind for row in Announcement.objects.streamed()] == ["raffle.sold_out"]


def test_a_due_raffle_is_drawn_once() -> None:
    raffle = due_raffle()

    assert draw_winners(DUE) == (0, "drawn    Spring raffle\n")
    assert draw_winners(DUE) == (0, "")
    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN
    assert Winner.objects.filter(raffle=raffle).count() == 2
    assert [str(row) for row in Announcement.objects.streamed()] == [
        "2 draw.sealed",
        "3 draw.drawn",
    ]


def test_a_due_raffle_without_tickets_is_void() -> None:
    due_raffle(tickets=0)

    assert draw_winners(DUE) == (0, "void     Spring raffle\n")
    assert draw_winners(DUE) == (0, "")


def test_the_oldest_come_first_and_a_limit_stops_after_them() -> None:
    late = due_raffle(closes_at=DUE - timedelta(minutes=1))
    later = due_raffle(closes_at=DUE - timedelta(minutes=2))
    due_raffle()

    status, written = draw_winners(DUE, "--limit=2", "--json")

    assert status == 0
    assert json.loads(written) == {
        "now": DUE.isoformat(),
        "runs": [
            {
                "outcome": "drawn",
                "event": None,
                "raffle": str(raffle.uuid),
                "name": "Spring raffle",
                "due_at": (DUE - timedelta(minutes=minutes)).isoformat(),
                "detail": "",
            }
            for minutes, raffle in ((2, later), (1, late))
        ],
    }
    assert not Heartbeat.objects.exists()  # the rest has not been looked at


def test_a_dry_run_says_what_is_due_and_does_nothing() -> None:
    raffle = due_raffle()

    assert draw_winners(DUE, "--dry-run") == (0, "due      Spring raffle\n")
    raffle.refresh_from_db()
    assert raffle.state == State.OPEN
    assert not Heartbeat.objects.exists()


def test_mails_that_count_no_more_are_forgotten() -> None:
    for name, sent_at in ("old", NOW - timedelta(hours=1)), ("new", NOW):
        SentMail.objects.create(address_tag=name.encode(), place=0, sent_at=sent_at)
    draw_winners(NOW, "--dry-run")
    assert SentMail.objects.count() == 2
    draw_winners(NOW)
    assert bytes(SentMail.objects.get().address_tag) == b"new"


def test_verbosity_0_says_nothing() -> None:
    due_raffle()

    assert draw_winners(DUE, verbosity=0) == (0, "")
    assert Raffle.objects.get().state == State.DRAWN


def test_what_waits_for_the_beacon_is_75() -> None:
    due_raffle(entropy="drand")

    status, written = draw_winners(DUE)

    assert status == 75
    assert written.startswith("waiting  Spring raffle round ")


def test_a_failure_is_1_and_the_rest_still_runs() -> None:
    spoiled = spoiled_raffle()
    due_raffle()

    status, written = draw_winners(DUE)

    assert status == 1
    assert written == (
        f"failed   Spoiled PoolDiffers: {spoiled.uuid}: 3 tickets are stored, 2 were handed out\n"
        "drawn    Spring raffle\n"
    )


def test_a_failure_is_tried_again_after_longer_and_longer_pauses() -> None:
    spoiled = spoiled_raffle()
    now, tries = DUE, []
    for _ in range(200):
        status, _ = draw_winners(now)
        if status:
            tries.append((now - DUE) // timedelta(minutes=1))
        now += timedelta(minutes=1)

    assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert Setback.objects.get().attempts == 9
    assert draw_winners(now, f"--raffle={spoiled.uuid}")[0] == 1  # whoever names it need not wait


def test_a_success_ends_the_setback() -> None:
    raffle = due_raffle()
    Setback.objects.create(raffle=raffle, error="disk full", failed_at=DUE, next_try_at=DUE)

    assert draw_winners(DUE)[0] == 0
    assert not Setback.objects.exists()


def test_one_raffle_can_be_named() -> None:
    named, other = due_raffle(), due_raffle()

    assert draw_winners(DUE, f"--raffle={named.uuid}")[0] == 0
    named.refresh_from_db()
    other.refresh_from_db()
    assert (named.state, other.state) == (State.DRAWN, State.OPEN)


@pytest.mark.parametrize(
    "argument",
    ["--raffle=00000000-0000-0000-0000-000000000000", "--event=nowhere"],
)
def test_what_is_unknown_is_2(argument: str) -> None:
    with pytest.raises(CommandError, match="There is no") as refusal:
        draw_winners(DUE, argument)

    assert refusal.value.returncode == 2


@pytest.mark.parametrize("argument", ["--raffle=x", "--limit=0", "--limit=x", "--every=day"])
def test_wrong_usage_is_2(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class("events", "draw_winners")
    with pytest.raises(SystemExit) as refusal:
        # Not `execute_from_command_line`: it would send all later logs to what capsys closes.
        command.run_from_argv(["manage.py", "draw_winners", argument])

    assert refusal.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.fixture
def look() -> Callable[[datetime], list[str]]:
    """Ask for the warnings of /readyz at a time; those of `check_draws` are the same."""

    def ask(at: datetime) -> list[str]:
        written = StringIO()
        with time_machine.travel(at, tick=False):
            shown: list[str] = Client().get("/readyz").json()["warnings"]
            with pytest.raises(SystemExit) if shown else nullcontext():
                call_command("check_draws", stdout=written)
        said = written.getvalue().splitlines()
        assert said == (shown or ["Nothing to look at."])
        return shown

    return ask


Look = Callable[[datetime], list[str]]


def test_prizes_not_claimed_in_time_go_to_alternates_once() -> None:
    claim = {"claim_days": 1, "promotes_alternates": True}
    raffle = due_raffle(name="Kept", claim=claim)
    draw_winners(DUE)
    first, second = (winner.ticket_number() for winner in raffle.winners.all())
    late = DUE + timedelta(days=1)

    assert draw_winners(late, dry_run=True) == (0, f"due      Kept forfeits ticket {first}\n")
    assert draw_winners(late, raffle=raffle.uuid) == (0, "")  # not a whole run
    said = f"forfeited Kept ticket {first}, to ticket {second}\n"
    assert draw_winners(late) == (0, said)
    assert draw_winners(late) == (0, "")
    assert draw_winners(late + timedelta(days=1)) == (
        0,
        f"forfeited Kept ticket {second}, to nobody\n",
    )


def test_a_run_that_does_not_come_is_a_warning(look: Look) -> None:
    assert look(DUE) == ["draw_winners has never run."]
    draw_winners(DUE)
    assert look(DUE + timedelta(minutes=3)) == []
    assert look(DUE + timedelta(minutes=4)) == [
        "draw_winners has not run since 2026-02-10 13:00 UTC."
    ]


def test_a_run_at_a_time_to_come_is_a_warning_until_the_next_run(look: Look) -> None:
    draw_winners(DUE + timedelta(days=30))
    (said,) = look(DUE)
    assert said.startswith("draw_winners ran at 2026-03-12 13:00 UTC, which is still to come: ")
    draw_winners(DUE)
    assert look(DUE) == []


def test_overdue_draws_are_a_warning(look: Look) -> None:
    draw_winners(DUE + timedelta(minutes=2))
    assert look(DUE + timedelta(minutes=4)) == []
    due_raffle()
    assert look(DUE + timedelta(minutes=2)) == []
    assert look(DUE + timedelta(minutes=4)) == [
        "1 draw is overdue, the oldest since 2026-02-10 13:00 UTC."
    ]
    due_raffle(closes_at=DUE - timedelta(minutes=1))
    assert look(DUE + timedelta(minutes=4)) == [
        "2 draws are overdue, the oldest since 2026-02-10 12:59 UTC."
    ]


def test_a_run_that_is_busy_for_too_long_is_a_failure_and_a_warning(look: Look) -> None:
    raffle = due_raffle()
    draw_winners(DUE - timedelta(minutes=1))
    RunLease.objects.create(raffle=raffle, since=DUE, until=DUE + timedelta(minutes=5))
    busy = DUE + timedelta(minutes=2)
    assert draw_winners(busy) == (75, "busy     Spring raffle another run is at it\n")
    assert look(busy) == []

    late = DUE + timedelta(minutes=4)
    said = "failed   Spring raffle another run has been at it since 2026-02-10 13:00 UTC\n"
    assert draw_winners(late) == (1, said)
    assert look(late) == [
        "1 draw is overdue, the oldest since 2026-02-10 13:00 UTC.",
        "A run of draw_winners has been at Spring raffle since 2026-02-10 13:00 UTC.",
    ]


def test_a_late_beacon_is_a_warning(look: Look) -> None:
    due_raffle(entropy="drand")
    draw_winners(DUE)
    assert look(DUE + timedelta(seconds=80)) == []  # its round comes 60 seconds after the seal
    (warning,) = look(DUE + timedelta(seconds=120))
    assert warning.startswith("1 draw is waiting for the beacon, the oldest for round ")


# --- Witnesses


@pytest.fixture
def witness(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogWitness]:
    """A witness that is asked again a moment after a failure, for two seconds at the most."""
    monkeypatch.setattr("raffles.domain.witnesses.ours.asking.PAUSE", timedelta(seconds=0.2))
    monkeypatch.setattr("events.management.commands.draw_winners.PAUSE", timedelta(seconds=0.2))
    monkeypatch.setattr("events.management.commands.draw_winners.ASKS_FOR", 2.0)
    witness = LogWitness("witness.example.org", lambda: ROUND_42 - 50)
    settings.COSIGNERS = [witness.cosigner]
    with witness.serving():
        yield witness


def draw_by_the_beacon() -> int:
    """Run the command when a raffle is due, on a clock that goes on; returns its exit status."""
    RaffleFactory.create(entropy="drand", now=BEFORE, closes_at=SEALED_AT)
    raffle = Raffle.objects.get()
    with time_machine.travel(BEFORE):
        enter(raffle.uuid, identity="ip:10.0.0.1", now=BEFORE)
    with time_machine.travel(SEALED_AT), pytest.raises(SystemExit) as stopped:
        call_command("draw_winners", stdout=StringIO())
    return int(stopped.value.code or 0)


def test_a_witness_that_failed_is_asked_again_until_it_answers(witness: LogWitness) -> None:
    def is_ready_the_third_time(exchange: Exchange) -> None:
        ready = len(witness.requests) > 2
        (witnessing.honest if ready else witnessing.is_unavailable)(exchange)

    witness.behave = is_ready_the_third_time
    assert draw_by_the_beacon() == 75
    assert (len(witness.requests), WitnessAnswer.objects.count()) == (3, 1)


def test_a_witness_that_never_answers_does_not_hold_the_run(witness: LogWitness) -> None:
    witness.behave = witnessing.is_unavailable
    assert draw_by_the_beacon() == 75
    assert len(witness.requests) > 1
    assert Raffle.objects.get().state == State.SEALED
