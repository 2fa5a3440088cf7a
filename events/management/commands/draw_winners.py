"""Close, seal and draw what is due, and announce it. For cron, every minute, on any machine."""

from __future__ import annotations

import json
import socket
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from events.domain.due import (
    DueStep,
    beat,
    due_forfeits,
    due_steps,
    forfeit,
    run,
    settle_events,
)
from events.domain.settling import MOST
from events.models import Event
from raffles.domain.clock import command_clock
from raffles.domain.confirming import free_places
from raffles.domain.lineage import refuse_restored
from raffles.domain.sealing import Clock
from raffles.domain.witnesses.ours.asking import PAUSE, ask_witnesses
from raffles.domain.witnesses.ours.named import lacking
from raffles.management.progress import Bar
from raffles.models import Raffle
from raffles.notifications.delivery import deliver_all

FAILED, USAGE, WAITING = 1, 2, 75
ASKS_FOR = 40.0  # seconds since a run began; the last asking and delivering take 15 at most
_DELIVERS_FOR = 20.0  # seconds; the next run, or deliver_announcements, sends what is left

Line = dict[str, str | None]


class Command(BaseCommand):
    """Exit status: 0 done or nothing due, 1 something failed, 2 usage, 75 waiting or busy."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--event", metavar="SLUG", help="only the dates of this event")
        parser.add_argument("--raffle", type=UUID, metavar="UUID", help="only this raffle")
        parser.add_argument("--limit", type=_count, metavar="N", help="at most N draws")
        parser.add_argument(
            "--catch-up",
            action="store_true",
            help=f"also call off more than {MOST} dates of an event that came without tickets",
        )
        parser.add_argument("--dry-run", action="store_true", help="print what is due, do nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        slug, raffle_id = options["event"], options["raffle"]
        if not options["dry_run"]:
            refuse_restored()
        _refuse_unknown(slug, raffle_id)
        clock, started = command_clock(), time.monotonic()
        now = clock()
        which = {"slug": slug, "raffle_id": raffle_id, "is_catching_up": options["catch_up"]}
        steps = due_steps(now, **which)[: options["limit"]]
        is_whole = not (slug or raffle_id or options["limit"])
        dry, lines = options["dry_run"], []
        for line in _dry(steps, now, is_whole) if dry else _wet(steps, now, clock, is_whole):
            lines.append(line)
            if options["verbosity"] and not options["json"]:
                self.stdout.write("{outcome:8} {name} {detail}".format(**line).rstrip())
        if is_whole and not dry:
            settle_events(now)
            free_places(now)
            beat(now)
        if not dry:
            _tell_and_ask(clock, started)
        if options["json"]:
            self.stdout.write(json.dumps({"now": now.isoformat(), "runs": lines}))
        if status := _status({line["outcome"] for line in lines}):
            sys.exit(status)


def _tell_and_ask(clock: Clock, started: float) -> None:
    """Deliver what was announced, and between it ask witnesses that have not answered yet.

    That ends before the next minute's run, which has draws of its own to begin with.
    """
    while True:
        ask_witnesses(clock)
        is_lacking = bool(lacking(clock()))
        lasting = PAUSE.total_seconds() if is_lacking else _DELIVERS_FOR
        deliver_all(by="draw_winners", lasting=lasting)
        if not is_lacking or time.monotonic() > started + ASKS_FOR:
            return
        time.sleep(PAUSE.total_seconds())


def _refuse_unknown(slug: str | None, raffle_id: UUID | None) -> None:
    if slug and not Event.objects.filter(slug=slug).exists():
        raise CommandError(f"There is no event {slug}.", returncode=USAGE)
    if raffle_id and not Raffle.objects.filter(uuid=raffle_id).exists():
        raise CommandError(f"There is no raffle {raffle_id}.", returncode=USAGE)


def _dry(steps: list[DueStep], now: datetime, is_whole: bool) -> Iterator[Line]:
    for step in steps:
        yield _line(step, "left" if step.left else "due", f"{step.left} dates" * bool(step.left))
    for step, prize in due_forfeits(now) if is_whole else ():
        yield _line(step, "due", prize)


def _wet(steps: list[DueStep], now: datetime, clock: Clock, is_whole: bool) -> Iterator[Line]:
    by = f"draw_winners on {socket.gethostname()}"
    drawn = run(steps, now=now, clock=clock, by=by, progress=lambda raffle: Bar(raffle.name))
    for done in chain(drawn, forfeit(now=now, by=by) if is_whole else ()):
        yield _line(done.step, done.outcome, done.detail)


def _line(step: DueStep, outcome: str, detail: str = "") -> Line:
    raffle, event = step.raffle, step.event
    return {
        "outcome": outcome,
        "event": event.slug if event else raffle.event_slug if raffle else None,
        "raffle": str(raffle.uuid) if raffle else None,
        "name": str(step),
        "due_at": step.due_at.isoformat() if step.due_at else None,
        "detail": " ".join(detail.split()),  # an error of many lines becomes one
    }


def _status(outcomes: set[str | None]) -> int:
    if outcomes & {"failed", "left"}:
        return FAILED
    return WAITING if outcomes & {"waiting", "busy"} else 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of draws")
    return int(text)
