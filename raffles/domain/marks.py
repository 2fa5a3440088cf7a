"""What was seen of the database, kept outside it: a database that is behind it was restored.

Marks stand in a file of `STATE_DIR`, under the installation's id, and in Redis where there is one,
for the other machines. What is noted was committed before, so whoever reads marks and looks into
the database after that finds it there. A mark that is behind is no harm: it only proves less.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import redis
from django.conf import settings
from redis.exceptions import RedisError

from raffles.fairness.verify import Invalid, read_statement

log = logging.getLogger(__name__)
_WIDTH = 512  # bytes: one sector, which a crash leaves as it was or as it is
_LONGEST = 65_536  # bytes of a statement and its line's end
_TIMEOUT = 0.5
_PAUSE = 5.0  # seconds without another try, so that nobody keeps waiting for a hung Redis


class Claimed(NamedTuple):
    """A ticket that was handed out, in an epoch, at a position of the database.

    `position` is a byte of PostgreSQL's log, read in the transaction that wrote the ticket; of
    SQLite the ticket's primary key. `ticket` is `RAFFLE SLOT TAG`: the raffle's id in hex, and a
    hash of the code's tag.
    """

    epoch: int = 0
    position: int = 0
    ticket: str = ""


class Stated(NamedTuple):
    """A log of so many statements, the hash of the last in hex, and the position as above."""

    epoch: int = 0
    size: int = 0
    last: str = ""
    position: int = 0


class Mark(NamedTuple):
    """The newest that was seen of either."""

    claimed: Claimed = Claimed()
    stated: Stated = Stated()

    def joined(self, other: Mark) -> Mark:
        """Return the newer of both."""
        return Mark(max(self.claimed, other.claimed), max(self.stated, other.stated))

    def since(self, epoch: int) -> Mark:
        """Return what was seen in that epoch or later."""
        return Mark(
            self.claimed if self.claimed.epoch >= epoch else Claimed(),
            self.stated if self.stated.epoch >= epoch else Stated(),
        )

    @property
    def position(self) -> int:
        """Return how far the database had come; 0 where that is not known."""
        return max(self.claimed.position, self.stated.position)

    def text(self) -> str:
        """Return it in one line."""
        return json.dumps({"claimed": self.claimed, "stated": self.stated})

    @classmethod
    def of(cls, text: str | bytes) -> Mark:
        """Read that line; empty is nothing. Raises ValueError."""
        if not text.strip():
            return cls()
        try:
            said = json.loads(text)
            return cls(Claimed(*said["claimed"]), Stated(*said["stated"]))
        except (TypeError, KeyError) as error:
            raise ValueError("it is not a mark") from error


class Unreadable(Exception):
    """A mark is there and cannot be read: nothing may be handed out on its word."""


def folder(installation: bytes) -> Path:
    """Return the folder of what this machine remembers of an installation."""
    return Path(settings.STATE_DIR, "installations", installation.hex())


@contextmanager
def alone() -> Iterator[None]:
    """Hold STATE_DIR against this machine's other processes; a kill lets it go. OSError."""
    home = Path(settings.STATE_DIR)
    home.mkdir(parents=True, exist_ok=True)
    with Path(home, "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_writable(installation: bytes) -> None:
    """Raise OSError where what is seen of an installation, or signed, could not be kept."""
    own = folder(installation)
    own.mkdir(parents=True, exist_ok=True)
    for path in (own / "mark", own / "statements", Path(settings.STATE_DIR, "signed")):
        if path.exists():
            path.open("ab").close()
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def read(installation: bytes) -> Mark:
    """Return the newest mark of file and Redis. Raises Unreadable."""
    return _read_file(installation).joined(_read_redis(installation))


def set_aside_unreadable(installation: bytes) -> Iterator[str]:
    """Move each mark away that cannot be read, and yield where it was. Raises OSError."""
    try:
        _read_file(installation)
    except Unreadable:
        path = folder(installation) / "mark"
        path.replace(path.with_name("mark.unreadable"))
        yield str(path)
    try:
        _read_redis(installation)
    except Unreadable:
        if client := _client():
            client.delete(_key(installation))
        yield f"{_key(installation)} in Redis"


def note(installation: bytes, mark: Mark, *, lasting: bool = False) -> None:
    """Keep a mark, unless a newer one is kept; `lasting` waits for the disk. Never raises."""
    try:
        _note_file(installation, mark, lasting=lasting)
    except (OSError, Unreadable) as error:
        log.error("What was seen of the database cannot be noted: %s", error)
    _note_redis(installation, mark)


# --- The file


def _read_file(installation: bytes) -> Mark:
    path = folder(installation) / "mark"
    try:
        return Mark.of(path.read_bytes())
    except FileNotFoundError:
        return Mark()
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {error}") from error


def _note_file(installation: bytes, mark: Mark, *, lasting: bool) -> None:
    with alone():
        newest = mark.joined(_read_file(installation))
        path = folder(installation) / "mark"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, newest.text().encode().ljust(_WIDTH - 1) + b"\n", 0)
            if lasting:
                os.fsync(file)
        finally:
            os.close(file)


# --- The log's statements


def keep_log(installation: bytes, size: int, read: Callable[[int, int], Iterable[bytes]]) -> None:
    """Append to the folder's copy of the log what it lacks of `size` statements. Never raises.

    `read` returns the statements from a number to before another.
    """
    try:
        with alone(), log_file(installation).open("a+b") as file:
            kept = _cut_torn(file)
            for line in read(kept, size):
                file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except (OSError, Invalid) as error:
        log.error("Statements cannot be kept beside the database: %s", error)


def log_file(installation: bytes) -> Path:
    """Return the path of that copy, one statement a line; its folder is made."""
    path = folder(installation) / "statements"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _cut_torn(file: BinaryIO) -> int:
    """Cut off a last line that a crash tore, and return how many are left."""
    end = file.seek(0, os.SEEK_END)
    start = max(end - 2 * _LONGEST, 0)
    file.seek(start)
    tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    file.truncate(start + len(whole))
    if not whole:
        return 0
    return int(read_statement(whole.splitlines()[-1])["n"]) + 1


# --- Redis

# Kept as it is where it is newer: machines note at once. Epoch and position, epoch and size.
_KEEP = """
local kept = redis.call('HMGET', KEYS[1], 'claimed', 'stated')
for place, name in ipairs({'claimed', 'stated'}) do
  local new, old = cjson.decode(ARGV[place]), kept[place] and cjson.decode(kept[place])
  if not old or new[1] > old[1] or (new[1] == old[1] and new[2] > old[2]) then
    redis.call('HSET', KEYS[1], name, ARGV[place])
  end
end
"""
_rests_until = 0.0


def _read_redis(installation: bytes) -> Mark:
    client = _client()
    if client is None:
        return Mark()
    try:
        claimed, stated = client.hmget(_key(installation), "claimed", "stated")
        return Mark(
            Claimed(*json.loads(claimed)) if claimed else Claimed(),
            Stated(*json.loads(stated)) if stated else Stated(),
        )
    except (RedisError, OSError) as error:
        _rest(error)
    except (ValueError, TypeError) as error:
        raise Unreadable(f"{_key(installation)} in Redis: {error}") from error
    return Mark()


def _note_redis(installation: bytes, mark: Mark) -> None:
    client = _client()
    if client is None:
        return
    try:
        said = (json.dumps(mark.claimed), json.dumps(mark.stated))
        client.eval(_KEEP, 1, _key(installation), *said)
    except (RedisError, OSError) as error:
        _rest(error)


def _key(installation: bytes) -> str:
    return f"raffles:mark:{installation.hex()}"


def _client() -> redis.Redis | None:
    if not settings.REDIS_URL or time.monotonic() < _rests_until:
        return None
    return _connected(settings.REDIS_URL)


@lru_cache(maxsize=1)
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)


def _rest(error: Exception) -> None:
    """Go on without Redis for a while, as this machine's file is enough for it."""
    global _rests_until  # noqa: PLW0603 - one Redis, one pause
    _rests_until = time.monotonic() + _PAUSE
    log.warning("Marks are not shared, Redis is away: %s", error)
