"""Set the rewards of an event's dates from a CSV file: all of them, or none.

Its columns are date,name,amount and optionally description,picture.
"""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.domain.rewards_import import MAX_BYTES, import_rewards
from events.models import Event
from raffles.domain.clock import command_time
from raffles.domain.lineage import refuse_restored
from raffles.management.arguments import place
from raffles.web.tables import UnreadableTable, read_text

USAGE = 2


class Command(BaseCommand):
    """Exit status: 0 done, 1 a line is wrong and nothing was set, 2 usage."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=place, metavar="FILE.csv")
        parser.add_argument("--event", required=True, metavar="SLUG", help="the event")
        parser.add_argument(
            "--dates",
            choices=["day-first", "month-first"],
            default="",
            help="how 02/10/2027 is meant, where the table itself does not tell",
        )
        parser.add_argument("--dry-run", action="store_true", help="check the lines, set nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        refuse_restored()
        try:
            text, encoding = read_text(options["file"].read_bytes(), most=MAX_BYTES)
            event = Event.objects.get(slug=options["event"])
        except (OSError, UnreadableTable) as fault:
            raise CommandError(f"{options['file']}: {fault}", returncode=USAGE) from fault
        except Event.DoesNotExist as fault:
            raise CommandError(
                f"There is no event {options['event']}.", returncode=USAGE
            ) from fault
        by = f"import_rewards on {socket.gethostname()}"
        if encoding != "UTF-8" and options["verbosity"]:
            self.stderr.write(f"Read as {encoding}, since it is not UTF-8.")
        table = import_rewards(
            event.pk,
            text,
            now=command_time(),
            by=by,
            order=options["dates"].removesuffix("-first"),
            is_dry=options["dry_run"],
        )
        bad = table.bad()
        for line in bad:
            self.stderr.write(f"line {line.number}: {line.fault}")
        if bad:
            raise CommandError(f"{len(bad)} bad lines; nothing was set.")
        if options["verbosity"]:
            would = "would be " if options["dry_run"] else ""
            self.stdout.write(f"{len(table.lines)} rewards {would}set, {table.prizes()} prizes.")
