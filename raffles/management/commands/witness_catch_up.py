"""Reads the logs of WITNESS_LOGS to their ends, so that each next checkpoint is signed at once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from raffles.domain.clock import command_time
from raffles.domain.keys import signer
from raffles.domain.log import origin
from raffles.domain.refusals import Refusal
from raffles.domain.witnesses.being_one.cosigning import catch_up, ourselves
from raffles.domain.witnesses.being_one.memory import Unclear
from raffles.domain.witnesses.being_one.reading import Budget, Unread
from raffles.web.witness_lists import WatchedLog

_SECONDS = 24 * 3600.0
_BUNDLES = 1 << 45  # of 256 entries; no log is longer


class Command(BaseCommand):
    """Prints what to tell the other operators, and a line a log; exits 1 if one was not read."""

    help = __doc__

    def handle(self, *_: Any, **options: Any) -> None:
        if options["verbosity"]:
            self._introduce()
        failed = [log.origin for log in settings.WITNESS_LOGS.values() if not self._read(log)]
        if failed:
            raise CommandError(f"Not read: {', '.join(failed)}.")

    def _introduce(self) -> None:
        """Print the two lines that others copy into their environment."""
        site = settings.PUBLIC_URL
        log = f"{origin()} {','.join(signer().public_keys)} {site}/log"
        self.stdout.write(f"Who is to be our witness adds to WITNESS_LOGS:\n  {log}")
        try:
            us = ourselves()
        except Refusal as reason:
            self.stdout.write(f"{reason}: WITNESS_KEY is not set, or is a key of our own log.")
        else:
            line = f"{us.name} {us.public_key} {site}/witness"
            self.stdout.write(f"Whose witness we are to be adds to COSIGNERS:\n  {line}")

    def _read(self, log: WatchedLog) -> bool:
        budget = Budget(bundles=_BUNDLES, seconds=_SECONDS)
        try:
            size = catch_up(log, budget, now=command_time())
        except (Refusal, Unread, Unclear, OSError) as reason:
            self.stderr.write(f"{log.origin}: {reason}")
            return False
        self.stdout.write(f"{log.origin}: {size} entries have been read.")
        return True
