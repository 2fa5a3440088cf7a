"""What the tests of this folder share: races, kills, ledgers, and what is wrong with a raffle."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import chain, count, pairwise
from pathlib import Path
from random import Random, randrange
from threading import Barrier
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import pytest
from django.db import OperationalError, connection, connections
from django.db.models import Count, Max

from raffles.domain.audit import audit
from raffles.domain.claiming import _TICKET, Facts
from raffles.domain.entering import enter
from raffles.domain.keys import ticket_key
from raffles.domain.log import LogTree, checkpoint, origin, size, statements
from raffles.domain.sealing import NOBODY_CAME
from raffles.fairness.numbering import numbering
from raffles.fairness.tickets import code_tag, holder_key, holder_tag, read_code
from raffles.fairness.verify import (
    Invalid,
    TreeBuilder,
    checkpoint_text,
    hash_leaf,
    read_statement,
)
from raffles.models import (
    FINISHED,
    Announcement,
    Draw,
    Handover,
    LogNode,
    Raffle,
    State,
    Ticket,
)
from raffles.models import LogEntry as Recorded
from raffles.models import WinnerState as HeldAs
from raffles.tests.factories import NOW, address

LogEntry = Callable[[], object]
Result = TypeVar("Result")
Kind = Announcement.Kind
KILL_EVERY = int(os.environ.get("KILL_EVERY", "4"))
PATIENCE = 30.0  # seconds until a race that hangs is a failure

postgresql_only = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one writer: no lock to leave out"
)


# --- What is wrong -------------------------------------------------------------------------


def flaws(raffle: Raffle | None) -> list[str]:
    """Return each promise about the raffle that is broken in the database; empty is good."""
    if raffle is None:
        return []
    raffle = Raffle.objects.get(pk=raffle.pk)
    found = [promise for promise, is_kept in _promises(raffle) if not is_kept]
    if raffle.state in (State.SEALED, State.DRAWN) and not found:
        try:
            list(audit(raffle))
        except Invalid as invalid:
            found.append(str(invalid))
    return found


def _promises(raffle: Raffle) -> Iterator[tuple[str, bool]]:
    state = raffle.state
    stripes = list(raffle.stripes.order_by("lo"))
    slots = list(raffle.tickets.order_by("slot").values_list("slot", flat=True))
    given = [slot for stripe in stripes for slot in range(stripe.lo, stripe.lo + stripe.issued)]
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    yield "it has prizes", raffle.prizes.exists()
    yield "its stripes begin at 0 and do not overlap", _is_partition(raffle, stripes)
    yield "every slot that was counted is a ticket, once", slots == given
    yield "a holder has tickets 0, 1, ... as far as the terms allow", _are_counted(raffle)
    yield "every number is given once", len({number(slot) for slot in slots}) == len(slots)
    yield (
        "the gate is shut unless it is open",
        (state == State.OPEN or all(stripe.cap == stripe.issued for stripe in stripes)),
    )
    yield "nobody came only where nobody came", not (raffle.void_reason == NOBODY_CAME and slots)

    draws = Draw.objects.filter(raffle=raffle)
    is_committed = state in (State.SEALED, State.DRAWN)
    counts = draws.filter(voided_at=None).count()
    yield "a draw that counts if sealed or drawn", counts == is_committed
    yield "one commitment at the most", draws.count() <= 1
    yield from log_promises()
    yield "winners only if drawn", raffle.winners.exists() == (state == State.DRAWN)
    announced = Counter(raffle.announcements.values_list("kind", flat=True))
    is_full = len(slots) == raffle.total_tickets
    is_said = is_full and state in (State.CLOSED, State.SEALED, State.DRAWN)
    yield (
        "everything is announced once",
        announced
        == +Counter(
            {
                # While it is open, or void from there, somebody may have been refused or not.
                Kind.SOLD_OUT: max(is_said, min(announced[Kind.SOLD_OUT], is_full)),
                Kind.SEALED: draws.count(),
                Kind.DRAWN: int(state == State.DRAWN),
                Kind.VOIDED: int(state == State.VOID),
                Kind.REPLACED: raffle.replacements.count(),
            }
        ),
    )
    acts = Counter(Recorded.objects.about(raffle).values_list("action", flat=True))
    yield (
        "the record tells what was announced",
        {kind: acts[kind] for kind in announced} == dict(announced),
    )
    moments = Handover.objects.filter(winner__raffle=raffle).aggregate(
        **{name: Count(name) for name in ("claimed_at", "handed_over_at", "forfeited_at")}
    )
    yield (
        "the record tells what became of prizes",
        acts["prize.claimed"] == moments["claimed_at"]
        and acts["prize.handed_over"] - acts["prize.hand_over_undone"] == moments["handed_over_at"]
        and acts["prize.forfeited"] <= moments["forfeited_at"]
        and acts["winner.replaced"] <= moments["forfeited_at"],
    )
    yield (
        "every prize has its deadline",
        not raffle.claim_days
        or not raffle.winners.with_state()
        .state(HeldAs.DRAWN)
        .filter(handover__claim_until=None)
        .exists(),
    )
    erased = raffle.tickets.filter(erased_at__isnull=False)
    yield "an erased request is gone", not erased.filter(request_tag__isnull=False).exists()
    yield (
        "erased tags are gone after the end",
        not (state in FINISHED and erased.filter(holder_tag__isnull=False).exists()),
    )


def log_promises() -> Iterator[tuple[str, bool]]:
    """Each promise about the operator's log, its tree made anew, and whether it is kept."""
    lines = list(statements(0, size()))
    said = [_read(line) for line in lines]
    numbers = [statement["n"] for statement in said]
    times = [statement["at"] for statement in said]
    sealed = [statement["raffle_id"] for statement in said if statement["kind"] == "sealed"]
    yield (
        "the log has no gap and no number twice",
        Announcement.objects.count() == size() and numbers == list(range(size())),
    )
    yield "the log's time never goes back", times == sorted(times)
    yield "the log has one seal a raffle", len(sealed) == len(set(sealed))
    leaves = [_hash(line) for line in lines]
    signed = checkpoint_text(origin(), len(lines), _root(leaves))
    yield (
        "the checkpoint is over every statement",
        checkpoint(LogTree(len(lines))).startswith(f"{signed}\n"),
    )
    kept = {
        (level, index): _root(leaves[index << level : (index + 1) << level])
        for level in (8, 16)
        for index in range(len(leaves) >> level)
    }
    stored = LogNode.objects.values_list("level", "index", "hash")
    yield (
        "the log keeps the nodes that nothing changes any more, once",
        Counter((level, index, bytes(node)) for level, index, node in stored)
        == Counter((*place, root) for place, root in kept.items()),
    )


# A log grows, and is looked at after every kill: what its lines say depends on their bytes alone.
_read, _hash = lru_cache(maxsize=None)(read_statement), lru_cache(maxsize=None)(hash_leaf)


def _root(leaves: Sequence[bytes]) -> bytes:
    builder = TreeBuilder()
    for leaf in leaves:
        builder.add(leaf)
    return builder.finish().root


def _are_counted(raffle: Raffle) -> bool:
    holders = raffle.tickets.exclude(holder_tag=None).values("holder_tag")
    counted = holders.annotate(count=Count("pk"), last=Max("nth")).values_list("count", "last")
    return all(count == last + 1 <= raffle.tickets_per_holder for count, last in counted)


def _is_partition(raffle: Raffle, stripes: Sequence[Any]) -> bool:
    ends = [(stripe.lo, stripe.lo + stripe.cap) for stripe in stripes]
    if raffle.state == State.OPEN:
        ends.append((raffle.total_tickets, raffle.total_tickets))
        return ends[0][0] == 0 and all(end == lo for (_, end), (lo, _) in pairwise(ends))
    return ends[0][0] == 0 and all(end <= lo for (_, end), (lo, _) in pairwise(ends))


class WinnerState(NamedTuple):
    """How far a raffle is; two that went the same way compare equal."""

    state: str
    prizes: int
    stripes: int
    tickets: int
    erased: int
    winners: int
    replacements: int
    announcements: tuple[str, ...]
    acts: tuple[str, ...]
    held_as: tuple[str, ...]

    @classmethod
    def of(cls, raffle: Raffle | None) -> WinnerState | None:
        """Return what the database says now; None without a raffle."""
        if raffle is None:
            return None
        raffle = Raffle.objects.get(pk=raffle.pk)
        return cls(
            state=raffle.state,
            prizes=raffle.prizes.count(),
            stripes=raffle.stripes.count(),
            tickets=raffle.tickets.count(),
            erased=raffle.tickets.filter(holder_tag=None).count(),
            winners=raffle.winners.count(),
            replacements=raffle.replacements.count(),
            announcements=tuple(raffle.announcements.values_list("kind", flat=True)),
            acts=tuple(Recorded.objects.about(raffle).values_list("action", flat=True)),
            held_as=tuple(winner.state() for winner in raffle.winners.with_state()),
        )


def pk_of(facts: Facts) -> int:
    """Return the raffle's primary key, for wrong ways to claim."""
    return Raffle.objects.values_list("pk", flat=True).get(uuid=UUID(bytes=facts.uuid))


def insert_ticket(raffle_pk: int, slot: int, values: list[Any], otherwise: str = "") -> None:
    """Run a bare INSERT of a ticket, for wrong ways to claim."""
    places = ", ".join(["%s"] * (2 + len(values)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_TICKET} VALUES ({places}) {otherwise}",
            [raffle_pk, slot, *values],
        )


# --- Races ---------------------------------------------------------------------------------


def race(*acts: LogEntry) -> list[Any]:
    """Let every act go at once, each in a thread with a connection of its own.

    Returns in their order what each returned, or the exception that it raised.
    """
    with clients(len(acts)) as threads:
        return at_once(threads, *acts)


@contextmanager
def clients(size: int) -> Iterator[ThreadPoolExecutor]:
    """Provide threads for several races, which keep their connections meanwhile."""
    with ThreadPoolExecutor(size) as threads:
        try:
            yield threads
        finally:
            at_once(threads, *[connections.close_all] * size)


def at_once(threads: ThreadPoolExecutor, *acts: LogEntry) -> list[Any]:
    """Race on such threads, as many as there are acts."""
    start = Barrier(len(acts))

    def run(act: LogEntry) -> object:
        try:
            _connect()
            start.wait(PATIENCE)
            return act()
        except Exception as error:  # noqa: BLE001 - an outcome like any other
            return error

    return list(threads.map(run, acts))


def _connect() -> None:
    """Connect, patiently: other work on the same server may hold the last connections."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def tally(outcomes: Iterable[object]) -> dict[str, int]:
    """Return how often each kind of outcome came, by the name of its class."""
    return dict(Counter(type(outcome).__name__ for outcome in outcomes))


# --- Processes and kills -------------------------------------------------------------------


def fork(act: LogEntry) -> int:
    """Start a process that does `act` on connections of its own; return its id.

    It exits with 0, or with 1 and a traceback when the act raised.
    """
    connections.close_all()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Python warns of other threads' locks; the child takes none of them and ends by _exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        act()
        status = 0
    except BaseException:  # noqa: BLE001 - the child may not go on as a second test run
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def is_killed(pid: int) -> bool:
    """Wait for a child; return whether it was killed. Raises if it failed."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status:
        raise ChildProcessError(f"process {pid} ended with status {status}")
    return False


def moments(every: int = KILL_EVERY) -> Iterator[int]:
    """Return the moments to kill at: each `every`-th, from any of the first on.

    So the runs of a week see all of them, and `KILL_EVERY=1` does in one.
    """
    return count(randrange(every), every)


def die_at(moment: int) -> None:
    """Kill this process at the n-th moment from now on: after its n-th statement or COMMIT.

    Moment 0 is now; what is after one statement is before the next.
    """
    left = count(moment, -1)

    def pass_moment() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(step: Callable[..., Result]) -> Callable[..., Result]:
        def stepped(*args: Any, **options: Any) -> Result:
            result = step(*args, **options)
            pass_moment()
            return result

        return stepped

    connection.ensure_connection()
    make_cursor = connection.make_cursor

    def make_stepping_cursor(raw: Any) -> Any:
        cursor = make_cursor(raw)
        for name in ("execute", "executemany", "copy_expert"):
            if hasattr(cursor, name):
                setattr(cursor, name, stepping(getattr(cursor, name)))
        return cursor

    # Set on the one connection of a process that is about to die: nothing to put back.
    vars(connections["default"]).update(
        make_cursor=make_stepping_cursor, commit=stepping(connection.commit)
    )
    pass_moment()


# --- The ledger of a client ----------------------------------------------------------------


class Acknowledged(NamedTuple):
    """What a client was told: holder `n` has this number and this code."""

    n: int
    number: int
    code: str


class Ledger:
    """A client's own record, on disk before the client goes on; lines of one width."""

    _LINE = "{:8} {:8} {:24}\n"
    _WIDTH = len(_LINE.format(0, 0, ""))

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def __len__(self) -> int:
        """Return how much was acknowledged; a last line that a kill cut off does not count."""
        return self.path.stat().st_size // self._WIDTH

    def __iter__(self) -> Iterator[Acknowledged]:
        for line in self.path.read_text().splitlines()[: len(self)]:
            n, number, code = line.split()
            yield Acknowledged(int(n), int(number), code)

    def mend(self) -> None:
        """Cut off a torn last line, so that the next one starts on a new line."""
        os.truncate(self.path, len(self) * self._WIDTH)

    def keep(self, line: Acknowledged) -> None:
        """Append a line, and wait until it is on disk."""
        with self.path.open("ab", buffering=0) as file:
            file.write(self._LINE.format(*line).encode())
            os.fsync(file.fileno())


def ask_here(raffle_uuid: UUID, n: int) -> Acknowledged:
    """Enter holder `n`, with a request key that is always the same."""
    entry = enter(raffle_uuid, identity=f"ip:{address(n)}", now=NOW, request_key=f"request-{n}")
    return Acknowledged(n, entry.ticket_number, entry.verification_code)


def take_part(ask: Callable[[int], Acknowledged], ns: range, ledger: Ledger) -> None:
    """Ask for the tickets of holders `ns` in turn, as a client that goes on where its ledger ends.

    What it was asking for when it was killed it asks for again.
    """
    ledger.mend()
    for n in ns[len(ledger) :]:
        ledger.keep(ask(n))


class Crowd:
    """Client processes that share holders 0 to `claims` - 1; a killed one is started again."""

    def __init__(
        self, client: Callable[[range, Ledger], object], *, claims: int, folder: Path, size: int = 8
    ) -> None:
        self.claims = claims
        self.ledgers = [Ledger(folder / f"ledger-{k}") for k in range(size)]
        self._client = client
        self._clients = {self._start(k): k for k in range(size)}

    def _start(self, k: int) -> int:
        return fork(
            partial(self._client, range(k, self.claims, len(self.ledgers)), self.ledgers[k])
        )

    def acknowledged(self) -> int:
        """Return how many claims all clients together have on record."""
        return sum(map(len, self.ledgers))

    def wait_for(self, acknowledged: int) -> None:
        """Return once so many claims are on record."""
        while self.acknowledged() < acknowledged:
            time.sleep(0.01)

    def kill_one(self, chance: Random) -> None:
        """Kill any client at work, a moment from now, and start it again."""
        while True:
            time.sleep(chance.random() * 0.005)
            pid = chance.choice(sorted(self._clients))
            os.kill(pid, signal.SIGKILL)
            k = self._clients.pop(pid)
            if is_killed(pid):  # else it had ended before, and another one must go
                self._clients[self._start(k)] = k
                return

    def finish(self) -> None:
        """Wait until all clients are through."""
        for pid in self._clients:
            is_killed(pid)


def run_crowd(crowd: Crowd, *, kills: int, seed: int) -> None:
    """Let the crowd take all its tickets; clients are killed at moments chosen by `seed`."""
    chance = Random(seed)
    for moment in sorted(chance.sample(range(crowd.claims * 9 // 10), kills)):
        crowd.wait_for(moment)
        crowd.kill_one(chance)
    crowd.finish()


def discrepancies(raffle: Raffle, ledgers: Iterable[Ledger]) -> list[str]:
    """Return the differences between the clients' records and the database; empty is good."""
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    key = holder_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes)
    rows = Ticket.objects.filter(raffle=raffle).values_list("slot", "holder_tag", "code_tag")
    stored = {
        number(slot): (bytes(holder or b""), bytes(code or b"")) for slot, holder, code in rows
    }
    found = []
    for line in chain.from_iterable(ledgers):
        told = holder_tag(key, f"ip:{address(line.n)}"), code_tag(read_code(line.code) or "")
        if stored.pop(line.number, None) != told:
            found.append(f"holder {line.n} was told {line.number}, which is not theirs")
    return found + [f"{number} was acknowledged to nobody" for number in stored]
