"""What every benchmark shares: rounds in turns, what they showed, and a Django set up for them."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import django
from django.core.management import call_command

Value = TypeVar("Value")


class Seen(NamedTuple):
    """What a benchmark saw: the ratio of each round, and what that was in absolute terms.

    `detail` means nothing on another machine.
    """

    name: str
    ratios: Sequence[float]
    detail: str


# --- Rounds ------------------------------------------------------------------------------


def interleaved(*acts: Callable[[], Value], rounds: int) -> list[list[Value]]:
    """Return for each act what it measured, a value a round; they take turns in going first.

    The machine's mood changes by the minute and hits all sides of a round alike.
    """
    seen: list[list[Value]] = [[] for _ in acts]
    for turn in range(rounds):
        for place in range(len(acts)):
            side = (turn + place) % len(acts)
            seen[side].append(acts[side]())
    return seen


def ratios(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return first by second, a round each."""
    return [left / right for left, right in zip(first, second, strict=True)]


def compared(
    name: str, sides: Sequence[Sequence[float]], unit: str, digits: int = 0, note: str = ""
) -> Seen:
    """Compare the first two sides of some rounds."""
    first, second = sides[:2]
    detail = f"{median(first):,.{digits}f} {unit} against {median(second):,.{digits}f} {unit}"
    return Seen(name, ratios(first, second), detail + note)


def limited(
    name: str, seen: Sequence[float], limit: float, unit: str, digits: int = 1, note: str = ""
) -> Seen:
    """Compare what was seen with a limit in the same unit."""
    detail = f"{median(seen):,.{digits}f} {unit} of {limit:g} {unit}{note}"
    return Seen(name, [value / limit for value in seen], detail)


def timing(
    act: Callable[[], object],
    *,
    times: int = 1,
    scale: float = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Callable[[], float]:
    """Return what measures the seconds of one of so many acts, times `scale`."""

    def measure() -> float:
        started = clock()
        for _ in range(times):
            act()
        return (clock() - started) / times * scale

    return measure


# --- Memory ------------------------------------------------------------------------------


def megabytes(name: str, pid: int | str = "self") -> float:
    """Return what the system knows of a process's memory, such as VmHWM or Private_Dirty."""
    book = "status" if name.startswith("Vm") else "smaps_rollup"
    text = Path(f"/proc/{pid}/{book}").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024 / 1e6


def forget_peak() -> float:
    """Begin VmHWM anew; return the megabytes in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return megabytes("VmRSS")


# --- Django ------------------------------------------------------------------------------

_SECRETS = {name: secrets.token_hex(32) for name in ("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY")}
_STATE = TemporaryDirectory(prefix="benchmarks-state-")


def set_up(url: str, *, log_level: str = "INFO", **settings: str) -> None:
    """Set up Django in this process on that database, as in production.

    Everything is on, and the client is a trusted proxy. Servers started later inherit it.
    """
    os.environ |= _SECRETS | {
        "DJANGO_SETTINGS_MODULE": "rafflesite.settings",
        "ENV_FILE": "",
        "DATABASE_URL": url,
        "DEBUG": "off",
        "LOG_LEVEL": log_level,
        "MANAGER_IPS": "192.0.2.1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "PUBLIC_URL": "http://127.0.0.1",
        "STATE_DIR": _STATE.name,
        "STREAMS_PER_HOLDER": "0",
    }
    os.environ |= settings
    django.setup()


def migrate() -> None:
    """Make the tables."""
    call_command("migrate", verbosity=0)
