"""Erase a participant everywhere: their tags are deleted, and every proof stays valid."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from raffles.domain import identities
from raffles.domain.clock import command_time
from raffles.domain.erasing import erase_holder, erase_mail
from raffles.domain.lineage import refuse_restored
from raffles.models import EntryMode, Raffle
from raffles.models.raffle import RaffleQuerySet
from raffles.web.callers import BadForwarding

_FORMS = "Write ip:ADDRESS, user:NAME, list:HOLDER or mail:ADDRESS."


class Command(BaseCommand):
    """Takes whom to erase as people write it. Exit status: 0 erased, 1 nothing found, 2 usage."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "participant", help="ip:203.0.113.7, user:Alice, list:A-17, mail:alice@example.org"
        )
        parser.add_argument("--raffle", type=UUID, help="only this raffle")

    def handle(self, *_: Any, **options: Any) -> None:
        refuse_restored()
        kind, _colon, name = options["participant"].strip().partition(":")
        raffles = Raffle.objects.order_by("pk")
        if options["raffle"]:
            raffles = raffles.filter(uuid=options["raffle"])
            if not raffles.exists():
                raise CommandError(f"There is no raffle {options['raffle']}.", returncode=2)
        erased = _erase(kind.lower(), name.strip(), raffles)
        if not erased:
            raise CommandError("Nothing found: no ticket that is not erased has this holder.")
        self.stdout.write(f"{erased} ticket(s) erased; tags of undrawn raffles go with their draw.")


def _erase(kind: str, name: str, raffles: RaffleQuerySet) -> int:
    """Erase somebody from the raffles; return how many tickets."""
    now = command_time()
    match kind:
        case "mail" if "@" in name:
            try:
                address = identities.read_mail(name)
            except ValidationError:
                raise CommandError(f"{name} is not an e-mail address.", returncode=2) from None
            by_link = _each(raffles.filter(entry=EntryMode.EMAIL))
            erased = erase_holder(identities.of_mail(address), now=now, raffles=by_link)
            return erased + erase_mail(address, now=now, raffles=raffles)
        case "user" if name:
            return erase_holder(identities.of_user(name), now=now, raffles=_each(raffles))
        case "list" if name:
            return erase_holder(identities.of_entrant(name), now=now, raffles=_each(raffles))
        case "ip" if name:
            try:
                found = identities.of_address(name.strip("[]"))
            except BadForwarding:
                raise CommandError(f"{name} is not an address.", returncode=2) from None
            return sum(erase_holder(each, now=now, raffles=_each(raffles)) for each in found)
    raise CommandError(_FORMS, returncode=2)


def _each(raffles: RaffleQuerySet) -> Iterator[Raffle]:
    """Yield the raffles one by one: there may be many, and each is a transaction of its own."""
    keys = list(raffles.values_list("pk", flat=True))
    return (Raffle.objects.get(pk=key) for key in keys)
