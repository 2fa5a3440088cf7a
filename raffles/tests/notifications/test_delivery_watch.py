"""`deliver_announcements --watch` as a process: bad receivers, a bad Redis, SIGTERM under load."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connections

from raffles.domain import lineage
from raffles.domain.clock import database_time
from raffles.models import Attempt, Delivery, Endpoint, Lineage
from raffles.notifications.delivery import deliver
from raffles.tests.lines import Line
from raffles.tests.notifications.acting import announced, endpoint
from raffles.tests.notifications.receiver import Receiver
from raffles.tests.notifications.redis_server import Server
from raffles.tests.serving import SITE, database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SOON = 14.0  # seconds that a process may take to end on a busy machine; who waits takes 15


@contextmanager
def watching(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the process, on the database of this test; killed if it is still there at the end."""
    given = {
        "DATABASE_URL": database_url(),
        "TICKET_KEY": ",".join(key.hex() for key in settings.TICKET_KEYS),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "deliver_announcements", "--watch", "-v", "0"],
        cwd=SITE,
        env=os.environ | given | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bool]:
    """Return the exit status after SIGTERM, and whether it came soon."""
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = process.wait(60)
    return status, time.monotonic() - started < SOON


def test_sigterm_under_load_ends_soon_and_sends_nothing_twice(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    endpoint(receiver.url("empty"))
    announced(1_000)
    connections.close_all()

    with watching() as process:
        wait_for(lambda: len(receiver.ledger) > 300)
        assert ended(process) == (0, True)

    assert len(receiver.ledger) < 2_000
    assert list(Endpoint.objects.values_list("leased_until", flat=True)) == [None, None]
    assert Delivery.objects.filter(state="delivered").count() == len(receiver.ledger)
    deliver(clock=database_time)
    assert Counter(Counter(one.message_id for one in receiver.ledger).values()) == {1: 2_000}


def test_sigterm_does_not_wait_for_a_receiver_that_hangs(receiver: Receiver) -> None:
    told = endpoint(receiver.url("hang"))
    announced(2)
    connections.close_all()

    with watching() as process:
        wait_for(lambda: len(receiver.ledger) == 1)
        assert ended(process) == (0, True)

    told.refresh_from_db()
    assert (told.leased_until, told.failures, Attempt.objects.count()) == (None, 0, 0)
    receiver.behaviours["hang"] = receiver.behaviours["ok"]
    assert deliver(clock=database_time).delivered == 2
    first, again, _ = receiver.ledger
    assert first.message_id == again.message_id


@pytest.mark.postgres
def test_database_that_goes_and_comes_back_delays_and_loses_nothing(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    facts = connections["default"].settings_dict
    line = Line(facts["HOST"] or "127.0.0.1", int(facts["PORT"] or 5432))
    account = f"{facts['USER']}:{facts['PASSWORD']}"
    url = f"postgres://{account}@127.0.0.1:{line.port}/{facts['NAME']}"

    def sent() -> int:
        return len({one.message_id for one in receiver.ledger})

    line.cut()
    with watching(DATABASE_URL=url) as process:  # which comes up without it
        for count in (25, 50):
            announced(25)
            connections.close_all()
            time.sleep(3)
            assert (process.poll(), sent()) == (None, count - 25)
            line.mend()
            # What was claimed when the line was cut is sent again after its lease.
            wait_for(lambda so_far=count: sent() == so_far, 100)  # type: ignore[misc]
            line.cut()
        assert ended(process) == (0, True)


def test_worker_waits_while_a_restored_database_is_put_in_order(receiver: Receiver) -> None:
    lineage.begin()
    endpoint(receiver.url("ok"))
    announced(1)
    Lineage.objects.update(state=Lineage.State.MENDING)
    connections.close_all()
    with watching() as process:
        time.sleep(6)  # long enough to come up, also on a busy machine, and to end
        assert (process.poll(), receiver.ledger) == (None, [])
        Lineage.objects.update(state=Lineage.State.SERVING)
        wait_for(lambda: len(receiver.ledger) == 1)
        assert ended(process) == (0, True)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")
def test_neither_bad_receivers_nor_a_bad_redis_delay_the_others(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = "broken", "hang", "drip", "flood", "flood-headers", "go-on", "reset", "redirect"
    for behaviour in (*bad, "ok"):
        endpoint(receiver.url(behaviour))
    server = Server(tmp_path)
    url = f"redis://127.0.0.1:{server.port}/0"
    monkeypatch.setattr(settings, "REDIS_URL", url)
    faults: list[Callable[[], object]] = [
        bool,
        lambda: redis.Redis(port=server.port).flushall(),
        lambda: server.send(signal.SIGSTOP),
        lambda: server.send(signal.SIGKILL),  # of a stopped process, too
    ]
    took = []
    with watching(REDIS_URL=url) as process:
        for count, fault in enumerate(faults, 1):
            fault()
            announced(25)
            connections.close_all()
            announced_at = time.monotonic()
            wait_for(lambda so_far=25 * count: len(receiver.received("ok")) >= so_far)  # type: ignore[misc]
            took.append(time.monotonic() - announced_at)
        assert ended(process) == (0, True)

    assert max(took[1:]) < SOON  # the first waits for the process; one that hangs takes 15 seconds
    assert Counter(Counter(one.message_id for one in receiver.received("ok")).values()) == {1: 100}
    assert {one.path.removeprefix("/") for one in receiver.ledger} == {*bad, "ok"}
