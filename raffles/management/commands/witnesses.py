"""Asks each witness of COSIGNERS and TIMESTAMP_AUTHORITIES for an answer about the log as it is.

It shows their keys and what the terms of a raffle would say, and keeps the keys by which timestamp
authorities answer: terms name no authority before.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from raffles.domain.clock import command_clock
from raffles.domain.keys import signer
from raffles.domain.log import origin, size
from raffles.domain.sealing import Clock
from raffles.domain.witnesses.ours.answers import OtherLog, Unusable
from raffles.domain.witnesses.ours.asking import Outcome, try_witnesses
from raffles.domain.witnesses.ours.named import (
    forget_key,
    known_keys,
    learn_key,
    left_out_of_terms,
    named_in_terms,
)
from raffles.web.formats import shown
from raffles.web.witness_lists import Authority, Cosigner

_SOON = timedelta(days=30)
_OTHER_LOG = (
    "That witness and this database hold two logs of one name: the database was restored from an"
    " older state, or another one goes on from the same log. Seal nothing more with it, find the"
    " one that has all statements, and serve it (docs/witnessing.md)."
)
_CLOCKS_APART = 10  # seconds; an answer counts from a minute before the seal on


class Command(BaseCommand):
    """Exit status: 0 all is well, 1 something should be looked at, 2 usage."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--forget", metavar="KEY", help="forget a key of an authority")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["forget"]:
            self._forget(options["forget"])
            return
        if "RECEIPT_KEY" in settings.EPHEMERAL_SECRETS or not size():
            why = "Set RECEIPT_KEY and run migrate first: there is no log to be witnessed."
            raise CommandError(why, returncode=2)
        clock = command_clock()
        self.stdout.write("Our log, as a witness of it names it in WITNESS_LOGS:")
        keys = ",".join(signer().public_keys)
        self.stdout.write(f"{origin()} {keys} {settings.PUBLIC_URL}/log")
        warnings = [
            sentence
            for witness, outcome in try_witnesses(clock).items()
            for sentence in self._show(witness, outcome, clock)
        ]
        now = clock()
        warnings += [*_ending(now), *left_out_of_terms(now)]
        self.stdout.write("The terms of a raffle by the beacon that is made now:")
        self.stdout.write(json.dumps(named_in_terms(now), indent=2, ensure_ascii=False))
        for warning in warnings:
            self.stdout.write(f"WARNING: {warning}")
        if warnings:
            sys.exit(1)

    def _forget(self, key: str) -> None:
        if not forget_key(key):
            raise CommandError(f"{key} is no key of an authority that we know.", returncode=2)
        self.stdout.write("Forgotten. Raffles that name it already go on naming it.")

    def _show(self, witness: Cosigner | Authority, outcome: Outcome, clock: Clock) -> Iterator[str]:
        """Say how a witness answered, and keep an authority's key; yields what is wrong with it."""
        kind = "cosigner" if isinstance(witness, Cosigner) else "authority"
        self.stdout.write(f"{kind} {witness.name} at {witness.url}")
        if isinstance(outcome, Unusable):
            self.stdout.write(f"  failed: {outcome}")
            yield f"{witness.name} did not answer well: {outcome}."
            if isinstance(outcome, OtherLog):
                yield _OTHER_LOG
            return
        self.stdout.write(f"  answered with the key {outcome.key}")
        if isinstance(witness, Authority):
            is_new = learn_key(witness, outcome, now=clock())
            whose = "new, and kept" if is_new else "known"
            self.stdout.write(f"  {whose}; its certificate ends at {shown(outcome.ends_at)}")
        apart = round(outcome.at - (outcome.came_at or clock()).timestamp())
        if abs(apart) > _CLOCKS_APART:
            yield f"The clock of {witness.name} is {apart:+} s from ours."


def _ending(now: datetime) -> Iterator[str]:
    """Yield a sentence for each authority without a certificate that lasts."""
    longest = {known.url: known for known in reversed(known_keys())}
    for known in longest.values():
        if known.ends_at < now + _SOON:
            until = shown(known.ends_at)
            yield f"The certificate of {known.url} ends at {until}; its key is {known.key}."
