"""Erase a participant everywhere: their tags are deleted, and every proof stays valid."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from raffles.domain.erasing import erase_holder
from raffles.domain.keys import KeyMissing
from raffles.fairness.tickets import fold
from raffles.models import Raffle
from raffles.web.callers import BadForwarding, holder_of


class Command(BaseCommand):
    """Takes an identity such as ip:203.0.113.7, user:alice or list:A-17."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("identity", help="ip:203.0.113.7, user:alice or list:A-17")
        parser.add_argument("--raffle", type=UUID, help="only this raffle")

    def handle(self, *_: Any, **options: Any) -> None:
        kind, _colon, name = options["identity"].partition(":")
        if kind not in ("ip", "user", "list") or not name:
            raise CommandError("Write ip:ADDRESS, user:NAME or list:HOLDER.", returncode=2)
        raffles = Raffle.objects.order_by("pk")
        if options["raffle"]:
            raffles = raffles.filter(uuid=options["raffle"])
        now = timezone.now()
        try:
            erased = sum(
                erase_holder(identity, now=now, raffles=raffles.iterator())
                for identity in _identities(kind, name)
            )
        except KeyMissing as missing:
            raise CommandError(str(missing)) from missing
        self.stdout.write(f"{erased} ticket(s) erased; tags of undrawn raffles go with their draw.")


def _identities(kind: str, name: str) -> set[str]:
    """Return identities that a ticket may have; for an address also its holder, an IPv6 network."""
    if kind != "ip":
        return {f"{kind}:{fold(name)}"}
    try:
        return {f"ip:{name}", f"ip:{holder_of(name)}"}
    except BadForwarding:
        raise CommandError(f"{name} is not an address.", returncode=2) from None
