"""Taking part: over HTTP against a stock and a bare Django, with its signature, by size; and the
claim alone by several processes at once, where the database is the bottleneck.

On a disk whose flush takes two milliseconds more, a lock that is held across the flush shows: one
ticket for each flush, whatever the hardware. A local disk hides it behind the CPU. SQLite has one
writer: how fast is it alone, and do eight at once get through?
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from unittest import mock

from benchmarks.floor import insert, make_bare_table
from benchmarks.harness import Seen, compared, interleaved, ratios, timing
from benchmarks.inside import ask, claim, new_raffle, pool
from benchmarks.servers import Act, Server, Work, crew, enter, gunicorn
from raffles.domain import entering, keys
from raffles.domain.claiming import Facts
from raffles.fairness.receipts import Signer

_FLOOR = "django.core.wsgi:get_wsgi_application()"
_CONNECTIONS = 16
_WARM = 40  # entries after which both workers know the raffle


# --- Over HTTP ---------------------------------------------------------------------------


def against_floors(*, quick: bool) -> Iterator[Seen]:
    """Requests a second and CPU a request of all three servers, in the same rounds."""
    make_bare_table()
    path = f"/raffles/{new_raffle().uuid}/participate/"
    floor = {"DJANGO_SETTINGS_MODULE": "benchmarks.floor_settings"}
    with (
        gunicorn("rafflesite.wsgi:application") as ours,
        gunicorn(_FLOOR, FLOOR="stock", **floor) as stock,
        gunicorn(_FLOOR, FLOOR="bare", **floor) as bare,
        crew(_CONNECTIONS) as work,
    ):

        def load(served: Server, path: str, seconds: float) -> tuple[float, float]:
            used = served.cpu()
            done = work(partial(enter, served.port, path), seconds)
            return done.rate, (served.cpu() - used) / done.acts * 1000

        acts = [partial(load, ours, path), partial(load, stock, "/"), partial(load, bare, "/")]
        for act in acts:
            act(1.0)  # every thread has its connection and its raffle
        timed = [partial(act, 2.5 if quick else 5.0) for act in acts]
        loads = interleaved(*timed, rounds=3 if quick else 9)
    for name, unit, digits, figure in (
        ("participate_requests", "/s", 0, 0),
        ("participate_cpu", "ms", 2, 1),
    ):
        sides = [[one[figure] for one in side] for side in loads]
        to_bare = [median(ratios(side, sides[2])) for side in sides[:2]]
        note = "; to bare {:.2f}, stock {:.2f}".format(*to_bare)
        yield compared(name, sides, unit, digits, note)


class Unsigned(Signer):
    """Makes the same receipts, with a constant where the signature would be."""

    def __init__(self, signer: Signer) -> None:
        self.public_key = signer.public_key
        self._sign = lambda data: bytes(64)  # noqa: ARG005


def receipt(*, quick: bool) -> Iterator[Seen]:
    """CPU of the same requests with and without the signature, in this process."""
    path = f"/raffles/{new_raffle().uuid}/participate/"
    unsigned = Unsigned(keys.signer())
    post = partial(ask, "POST", path, expected=201)
    signed = timing(post, times=200, scale=1000, clock=time.process_time)

    def without() -> float:
        with mock.patch.object(entering, "signer", return_value=unsigned):
            return signed()

    signed()
    yield compared("receipt_cpu", interleaved(signed, without, rounds=9 if quick else 25), "ms", 3)


def by_size(*, quick: bool) -> Iterator[Seen]:
    """Median time of an entry over one connection: into the large pool, into a new one of 1,000.

    Both are entered by turns, so that neither has the quieter moment.
    """
    large = pool(quick=quick)
    sides: list[list[float]] = [[], []]
    with gunicorn("rafflesite.wsgi:application") as served:
        for _ in range(3 if quick else 9):
            paths = [f"/raffles/{r.uuid}/participate/" for r in (large, new_raffle(1_000))]
            acts = [timing(partial(enter, served.port, path), scale=1000) for path in paths]
            interleaved(*acts, rounds=_WARM)
            for side, taken in zip(sides, interleaved(*acts, rounds=250), strict=True):
                side.append(median(taken))
    yield compared("participate_10m_over_1k", sides, "ms", 2)


# --- The claim alone ---------------------------------------------------------------------


def slow_flush(*, quick: bool) -> Iterator[Seen]:
    """Claims a second of sixteen processes against their inserts."""
    rounds, seconds = (3, 2.0) if quick else (9, 5.0)
    yield claims("claims_slow_flush", _CONNECTIONS, rounds=rounds, seconds=seconds)


def sqlite(*, quick: bool) -> Iterator[Seen]:
    """Claims a second of one process against its inserts; busy errors of eight."""
    rounds, seconds = (5, 1.0) if quick else (15, 3.0)
    yield claims("sqlite_claim", 1, rounds=rounds, seconds=seconds)
    with crew(8) as work:
        done = work(partial(claim, Facts.of(new_raffle())), 5.0 if quick else 20.0)
    detail = f"{done.busy} busy errors in {done.acts:,} claims of 8 processes"
    yield Seen("sqlite_busy", [done.busy], detail)


def claims(name: str, size: int, *, rounds: int, seconds: float) -> Seen:
    """Compare the rates of claims and of bare inserts by so many processes."""
    make_bare_table()
    acts: list[Act] = [partial(claim, Facts.of(new_raffle())), insert]
    with crew(size) as work:

        def rate(act: Act, seconds: float) -> float:
            done: Work = work(act, seconds)
            if done.busy:
                raise RuntimeError(f"{done.busy} of {done.acts} failed")
            return done.rate

        for act in acts:
            rate(act, 0.5)  # connected and warm
        seen = interleaved(*(partial(rate, act, seconds) for act in acts), rounds=rounds)
    return compared(name, seen, "/s")
