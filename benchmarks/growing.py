"""Does it slow down with size? Creating and entering a raffle of ten million tickets."""

from __future__ import annotations

from statistics import median

from benchmarks.harness import Figure, Goal, against, emit, ratios, timed
from benchmarks.pools import FULL, QUICK, new_raffle, pool
from benchmarks.serving import Connection, entry, expect_created, granian
from raffles.models import Raffle

_CREATING_LIMIT = 0.010  # seconds
_WARM = 40  # entries after which both workers know the raffle


def run(*, quick: bool) -> None:
    """Figures create_10m and participate_10m_over_1k."""
    create(rounds=15 if quick else 50)
    participate(pool(QUICK if quick else FULL), rounds=3 if quick else 9, entries=250)


def create(rounds: int) -> None:
    """Creating a raffle of ten million tickets, against ten milliseconds."""
    new_raffle()  # connected and warm
    seconds = [timed(new_raffle) for _ in range(rounds)]
    detail = f"{median(seconds) * 1000:.1f} ms of 10 ms"
    emit(Figure.of("create_10m", [s / _CREATING_LIMIT for s in seconds], Goal("<=", 1.0), detail))


def participate(large: Raffle, *, rounds: int, entries: int) -> None:
    """Median seconds of an entry over one connection: into the large pool, into a new one of 1,000.

    Both are entered by turns, so that neither has the quieter moment.
    """
    pairs = []
    with granian("rafflesite.wsgi:application") as server:
        client = Connection(server.port)

        def seconds(path: str) -> float:
            request = entry(path)
            return timed(lambda: expect_created(client.ask(request)))

        for _ in range(rounds):
            paths = [f"/raffles/{r.uuid}/participate/" for r in (large, new_raffle(1_000))]
            for path in paths * _WARM:
                seconds(path)
            taken = [[seconds(path) for path in paths] for _ in range(entries)]
            slow, fast = (median(side) * 1000 for side in zip(*taken, strict=True))
            pairs.append((slow, fast))
    emit(
        Figure.of(
            "participate_10m_over_1k", ratios(pairs), Goal("<=", 1.40), against(pairs, "ms", 2)
        )
    )
