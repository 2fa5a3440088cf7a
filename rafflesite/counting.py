"""Where the processes of a server count together, so that each of them can tell of all.

They know each other by the random key that `multiprocessing` gives to a process and to whatever it
starts. Each takes a place, a number that is free, whose files the next one goes on with: what was
counted stays, and there are no more files than there ever were processes at once.

The files are in memory: whoever writes to one that is mapped from a full disk is killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import blake2b
from itertools import count
from pathlib import Path

from django.apps import apps
from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

logger = logging.getLogger(__name__)
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY = Path("/dev/shm")  # noqa: S108 - in it, only a folder that nobody else can enter


def begin() -> None:
    """Have this process count with those of its server, if it has made no counter yet.

    Where there is no place for that, it counts for itself. So does a command that serves, such as
    `runserver`, which is one process.
    """
    if apps.ready:
        return
    key = bytes(multiprocessing.current_process().authkey)
    server = blake2b(key, digest_size=16, person=b"counts").hexdigest()
    try:
        folder = _home() / server
        place = _Place(folder)
        _forget_servers(but=folder)
    except OSError as error:
        logger.warning("This process counts for itself alone: %s", error)
        return
    os.environ[_FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(place.number)  # type: ignore[no-untyped-call]


def counted_in() -> Path | None:
    """Return the folder in which the processes of this server count; None for one alone.

    Gauges of processes that are gone are not in it. Whoever has lost it can tell of itself alone.
    """
    if not (named := os.environ.get(_FOLDER)):
        return None
    folder = Path(named)
    try:
        with _alone(folder.parent):
            for place in _places(folder):
                with _holding(place) as is_gone:
                    if is_gone:
                        _forget_gauges(folder, place.name)
    except OSError as error:
        logger.error("This process tells what it counted itself: %s", error)
        return None
    return folder


class _Place:
    """The place of this process; one that is forked takes another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number, self._pid = -1, 0
        self.number()

    def number(self) -> int:
        if self._pid != os.getpid():
            self._number, self._pid = _take(self._folder), os.getpid()
        return self._number


def _take(folder: Path) -> int:
    """Take a free place until this process ends, however it does."""
    with _alone(folder.parent):
        folder.mkdir(exist_ok=True)
        for number in count():
            held = os.open(folder / str(number), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                flock(held, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                os.close(held)
            else:  # and is not closed, on purpose
                _forget_gauges(folder, str(number))
                return number
    raise AssertionError


def _forget_gauges(folder: Path, number: str) -> None:
    """Forget what the process in a place had at the moment that it ended."""
    mark_process_dead(number, str(folder))  # type: ignore[no-untyped-call]


def _forget_servers(*, but: Path) -> None:
    """Remove what servers left behind that have ended."""
    with _alone(but.parent):
        for folder in but.parent.iterdir():
            if folder.is_dir() and folder != but and not any(map(_is_held, _places(folder))):
                shutil.rmtree(folder)


def _places(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.isdecimal()]


def _is_held(place: Path) -> bool:
    with _holding(place) as is_free:
        return not is_free


@contextmanager
def _holding(place: Path) -> Iterator[bool]:
    """Hold a place meanwhile, and yield whether it was free."""
    with place.open() as file:
        with suppress(BlockingIOError):
            flock(file, LOCK_EX | LOCK_NB)
            yield True
            return
        yield False


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep other processes of this user from looking for places meanwhile."""
    with (home / "lock").open("w") as file:
        flock(file, LOCK_EX)
        yield


def _home() -> Path:
    """Return a folder that is this user's alone. Raises OSError."""
    memory = _MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir())
    home = memory / f"raffles-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{home} is not ours alone")
    return home
