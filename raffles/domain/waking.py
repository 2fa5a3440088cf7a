"""The nudge that something was announced: a message without content, which may get lost.

Readers look into the database whether or not it comes, so Redis only makes them quicker.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache

import redis
from django.conf import settings
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

CHANNEL = "raffles:announced"
_PAUSE = 5.0  # seconds without a try after a failure, so that acts do not wait for a hung Redis
_TIMEOUT = 0.5
_paused_until = 0.0


def wake_readers() -> None:
    """Tells the readers of the stream to look; never raises for a Redis that is away."""
    global _paused_until  # noqa: PLW0603 - one Redis, one pause
    if not settings.REDIS_URL or time.monotonic() < _paused_until:
        return
    try:
        _client(settings.REDIS_URL).publish(CHANNEL, b"")
    except (RedisError, OSError) as error:
        _paused_until = time.monotonic() + _PAUSE
        log.warning("Readers of the stream will poll, Redis is away: %s", error)


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
