"""Send announcements to webhooks and mailboxes; with --watch, as soon as they are made.

With --watch it also asks witnesses again that have not answered yet.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection

from raffles.domain.clock import acting_time, database_time
from raffles.domain.lineage import refuse_restored
from raffles.domain.witnesses.ours.asking import keep_asking
from raffles.models.delivery import WATCHED_EVERY
from raffles.notifications.attempts import Tally
from raffles.notifications.delivery import deliver_all
from raffles.notifications.outbox import note_watching
from raffles.web.outages import Unavailable, is_outage

log = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds between two looks into the outbox


class Command(BaseCommand):
    """Ends when nothing is due; a failed message becomes due again later. Run it on any machine."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="run until SIGTERM or Ctrl-C")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["watch"]:
            self._watch(options["verbosity"])
        else:
            self._run_once(lambda: False, options["verbosity"])

    def _watch(self, verbosity: int) -> None:
        """Run until a signal; whatever heals by itself, or by an operator's hand, is waited for."""
        over, told = threading.Event(), ""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: over.set())
        threading.Thread(target=keep_asking, args=(database_time, over), daemon=True).start()
        is_over = _noting(over.is_set)
        while True:
            reason = ""
            try:
                self._run_once(is_over, verbosity)
            except Unavailable as error:
                reason = error.for_operators()
            except (DatabaseError, InterfaceError) as error:
                if not is_outage(error):
                    raise
                reason = f"The database is away: {error}"
                connection.close()
            if reason and reason != told:  # once, not every second until it has healed
                log.warning("%s", reason)
            told = reason
            if over.wait(_PAUSE):
                return
            connection.close_if_unusable_or_obsolete()

    def _run_once(self, is_over: Callable[[], bool], verbosity: int) -> None:
        refuse_restored()  # it may have been sent in the time that is lost
        acting_time()
        tally = deliver_all(by="deliver_announcements", is_over=is_over)
        if verbosity and tally != Tally():
            self.stdout.write(
                f"delivered {tally.delivered}, failed {tally.failed}, given up {tally.dead}"
            )


def _noting(is_over: Callable[[], bool]) -> Callable[[], bool]:
    """Return the same question which, as often as it is asked, also notes that we watch.

    Whoever delivers asks it all along: one that hangs does not.
    """
    due = time.monotonic()

    def asked() -> bool:
        nonlocal due
        if time.monotonic() >= due:
            note_watching(now=database_time())
            due = time.monotonic() + WATCHED_EVERY.total_seconds()
        return is_over()

    return asked
