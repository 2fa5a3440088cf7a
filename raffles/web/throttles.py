"""Rate limits by caller. They are politeness: what must hold is a database constraint."""

import logging
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import ClassVar, Generic, TypeVar

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from raffles.web.callers import address_tag, caller_of
from raffles.web.environment import rate

logger = logging.getLogger(__name__)
Piece = TypeVar("Piece")


# Without the cache everybody passes, and nobody waits for its timeout more than this often.
_PAUSE = 5.0
_LONGEST_NAME = 150  # characters; nobody can log in under a longer one


class AddressThrottle(BaseThrottle):
    """A number of requests per holder in each period of the clock; managers have no limit.

    Subclasses name the setting that holds the rate; an empty rate is no limit.
    """

    setting: ClassVar[str]
    _pause_until: ClassVar[float] = 0.0
    _wait = 0.0
    _key = ""

    def allow_request(self, request: Request, view: APIView | None = None) -> bool:  # noqa: ARG002
        limit = rate(self.rate_of(request))
        if limit is None or self.is_free(request):
            return True
        requests, seconds = limit
        now = time.time()
        period = int(now // seconds)
        self._wait = (period + 1) * seconds - now
        self._key = f"{self.setting}:{period}:{self.counted_by(request)}"
        return self._count(self._key, seconds) <= requests

    def rate_of(self, request: Request) -> str:  # noqa: ARG002 - for subclasses
        """Return the caller's rate."""
        return str(getattr(settings, self.setting))

    def is_free(self, request: Request) -> bool:
        """Return whether the caller has no limit."""
        return caller_of(request).is_manager

    def counted_by(self, request: Request) -> str:
        """Return the key that tells callers apart."""
        return caller_of(request).tag

    def wait(self) -> float:
        return self._wait

    def _count(self, key: str, seconds: int) -> int:
        """Count a request and return how many there have been; 0 if the store is away."""
        if time.monotonic() < AddressThrottle._pause_until:
            return 0
        try:
            return 1 if cache.add(key, 1, timeout=seconds) else cache.incr(key)
        except ValueError:
            return 1  # expired since `add` saw it
        except (RedisError, OSError) as error:
            AddressThrottle._pause_until = time.monotonic() + _PAUSE
            logger.warning("Throttling is off for %.0f s, the cache is away: %s", _PAUSE, error)
            return 0


class EntryThrottle(AddressThrottle):
    """Limit taking part."""

    setting = "THROTTLE_ENTRY"


class VerifyThrottle(AddressThrottle):
    """Limit verifying tickets."""

    setting = "THROTTLE_VERIFY"


class FileThrottle(AddressThrottle):
    """Limit reads of large files."""

    setting = "THROTTLE_FILES"


class LoginThrottle(AddressThrottle):
    """Limit failed logins. Every try counts before it is made, and is taken back if it succeeds.

    Checking first and counting afterwards would let a thousand simultaneous tries pass.
    """

    setting = "THROTTLE_LOGIN"

    def is_free(self, request: Request) -> bool:  # noqa: ARG002
        return False

    def forgive(self) -> None:
        """Take this try back."""
        try:
            if self._key:
                cache.decr(self._key)
        except (ValueError, RedisError, OSError) as error:
            # The period is over, or nobody counts: then there is nothing to take back.
            logger.debug("A try to log in stays counted: %s", error)


class NameThrottle(LoginThrottle):
    """Limit failed logins under one name, from any address.

    Managers' addresses are exempt: otherwise any stranger could lock the staff out.
    """

    def is_free(self, request: Request) -> bool:
        return caller_of(request).is_manager

    def counted_by(self, request: Request) -> str:
        # As Django's form reads it (spaces go first, then NFKC); case is all that it keeps.
        name: str = request.POST.get("username", "").strip()[:_LONGEST_NAME]
        folded = unicodedata.normalize("NFKC", name).casefold()
        return "name:" + address_tag(unicodedata.normalize("NFKC", folded))


class Places:
    """A number of places per holder, in this process."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, holder: str, most: int) -> bool:
        """Take a place and return True, unless the holder has `most`; then call `leave` once."""
        with self._lock:
            is_free = self._taken[holder] < most
            self._taken[holder] += is_free
        return is_free

    def leave(self, holder: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[holder] -= 1
            self._taken += Counter()  # forgets who has none


class Held(Generic[Piece]):
    """The pieces of an answer; `leave` is called once, even if none is ever read.

    A generator's `finally` does not run if the client is gone before the first piece.
    """

    def __init__(self, pieces: Iterable[Piece], leave: Callable[[], None]) -> None:
        self._pieces = iter(pieces)
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        return next(self._pieces)

    def close(self) -> None:
        """Leave; the server calls this however the answer ends."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
