"""What we have signed of a log, remembered in the database and in a file beside it.

A database that was restored forgets, and so may a folder: whichever remembers more is believed,
and nothing behind it is signed. The file is the checkpoint's three lines, in STATE_DIR/witness.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from raffles.fairness.verify import base64_of, checkpoint_text
from raffles.models import WitnessedLog


class Unclear(Exception):
    """The memory cannot be read, or contradicts itself: nothing may be signed."""


class Known(NamedTuple):
    """The largest tree of a log that we have signed, and why we sign no other; empty: we do."""

    size: int
    root: bytes
    flaw: str


@contextmanager
def alone() -> Iterator[None]:
    """Hold the folder, against processes that have another database before them.

    It ends with the process. OSError where there is no folder to write to.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with Path(folder, "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def known(row: WitnessedLog) -> Known:
    """Return what database and file together remember of a log. Raises Unclear, OSError."""
    said = Known(row.size, bytes(row.root), row.flaw if row.refused_at else "")
    kept = _read(row.origin)
    if kept is None:
        return said
    if kept.size == said.size and kept.root != said.root:
        raise Unclear(f"database and file remember two logs {row.origin} of size {kept.size}")
    newest = max(said, kept, key=lambda one: one.size)
    return newest._replace(flaw=said.flaw or kept.flaw)


def remember(origin: str, latest: Known) -> None:
    """Write the file, and return when the disk has it. OSError where that cannot be."""
    path = _path(origin)
    part = path.with_suffix(".part")
    text = checkpoint_text(origin, latest.size, latest.root)
    with part.open("w", encoding="utf-8") as file:
        file.write(f"{text}\n{latest.flaw}\n" if latest.flaw else text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(origin: str) -> Known | None:
    try:
        text = _path(origin).read_text(encoding="utf-8")
        name, size, root, *flaw = text.splitlines()
        latest = Known(int(size), base64_of(root), flaw[1] if flaw else "")
    except FileNotFoundError:
        return None
    except (ValueError, IndexError) as error:
        raise Unclear(f"{_path(origin)} cannot be read") from error
    if name != origin or not text.startswith(checkpoint_text(origin, *latest[:2])):
        raise Unclear(f"{_path(origin)} cannot be read")
    return latest


def _path(origin: str) -> Path:
    return _folder() / sha256(origin.encode()).hexdigest()


def _folder() -> Path:
    return Path(settings.STATE_DIR, "witness")
