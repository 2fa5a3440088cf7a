"""Puts a database in order that was restored, so that it serves again; without options, looks.

With --reason it puts back the public statements that the database lacks, calls off in public
whatever was open, closed or sealed, and goes on. With --nothing-lost it only goes on, and only
where the token of `before_move`, or what was seen outside the database, proves that it may.
"""

from __future__ import annotations

import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from raffles.domain.clock import command_time
from raffles.domain.lineage import Found
from raffles.domain.marks import Unreadable
from raffles.domain.restoring import (
    Lost,
    NotSettled,
    accept,
    examine,
    kept_statements,
    lost_seals,
    lost_statements,
    prove_nothing_lost,
    settle,
)
from raffles.management.arguments import place
from raffles.models import Lineage, Raffle
from raffles.models.raffle import ENTERABLE, MAX_REASON, UNDER_WAY
from raffles.web.fields import text_fault

_ALL_WELL = "Nothing tells that this database was restored: it has all that was seen of it."


class Command(BaseCommand):
    """It may be killed and run again. Exit status: 0 it serves, 1 it does not, 2 usage."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--reason", type=_reason, help="call off, for this public reason")
        way.add_argument("--nothing-lost", action="store_true", help="go on where that is proven")
        parser.add_argument(
            "--statements", type=place, metavar="FILE", help="a copy of /log/statements"
        )
        parser.add_argument(
            "--unnoticed",
            action="store_true",
            help="call off although nothing tells that it was restored",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        by, now = f"after_restore on {socket.gethostname()}", command_time()
        try:
            found = examine()
            lost = lost_statements(_kept(options["statements"]))
            is_moving = found.row.state == Lineage.State.MOVING
            is_known = found.reasons or found.is_failover or is_moving or lost.lines
            if not (is_known or options["unnoticed"]):
                self.stdout.write(_ALL_WELL)
                return
            self._show(found, lost)
            if options["nothing_lost"]:
                prove_nothing_lost(found, lost)
                accept(found, now=now, by=by)
            elif options["reason"]:
                acts = settle(found, lost, reason=options["reason"], now=now, by=by)
                for act in acts:
                    self.stdout.write(act)
            else:
                self.stdout.write("Nothing was changed: --reason calls off, and goes on.")
                sys.exit(1)
        except (NotSettled, Unreadable) as why:
            raise CommandError(str(why)) from why
        except OSError as why:
            raise CommandError(f"STATE_DIR cannot be read or written: {why}.") from why
        self.stdout.write("The database serves again.")

    def _show(self, found: Found, lost: Lost) -> None:
        for reason in found.reasons:
            self.stdout.write(f"restored: {reason}")
        for said in lost.said:
            raffle = said.get("raffle_id")
            about = f" of raffle {UUID(raffle)}" if raffle else ""
            self.stdout.write(f"missing:  statement {said['n']}, {said['kind']}{about}")
        for line in lost_seals():
            name = line.file["commitment"]["terms"]["name"]
            self.stdout.write(f"missing:  the seal of raffle {UUID(line.raffle_id)}, {name!r}")
        unfinished = Raffle.objects.filter(state__in=ENTERABLE | UNDER_WAY).count()
        self.stdout.write(f"unfinished raffles here: {unfinished}")


def _kept(path: Path | None) -> list[bytes]:
    if path is None:
        return kept_statements()
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", returncode=2) from error


def _reason(text: str) -> str:
    text = text.strip()
    if not 0 < len(text) <= MAX_REASON or text_fault(text):
        raise ArgumentTypeError(f"a reason has 1 to {MAX_REASON} characters, in one line")
    return text
