"""Taking part over HTTP: against a stock and a bare Django, with its signature, by size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from unittest import mock

from benchmarks.floor import make_bare_table
from benchmarks.harness import Seen, compared, interleaved, ratios, timing
from benchmarks.inside import FULL, QUICK, ask, new_raffle, pool
from benchmarks.servers import Client, gunicorn, load
from raffles.domain import entering, keys
from raffles.fairness.receipts import Signer
from raffles.models import Raffle

_FLOOR = "django.core.wsgi:get_wsgi_application()"
_WARM = 40  # entries after which both workers know the raffle


def run(*, quick: bool) -> Iterator[Seen]:
    """See how an entry compares."""
    yield from against_floors(rounds=3 if quick else 9, seconds=2.5 if quick else 5.0)
    yield receipt(rounds=9 if quick else 25, entries=200)
    yield by_size(pool(QUICK if quick else FULL), rounds=3 if quick else 9, entries=250)


def against_floors(*, rounds: int, seconds: float) -> Iterator[Seen]:
    """Requests a second and CPU a request of all three servers, in the same rounds."""
    make_bare_table()
    path = f"/raffles/{new_raffle().uuid}/participate/"
    floor = {"DJANGO_SETTINGS_MODULE": "benchmarks.floor_settings"}
    with (
        gunicorn("rafflesite.wsgi:application") as ours,
        gunicorn(_FLOOR, FLOOR="stock", **floor) as stock,
        gunicorn(_FLOOR, FLOOR="bare", **floor) as bare,
    ):
        acts = [partial(load, ours, path), partial(load, stock, "/"), partial(load, bare, "/")]
        for act in acts:
            act(seconds=1.0)  # every thread has its connection and its raffle
        loads = interleaved(*(partial(act, seconds=seconds) for act in acts), rounds=rounds)
    rates = [[each.rate for each in side] for side in loads]
    cpus = [[each.cpu for each in side] for side in loads]
    yield compared("participate_requests", rates, "/s", note=beside_bare(rates))
    yield compared("participate_cpu", cpus, "ms", 2, note=beside_bare(cpus))


def beside_bare(sides: list[list[float]]) -> str:
    """Say how ours and stock compare with bare."""
    ours, stock, bare = sides
    seen = [f"{median(ratios(side, bare)):.2f}" for side in (ours, stock)]
    return "; to bare {}, stock {}".format(*seen)


class Unsigned(Signer):
    """Makes the same receipts, with a constant where the signature would be."""

    def __init__(self, signer: Signer) -> None:
        self.public_key = signer.public_key
        self._sign = lambda data: bytes(64)  # noqa: ARG005


def receipt(*, rounds: int, entries: int) -> Seen:
    """CPU of the same requests with and without the signature, in this process."""
    path = f"/raffles/{new_raffle().uuid}/participate/"
    unsigned = Unsigned(keys.signer())
    enter = partial(ask, "POST", path, expected=201)
    signed = timing(enter, times=entries, scale=1000, clock=time.process_time)

    def without() -> float:
        with mock.patch.object(entering, "signer", return_value=unsigned):
            return signed()

    signed()
    return compared("receipt_cpu", interleaved(signed, without, rounds=rounds), "ms", 3)


def by_size(large: Raffle, *, rounds: int, entries: int) -> Seen:
    """Median time of an entry over one connection: into the large pool, into a new one of 1,000.

    Both are entered by turns, so that neither has the quieter moment.
    """
    sides: list[list[float]] = [[], []]
    with gunicorn("rafflesite.wsgi:application") as served:
        client = Client(served.port)
        for _ in range(rounds):
            paths = [f"/raffles/{r.uuid}/participate/" for r in (large, new_raffle(1_000))]
            acts = [timing(partial(client.ask, path), scale=1000) for path in paths]
            interleaved(*acts, rounds=_WARM)
            for side, taken in zip(sides, interleaved(*acts, rounds=entries), strict=True):
                side.append(median(taken))
    return compared("participate_10m_over_1k", sides, "ms", 2)
