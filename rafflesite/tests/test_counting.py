"""Processes of a server count together, whichever is asked and whatever becomes of them."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from raffles.models import Raffle
from raffles.tests.factories import RaffleFactory
from raffles.tests.notifications.test_delivery_watch import wait_for
from raffles.tests.serving import SITE, free_port, running
from rafflesite.tests.test_restarting import environment

pytestmark = pytest.mark.once

TOKEN = "7d0f0c9a0d0b4f6e9a51c1b8f2a6e3d4"
HOME = Path(f"/dev/shm/raffles-{os.getuid()}")
GUNICORN = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}"]
GRANIAN = [
    *(sys.executable, "-m", "granian", "--workers", "2", "--respawn-failed-workers"),
    *("--workers-kill-timeout", "1", "--interface", "asgi", "--port", "{port}"),
    "rafflesite.asgi:application",
]
needs_memory = pytest.mark.skipif(not HOME.parent.is_dir(), reason="needs /dev/shm")


def counted(port: int) -> dict[str, float]:
    """Return what a scrape tells that was counted, by name and labels."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = client.getresponse()
        assert answer.status == 200
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = (sample.labels[name] for name in sorted(sample.labels))
            found[" ".join((sample.name.removeprefix("raffles_"), *labels))] = sample.value
    return found


def answers(port: int) -> bool:
    try:
        counted(port)
    except (OSError, http.client.HTTPException):
        time.sleep(0.2)
        return False
    return True


def enter(port: int, raffle: Raffle, host: int) -> int:
    here = (f"127.4.0.{host}", 0)
    client = http.client.HTTPConnection("127.0.0.1", port, 30, source_address=here)
    with closing(client):
        client.request("POST", f"/raffles/{raffle.uuid}/participate/")
        return client.getresponse().status


def workers(master: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that it has started and not buried."""
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
    named = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [int(pid) for pid, line in named.items() if line and b"resource_tracker" not in line]


@pytest.fixture(params=["gunicorn", "granian"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    command = [word.format(port=port) for word in globals()[request.param.upper()]]
    with running(command, port, **environment(METRICS_TOKEN=TOKEN)) as master:
        wait_for(lambda: len(workers(master)) == 2)
        yield port, master


@needs_memory
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_any_process_tells_of_all_also_of_those_that_were_killed(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, master = server
    raffle = RaffleFactory.create(total_tickets=40)

    def enter_all(hosts: range) -> None:
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(lambda host: enter(port, raffle, host), hosts))
        assert statuses == [201] * len(statuses)

    def told() -> set[tuple[float, float]]:
        route = "POST /raffles/<UUID:raffle_id>/participate/ 201"
        scrapes = [counted(port) for _ in range(6)]  # of either process
        return {
            (each.get("entries_total address", 0), each.get(f"request_seconds_count {route}", 0))
            for each in scrapes
        }

    enter_all(range(1, 31))
    assert told() == {(30, 30)}

    before = workers(master)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(workers(master)) == 2 and not set(workers(master)) & set(before))
    wait_for(lambda: answers(port))
    enter_all(range(31, 41))

    assert told() == {(40, 40)}
    (folder,) = [path for path in HOME.iterdir() if path.is_dir() and _is_of(path, master)]
    assert len(list(folder.glob("counter_*.db"))) <= 2


def _is_of(folder: Path, master: subprocess.Popen[bytes]) -> bool:
    """Return whether a process of the server holds a place in that folder."""
    held = {
        os.path.realpath(link)
        for pid in workers(master)
        for link in Path(f"/proc/{pid}/fd").iterdir()
    }
    return any(path.startswith(f"{folder}/") for path in held)


@needs_memory
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_listeners_of_a_process_that_is_killed_are_gone() -> None:
    port = free_port()
    command = [word.format(port=port) for word in GRANIAN]
    with running(command, port, **environment(METRICS_TOKEN=TOKEN)) as master:
        wait_for(lambda: len(workers(master)) == 2)
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(6)]
        for client in clients:
            client.request("GET", "/stream/")
            client.getresponse()
        assert counted(port)["stream_listeners"] == 6
        clients.pop().close()
        wait_for(lambda: counted(port)["stream_listeners"] == 5)
        for pid in workers(master):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: answers(port))
        assert counted(port)["stream_listeners"] == 0
        for client in clients:
            client.close()


# --- Places, by themselves

COUNTS = """
import os, sys, time
from pathlib import Path
from rafflesite import counting
counting._MEMORY = Path(sys.argv[1])
counting.begin()
from raffles.web.metrics import LISTENERS, REGISTRY, count_entries
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

def told():
    folder = counting.counted_in()
    if folder is None:
        found = REGISTRY
    else:
        MultiProcessCollector(found := CollectorRegistry(), str(folder))
    lines = generate_latest(found).decode().splitlines()
    return sorted(line for line in lines if line.startswith(("raffles_entries_t", "raffles_str")))
"""


def counts(memory: Path, script: str) -> list[str]:
    """Run a script that counts, and return its lines."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTS + script, memory],
        cwd=SITE,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "rafflesite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines() + done.stderr.splitlines()


def test_process_that_forks_counts_together_with_its_children(tmp_path: Path) -> None:
    script = """
count_entries("address"); LISTENERS.inc(1)
children = []
for n in range(3):  # one after the other: the same place
    if not (child := os.fork()):
        count_entries("address", 10); LISTENERS.inc(5); os._exit(0)
    os.waitpid(child, 0)
print(*told(), sorted(path.name for path in counting.counted_in().glob("gauge*")), sep="\\n")
"""
    assert counts(tmp_path, script) == [
        'raffles_entries_total{way="address"} 31.0',
        "raffles_stream_listeners 1.0",
        "['gauge_livesum_0.db']",
    ]


def test_what_servers_leave_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    home = tmp_path / f"raffles-{os.getuid()}"
    counts(tmp_path, 'count_entries("address")')
    (first,) = [path for path in home.iterdir() if path.is_dir()]
    living = subprocess.Popen(
        [sys.executable, "-c", COUNTS + "print(1, flush=True); input()", tmp_path],
        cwd=SITE,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "rafflesite.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert living.stdout
    assert living.stdin
    living.stdout.readline()
    (second,) = [path for path in home.iterdir() if path.is_dir()]
    assert first != second

    counts(tmp_path, 'count_entries("address")')

    assert second.exists()
    assert len([path for path in home.iterdir() if path.is_dir()]) == 2
    living.communicate(b"\n")


@pytest.mark.parametrize("wrong", ["open to all", "a file", "a link", "nowhere"])
def test_where_there_is_no_place_each_counts_for_itself(tmp_path: Path, wrong: str) -> None:
    home = tmp_path / f"raffles-{os.getuid()}"
    match wrong:
        case "open to all":
            home.mkdir()
            home.chmod(0o777)
        case "a file":
            home.touch()
        case "a link":
            (tmp_path / "theirs").mkdir(mode=0o700)
            home.symlink_to(tmp_path / "theirs")
        case "nowhere":
            tmp_path.rmdir()
            tmp_path.symlink_to("/proc/self/fdinfo")  # a folder in which nothing can be made
    lines = counts(tmp_path, 'count_entries("address"); print(*told(), sep="\\n")')
    assert lines[:2] == [
        'raffles_entries_total{way="address"} 1.0',
        "raffles_stream_listeners 0.0",
    ]
    assert re.match("This process counts for itself alone: ", lines[2])


@pytest.mark.parametrize("lost", ["counting.counted_in()", "counting.counted_in().parent"])
def test_process_whose_folder_is_taken_away_tells_of_itself(tmp_path: Path, lost: str) -> None:
    script = f"""
import shutil
count_entries("address")
shutil.rmtree({lost})
count_entries("address")
print(*told(), sep="\\n")
"""
    lines = counts(tmp_path, script)
    assert lines[:2] == [
        'raffles_entries_total{way="address"} 2.0',
        "raffles_stream_listeners 0.0",
    ]
    assert lines[2].startswith("This process tells what it counted itself: ")
