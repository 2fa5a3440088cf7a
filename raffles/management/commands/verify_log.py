"""Recomputes the operator's log: statements, keys, times, tree, and the tables they speak of."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from raffles.domain.log import LogTree, origin, size
from raffles.domain.log_audit import flaws
from raffles.management.progress import Bar


class Command(BaseCommand):
    """Prints a line for each thing that is wrong, and exits 1; else how long the log is."""

    help = __doc__

    def handle(self, *_: Any, **options: Any) -> None:
        found = 0
        for flaw in flaws(Bar("reading statements")):
            self.stdout.write(flaw)
            found += 1
        if found:
            raise CommandError(f"The log is not whole; flaws found: {found}.")
        if options["verbosity"]:
            tree = LogTree(size())
            self.stdout.write(f"{tree.size} statements of {origin()}, root {tree.root().hex()}.")
