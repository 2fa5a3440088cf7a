"""Print what needs attention; exit status 1 if anything does. For alerting."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from rafflesite.health import warnings


class Command(BaseCommand):
    """Prints the warnings of `/readyz`, one per line."""

    help = __doc__
    requires_system_checks = ()

    def handle(self, *_: Any, **options: Any) -> None:
        found = warnings()
        for sentence in found:
            self.stdout.write(sentence)
        if found:
            sys.exit(1)
        if options["verbosity"]:
            self.stdout.write("Nothing to look at.")
