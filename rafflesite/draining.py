"""Being unready before a server stops, so that load balancers turn to others before it is gone.

The byte is shared by the processes of a server: its master imports this before it forks, and says
so; every worker's `/readyz` reads it. Where nobody imported it before, it stays as it is.
"""

from __future__ import annotations

import mmap

_byte = mmap.mmap(-1, 1)


def begin() -> None:
    """Let `/readyz` of this server answer 503 from now on."""
    _byte[0] = 1


def is_draining() -> bool:
    """Return whether this server is about to stop."""
    return _byte[0] == 1
