"""Runs one group of benchmarks in a process of its own, with the environment as it was given.

    python -m benchmarks.child GROUP [--quick]

A process each, because settings are read once and the peak of memory is a process's own.
"""

from __future__ import annotations

import argparse
import logging
import os
from importlib import import_module
from tempfile import TemporaryFile

import django
from django.core.management import call_command

from benchmarks.floor import make_bare_table


def main() -> None:
    """Migrate, make the floor's table, run the group."""
    parser = argparse.ArgumentParser()
    parser.add_argument("group")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
    django.setup()
    with TemporaryFile("w") as log:
        # The lines are written, as in life, but they are nothing to look at.
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(log)
        call_command("migrate", verbosity=0)
        make_bare_table()
        # The groups import models, which exist only now.
        import_module(f"benchmarks.{options.group}").run(quick=options.quick)


if __name__ == "__main__":
    main()
