"""Say what somebody should look at; exit status 1 when there is something. For alerting."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from rafflesite.health import warnings


class Command(BaseCommand):
    """The warnings of `/readyz`, a line each."""

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
