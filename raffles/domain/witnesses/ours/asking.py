"""Asking witnesses about the newest checkpoint: all at once, each by one process at a time.

Their threads hold no connection to the database, and nothing is locked while they are asked: whose
turn it is with a witness is a lease with an end. No draw waits for them, and none fails with them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest

from raffles.domain.clock import signed_time
from raffles.domain.log import LogTree, checkpoint, size
from raffles.domain.sealing import Clock
from raffles.domain.witnesses.ours.answers import (
    Answer,
    OtherLog,
    StartAgain,
    Unusable,
    cosign,
    stamp,
)
from raffles.domain.witnesses.ours.named import Lacking, lacking
from raffles.models import Witness, WitnessAnswer
from raffles.web.outages import is_outage
from raffles.web.witness_lists import Authority, Cosigner

log = logging.getLogger(__name__)
TOGETHER = 10.0  # seconds for all witnesses of one asking
PAUSE = timedelta(seconds=5)  # before what failed is tried again
_LEASE = timedelta(seconds=TOGETHER + 5)
_LOOK_AROUND = 0.2  # seconds between two looks at witnesses that others are asking
_GRACE = 1.0  # seconds for threads to say that their time was up
_RESTARTS = 3  # answers `start again` of one witness that are followed

Outcome = Answer | Unusable
Wanted = Callable[[datetime], list[Lacking]]


def ask_witnesses(clock: Clock) -> None:
    """Ask every witness that a waiting raffle lacks, and store what they answer.

    Takes `TOGETHER` seconds at most, less where all answer or fail. A witness that another process
    is asking is asked after it, one that has just failed is left alone. Raises nothing: a fault is
    logged, and whoever asks next may have more luck.
    """
    try:
        _Asking(clock, lacking).ask_all()
    except Exception as error:
        if is_outage(error):
            log.warning("The witnesses are asked later, the database is away: %s", error)
        else:
            log.exception("Asking the witnesses failed")


def try_witnesses(clock: Clock) -> dict[Cosigner | Authority, Outcome]:
    """Ask everybody whom the settings list, also who has just failed; returns how each went.

    An authority may answer with any key, and its answer is not stored.
    """
    everybody: list[Cosigner | Authority] = [*settings.COSIGNERS, *settings.TIMESTAMP_AUTHORITIES]
    Witness.objects.update(rests_until=None)

    def untried(_now: datetime) -> list[Lacking]:
        return [Lacking(each, frozenset()) for each in everybody if each not in asking.outcomes]

    asking = _Asking(clock, untried)
    asking.ask_all()
    busy = Unusable("another process is asking it")
    return {each: asking.outcomes.get(each, busy) for each in everybody}


def keep_asking(clock: Clock, is_over: Event) -> None:
    """Ask again every `PAUSE` what a waiting raffle lacks: for a thread of its own.

    It has its own connection to the database, and outlives that one's failures.
    """
    while not is_over.wait(PAUSE.total_seconds()):
        connection.close_if_unusable_or_obsolete()
        ask_witnesses(clock)
    connection.close()


@dataclass(frozen=True)
class _Turn:
    """Our turn with a witness, and what it is asked: everything that its thread needs."""

    lacking: Lacking
    fence: int
    until: float
    restarts: int = 0
    size: int = 0
    root: bytes = b""
    note: str = ""
    old: int = 0
    path: list[bytes] = field(default_factory=list)

    def about(self, old: int) -> _Turn:
        """The same turn about the newest checkpoint, after one over ``old`` statements.

        Raises OtherLog where the witness has seen more of the log than there is.
        """
        newest = size()
        if old > newest:
            raise OtherLog(f"it has signed {old} statements of our log, which has {newest}")
        tree = LogTree(newest)
        path = tree.consistency(old) if 0 < old < newest else []
        note = checkpoint(tree)
        return replace(self, size=newest, root=tree.root(), note=note, old=old, path=path)

    def ask(self) -> Answer:
        """Ask the witness; raises Unusable, StartAgain."""
        witness, seconds = self.lacking.witness, max(self.until - time.monotonic(), 0.01)
        if isinstance(witness, Cosigner):
            return cosign(witness, self.note, old=self.old, path=self.path, seconds=seconds)
        answer = stamp(witness, self.note.partition("\n\n")[0] + "\n", seconds=seconds)
        if self.lacking.keys and answer.key not in self.lacking.keys:
            raise Unusable(f"it signs with the key {answer.key}, which the terms do not name")
        return answer


class _Asking:
    """The witnesses that are asked now; of each that has answered or failed, how it went."""

    def __init__(self, clock: Clock, wanted: Wanted) -> None:
        self.outcomes: dict[Cosigner | Authority, Outcome] = {}
        self._clock, self._wanted = clock, wanted
        self._until = time.monotonic() + TOGETHER
        self._running: set[str] = set()
        self._came: SimpleQueue[tuple[_Turn, Outcome | StartAgain]] = SimpleQueue()

    def ask_all(self) -> None:
        """Ask whoever is wanted until all have answered or failed, or the time is up."""
        while self._go_on():
            self._collect()

    def _go_on(self) -> bool:
        """Begin what can be begun; return whether there is something to wait for."""
        left = self._until - time.monotonic()
        is_busy = left > 0 and self._begin()
        return is_busy or (bool(self._running) and left > -_GRACE)

    def _begin(self) -> bool:
        """Ask whoever is wanted and free; return whether another process has somebody's turn.

        The turns are read before what is wanted: one that has ended since may have answered it.
        """
        now, is_busy = signed_time(self._clock()), False
        rows = {row.url: row for row in Witness.objects.all()}
        wanted = [each for each in self._wanted(now) if each.witness.url not in self._running]
        for each in wanted:
            url = each.witness.url
            if (row := rows.get(url)) is None:
                Witness.objects.get_or_create(url=url)
                row = Witness(url=url)
            if row.rests_until and row.rests_until > now:
                continue
            is_free = row.leased_until is None or row.leased_until <= now
            untouched = Witness.objects.filter(url=url, fence=row.fence)
            if is_free and untouched.update(fence=row.fence + 1, leased_until=now + _LEASE):
                self._running.add(url)
                self._send(_Turn(each, row.fence + 1, self._until), row.size)
            else:
                is_busy = True
        return is_busy

    def _send(self, turn: _Turn, old: int) -> None:
        try:
            turn = turn.about(old)
        except OtherLog as fault:
            self._came.put((turn, fault))
        else:
            Thread(target=self._ask, args=(turn,), daemon=True).start()

    def _ask(self, turn: _Turn) -> None:
        """What a thread does: it touches no database."""
        try:
            self._came.put((turn, turn.ask()))
        except (Unusable, StartAgain) as fault:
            self._came.put((turn, fault))
        except Exception as fault:  # ours; it counts as silence
            log.exception("Asking the witness %s failed", turn.lacking.witness.name)
            self._came.put((turn, Unusable(type(fault).__name__)))

    def _collect(self) -> None:
        """Wait a moment for what comes, and store it."""
        try:
            turn, came = self._came.get(timeout=_LOOK_AROUND)
        except Empty:
            return
        if isinstance(came, StartAgain) and turn.restarts < _RESTARTS:
            self._send(replace(turn, restarts=turn.restarts + 1), came.size)
            return
        self._running.discard(turn.lacking.witness.url)
        self._settle(turn, Unusable(str(came)) if isinstance(came, StartAgain) else came)

    def _settle(self, turn: _Turn, outcome: Outcome) -> None:
        """Store an answer or log a failure, and let others have their turn."""
        witness, now = turn.lacking.witness, signed_time(self._clock())
        rows = Witness.objects.filter(url=witness.url)
        rests_until = None
        if isinstance(outcome, Unusable):
            log.warning("The witness %s: %s", witness.name, outcome)
            rests_until = now + PAUSE
            if isinstance(outcome, OtherLog):
                rows.filter(disagrees_since=None).update(disagrees_since=now)
        else:
            outcome = outcome._replace(came_at=now)
            if isinstance(witness, Cosigner) or turn.lacking.keys:
                _keep(turn, outcome)
                rows.update(size=Greatest(F("size"), turn.size), disagrees_since=None)
        self.outcomes[witness] = outcome
        rows.filter(fence=turn.fence).update(leased_until=None, rests_until=rests_until)


def _keep(turn: _Turn, answer: Answer) -> None:
    """Store an answer with its checkpoint; one that is there already stays."""
    kind = WitnessAnswer.Kind
    is_cosigner = isinstance(turn.lacking.witness, Cosigner)
    row = WitnessAnswer(
        kind=kind.COSIGNATURE if is_cosigner else kind.TOKEN,
        name=turn.lacking.witness.name,
        key=answer.key,
        size=turn.size,
        root=turn.root,
        at=answer.at,
        content=answer.content,
    )
    WitnessAnswer.objects.bulk_create([row], ignore_conflicts=True)
