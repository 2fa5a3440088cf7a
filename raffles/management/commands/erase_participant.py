"""Erases a participant everywhere: their tags go, and every proof stays valid."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from raffles.domain.erasing import erase_holder
from raffles.domain.keys import KeyMissing
from raffles.models import Raffle


class Command(BaseCommand):
    """Takes an identity such as ip:203.0.113.7, or user:alice."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("identity", help="ip:203.0.113.7 or user:alice")
        parser.add_argument("--raffle", type=UUID, help="only this raffle")

    def handle(self, *_: Any, **options: Any) -> None:
        kind, _colon, name = options["identity"].partition(":")
        if kind not in ("ip", "user") or not name:
            raise CommandError("Write ip:ADDRESS or user:NAME.", returncode=2)
        raffles = Raffle.objects.order_by("pk")
        if options["raffle"]:
            raffles = raffles.filter(uuid=options["raffle"])
        try:
            erased = erase_holder(
                options["identity"], now=timezone.now(), raffles=raffles.iterator()
            )
        except KeyMissing as missing:
            raise CommandError(str(missing)) from missing
        self.stdout.write(f"{erased} ticket(s) erased; tags of undrawn raffles go with their draw.")
