"""Files that are made once: by threads and processes at once, killed, without space or right."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from django.conf import settings

from raffles.tests.serving import SITE
from raffles.web.files import NotNow, kept

NAME = "abc.leaves"
WHOLE = b"leaf" * 50_000


def pieces() -> Iterator[bytes]:
    for start in range(0, len(WHOLE), 1_000):
        yield WHOLE[start : start + 1_000]


def read(make: Callable[[], Iterator[bytes]] = pieces) -> bytes:
    with kept(NAME, make) as file:
        return file.read()


def files() -> dict[str, int]:
    """Return what is in the folder: sizes by name."""
    found = Path(settings.STATE_DIR, "files").iterdir()
    return {path.name: path.stat().st_size for path in found}


def test_file_is_made_once_and_then_read() -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError

    assert read() == WHOLE
    assert read(never) == WHOLE
    assert files() == {NAME: len(WHOLE)}


def test_who_asks_while_it_is_made_is_told_to_come_back() -> None:
    begun, go_on = Event(), Event()

    def slow() -> Iterator[bytes]:
        begun.set()
        yield WHOLE
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(read, slow)
        assert begun.wait(20)
        with pytest.raises(NotNow):
            read()
        go_on.set()
        assert making.result() == WHOLE
    assert read() == WHOLE


def test_what_fails_in_the_middle_leaves_nothing_to_serve() -> None:
    def broken() -> Iterator[bytes]:
        yield WHOLE
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read(broken)
    assert NAME not in files()
    assert read() == WHOLE


def test_full_disk_is_an_error_in_the_log_and_takes_no_space(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(WHOLE) // 2, hard))
    try:
        with pytest.raises(NotNow):
            read()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be kept" in caplog.text
    assert NAME not in files()
    assert sum(files().values()) < 20_000
    assert read() == WHOLE


def test_folder_that_is_no_folder_is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path(settings.STATE_DIR).write_text("")
    with pytest.raises(NotNow):
        read()
    assert "cannot be kept" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_the_right_to_write_is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = Path(settings.STATE_DIR, "files")
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(NotNow):
        read()
    assert "cannot be kept" in caplog.text


MAKING = """
import sys, time
from django.conf import settings
settings.configure(STATE_DIR=sys.argv[1])
from raffles.web.files import NotNow, kept

def pieces():
    for n in range(50):
        yield b"leaf" * 1000
        if n == 25:
            print("half", flush=True)
            time.sleep(float(sys.argv[2]))
try:
    print("whole" if len(kept("abc.leaves", pieces).read()) == 200_000 else "wrong")
except NotNow:
    print("not now")
"""


def process(pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MAKING, str(settings.STATE_DIR), str(pause)]
    return subprocess.Popen(command, cwd=SITE, stdout=subprocess.PIPE, text=True)


def test_killed_in_the_middle_is_made_anew() -> None:
    with process(60) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "half\n"
        with pytest.raises(NotNow):
            read()
        first.send_signal(signal.SIGKILL)
        first.wait(20)
        assert NAME not in files()
        assert read() == WHOLE


def test_of_processes_at_once_one_makes_it_and_none_sees_half() -> None:
    started = time.monotonic()
    processes = [process(0.3) for _ in range(4)]
    said = [one.communicate(timeout=60)[0].splitlines() for one in processes]
    assert time.monotonic() - started < 60
    assert sum("half" in lines for lines in said) == 1
    assert {lines[-1] for lines in said} <= {"whole", "not now"}
    assert read() == WHOLE
