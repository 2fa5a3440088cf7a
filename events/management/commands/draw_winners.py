"""Close, seal and draw what is due, and announce it. For cron, each minute, on any machine."""

from __future__ import annotations

import json
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from events.domain.running import beat, due_raffles, run
from raffles.management.progress import Bar
from raffles.models import Raffle

FAILED, USAGE, WAITING = 1, 2, 75

Line = dict[str, str]


class Command(BaseCommand):
    """Exit status: 0 done or nothing due, 1 something failed, 2 usage, 75 waiting or busy."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--raffle", type=UUID, metavar="UUID", help="only this raffle")
        parser.add_argument("--limit", type=_count, metavar="N", help="so many draws at the most")
        parser.add_argument("--dry-run", action="store_true", help="say what is due, do nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object, no lines")

    def handle(self, *_: Any, **options: Any) -> None:
        wanted: UUID | None = options["raffle"]
        if wanted and not Raffle.objects.filter(uuid=wanted).exists():
            raise CommandError(f"There is no raffle {wanted}.", returncode=USAGE)
        now = timezone.now()
        raffles = list(islice(due_raffles(now, wanted), options["limit"]))
        lines = []
        for line in _dry(raffles) if options["dry_run"] else _wet(raffles, now):
            lines.append(line)
            if options["verbosity"] and not options["json"]:
                self.stdout.write("{outcome:8} {raffle} {name} {detail}".format(**line).rstrip())
        if not (options["dry_run"] or wanted or options["limit"]):
            beat(now)
        if options["json"]:
            self.stdout.write(json.dumps({"now": now.isoformat(), "runs": lines}))
        if status := _status({line["outcome"] for line in lines}):
            sys.exit(status)


def _dry(raffles: list[Raffle]) -> Iterator[Line]:
    for raffle in raffles:
        yield _line(raffle, "due")


def _wet(raffles: list[Raffle], now: datetime) -> Iterator[Line]:
    by = f"draw_winners on {socket.gethostname()}"
    for done in run(
        raffles, now=now, clock=timezone.now, by=by, progress=lambda raffle: Bar(raffle.name)
    ):
        yield _line(done.raffle, done.outcome, done.detail)


def _line(raffle: Raffle, outcome: str, detail: str = "") -> Line:
    return {
        "outcome": outcome,
        "raffle": str(raffle.uuid),
        "name": raffle.name,
        "detail": detail,
    }


def _status(outcomes: set[str]) -> int:
    if "failed" in outcomes:
        return FAILED
    return WAITING if outcomes & {"waiting", "busy"} else 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of draws")
    return int(text)
