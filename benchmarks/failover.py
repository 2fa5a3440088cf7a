"""Leaders, standbys and etcd are killed, stopped and cut off: is a ticket lost, or drawn twice?

    python -m benchmarks.failover [--losses 20] [--claims 200000] [--patroni /opt/patroni]
        [--asynchronous]

Starts deploy/cluster as it is on three hosts, which are namespaces of this machine, and the site on
each. Participants with request keys take part over TLS and keep ledgers, `draw_winners` draws what
is due, listeners and a webhook hear of it. Each loss of the leader is of another kind; between them
something else breaks. Prints the gaps without a ticket and what was wrong; exits 1 when anything
was. Needs root, and etcd, HAProxy, PgBouncer, PostgreSQL and Patroni.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median, quantiles

from django.db import connection
from django.utils import timezone

from benchmarks.harness import migrate
from benchmarks.hosts import PASSWORD, SWITCH, Cluster, Host, alone, until
from benchmarks.inside import new_raffle
from benchmarks.people import (
    EVERY,
    UNTIL_HUNG,
    Listening,
    Participants,
    Runs,
    Trouble,
    Watch,
    manage,
    over,
    serve,
    serve_web,
)
from benchmarks.servers import Unavailable
from raffles.domain.entering import enter
from raffles.domain.keys import current_key_id
from raffles.models import Announcement, Delivery, Endpoint, Raffle
from raffles.tests.factories import address
from raffles.tests.nothing_lost.harness import discrepancies, flaws
from raffles.tests.notifications.receiver import Receiver
from raffles.tests.notifications.returning import Told, compare

_HOLDS = 30.0  # seconds at least that a fault lasts: longer than Patroni's ttl
_TURN = 5  # seconds until the next host is restarted: HAProxy has seen this one again
_STATUSES = {0, 1, 75}  # as documented
_OURS = ("web", "stream", "deliver", "draw")


def main() -> int:
    """Play all faults, and print how many things were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--losses", type=int, default=20)
    parser.add_argument("--claims", type=int, default=200_000)
    parser.add_argument("--patroni", type=Path, default=Path("/opt/patroni"))
    parser.add_argument("--asynchronous", action="store_true", help="see that it loses tickets")
    options = parser.parse_args()
    try:
        alone()
        cluster = Cluster(Path("/mnt"), options.patroni.resolve(), options.asynchronous)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    wrong = lose_leaders(cluster, options.losses, options.claims)
    for line in wrong[:20]:
        print(f"  {line}")
    return 1 if wrong else 0


# --- Faults ------------------------------------------------------------------------------

Fault = Callable[[Cluster], AbstractContextManager[object]]


@contextmanager
def killed(host: Host, *programs: str) -> Iterator[None]:
    """Kill Patroni with PostgreSQL, or other programs; start them again as systemd does."""
    host.kill(*programs)
    yield
    for program in programs:
        if program != "postgres":  # which is Patroni's to start
            host.start_unit(program)


@contextmanager
def stopped(host: Host, *programs: str) -> Iterator[None]:
    host.signal(signal.SIGSTOP, *programs)
    yield
    host.signal(signal.SIGCONT, *programs)


@contextmanager
def cut_off(host: Host) -> Iterator[None]:
    host.cut(off=True)
    yield
    host.cut(off=False)


@contextmanager
def full(host: Host) -> Iterator[None]:
    """Fill the disk that the data is on."""
    ballast = host.folder / "disk" / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    yield
    ballast.unlink()


def leader(act: Callable[..., AbstractContextManager[None]], *programs: str) -> Fault:
    return lambda cluster: act(known(cluster.leader()), *programs)


def standby(act: Callable[..., AbstractContextManager[None]], *programs: str) -> Fault:
    return lambda cluster: act(known(cluster.standby()), *programs)


def known(host: Host | None) -> Host:
    assert host
    return host


@contextmanager
def etcd_lost(count: int, cluster: Cluster) -> Iterator[None]:
    with ExitStack() as stack:
        for host in list(cluster)[:count]:
            stack.enter_context(killed(host, "etcd"))
        yield


@contextmanager
def standbys_lost(cluster: Cluster) -> Iterator[None]:
    """Leave the leader alone for longer than anybody waits; it is over when this yields."""
    with ExitStack() as stack:
        for host in cluster:
            if host is not cluster.leader():
                stack.enter_context(killed(host, "patroni", "postgres"))
        time.sleep(UNTIL_HUNG)
    yield


LOSSES: dict[str, Fault] = {
    "leader killed": leader(killed, "patroni", "postgres"),
    "leader stopped": leader(stopped, "patroni", "postgres"),
    "leader cut off": leader(cut_off),
    "leader's Patroni stopped": leader(stopped, "patroni"),
    "leader's PostgreSQL killed": leader(killed, "postgres"),
}
OTHERS: dict[str, Fault] = {
    "standby killed": standby(killed, "patroni", "postgres"),
    "standby stopped": standby(stopped, "patroni", "postgres"),
    "one etcd killed": partial(etcd_lost, 1),
    "two etcd killed": partial(etcd_lost, 2),
    "standby's disk full": standby(full),
    "both standbys killed": standbys_lost,
}


# --- The campaign ------------------------------------------------------------------------


def lose_leaders(cluster: Cluster, losses: int, claims: int) -> list[str]:
    """Play that many losses, each followed by another fault; return what was wrong."""
    started, gaps, cuts = time.monotonic(), list[float](), list[tuple[float, float]]()
    raffle, due = prepare(cluster, losses)
    crowd = Participants(raffle, cluster.folder)
    listening, receiver = Listening(), Receiver(SWITCH)
    with receiver:
        subscribe(receiver)
        runs, watch = Runs(cluster), Watch(crowd)
        until(lambda: crowd.acknowledged() > 100, "a hundred tickets")
        wrong = restart_each(cluster, crowd)
        others = cycle(OTHERS.items())
        for name, fault in islice(cycle(LOSSES.items()), losses):
            began = time.time()
            gaps.append(play(cluster, watch, name, fault))
            if fault is LOSSES["leader cut off"]:
                cuts.append((began, time.time() + UNTIL_HUNG))
            play(cluster, watch, *next(others))
        crowd.wait_for(claims)
        over.set()
        crowd.finish()
        runs.finish()
        settle(cluster, due)
        wrong += misheard(listening, receiver)
    wrong += discrepancies(raffle, crowd.ledgers) + unfit(crowd.met(), cuts)
    wrong += [f"{one.name}: {flaw}" for one in (raffle, *due) for flaw in flaws(one)]
    wrong += [f"a draw_winners ended with {status}" for status in runs.statuses.keys() - _STATUSES]
    wrong += tracebacks(cluster)
    others_met = Counter(trouble.what for trouble in crowd.met())
    print(
        f"{crowd.acknowledged():,} tickets acknowledged, {losses} losses of the leader and as many"
        f" other faults in {time.monotonic() - started:,.0f} s; gaps p50 {median(gaps):.1f} s,"
        f" p95 {percentile(gaps):.1f} s, at most {max(gaps):.1f} s; other answers"
        f" {dict(others_met)}; draw_winners ended {dict(runs.statuses)}; {len(wrong)} wrong"
    )
    return wrong


def prepare(cluster: Cluster, losses: int) -> tuple[Raffle, list[Raffle]]:
    """Make the database and start the site; return a raffle to enter, and those that come due."""
    known(cluster.leader()).sql(
        f"CREATE ROLE raffles LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE raffles OWNER raffles"
    )
    migrate()
    serve(cluster)
    now, holders = timezone.now(), count()
    moments = [now + timedelta(seconds=EVERY * n) for n in range(2, 2 + losses * 6)]
    due = [new_raffle(20, closes_at=moment) for moment in moments]
    for raffle in due * 5:
        enter(raffle.uuid, identity=f"ip:{address(next(holders))}", now=now)
    return new_raffle(), due


def subscribe(receiver: Receiver) -> None:
    """Have every announcement sent to it."""
    address, now = receiver.url("ok"), timezone.now()
    Endpoint.objects.create(address=address, created_at=now, key_id=current_key_id())
    connection.close()  # the leader that it leads to is about to be lost


def play(cluster: Cluster, watch: Watch, name: str, fault: Fault) -> float:
    """Let it happen, wait until all is well again, and return the longest gap meanwhile."""
    watch.longest()
    began = time.monotonic()
    with fault(cluster):
        time.sleep(_HOLDS)
        until(lambda: watch.silent() < 1, f"tickets although {name}")
    until(cluster.is_whole, f"a whole cluster after: {name}")
    gap = watch.longest()
    whole = time.monotonic() - began
    print(f"  {name:<28}{gap:5.1f} s without a ticket, whole after {whole:.0f} s", flush=True)
    return gap


def restart_each(cluster: Cluster, crowd: Participants) -> list[str]:
    """Restart the site on one host after the other; return every answer that was not a ticket."""
    before, asked = len(crowd.met()), crowd.acknowledged()
    for host in cluster:
        host.signal(signal.SIGTERM, "web")
        host.wait("web")
        serve_web(host)
        until(host.is_ready, f"{host.name} ready")
        time.sleep(_TURN)
    failed = crowd.met()[before:]
    print(f"  restarted one by one: {crowd.acknowledged() - asked} tickets, {len(failed)} failed")
    return [f"while restarting: {trouble}" for trouble in failed]


def settle(cluster: Cluster, due: list[Raffle]) -> None:
    """Have everything drawn that is due by now, and delivered."""
    host = known(cluster.leader())
    manage(host, "draw-last", "draw_winners")
    host.wait("draw-last")
    late = Raffle.objects.due(timezone.now() - timedelta(seconds=EVERY)).filter(
        pk__in=[raffle.pk for raffle in due]
    )
    until(lambda: not late.exists(), "every due raffle drawn")
    until(lambda: not Delivery.objects.pending().exists(), "every announcement delivered")


# --- What was wrong ----------------------------------------------------------------------


def unfit(troubles: list[Trouble], cuts: list[tuple[float, float]]) -> list[str]:
    """Return answers but 503 with Retry-After, and silence of fronts that were not cut off."""
    return [
        str(trouble)
        for trouble in troubles
        if (trouble.what != "503" or not trouble.retry_after)
        and not (
            not trouble.what.isdecimal()
            and any(
                since <= trouble.at + trouble.seconds and trouble.at <= end for since, end in cuts
            )
        )
    ]


def misheard(listening: Listening, receiver: Receiver) -> list[str]:
    """Return what listeners and the webhook heard otherwise than it is stored."""
    stored = list(Announcement.objects.streamed())
    sent = {
        f"msg_{delivery.message_id.hex}": delivery.announcement.public()
        for delivery in Delivery.objects.select_related("announcement")
        if delivery.announcement
    }
    heard = compare([Told(one.sequence, one.kind) for one in stored], listening.heard(len(stored)))
    wrong = [f"listeners: {heard}"] if any(heard) else []
    arrived = Counter(message.message_id for message in receiver.ledger)
    wrong += [
        f"the webhook was told what is not so: {message.body!r}"
        for message in receiver.ledger
        if json.loads(message.body) != sent.get(message.message_id)
    ]
    if arrived.keys() != sent.keys() or len(sent) != len(stored):
        wrong.append(f"{len(arrived)} of {len(stored)} announcements came to the webhook")
    again = arrived.total() - len(arrived)
    print(f"  {len(stored)} announcements, {again} sent again under their ids")
    return wrong


def tracebacks(cluster: Cluster) -> list[str]:
    """Return our programs that ended with a traceback."""
    return [
        f"{log.parent.name}/{log.name} has a traceback"
        for log in sorted(cluster.folder.glob("*/*.log"))
        if log.stem.startswith(_OURS) and "\nTraceback" in f"\n{log.read_text(errors='replace')}"
    ]


def percentile(gaps: list[float]) -> float:
    return quantiles(gaps, n=20, method="inclusive")[-1] if len(gaps) > 1 else gaps[0]


if __name__ == "__main__":
    sys.exit(main())
