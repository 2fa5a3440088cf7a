"""Erase the tags of raffles that finished long ago; every proof stays valid."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from raffles.domain.clock import command_time
from raffles.domain.erasing import erase_tickets, finished_before
from raffles.domain.lineage import refuse_restored
from raffles.models import Ticket


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,5})d", text)
    if match is None:
        raise ArgumentTypeError("write a number of days: 30d")
    return timedelta(days=int(match[1]))


class Command(BaseCommand):
    """Erases all tags of raffles finished long ago, unless a prize still waits to be claimed.

    Winners' codes can be verified afterwards, all others cannot.
    """

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", type=_age, required=True, metavar="30d")
        parser.add_argument("--dry-run", action="store_true", help="print what would be erased")

    def handle(self, *_: Any, **options: Any) -> None:
        refuse_restored()
        now = command_time()
        for raffle in finished_before(now - options["older_than"], now=now):
            kept = Ticket.objects.filter(raffle=raffle, holder_tag__isnull=False)
            erased = kept.count() if options["dry_run"] else erase_tickets(raffle, now=now)
            if erased:
                self.stdout.write(f"{raffle.uuid}  {erased:>10,}  {raffle.name}")
