"""A progress line for long work; nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 30
_EVERY = 0.1  # seconds


class Bar:
    """Call it with (done, total); it draws on a terminal only, at most ten times a second."""

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self._title, self._stream = title, stream or sys.stderr
        self._is_shown = self._stream.isatty()
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        if not self._is_shown or (time.monotonic() < self._next and done < total):
            return
        self._next = time.monotonic() + _EVERY
        filled = _WIDTH * done // max(total, 1)
        bar = "█" * filled + "░" * (_WIDTH - filled)
        end = "\n" if done >= total else ""
        self._stream.write(f"\r{self._title} {bar} {done:,} of {total:,}{end}")
        self._stream.flush()
