"""Shuts entries and draws before the database is moved to another place, such as a new server.

It leaves a token in the database and in STATE_DIR, by which `after_restore --nothing-lost` knows in
the new place that nothing was handed out since. The same command undoes it in the old one.
"""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from raffles.domain.clock import command_time
from raffles.domain.restoring import NotSettled, prepare_move

_NEXT = (
    "Entries and draws are shut. Stop the services, dump the database, restore it in its new place,"
    " take STATE_DIR along, and run `manage.py after_restore --nothing-lost` there."
)


class Command(BaseCommand):
    """Running it again makes another token; a dump made before is then worth nothing."""

    help = __doc__
    requires_system_checks = ()

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            prepare_move(now=command_time(), by=f"before_move on {socket.gethostname()}")
        except NotSettled as why:
            raise CommandError(str(why)) from why
        except OSError as why:
            raise CommandError(f"STATE_DIR cannot be written: {why}. Run it again.") from why
        if options["verbosity"]:
            self.stdout.write(_NEXT)
